// IntegerEvaluation: graphs between DequantizeLinear and QuantizeLinear end as operators on bytes, which give what the floats give,
// but for a step where a sum lies between two; and what does not match stays.

import LeapGraph
import LeapOperators
import LeapRuntime
import LeapTensors
import LeapTestSupport
import Testing

/// A graph whose values are quantised again and again.
private struct QuantizedGraph {
  var builder = ModelBuilder()
  var type = DataType.uint8
  private var count = 0

  init(_ type: DataType = .uint8) {
    self.type = type
    builder.opset = 17
  }

  mutating func name(_ base: String) -> String {
    count += 1
    return "\(base)\(count)"
  }

  mutating func scale(_ value: Float) throws -> ValueID {
    builder.constant(name("scale"), try Tensor(scalar: value))
  }

  mutating func zero(_ value: Int) throws -> ValueID {
    builder.constant(
      name("zero"),
      type == .int8 ? try Tensor(scalar: Int8(value)) : try Tensor(scalar: UInt8(value)))
  }

  /// QuantizeLinear and DequantizeLinear with the same scale.
  mutating func requantized(_ x: ValueID, _ scale: Float, _ zero: Int) throws -> ValueID {
    let (s, z) = (try self.scale(scale), try self.zero(zero))
    let bytes = builder.node("QuantizeLinear", [x, s, z], output: name("bytes"))
    return builder.node("DequantizeLinear", [bytes, s, z], output: name("floats"))
  }

  /// An initializer, or a node that carries the tensor.
  private mutating func constant(_ base: String, _ tensor: Tensor, isNode: Bool) -> ValueID {
    guard isNode else { return builder.constant(name(base), tensor) }
    return builder.node(
      "Constant", [], attributes: ["value": .tensor(Constant(tensor))], output: name(base))
  }

  /// Weights [outputs, inputs, kernel...] that are dequantised, and scales of theirs; outputs may lie along another axis.
  ///
  /// - Parameter trained: whether they are floats, of which the model makes bytes by scales that are nodes.
  mutating func weights(
    _ shape: Shape, perChannel: Bool = true, axis: Int = 0, seed: Int = 1, trained: Bool = false
  ) throws -> (floats: ValueID, scales: [Float]) {
    let bytes = (0..<shape.elementCount).map {
      Int8(truncatingIfNeeded: ($0 * 57 + seed) % 251 - 125)
    }
    let scales = perChannel ? (0..<shape[axis]).map { 0.002 + 0.0001 * Float($0) } : [Float(0.003)]
    let parameters: Shape = perChannel ? [shape[axis]] : []
    let s = constant("scales", try Tensor(scales, shape: parameters), isNode: trained)
    let z = constant("zeros", try Tensor(zeros: .int8, shape: parameters), isNode: trained)
    let numbers =
      trained
      ? try Tensor(bytes.map { Float($0) * 0.00301 }, shape: shape)
      : try Tensor(bytes, shape: shape)
    var w = builder.constant(name("weights"), numbers)
    if trained {
      w = builder.node(
        "QuantizeLinear", [w, s, z], attributes: ["axis": .int(Int64(axis))],
        output: name("quantized"))
    }
    let floats = builder.node(
      "DequantizeLinear", [w, s, z], attributes: ["axis": .int(Int64(axis))],
      output: name("filters"))
    return (floats, scales)
  }

  /// A bias in units of the sums.
  mutating func bias(_ channels: Int, image: Float, _ scales: [Float]) throws -> ValueID {
    let numbers = (0..<channels).map { Int32($0 * 301 - 700) }
    let units = (0..<channels).map { image * (scales.count == 1 ? scales[0] : scales[$0]) }
    let s = builder.constant(name("units"), try Tensor(units))
    let b = builder.constant(name("sums"), try Tensor(numbers))
    return builder.node(
      "DequantizeLinear", [b, s], attributes: ["axis": .int(0)], output: name("bias"))
  }

