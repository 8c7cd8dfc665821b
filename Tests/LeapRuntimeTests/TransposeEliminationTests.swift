// TransposeElimination: transposes go where the order of axes means nothing, and stay where it does.

import LeapGraph
import LeapRuntime
import LeapTensors
import Testing

/// An operator between two transposes that undo each other.
struct TransposedOperator: Sendable, CustomTestStringConvertible {
  var operatorType: String
  var attributes: [String: Attribute] = [:]
  /// Constant inputs after the first.
  var constants: [Tensor] = []
  var opset = 17
  /// What is left of the three nodes.
  var left: String

  var testDescription: String { "\(operatorType) of opset \(opset), \(left)" }

  static func all() throws -> [TransposedOperator] {
    [
      TransposedOperator(operatorType: "Relu", left: "Relu"),
      TransposedOperator(
        operatorType: "Clip",
        constants: [try Tensor(scalar: Float(2)), try Tensor(scalar: Float(30))], left: "Clip"),
      TransposedOperator(operatorType: "Cast", attributes: ["to": .int(11)], left: "Cast"),
      TransposedOperator(operatorType: "Add", constants: [try ramp([5])], left: "Add"),
      TransposedOperator(operatorType: "Sub", constants: [try ramp([1, 3, 1, 1])], left: "Sub"),
      TransposedOperator(operatorType: "Mul", constants: [try ramp([3, 4, 5])], left: "Mul"),
      TransposedOperator(operatorType: "Max", constants: [try ramp([2, 3, 4, 5])], left: "Max"),
      TransposedOperator(operatorType: "PRelu", constants: [try ramp([4, 5])], left: "PRelu"),
      // The operand's axis is one of the first operand's.
      TransposedOperator(
        operatorType: "Add", attributes: ["broadcast": .int(1), "axis": .int(1)],
        constants: [try ramp([3])], opset: 6, left: "Transpose Add Transpose"),
      TransposedOperator(
        operatorType: "Concat", attributes: ["axis": .int(-1)],
        constants: [try ramp([2, 3, 4, 2])], left: "Concat"),
      TransposedOperator(operatorType: "Softmax", left: "Softmax"),
      TransposedOperator(
        operatorType: "Softmax", opset: 12, left: "Transpose Softmax Transpose"),
      TransposedOperator(
        operatorType: "ReduceMax", attributes: ["axes": .ints([1, -1])], left: "ReduceMax"),
      TransposedOperator(
        operatorType: "ReduceSum", constants: [try Tensor([Int64(2)])], left: "ReduceSum"),
      TransposedOperator(
        operatorType: "Pad", constants: [try Tensor([Int64(0), 1, 2, 0, 0, 3, 0, 1])],
        left: "Pad"),
      TransposedOperator(
        operatorType: "Pad", attributes: ["pads": .ints([0, 1, 2, 0, 0, 3, 0, 1])], opset: 10,
        left: "Pad"),
      TransposedOperator(
        operatorType: "ArgMax", attributes: ["axis": .int(3)], left: "Transpose ArgMax Reshape"),
    ]
  }
}

@Suite struct TransposeEliminationTests {
  static let toLast: [String: Attribute] = ["perm": .ints([0, 2, 3, 1])]
  static let toFirst: [String: Attribute] = ["perm": .ints([0, 3, 1, 2])]
  private static let passes: [any Pass.Type] = [TransposeElimination.self, ConstantFolding.self]

  @Test(arguments: try TransposedOperator.all())
  func operatorsThatMeanNoAxesTakeEitherOrder(_ item: TransposedOperator) throws {
    var builder = ModelBuilder()
    builder.opset = item.opset
    let x = builder.input("x", [2, 5, 3, 4])
    let last = builder.node("Transpose", [x], attributes: Self.toLast, output: "last")
    let constants = item.constants.enumerated().map { builder.constant("c\($0)", $1) }
    let made = builder.node(
      item.operatorType, [last] + constants, attributes: item.attributes, output: "made")
    let y = builder.node("Transpose", [made], attributes: Self.toFirst, output: "y")
    let graph = try PassHarness.check(
      builder.model(outputs: [y]), Self.passes, inputs: ["x": ramp([2, 5, 3, 4])])
    #expect(PassHarness.operators(graph) == item.left)
  }

