// QuantizedWeights: products and lookups of constants that DequantizeLinear makes floats of give the bits of the floats, and hold the
// constants as they are.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapRuntime
import LeapTensors
import LeapTestSupport
import Testing

/// A graph that reads a matrix of integers through DequantizeLinear.
private struct WeightGraph {
  enum Scales: CaseIterable { case matrix, column, block }

  var builder = ModelBuilder()
  private var count = 0

  init() { builder.opset = 21 }

  mutating func name(_ base: String) -> String {
    count += 1
    return "\(base)\(count)"
  }

  static func numbers(_ type: DataType, _ shape: Shape, seed: Int) throws -> Tensor {
    try Tensor(dataType: type, shape: shape) { bytes in
      for index in bytes.indices {
        bytes[index] = UInt8(truncatingIfNeeded: (index + seed) * 73 ^ (index >> 3) * 29)
      }
    }
  }

  static func noise(_ shape: Shape, seed: Int = 0) throws -> Tensor {
    try Tensor(
      (0..<shape.elementCount).map { Float((($0 + seed) * 7919) % 2003) / 1001 - 1 }, shape: shape)
  }

  /// The floats of a matrix whose columns, for the product, lie along `columnAxis`.
  mutating func weights(
    _ type: DataType, _ shape: Shape, _ scales: Scales, columnAxis: Int = 1, zeros: Bool = true,
    block: Int = 32
  ) throws -> ValueID {
    var extents = shape.dimensions
    var attributes: [String: Attribute] = [:]
    switch scales {
    case .matrix: extents = []
    case .column:
      extents = [shape[columnAxis]]
      attributes["axis"] = .int(Int64(columnAxis))
    case .block:
      extents[1 - columnAxis] = (shape[1 - columnAxis] - 1) / block + 1
      attributes = ["axis": .int(Int64(1 - columnAxis)), "block_size": .int(Int64(block))]
    }
    let parameters = Shape(extents)
    let factors = (0..<parameters.elementCount).map { 0.003 + 0.0007 * Float($0 % 13) }
    let w = builder.constant(name("w"), try WeightGraph.numbers(type, shape, seed: 1))
    let s = builder.constant(name("s"), try Tensor(factors, shape: parameters))
    let z = builder.constant(name("z"), try WeightGraph.numbers(type, parameters, seed: 5))
    return builder.node(
      "DequantizeLinear", zeros ? [w, s, z] : [w, s], attributes: attributes,
      output: name("floats"))
  }

  /// The graph after the pass, which gives the bits that the graph gives without any.
  func check(
    _ y: ValueID, _ x: Tensor, expected: String, location: SourceLocation = #_sourceLocation
  ) throws {
    let model = builder.model(outputs: [y])
    let passes: [any Pass.Type] = [QuantizedWeights.self, EpilogueFusion.self, DeadCode.self]
    let graph = try PassHarness.check(model, passes, inputs: ["x": x], location: location)
    #expect(PassHarness.operators(graph) == expected, sourceLocation: location)
    // Behind all passes too, for several workers and each instruction set, as the floats that are folded.
    for set in InstructionSet.available {
      func result(width: Int, without disabled: Set<String> = []) throws -> Tensor? {
        var configuration = SessionConfiguration()
        configuration.width = width
        configuration.instructionSet = set.rawValue
        configuration.disabledPasses = disabled
        return try SessionCore(model: model, configuration: configuration)
          .run(["x": x]).values.first
      }
      let folded = try result(width: 1, without: [QuantizedWeights.name])
      for width in [1, 3] {
        let kept = try result(width: width)
        let isSame = kept?.withUnsafeBytes(Array.init) == folded?.withUnsafeBytes(Array.init)
        #expect(kept != nil && isSame, "\(set.rawValue), \(width)", sourceLocation: location)
      }
    }
  }
}

@Suite struct QuantizedWeightsTests {
  private static let types = NumberPanels.types.sorted { $0.description < $1.description }

  @Test(arguments: types, WeightGraph.Scales.allCases)
  fileprivate func productsKeepTheBits(type: DataType, scales: WeightGraph.Scales) throws {
    for (rows, depth, columns, zeros) in [
      (1, 64, 32, true), (5, 33, 7, true), (3, 131, 45, false), (17, 300, 70, true),
    ] {
      var graph = WeightGraph()
      let x = graph.builder.input("x", [2, .fixed(rows), .fixed(depth)])
      let w = try graph.weights(type, [depth, columns], scales, zeros: zeros)
      let y = graph.builder.node("MatMul", [x, w], output: "y")
      try graph.check(y, WeightGraph.noise([2, rows, depth]), expected: "DequantizedMatMul")
    }
  }

