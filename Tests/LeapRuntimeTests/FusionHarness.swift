// FusionHarness: builds small graphs, runs passes on them, and runs both graphs on the same inputs.

import LeapGraph
import LeapOperators
import LeapRuntime
import LeapTensors
import Testing

struct FusionHarness {
  var graph = Graph(name: "test")
  /// The opset of nodes that say no other.
  var opset = 17
  var dataType = DataType.float32
  /// The extent that stands for every symbol when the graph runs.
  var symbolExtent = 2
  private var state: UInt64 = 0x9E37_79B9

  init(opset: Int = 17, dataType: DataType = .float32) {
    self.opset = opset
    self.dataType = dataType
  }

  /// A pseudo-random number within -1...1.
  private mutating func random() -> Double {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Double(Int64(bitPattern: state) >> 11) / Double(1 << 52)
  }

  static func tensor(_ values: [Double], _ shape: Shape, _ type: DataType) throws -> Tensor {
    type == .float64
      ? try Tensor(values, shape: shape) : try Tensor(values.map { Float($0) }, shape: shape)
  }

  mutating func input(_ name: String, _ shape: [Dimension], type: DataType? = nil) -> ValueID {
    let type = ValueType.tensor(type ?? dataType, shape: shape)
    let id = graph.addValue(Value(name: name, type: type))
    graph.inputs.append(id)
    return id
  }

  mutating func constant(_ name: String, _ tensor: Tensor) -> ValueID {
    let shape = tensor.shape.map(Dimension.fixed)
    let id = graph.addValue(Value(name: name, type: .tensor(tensor.dataType, shape: shape)))
    graph.constants[id] = Constant(tensor)
    return id
  }

  mutating func constant(_ name: String, _ values: [Double], _ shape: Shape) throws -> ValueID {
    constant(name, try FusionHarness.tensor(values, shape, dataType))
  }

  /// A constant of pseudo-random numbers within `range`.
  mutating func weights(
    _ name: String, _ shape: Shape, _ range: ClosedRange<Double> = -1...1
  ) throws -> ValueID {
    let (middle, half) = (
      (range.lowerBound + range.upperBound) / 2, (range.upperBound - range.lowerBound) / 2
    )
    let values = (0..<shape.elementCount).map { _ in middle + half * random() }
    return try constant(name, values, shape)
  }

  /// A node; its name and its output's are `name`.
  @discardableResult
  mutating func node(
    _ type: String, _ inputs: [ValueID?], _ attributes: [String: Attribute] = [:],
    name: String, opset: Int? = nil, at position: Int? = nil
  ) -> ValueID {
    let id = graph.addValue(Value(name: name, type: nil))
    graph.addNode(
      name: name, operatorType: type, opset: opset ?? self.opset, inputs: inputs, outputs: [id],
      attributes: attributes, at: position)
    return id
  }

  /// A BatchNormalization with pseudo-random parameters.
  mutating func batchNormalization(
    _ x: ValueID, channels: Int, name: String, attributes: [String: Attribute] = [:]
  ) throws -> ValueID {
    let parameters = [
      try weights("\(name).scale", [channels], 0.5...1.5),
      try weights("\(name).bias", [channels]), try weights("\(name).mean", [channels]),
      try weights("\(name).variance", [channels], 0.2...2),
    ]
    return node("BatchNormalization", [x] + parameters, attributes, name: name)
  }

  /// The graph after these passes.
  func optimized(_ passes: [any Pass.Type]) throws -> Graph {
    try Optimizer.optimize(graph, table: .standard, passes: passes)
  }

  /// Runs the graph and the graph after these passes on pseudo-random inputs, and records a failure where an output differs
  /// by more than `tolerance` times the largest magnitude; 0 asks for the same bits.
  ///
  /// - Returns: the graph after the passes.
  @discardableResult
  func expectSame(
    _ passes: [any Pass.Type], tolerance: Double, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> Graph {
    var inputs: [String: Tensor] = [:]
    var generator = self
    for id in graph.inputs where graph.constants[id] == nil {
      let type = try #require(graph[id].type)
      let shape = Shape(try #require(type.shape).map { $0.value ?? symbolExtent })
      let values = (0..<shape.elementCount).map { _ in 3 * generator.random() }
      inputs[graph[id].name] = try FusionHarness.tensor(
        values, shape, try #require(type.dataType))
    }
    let changed = try optimized(passes)
    let expected = try FusionHarness.run(graph, inputs)
    let got = try FusionHarness.run(changed, inputs)
    #expect(Set(expected.keys) == Set(got.keys), sourceLocation: sourceLocation)
    for (name, tensor) in expected {
      let wanted = try #require(tensor.doubles, sourceLocation: sourceLocation)
      let values = try #require(got[name]?.doubles, sourceLocation: sourceLocation)
      #expect(got[name]?.shape == tensor.shape, sourceLocation: sourceLocation)
      let scale = wanted.map(abs).max() ?? 0
      #expect(scale > 0, "'\(name)' is zero everywhere", sourceLocation: sourceLocation)
      let worst = zip(values, wanted).map { abs($0 - $1) }.max() ?? 0
      #expect(
        worst <= tolerance * scale, "'\(name)' differs by \(worst)", sourceLocation: sourceLocation)
    }
    return changed
  }

  private static func run(_ graph: Graph, _ inputs: [String: Tensor]) throws -> [String: Tensor] {
    var configuration = SessionConfiguration()
    configuration.disablesAllPasses = true
    configuration.width = 1
    let model = Model(graph: graph, irVersion: 10, opsets: ["": 17], source: "test")
    return try SessionCore(model: model, configuration: configuration).run(inputs)
  }
}

extension Graph {
  /// The operators in order.
  var operatorTypes: [String] { nodes.map(\.operatorType) }
}
