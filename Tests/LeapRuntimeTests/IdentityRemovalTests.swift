// IdentityRemoval: nodes that copy go, nodes that look like it stay.

import LeapGraph
import LeapRuntime
import LeapTensors
import Testing

/// A node on `x` (float32 n x 3 x 4) with further constant inputs.
struct IdentityCase: Sendable, CustomTestStringConvertible {
  var label: String
  var operatorType: String
  var attributes: [String: Attribute] = [:]
  /// Constant inputs after the first; nil is left out.
  var integers: [[Int64]?] = []
  var opset = 17
  var isRemoved: Bool

  var testDescription: String { label }

  static let all: [IdentityCase] = [
    IdentityCase(label: "identity", operatorType: "Identity", isRemoved: true),
    IdentityCase(label: "dropout", operatorType: "Dropout", isRemoved: true),
    IdentityCase(
      label: "dropout of opset 7", operatorType: "Dropout", attributes: ["ratio": .float(0.3)],
      opset: 7, isRemoved: true),
    IdentityCase(
      label: "cast to the same type", operatorType: "Cast", attributes: ["to": .int(1)],
      isRemoved: true),
    IdentityCase(
      label: "cast to double", operatorType: "Cast", attributes: ["to": .int(11)],
      isRemoved: false),
    IdentityCase(
      label: "transpose that keeps the order", operatorType: "Transpose",
      attributes: ["perm": .ints([0, 1, 2])], isRemoved: true),
    IdentityCase(
      label: "transpose", operatorType: "Transpose", attributes: ["perm": .ints([0, 2, 1])],
      isRemoved: false),
    IdentityCase(
      label: "transpose that reverses", operatorType: "Transpose", isRemoved: false),
    IdentityCase(
      label: "reshape to the same", operatorType: "Reshape", integers: [[0, 3, 4]],
      isRemoved: true),
    IdentityCase(
      label: "reshape that infers the batch", operatorType: "Reshape", integers: [[-1, 3, 4]],
      isRemoved: true),
    IdentityCase(
      label: "reshape", operatorType: "Reshape", integers: [[0, 4, 3]], isRemoved: false),
    IdentityCase(
      label: "slice of everything", operatorType: "Slice",
      integers: [[0], [Int64.max], [1], [1]], isRemoved: true),
    IdentityCase(
      label: "slice backwards", operatorType: "Slice",
      integers: [[-1], [Int64.min], [1], [-1]], isRemoved: false),
    IdentityCase(
      label: "slice", operatorType: "Slice", integers: [[1], [3], [1]], isRemoved: false),
    IdentityCase(
      label: "slice of a batch that may be longer", operatorType: "Slice",
      integers: [[0], [2], [0]], isRemoved: false),
    IdentityCase(
      label: "expand to less", operatorType: "Expand", integers: [[3, 1]], isRemoved: true),
    IdentityCase(
      label: "expand", operatorType: "Expand", integers: [[2, 1, 3, 4]], isRemoved: false),
    IdentityCase(
      label: "concat of one", operatorType: "Concat", attributes: ["axis": .int(1)],
      isRemoved: true),
    IdentityCase(label: "sum of one", operatorType: "Sum", isRemoved: true),
    IdentityCase(label: "flatten", operatorType: "Flatten", isRemoved: false),
    IdentityCase(
      label: "pad by nothing", operatorType: "Pad", integers: [[0, 0, 0, 0, 0, 0]],
      isRemoved: true),
    IdentityCase(
      label: "pad that shifts", operatorType: "Pad", integers: [[0, 0, 1, 0, 0, -1]],
      isRemoved: false),
  ]
}