  /// Rows of the matrix are the columns of the product, by a Transpose or by transB; alpha, beta and C go with the product, and what
  /// follows becomes its epilogue.
  @Test(arguments: types, WeightGraph.Scales.allCases)
  fileprivate func transposedProductsKeepTheBits(
    type: DataType, scales: WeightGraph.Scales
  ) throws {
    for (rows, depth, columns) in [(1, 64, 33), (200, 47, 40)] {
      var graph = WeightGraph()
      let x = graph.builder.input("x", [.fixed(rows), .fixed(depth)])
      let w = try graph.weights(type, [columns, depth], scales, columnAxis: 0, block: 16)
      let c = graph.builder.constant("c", try WeightGraph.noise([1, columns], seed: 3))
      let sums = graph.builder.node(
        "Gemm", [x, w, c],
        attributes: ["transB": .int(1), "alpha": .float(0.3), "beta": .float(1.7)], output: "sums")
      let y = graph.builder.node("Relu", [sums], output: "y")
      try graph.check(y, WeightGraph.noise([rows, depth]), expected: "DequantizedMatMul")

      var turned = WeightGraph()
      let a = turned.builder.input("x", [.fixed(rows), .fixed(depth)])
      let v = try turned.weights(type, [columns, depth], scales, columnAxis: 0, block: 16)
      let t = turned.builder.node(
        "Transpose", [v], attributes: ["perm": .ints([1, 0])], output: "t")
      let product = turned.builder.node("MatMul", [a, t], output: "product")
      let bias = turned.builder.constant("bias", try WeightGraph.noise([columns], seed: 4))
      let sum = turned.builder.node("Add", [product, bias], output: "sum")
      let z = turned.builder.node("Sigmoid", [sum], output: "z")
      try turned.check(z, WeightGraph.noise([rows, depth]), expected: "DequantizedMatMul")
    }
  }

  /// Sums that are longer than a product computes at once, and blocks that no part of it ends with.
  @Test(arguments: [4096, 4097, 9000], [48, 4100])
  func longSumsKeepTheBits(depth: Int, block: Int) throws {
    var graph = WeightGraph()
    let x = graph.builder.input("x", [3, .fixed(depth)])
    let w = try graph.weights(.int8, [depth, 9], .block, block: block)
    let y = graph.builder.node("MatMul", [x, w], output: "y")
    try graph.check(y, WeightGraph.noise([3, depth]), expected: "DequantizedMatMul")
  }

  @Test func aVectorOnTheLeftIsARow() throws {
    var graph = WeightGraph()
    let x = graph.builder.input("x", [40])
    let w = try graph.weights(.uint8, [40, 11], .column)
    let y = graph.builder.node("MatMul", [x, w], output: "y")
    try graph.check(y, WeightGraph.noise([40]), expected: "DequantizedMatMul")
  }

  /// Scales along the sums, a left operand, an operand that is added elsewhere too, and products with a transposed A stay.
  @Test(arguments: ["rows", "left", "shared", "transA"]) func whatDoesNotMatchStays(_ what: String)
    throws
  {
    var graph = WeightGraph()
    let x = graph.builder.input("x", [24, 24])
    let w = try graph.weights(.int8, [24, 24], .column, columnAxis: what == "rows" ? 0 : 1)
    let type = what == "transA" ? "Gemm" : "MatMul"
    var y = graph.builder.node(
      type, what == "left" ? [w, x] : [x, w],
      attributes: what == "transA" ? ["transA": .int(1)] : [:], output: "y")
    if what == "shared" { y = graph.builder.node("Sub", [y, w], output: "difference") }
    try graph.check(
      y, WeightGraph.noise([24, 24]),
      expected: "DequantizeLinear \(type)\(what == "shared" ? " Sub" : "")")
  }

