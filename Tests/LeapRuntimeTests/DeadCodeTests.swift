// DeadCode: what no output depends on goes, all else stays.

import LeapGraph
import LeapRuntime
import LeapTensors
import Testing

@Suite struct DeadCodeTests {
  @Test func chainsAndConstantsThatNobodyReadsGo() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n"), 3])
    let used = builder.constant("used", try ramp([3]))
    let unused = builder.constant("unused", try ramp([3]))
    let y = builder.node("Add", [x, used], output: "y")
    let dead = builder.node("Mul", [y, unused], output: "dead")
    _ = builder.node("Relu", [dead], output: "dead too")
    let graph = try PassHarness.check(
      builder.model(outputs: [y]), [DeadCode.self], inputs: ["x": ramp([2, 3])])
    #expect(PassHarness.operators(graph) == "Add")
    #expect(Set(graph.constants.keys) == [used])
  }

  @Test func aDefaultOfAnInputStays() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [3])
    let scale = builder.constant("scale", try ramp([3]))
    builder.graph.inputs.append(scale)
    let y = builder.node("Relu", [x], output: "y")
    let graph = try PassHarness.check(
      builder.model(outputs: [y]), [DeadCode.self], inputs: ["x": ramp([3])])
    #expect(graph.constants[scale] != nil)
    #expect(graph.inputs == [x, scale])
  }

  @Test func whatASubgraphReadsStays() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [3])
    let y = builder.node("Relu", [x], output: "y")
    var branch = Graph(name: "branch")
    let inner = branch.addValue(Value(name: "y", type: nil))
    branch.captures = [Capture(inner: inner, outer: y)]
    branch.outputs = [inner]
    let z = builder.node(
      "Identity", [x], attributes: ["then_branch": .graph(branch)], output: "z")
    let graph = try PassHarness.optimized(builder.model(outputs: [z]), [DeadCode.self])
    #expect(PassHarness.operators(graph) == "Relu Identity")
  }

  @Test func anOutputMayBeAnInputOrAConstant() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [3])
    let constant = builder.constant("c", try ramp([2]))
    _ = builder.node("Relu", [x], output: "dead")
    let graph = try PassHarness.check(
      builder.model(outputs: [x, constant]), [DeadCode.self], inputs: ["x": ramp([3])])
    #expect(graph.nodes.isEmpty)
  }

  @Test(arguments: [("Dropout", true), ("MaxPool", true), ("Split", false)])
  func outputsThatMayBeLeftOutAre(operatorType: String, isDropped: Bool) throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [1, 2, 4, 4])
    let attributes: [String: Attribute] =
      switch operatorType {
      case "MaxPool": ["kernel_shape": .ints([2, 2])]
      case "Split": ["axis": .int(1)]
      default: [:]
      }
    let made = builder.node(
      operatorType, [x], attributes: attributes, outputs: ["y", "further"])
    let graph = try PassHarness.check(
      builder.model(outputs: [made[0]]), [DeadCode.self], inputs: ["x": ramp([1, 2, 4, 4])])
    #expect(graph.nodes[0].outputs.count == (isDropped ? 1 : 2))
  }
}