  /// Optimises, and compares with the graph as it is: most results are the same, none is off by more than `step`.
  func check(
    _ output: ValueID, _ input: Tensor, step: Double, expected: String,
    location: SourceLocation = #_sourceLocation
  ) throws {
    let model = builder.model(outputs: [output])
    let passes: [any Pass.Type] = [IntegerEvaluation.self, DeadCode.self]
    let graph = try PassHarness.optimized(model, passes)
    #expect(PassHarness.operators(graph) == expected, sourceLocation: location)
    var configuration = SessionConfiguration()
    configuration.width = 1
    let session = try SessionCore(model: model, configuration: configuration)
    configuration.disablesAllPasses = true
    let plain = try SessionCore(model: model, configuration: configuration)
    let got = try #require(try session.run(["x": input]).values.first?.doubles)
    let wanted = try #require(try plain.run(["x": input]).values.first?.doubles)
    let differences = zip(got, wanted).map { ($0 - $1).magnitude }
    #expect(got.count == wanted.count && Set(wanted).count > 2, sourceLocation: location)
    #expect(differences.allSatisfy { $0 <= step * 1.01 }, sourceLocation: location)
    let different = differences.filter { $0 > step * 0.01 }.count
    #expect(different * 100 <= got.count, sourceLocation: location)
  }
}

@Suite struct IntegerEvaluationTests {
  private func noise(_ shape: Shape) throws -> Tensor {
    try Tensor(
      (0..<shape.elementCount).map { Float(($0 * 7919) % 2003) / 1001 - 1 }, shape: shape)
  }

  @Test(arguments: [true, false], [DataType.uint8, .int8])
  func aConvolutionRunsOnBytes(perChannel: Bool, type: DataType) throws {
    var graph = QuantizedGraph(type)
    let x = graph.builder.input("x", [2, 12, 9, 8])
    let middle = type == .int8 ? 0 : 128
    let image = try graph.requantized(x, 0.008, middle - 5)
    let (w, scales) = try graph.weights([10, 12, 3, 3], perChannel: perChannel)
    let bias = try graph.bias(10, image: 0.008, scales)
    let sums = graph.builder.node(
      "Conv", [image, w, bias], attributes: ["pads": .ints([1, 1, 1, 1])], output: "sums_")
    let y = try graph.requantized(sums, 0.05, middle)
    try graph.check(
      y, noise([2, 12, 9, 8]), step: 0.05,
      expected: "QuantizeLinear QLinearConv DequantizeLinear")
  }

  @Test(arguments: [true, false])
  func weightsThatAModelQuantizesAreBytes(perChannel: Bool) throws {
    var graph = QuantizedGraph()
    let x = graph.builder.input("x", [1, 8, 6, 6])
    let image = try graph.requantized(x, 0.008, 128)
    let (w, _) = try graph.weights([8, 8, 3, 3], perChannel: perChannel, trained: true)
    let sums = graph.builder.node("Conv", [image, w], output: "sums_")
    let y = try graph.requantized(sums, 0.02, 120)
    try graph.check(
      y, noise([1, 8, 6, 6]), step: 0.02,
      expected: "QuantizeLinear QLinearConv DequantizeLinear")
  }

  /// A Relu or Clip is left out where the range ends at its bounds, and else stays.
  @Test(arguments: [(0, true), (20, false)])
  func whatSaturationDoesIsLeftOut(zero: Int, matches: Bool) throws {
    var graph = QuantizedGraph()
    let x = graph.builder.input("x", [1, 8, 6, 6])
    let image = try graph.requantized(x, 0.008, 128)
    let (w, _) = try graph.weights([8, 8, 1, 1])
    let sums = graph.builder.node("Conv", [image, w], output: "sums_")
    let clipped = graph.builder.node("Relu", [sums], output: "clipped")
    let y = try graph.requantized(clipped, 0.02, zero)
    try graph.check(
      y, noise([1, 8, 6, 6]), step: 0.02,
      expected: matches
        ? "QuantizeLinear QLinearConv DequantizeLinear"
        : "QuantizeLinear DequantizeLinear DequantizeLinear Conv Relu QuantizeLinear DequantizeLinear"
    )
  }