  /// Rows of bytes, with scales and zero points of their own or not; the same table as the right operand of a product.
  @Test(arguments: [DataType.int8, .uint8], [-1, 0, 1, 2])
  func lookupsKeepTheBits(type: DataType, axis: Int) throws {
    for indices: Shape in [[], [3], [2, 5]] {
      var graph = WeightGraph()
      let x = graph.builder.input("x", indices.map(Dimension.fixed), type: .int64)
      // One scale, one for each row, one for each column, one for ten columns of a row.
      let table = try graph.weights(
        type, [50, 36], axis < 0 ? .matrix : axis == 2 ? .block : .column,
        columnAxis: axis == 1 ? 1 : 0, block: 10)
      let rows = graph.builder.node("Gather", [table, x], output: "rows")
      let t = graph.builder.node("Transpose", [table], output: "t")
      let isProduct = axis != 1
      let y = isProduct ? graph.builder.node("MatMul", [rows, t], output: "y") : rows
      let gathers = axis == 0 || axis == 2 ? "Gather Gather Gather" : "Gather"
      let places = try Tensor(
        (0..<indices.elementCount).map { Int64($0 * 17 % 50) }, shape: indices)
      try graph.check(
        y, places,
        expected: "\(gathers) DequantizeLinear\(isProduct ? " DequantizedMatMul" : "")")
    }
  }

  /// Products with weights of a few bits, as ONNX Runtime writes them, give the bits that they give where the weights are computed.
  @Test(arguments: [2, 4, 8], [true, false]) func weightsOfAFewBits(bits: Int, zeros: Bool) throws {
    let (rows, depth, size) = (19, 64, 16)
    func model(constant: Bool) throws -> Model {
      var builder = ModelBuilder()
      let x = builder.input("x", [3, .fixed(depth)])
      let scales = (0..<rows * depth / size).map { 0.01 + 0.001 * Float($0 % 7) }
      var inputs = [x]
      let blocks = depth / size
      for (name, tensor) in [
        ("w", try WeightGraph.numbers(.uint8, [rows, blocks, size * bits / 8], seed: 2)),
        ("s", try Tensor(scales)),
        ("z", try WeightGraph.numbers(.uint8, [rows, blocks * bits / 8], seed: 3)),
      ] where name != "z" || zeros {
        inputs.append(builder.constant(name, tensor))
        // A value that a caller may replace is no constant.
        if !constant { builder.graph.inputs.append(inputs.last!) }
      }
      let y = builder.node(
        "MatMulNBits", domain: "com.microsoft", inputs,
        attributes: [
          "bits": .int(Int64(bits)), "N": .int(Int64(rows)), "K": .int(Int64(depth)),
          "block_size": .int(Int64(size)),
        ], outputs: ["y"])
      return builder.model(outputs: y)
    }
    var configuration = SessionConfiguration()
    configuration.width = 2
    let kept = try SessionCore(model: model(constant: true), configuration: configuration)
    let computed = try SessionCore(model: model(constant: false), configuration: configuration)
    #expect(PassHarness.operators(kept.program.graph) == "DequantizedMatMul")
    let x = try WeightGraph.noise([3, depth])
    let (got, expected) = (try kept.run(["x": x])["y"], try computed.run(["x": x])["y"])
    let isSame = got?.withUnsafeBytes(Array.init) == expected?.withUnsafeBytes(Array.init)
    #expect(got != nil && isSame)
  }

  /// What a plan holds is the numbers, four bits of those that have no more, scales and zero points.
  @Test(arguments: [(DataType.int8, 8), (.uint8, 8), (.int4, 4), (.uint2, 4)])
  func aPlanHoldsNumbersAndNoFloats(type: DataType, bits: Int) throws {
    let (depth, columns, block) = (256, 128, 32)
    var graph = WeightGraph()
    let x = graph.builder.input("x", [2, .fixed(depth)])
    let w = try graph.weights(type, [depth, columns], .block, block: block)
    let y = graph.builder.node("MatMul", [x, w], output: "y")
    func bytes(without disabled: Set<String> = []) throws -> Int {
      var configuration = SessionConfiguration()
      configuration.width = 1
      configuration.disabledPasses = disabled
      let session = try SessionCore(
        model: graph.builder.model(outputs: [y]), configuration: configuration)
      _ = try session.run(["x": WeightGraph.noise([2, depth])])
      let held = session.weights.byteCounts
      return held.mapped + held.owned
    }
    #expect(try bytes() == depth * columns * bits / 8 + depth / block * columns * 5)
    #expect(try bytes(without: [QuantizedWeights.name]) == depth * columns * 4)
  }
}
