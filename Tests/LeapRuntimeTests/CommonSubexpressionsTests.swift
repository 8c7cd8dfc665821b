// CommonSubexpressions: equal nodes and constants become one, different ones do not.

import LeapGraph
import LeapRuntime
import LeapTensors
import Testing

@Suite struct CommonSubexpressionsTests {
  @Test func equalChainsBecomeOne() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n"), 3])
    let left = builder.constant("left", try ramp([3]))
    let right = builder.constant("right", try ramp([3]))
    let a = builder.node("Add", [x, left], output: "a")
    let b = builder.node("Add", [x, right], output: "b")
    let c = builder.node("Elu", [a], attributes: ["alpha": .float(2)], output: "c")
    let d = builder.node("Elu", [b], attributes: ["alpha": .float(2)], output: "d")
    let e = builder.node("Elu", [b], attributes: ["alpha": .float(3)], output: "e")
    let y = builder.node("Mul", [c, d], output: "y")
    let graph = try PassHarness.check(
      builder.model(outputs: [y, d, e]), [CommonSubexpressions.self], inputs: ["x": ramp([2, 3])])
    #expect(PassHarness.operators(graph) == "Add Elu Elu Mul")
    #expect(graph.outputs == [y, c, e])
    #expect(graph[c].origin.names == ["c", "d"])
    #expect(graph[left].origin.names == ["left", "right"])
    #expect(graph.nodes[0].origin.names == ["Add_a", "Add_b"])
  }

  @Test func theOrderOfInputsCounts() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [3])
    let z = builder.input("z", [3])
    let a = builder.node("Sub", [x, z], output: "a")
    let b = builder.node("Sub", [z, x], output: "b")
    let graph = try PassHarness.check(
      builder.model(outputs: [a, b]), [CommonSubexpressions.self],
      inputs: ["x": ramp([3]), "z": Tensor([Float(1), 1, 1])])
    #expect(graph.nodes.count == 2)
  }

  @Test func constantsOfAnotherTypeShapeOrSignOfZeroDiffer() throws {
    var builder = ModelBuilder()
    let constants = [
      builder.constant("a", try Tensor([Float(0)])),
      builder.constant("b", try Tensor(scalar: Float(0))),
      builder.constant("c", try Tensor([Float(-0.0)])),
      builder.constant("d", try Tensor([Int32(0)])),
      builder.constant("e", try Tensor([Float(0)])),
    ]
    let graph = try PassHarness.check(
      builder.model(outputs: constants), [CommonSubexpressions.self])
    #expect(graph.outputs == Array(constants.prefix(4)) + [constants[0]])
  }

  @Test func defaultsThatTheCallerMayReplaceAreTheirOwn() throws {
    var builder = ModelBuilder()
    let fixed = builder.constant("fixed", try ramp([3]))
    let scale = builder.constant("scale", try ramp([3]))
    builder.graph.inputs = [scale]
    let a = builder.node("Neg", [fixed], output: "a")
    let b = builder.node("Neg", [scale], output: "b")
    let model = builder.model(outputs: [a, b])
    let graph = try PassHarness.check(model, [CommonSubexpressions.self])
    #expect(graph.nodes.count == 2)
    let session = try SessionCore(model: model, configuration: SessionConfiguration())
    let result = try session.run(["scale": Tensor([Float(5), 5, 5])])
    #expect(result["a"]?.elements(as: Float.self) == [0, -1, -2])
    #expect(result["b"]?.elements(as: Float.self) == [-5, -5, -5])
  }

  @Test func nodesWithOtherOutputsDiffer() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [3])
    let a = builder.node("Dropout", [x], output: "a")
    let b = builder.node("Dropout", [x], outputs: ["b", "mask"])
    let graph = try PassHarness.check(
      builder.model(outputs: [a] + b), [CommonSubexpressions.self], inputs: ["x": ramp([3])])
    #expect(graph.nodes.count == 2)
  }
}