  @Test func chainsBecomeOneOrNone() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2, .symbol("n"), 3])
    let a = builder.node("Transpose", [x], attributes: ["perm": .ints([1, 2, 0])], output: "a")
    let b = builder.node("Transpose", [a], attributes: ["perm": .ints([1, 2, 0])], output: "b")
    let c = builder.node("Transpose", [b], attributes: ["perm": .ints([1, 2, 0])], output: "c")
    let y = builder.node("Neg", [b], output: "y")
    let z = builder.node("Abs", [c], output: "z")
    let graph = try PassHarness.check(
      builder.model(outputs: [y, z, c]), [TransposeElimination.self],
      inputs: ["x": ramp([2, 4, 3])])
    #expect(PassHarness.operators(graph) == "Transpose Neg Abs")
    #expect(graph.outputs[2] == x)
    #expect(graph[x].origin.names == ["x", "c"])
  }

  /// A network as frameworks with channels last write it: only where channels first meet the outside do transposes stay.
  @Test func channelsLastNetworksKeepNoneInside() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n"), 6, 6, 2])
    func convolution(_ input: ValueID, _ channels: Int, _ name: String) throws -> ValueID {
      let first = builder.node(
        "Transpose", [input], attributes: Self.toFirst, output: "\(name) in")
      let weight = builder.constant("\(name) weight", try ramp([channels, channels, 1, 1]))
      let made = builder.node("Conv", [first, weight], output: "\(name) made")
      return builder.node("Transpose", [made], attributes: Self.toLast, output: "\(name) out")
    }
    let a = try convolution(x, 2, "a")
    let bias = builder.constant("bias", try ramp([2]))
    let b = builder.node("Relu", [builder.node("Add", [a, bias], output: "sum")], output: "b")
    let c = try convolution(b, 2, "c")
    let d = builder.node("Add", [c, b], output: "d")
    let e = builder.node("Concat", [d, c], attributes: ["axis": .int(3)], output: "e")
    let f = try convolution(e, 4, "f")
    let y = builder.node(
      "ReduceMean", [f], attributes: ["axes": .ints([1, 2]), "keepdims": .int(0)], output: "y")
    let graph = try PassHarness.check(
      builder.model(outputs: [y]), Self.passes, inputs: ["x": ramp([2, 6, 6, 2])])
    #expect(
      PassHarness.operators(graph) == "Transpose Conv Add Relu Conv Add Concat Conv ReduceMean")
  }

  @Test func whereNothingIsWonNothingMoves() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2, 5, 3, 4])
    let last = builder.node("Transpose", [x], attributes: Self.toLast, output: "last")
    let y = builder.node("Relu", [last], output: "y")
    let graph = try PassHarness.check(
      builder.model(outputs: [y]), Self.passes, inputs: ["x": ramp([2, 5, 3, 4])])
    #expect(PassHarness.operators(graph) == "Transpose Relu")
    #expect(graph.nodes.allSatisfy { $0.origin.pass == nil })
  }

  /// What lies between has another reader, which gets it through one Transpose: two go for it.
  @Test func readersOutsideGetWhatTheyHad() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2, 5, 3, 4])
    let last = builder.node("Transpose", [x], attributes: Self.toLast, output: "last")
    let middle = builder.node("Neg", [last], output: "middle")
    let flat = builder.node("Flatten", [middle], output: "flat")
    let y = builder.node("Transpose", [middle], attributes: Self.toFirst, output: "y")
    let graph = try PassHarness.check(
      builder.model(outputs: [flat, y]), Self.passes, inputs: ["x": ramp([2, 5, 3, 4])])
    #expect(PassHarness.operators(graph) == "Neg Transpose Flatten")
    #expect(
      graph.nodes.allSatisfy {
        $0.origin.pass == ($0.operatorType == "Flatten" ? nil : TransposeElimination.name)
      })
  }

  @Test func aTransposeWithOtherReadersStaysForThem() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2, 5, 3, 4])
    let last = builder.node("Transpose", [x], attributes: Self.toLast, output: "last")
    let middle = builder.node("Neg", [last], output: "middle")
    let y = builder.node("Transpose", [middle], attributes: Self.toFirst, output: "y")
    let graph = try PassHarness.check(
      builder.model(outputs: [last, y]), Self.passes, inputs: ["x": ramp([2, 5, 3, 4])])
    #expect(PassHarness.operators(graph) == "Transpose Neg")
  }

  /// What a subgraph captures keeps its order.
  @Test func capturesKeepTheirOrder() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2, 5, 3, 4])
    let last = builder.node("Transpose", [x], attributes: Self.toLast, output: "last")
    let middle = builder.node("Neg", [last], output: "middle")
    var branch = Graph(name: "branch")
    let inner = branch.addValue(Value(name: "middle", type: nil))
    branch.captures = [Capture(inner: inner, outer: middle)]
    branch.outputs = [inner]
    let z = builder.node("Neg", [x], attributes: ["body": .graph(branch)], output: "z")
    let y = builder.node("Transpose", [middle], attributes: Self.toFirst, output: "y")
    let graph = try PassHarness.optimized(builder.model(outputs: [y, z]), Self.passes)
    #expect(PassHarness.operators(graph) == "Neg Transpose Neg")
    #expect(graph.nodes[2].uses == [x, middle])
  }

  @Test(
    arguments: [
      ([.symbol("n"), 1, 1, 6], [0, 3, 1, 2], [0, 6, 1, 1]),
      ([1, .symbol("n"), 6], [1, 0, 2], [-1, 1, 6]),
      ([.symbol("n"), 1, .symbol("m")], [0, 2, 1], nil),
      ([.symbol("n"), 2, 1, 6], [0, 3, 1, 2], nil),
      ([2, 1, 0], [1, 0, 2], nil),
    ] as [([Dimension], [Int64], [Int64]?)])
  func whereOnlyUnitsMoveItIsAReshape(
    shape: [Dimension], order: [Int64], target: [Int64]?
  ) throws {
    var builder = ModelBuilder()
    let x = builder.input("x", shape)
    let y = builder.node("Transpose", [x], attributes: ["perm": .ints(order)], output: "y")
    let z = builder.node("Neg", [y], output: "z")
    let graph = try PassHarness.check(
      builder.model(outputs: [z]), [TransposeElimination.self],
      inputs: ["x": ramp(Shape(shape.map { $0.value ?? 3 }))])
    #expect(PassHarness.operators(graph) == (target == nil ? "Transpose Neg" : "Reshape Neg"))
    if let target, let constant = graph.nodes[0].inputs[1] {
      #expect(try graph.constants[constant]?.tensor().elements(as: Int64.self) == target)
    }
  }

  /// Graphs of transposes and operators that take any order, put together at random.
  @Test(arguments: 0..<60)
  func nothingChangesInRandomGraphs(seed: Int) throws {
    var random = RandomGraph(seed: seed)
    let graph = try PassHarness.check(
      random.model(), Self.passes, inputs: ["x": ramp([2, 3, 4, 5])], settles: false)
    #expect(graph.nodes.count { $0.operatorType == "Transpose" } <= random.transposes)
  }
}

