// Pass: the list of passes, and what holds for each of them, on a graph that has work for all.

import LeapGraph
import LeapOperators
import LeapRuntime
import LeapTensors
import Testing

@Suite struct PassTests {
  static var names: [String] { Array(Set(standardPasses.map { $0.name })).sorted() }

  /// A graph with something to do for the structural passes.
  private func model() throws -> Model {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n"), 2, 6])
    let copy = builder.node("Identity", [x], output: "copy")
    let dropped = builder.node("Dropout", [copy], output: "dropped")
    let shape = builder.node("Shape", [dropped], output: "shape")
    let first = try builder.integers("first", [0])
    let batch = builder.node("Gather", [shape, first], output: "batch")
    let rest = builder.node(
      "Constant", [], attributes: ["value_ints": .ints([12])], output: "rest")
    let target = builder.node(
      "Concat", [batch, rest], attributes: ["axis": .int(0)], output: "target")
    let flat = builder.node("Reshape", [dropped, target], output: "flat")
    let weight = builder.constant("weight", try ramp([4, 12]))
    let transposed = builder.node("Transpose", [weight], output: "transposed")
    let a = builder.node("MatMul", [flat, transposed], output: "a")
    let b = builder.node("MatMul", [flat, transposed], output: "b")
    let sum = builder.node("Add", [a, b], output: "sum")
    _ = builder.node("Relu", [sum], output: "dead")
    return builder.model(outputs: [sum, copy, transposed])
  }

  @Test(arguments: names)
  func eachPassAloneChangesNoResult(name: String) throws {
    let passes = standardPasses.filter { $0.name == name }
    try PassHarness.check(try model(), passes, inputs: ["x": ramp([2, 2, 6])])
  }

  @Test(arguments: names)
  func allPassesButOneChangeNoResult(name: String) throws {
    let passes = standardPasses.filter { $0.name != name }
    try PassHarness.check(try model(), passes, inputs: ["x": ramp([2, 2, 6])])
  }

  @Test func togetherTheyLeaveLittle() throws {
    let graph = try PassHarness.check(try model(), inputs: ["x": ramp([2, 2, 6])])
    #expect(PassHarness.operators(graph) == "Reshape MatMul Add")
    #expect(graph.nodes.allSatisfy { !$0.origin.names.isEmpty })
  }

  @Test(arguments: names)
  func aPassSwitchedOffDoesNotRun(name: String) throws {
    var ran: [String] = []
    _ = try Optimizer.optimize(try model().graph, table: .standard, disabled: [name]) { report, _ in
      ran.append(report.name)
    }
    #expect(ran == standardPasses.map { $0.name }.filter { $0 != name })
  }

  @Test(arguments: ["", "dead_code", "Dead-Code", "dead-code "])
  func anUnknownNameIsAnError(name: String) throws {
    let graph = try model().graph
    #expect {
      try Optimizer.optimize(graph, table: .standard, disabled: [name, "dead-code"])
    } throws: { error in
      guard case ModelError.option("disable-pass", let reason) = error else { return false }
      return PassTests.names.allSatisfy { reason.contains($0) }
        && reason.contains("there is no pass '\(name)'")
    }
  }

  @Test func namesAreInKebabCase() {
    for pass in standardPasses {
      #expect(pass.name.allSatisfy { $0.isLowercase || $0 == "-" })
      #expect(!pass.summary.isEmpty && !pass.summary.hasSuffix("."))
    }
  }
}