@Suite struct IdentityRemovalTests {
  @Test(arguments: IdentityCase.all)
  func copiesGo(_ item: IdentityCase) throws {
    var builder = ModelBuilder()
    builder.opset = item.opset
    let x = builder.input("x", [.symbol("n"), 3, 4])
    var inputs: [ValueID?] = [x]
    for (index, values) in item.integers.enumerated() {
      inputs.append(try values.map { try builder.integers("c\(index)", $0) })
    }
    let y = builder.node(item.operatorType, inputs, attributes: item.attributes, output: "y")
    let z = builder.node("Neg", [y], output: "z")
    let graph = try PassHarness.check(
      builder.model(outputs: [z]), [IdentityRemoval.self], inputs: ["x": ramp([2, 3, 4])])
    #expect((graph.nodes.count == 1) == item.isRemoved)
    #expect(graph[x].origin.names == (item.isRemoved ? ["x", "y"] : ["x"]))
  }

  @Test func chainsCollapse() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [3])
    let a = builder.node("Relu", [x], output: "a")
    var last = a
    for index in 0..<20 { last = builder.node("Identity", [last], output: "copy\(index)") }
    let y = builder.node("Add", [last, a], output: "y")
    let graph = try PassHarness.check(
      builder.model(outputs: [y, last]), [IdentityRemoval.self], inputs: ["x": ramp([3])])
    #expect(PassHarness.operators(graph) == "Relu Add")
    #expect(graph.outputs == [y, a])
    #expect(graph[a].origin.names.count == 21)
  }

  @Test func anOutputMayBecomeAnInputOrAConstant() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n")])
    let c = builder.constant("c", try ramp([2]))
    let y = builder.node("Identity", [x], output: "y")
    let z = builder.node("Identity", [c], output: "z")
    let graph = try PassHarness.check(
      builder.model(outputs: [y, z]), [IdentityRemoval.self], inputs: ["x": ramp([3])])
    #expect(graph.nodes.isEmpty)
    #expect(graph.outputs == [x, c])
  }

  @Test func aMaskThatIsReadKeepsItsDropout() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [3])
    let made = builder.node("Dropout", [x], outputs: ["y", "mask"])
    let graph = try PassHarness.check(
      builder.model(outputs: made), [IdentityRemoval.self], inputs: ["x": ramp([3])])
    #expect(PassHarness.operators(graph) == "Dropout")
  }

  @Test(arguments: [false, true])
  func dropoutStaysWhereItTrains(_ training: Bool) throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [3])
    let ratio = builder.constant("ratio", try Tensor(scalar: Float(0)))
    let mode = builder.constant("mode", try Tensor(scalar: training))
    let y = builder.node("Dropout", [x, ratio, mode], output: "y")
    let graph = try PassHarness.check(
      builder.model(outputs: [y]), [IdentityRemoval.self], inputs: ["x": ramp([3])])
    #expect(graph.nodes.isEmpty != training)
  }

  @Test func aShapeThatTheCallerMayReplaceProvesNothing() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2, 3])
    let shape = try builder.integers("shape", [2, 3])
    builder.graph[shape].type = .tensor(.int64, shape: [.symbol("rank")])
    builder.graph.inputs.append(shape)
    let y = builder.node("Reshape", [x, shape], output: "y")
    let model = builder.model(outputs: [y])
    let graph = try PassHarness.check(model, [IdentityRemoval.self], inputs: ["x": ramp([2, 3])])
    #expect(PassHarness.operators(graph) == "Reshape")
    let session = try SessionCore(model: model, configuration: SessionConfiguration())
    let other = try session.run(["x": ramp([2, 3]), "shape": Tensor([Int64(6)])])
    #expect(other["y"]?.shape == [6])
  }

  @Test func capturesOfSubgraphsFollow() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [3])
    let a = builder.node("Relu", [x], output: "a")
    let copy = builder.node("Identity", [a], output: "copy")
    var branch = Graph(name: "branch")
    let inner = branch.addValue(Value(name: "copy", type: nil))
    branch.captures = [Capture(inner: inner, outer: copy)]
    branch.outputs = [inner]
    let y = builder.node("Neg", [x], attributes: ["body": .graph(branch)], output: "y")
    let graph = try PassHarness.optimized(builder.model(outputs: [y]), [IdentityRemoval.self])
    #expect(PassHarness.operators(graph) == "Relu Neg")
    #expect(graph.nodes[1].uses == [x, a])
  }
}