  @Test func aResidualBlockRunsOnBytes() throws {
    var graph = QuantizedGraph()
    let x = graph.builder.input("x", [1, 16, 8, 8])
    let image = try graph.requantized(x, 0.008, 127)
    let pooled = graph.builder.node(
      "MaxPool", [image],
      attributes: ["kernel_shape": .ints([3, 3]), "pads": .ints([1, 1, 1, 1])], output: "pooled")
    let same = try graph.requantized(pooled, 0.008, 127)
    let (w, scales) = try graph.weights([16, 16, 3, 3])
    let bias = try graph.bias(16, image: 0.008, scales)
    let sums = graph.builder.node(
      "Conv", [same, w, bias], attributes: ["pads": .ints([1, 1, 1, 1])], output: "sums_")
    let branch = try graph.requantized(sums, 0.04, 130)
    let added = graph.builder.node("Add", [branch, same], output: "added")
    let active = graph.builder.node("Relu", [added], output: "active")
    let joined = try graph.requantized(active, 0.03, 0)
    let mean = graph.builder.node("GlobalAveragePool", [joined], output: "mean")
    let features = try graph.requantized(mean, 0.01, 0)
    let flat = graph.builder.node("Flatten", [features], output: "flat")
    let rows = try graph.requantized(flat, 0.01, 0)
    let (v, units) = try graph.weights([7, 16], seed: 3)
    let c = try graph.bias(7, image: 0.01, units)
    let product = graph.builder.node(
      "Gemm", [rows, v, c], attributes: ["transB": .int(1)], output: "product")
    let y = try graph.requantized(product, 0.02, 100)
    try graph.check(
      y, noise([1, 16, 8, 8]), step: 0.06,
      expected: "QuantizeLinear MaxPool QLinearConv QLinearAdd QLinearGlobalAveragePool Flatten "
        + "Reshape QLinearConv Reshape DequantizeLinear")
  }

  /// Products with rows and with columns of the weights, which have one scale or one for each result.
  @Test(arguments: [true, false], [true, false])
  func aGemmIsAConvolution(isTransposed: Bool, perChannel: Bool) throws {
    var graph = QuantizedGraph()
    let x = graph.builder.input("x", [5, 24])
    let rows = try graph.requantized(x, 0.008, 120)
    let (w, scales) = try graph.weights(
      isTransposed ? [11, 24] : [24, 11], perChannel: perChannel, axis: isTransposed ? 0 : 1)
    let c = try graph.bias(11, image: 0.008, scales)
    let product = graph.builder.node(
      "Gemm", [rows, w, c], attributes: isTransposed ? ["transB": .int(1)] : [:],
      output: "product")
    let y = try graph.requantized(product, 0.02, 100)
    try graph.check(
      y, noise([5, 24]), step: 0.02,
      expected: "QuantizeLinear Reshape QLinearConv Reshape DequantizeLinear")
  }

  /// Another scale behind a pooling, values that are read as floats, a bias of other units.
  @Test func whatDoesNotMatchStays() throws {
    var graph = QuantizedGraph()
    let x = graph.builder.input("x", [1, 4, 4, 4])
    let image = try graph.requantized(x, 0.01, 128)
    let pooled = graph.builder.node(
      "MaxPool", [image], attributes: ["kernel_shape": .ints([2, 2])], output: "pooled")
    let other = try graph.requantized(pooled, 0.02, 128)
    let (w, _) = try graph.weights([4, 4, 1, 1])
    let bias = try graph.bias(4, image: 0.0005, [1])
    let sums = graph.builder.node("Conv", [other, w, bias], output: "sums_")
    let y = try graph.requantized(sums, 0.05, 128)
    try graph.check(
      y, noise([1, 4, 4, 4]), step: 0.05,
      expected: "QuantizeLinear DequantizeLinear MaxPool QuantizeLinear DequantizeLinear "
        + "DequantizeLinear DequantizeLinear Conv QuantizeLinear DequantizeLinear")
  }