/// A chain with branches over values of four axes.
private struct RandomGraph {
  private var state: UInt64
  private var builder = ModelBuilder()
  private var values: [(id: ValueID, shape: Shape)] = []
  private(set) var transposes = 0

  init(seed: Int) { state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

  private mutating func next(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % bound
  }

  mutating func model() throws -> Model {
    let x = builder.input("x", [2, 3, 4, 5])
    values = [(x, [2, 3, 4, 5])]
    for index in 0..<16 { try add("v\(index)") }
    return builder.model(outputs: [values[values.count - 1].id, values[values.count - 4].id])
  }

  private mutating func add(_ name: String) throws {
    let (value, shape) = values[max(0, values.count - 1 - next(4))]
    switch next(5) {
    case 0, 1:
      let order = [[0, 2, 3, 1], [0, 3, 1, 2], [0, 3, 1, 2], [3, 2, 1, 0]][next(4)]
      transposes += 1
      let made = builder.node(
        "Transpose", [value], attributes: ["perm": .ints(order.map(Int64.init))], output: name)
      values.append((made, Shape(order.map { shape[$0] })))
    case 2: values.append((builder.node("Neg", [value], output: name), shape))
    case 3:
      let other = values.last { $0.shape == shape && $0.id != value }?.id
      let constant = builder.constant("\(name) bias", try ramp([shape[3]]))
      values.append((builder.node("Max", [value, other ?? constant], output: name), shape))
    default:
      let axis = next(4)
      let made = builder.node(
        "ReduceMax", [value],
        attributes: ["axes": .ints([Int64(axis)]), "keepdims": .int(1)], output: "\(name) top")
      let sum = builder.node("Sub", [value, made], output: name)
      values.append((sum, shape))
    }
  }
}
