// ConstantFolding: constants are computed once; the budget is kept, whatever a model asks for.

import LeapGraph
import LeapRuntime
import LeapTensors
import Testing

@Suite struct ConstantFoldingTests {
  @Test func aChainOfConstantsBecomesOne() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n"), 3])
    let a = builder.constant("a", try ramp([3, 4]))
    let t = builder.node("Transpose", [a], output: "t")
    let s = builder.node("Mul", [t, t], output: "s")
    let b = builder.node(
      "Constant", [], attributes: ["value": .tensor(Constant(try ramp([3])))], output: "b")
    let row = builder.node(
      "Constant", [], attributes: ["value_floats": .floats([1, 2, 3])], output: "row")
    let sum = builder.node("Add", [s, b], output: "sum")
    let bias = builder.node("Add", [sum, row], output: "bias")
    let y = builder.node("Add", [x, row], output: "y")
    let graph = try PassHarness.check(
      builder.model(outputs: [y, bias]), [ConstantFolding.self], inputs: ["x": ramp([2, 3])])
    #expect(PassHarness.operators(graph) == "Add")
    #expect(graph[bias].origin.pass == "constant-folding")
    #expect(graph[bias].origin.names == ["bias"])
    #expect(graph.outputs == [y, bias])
    #expect(
      try graph.constants[bias]?.tensor().elements(as: Float.self)?.prefix(3) == [1, 19, 69])
  }

  @Test(arguments: [Shape([1 << 20, 1 << 20]), [1 << 40], [1 << 20], [40_000]])
  func largeResultsOfSmallInputsStay(shape: Shape) throws {
    var builder = ModelBuilder()
    let extents = try builder.integers("shape", shape.map { Int64($0) })
    let huge = builder.node("ConstantOfShape", [extents], output: "huge")
    let one = builder.constant("one", try Tensor([Float(1)]))
    let spread = builder.node("Expand", [one, extents], output: "spread")
    let graph = try PassHarness.optimized(
      builder.model(outputs: [huge, spread]), [ConstantFolding.self])
    #expect(PassHarness.operators(graph) == "ConstantOfShape Expand")
  }

  @Test(arguments: [false, true]) func filtersMadeOfNothingAreFolded(withinBudget: Bool) throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [1, 512, 3, 3])
    let extents = try builder.integers("shape", [160, 512, 1, 1])
    let filters = builder.node("ConstantOfShape", [extents], output: "filters")
    let y = builder.node("Conv", [x, filters], output: "y")
    let graph = try PassHarness.optimized(
      builder.model(outputs: [y]), [ConstantFolding.self],
      foldingBudget: withinBudget ? 1 << 20 : 160 * 512 * 4 - 1)
    #expect(PassHarness.operators(graph) == (withinBudget ? "Conv" : "ConstantOfShape Conv"))
  }

  @Test func smallResultsMayGrow() throws {
    var builder = ModelBuilder()
    let extents = try builder.integers("shape", [16, 8])
    let zeros = builder.node("ConstantOfShape", [extents], output: "zeros")
    let graph = try PassHarness.check(builder.model(outputs: [zeros]), [ConstantFolding.self])
    #expect(graph.nodes.isEmpty)
  }

  @Test(arguments: [(0, 3), (48, 2), (96, 1), (144, 0), (1 << 20, 0)])
  func theBudgetIsKept(budget: Int, left: Int) throws {
    var builder = ModelBuilder()
    let a = builder.constant("a", try ramp([12]))
    let outputs = ["Neg", "Exp", "Abs"].map { builder.node($0, [a], output: "\($0) of a") }
    let model = builder.model(outputs: outputs)
    let graph = try PassHarness.optimized(model, [ConstantFolding.self], foldingBudget: budget)
    #expect(graph.nodes.count == left)
  }

  @Test func aViewKeepsItsBytesAndCostsNoBudget() throws {
    var builder = ModelBuilder()
    let a = builder.constant("a", try ramp([3, 4]))
    let shape = try builder.integers("shape", [2, -1])
    let y = builder.node("Reshape", [a, shape], output: "y")
    let model = builder.model(outputs: [y])
    let graph = try PassHarness.optimized(model, [ConstantFolding.self], foldingBudget: 0)
    #expect(graph.nodes.isEmpty)
    #expect(graph.constants[y]?.shape == [2, 6])
    try PassHarness.check(model, [ConstantFolding.self])
  }

  @Test func largeResultsAreMadeWhenTheyAreRead() throws {
    var builder = ModelBuilder()
    let a = builder.constant("a", try ramp([1024, 300]))
    let y = builder.node("Transpose", [a], output: "y")
    let graph = try PassHarness.check(builder.model(outputs: [y]), [ConstantFolding.self])
    let constant = try #require(graph.constants[y])
    guard case .derived = constant.source else {
      Issue.record("expected a derived constant")
      return
    }
    #expect(try constant.tensor().elements(as: Float.self)?[1] == 300)
  }

  @Test func aDefaultThatTheCallerMayReplaceIsNotFolded() throws {
    var builder = ModelBuilder()
    let scale = builder.constant("scale", try ramp([3]))
    builder.graph.inputs.append(scale)
    let y = builder.node("Neg", [scale], output: "y")
    let model = builder.model(outputs: [y])
    let graph = try PassHarness.check(model, [ConstantFolding.self])
    #expect(PassHarness.operators(graph) == "Neg")
    let session = try SessionCore(model: model, configuration: SessionConfiguration())
    let result = try session.run(["scale": Tensor([Float(7), 8, 9])])
    #expect(result["y"]?.elements(as: Float.self) == [-7, -8, -9])
  }

  @Test func whatFailsIsLeftToTheRun() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [3])
    let table = builder.constant("table", try ramp([3]))
    let index = try builder.integers("index", [7])
    let bad = builder.node("Gather", [table, index], output: "bad")
    let y = builder.node("Relu", [x], output: "y")
    let graph = try PassHarness.optimized(
      builder.model(outputs: [y, bad]), [ConstantFolding.self])
    #expect(PassHarness.operators(graph) == "Gather Relu")
  }
}