  @Test(arguments: [true, false]) func aConcatMovesBytesWhereScalesAgree(agree: Bool) throws {
    var graph = QuantizedGraph()
    let x = graph.builder.input("x", [1, 4, 4, 4])
    let a = try graph.requantized(x, 0.01, 128)
    let b = try graph.requantized(x, agree ? 0.01 : 0.02, 128)
    let joined = graph.builder.node(
      "Concat", [a, b], attributes: ["axis": .int(1)], output: "joined")
    let y = try graph.requantized(joined, 0.01, 128)
    try graph.check(
      y, noise([1, 4, 4, 4]), step: 0.01,
      expected: "QuantizeLinear QuantizeLinear \(agree ? "" : "QLinear")Concat DequantizeLinear")
  }

  @Test func aProductRunsOnBytes() throws {
    var graph = QuantizedGraph()
    let x = graph.builder.input("x", [3, 20])
    let rows = try graph.requantized(x, 0.008, 120)
    let (w, _) = try graph.weights([20, 6], perChannel: false)
    let product = graph.builder.node("MatMul", [rows, w], output: "product")
    let y = try graph.requantized(product, 0.02, 128)
    try graph.check(
      y, noise([3, 20]), step: 0.02, expected: "QuantizeLinear QLinearMatMul DequantizeLinear")
  }

  @Test(arguments: ["Sigmoid", "LeakyRelu"], [DataType.uint8, .int8])
  func functionsAreLookedUp(function: String, type: DataType) throws {
    var graph = QuantizedGraph(type)
    let x = graph.builder.input("x", [2, 5, 40])
    let image = try graph.requantized(x, 0.01, type == .int8 ? -3 : 120)
    let made = graph.builder.node(
      function, [image], attributes: function == "LeakyRelu" ? ["alpha": .float(0.2)] : [:],
      output: "made")
    let y = try graph.requantized(made, 0.008, type == .int8 ? 4 : 30)
    try graph.check(
      y, noise([2, 5, 40]), step: 0.008,
      expected: "QuantizeLinear QLinear\(function) DequantizeLinear")
  }

  /// Averages whose windows have as many pixels each are convolutions; others stay.
  @Test(
    arguments: [
      (["strides": .ints([2, 1])], true),
      (["pads": .ints([1, 0, 1, 2]), "count_include_pad": .int(1)], true),
      (["pads": .ints([0, 0, 0, 0]), "auto_pad": .string(Array("NOTSET".utf8))], true),
      (["pads": .ints([1, 0, 1, 2])], false), (["ceil_mode": .int(1)], false),
      (["auto_pad": .string(Array("SAME_UPPER".utf8))], false),
    ] as [([String: Attribute], Bool)], [DataType.uint8, .int8])
  func averagesAreConvolutions(_ window: ([String: Attribute], Bool), type: DataType) throws {
    var graph = QuantizedGraph(type)
    let x = graph.builder.input("x", [2, 9, 8, 7])
    let image = try graph.requantized(x, 0.008, type == .int8 ? 5 : 110)
    let average = graph.builder.node(
      "AveragePool", [image],
      attributes: window.0.merging(["kernel_shape": .ints([3, 2])]) { $1 }, output: "average")
    let y = try graph.requantized(average, 0.004, type == .int8 ? -7 : 128)
    try graph.check(
      y, noise([2, 9, 8, 7]), step: 0.004,
      expected: window.1
        ? "QuantizeLinear QLinearConv DequantizeLinear"
        : "QuantizeLinear DequantizeLinear AveragePool QuantizeLinear DequantizeLinear")
  }
}
