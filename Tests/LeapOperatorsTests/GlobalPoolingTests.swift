// GlobalAveragePool, GlobalMaxPool and GlobalLpPool.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct GlobalPoolingTests {
  static let functions: [(String, [String: Attribute], @Sendable ([Double]) -> Double)] = [
    ("GlobalAveragePool", [:], { $0.reduce(0, +) / Double($0.count) }),
    ("GlobalMaxPool", [:], { $0.max() ?? -.infinity }),
    ("GlobalLpPool", [:], { $0.reduce(0) { $0 + $1 * $1 }.squareRoot() }),
    ("GlobalLpPool", ["p": .int(1)], { $0.reduce(0) { $0 + $1.magnitude } }),
    ("GlobalLpPool", ["p": .int(3)], { norm($0, 3) }),
    ("GlobalLpPool", ["p": .int(4)], { norm($0, 4) }),
  ]

  static func norm(_ values: [Double], _ exponent: Int) -> Double {
    let sum = values.reduce(0) { sum, value in
      sum + (0..<exponent).reduce(1) { product, _ in product * value.magnitude }
    }
    // Newton's iteration for sum^(1 / exponent).
    var root = max(1, sum)
    for _ in 0..<200 where sum > 0 {
      let power = (1..<exponent).reduce(1) { product, _ in product * root }
      root -= (root * power - sum) / (Double(exponent) * power)
    }
    return sum > 0 ? root : 0
  }

  static let shapes: [Shape] = [
    [2, 3], [2, 3, 5], [2, 3, 4, 7], [1, 2, 3, 4, 5], [1, 2, 2, 1, 3, 2],
  ]

  @Test(arguments: functions.indices, shapes) func agreesWithDefinition(index: Int, shape: Shape)
    throws
  {
    let (type, attributes, function) = GlobalPoolingTests.functions[index]
    for dataType in [DataType.float32, .float64] {
      var noise = Noise(UInt64(index))
      let x = try noise.tensor(dataType, shape)
      let pixels = Shape(Array(shape[2...])).elementCount
      let expected = (0..<shape[0] * shape[1]).map {
        function(Array(x.doubles[$0 * pixels..<($0 + 1) * pixels]))
      }
      let output = Shape(shape[..<2] + shape[2...].map { _ in 1 })
      let y = try OperatorCase(type, attributes).run([x])[0]
      expectClose(y, expected, shape: output, relative: dataType == .float64 ? 1e-14 : 2e-7)
    }
  }

  @Test(arguments: [[1, 2, 0], [2, 1, 3, 0], [2, 1, 0, 5]]) func noPixels(dimensions: [Int]) throws
  {
    let x = try Tensor([Float](), shape: Shape(dimensions))
    for (type, p, expected) in [
      ("GlobalAveragePool", nil, Double.nan), ("GlobalMaxPool", nil, -.infinity),
      ("GlobalLpPool", nil, 0), ("GlobalLpPool", 5, 0),
    ] as [(String, Int64?, Double)] {
      let attributes = p.map { ["p": Attribute.int($0)] } ?? [:]
      let y = try OperatorCase(type, attributes).run([x])[0]
      expectClose(y, [expected, expected])
    }
  }

  @Test func sumsOfManyPixelsKeepTheirDigits() throws {
    // 200,003 pixels of 1 but for the first, 2^24: a sum in float would stay at 2^24.
    var pixels = [Float](repeating: 1, count: 200_003)
    pixels[0] = 16_777_216
    let x = try Tensor(pixels, shape: [1, 1, 200_003])
    let y = try OperatorCase("GlobalAveragePool").run([x])[0].doubles[0]
    #expect(y == Double(Float((16_777_216.0 + 200_002) / 200_003)))
  }

  @Test func opset1HasARealExponent() throws {
    let x = try Tensor([Float(1), 4], shape: [1, 1, 2])
    let y = try OperatorCase("GlobalLpPool", opset: 1, ["p": .float(0.5)]).run([x])[0]
    expectClose(y, [9], shape: [1, 1, 1])
    #expect(throws: (any Error).self) {
      try OperatorCase("GlobalLpPool", opset: 2, ["p": .float(0.5)]).run([x])
    }
    #expect(throws: (any Error).self) {
      try OperatorCase("GlobalLpPool", ["p": .int(0)]).run([x])
    }
  }

  @Test func infersSymbolicShapes() throws {
    let n = Dimension.symbol("n")
    #expect(try OperatorCase("GlobalMaxPool").inferred([[n, 8, n, 7]])[0]! == [n, 8, 1, 1])
    #expect(throws: (any Error).self) { try OperatorCase("GlobalMaxPool").inferred([[n]]) }
  }
}
