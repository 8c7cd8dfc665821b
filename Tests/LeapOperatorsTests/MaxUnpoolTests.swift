// MaxUnpool: where elements land, and what is refused.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct MaxUnpoolTests {
  static let windows: [String: Attribute] = [
    "kernel_shape": .ints([2, 2]), "strides": .ints([2, 2]),
  ]

  private func run(_ indices: [Int64], outputShape: [Int64]? = nil) throws -> Tensor {
    let x = try Tensor([Float(1), 2, 3, 4], shape: [1, 1, 2, 2])
    let places = try Tensor(indices, shape: [1, 1, 2, 2])
    let shape = try outputShape.map { try Tensor($0, shape: [$0.count]) }
    return try OperatorCase("MaxUnpool", MaxUnpoolTests.windows).run(
      [x, places] + (shape.map { [$0] } ?? []))[0]
  }

  @Test func elementsLandAtTheirIndices() throws {
    let y = try run([5, 7, 13, 15])
    var expected = [Double](repeating: 0, count: 16)
    for (place, value) in zip([5, 7, 13, 15], 1...) { expected[place] = Double(value) }
    expectClose(y, expected, shape: [1, 1, 4, 4])
  }

  @Test func aLargerShapeAddsZerosBehind() throws {
    let y = try run([5, 7, 13, 15], outputShape: [1, 1, 5, 6])
    var expected = [Double](repeating: 0, count: 30)
    for (place, value) in zip([7, 9, 19, 21], 1...) { expected[place] = Double(value) }
    expectClose(y, expected, shape: [1, 1, 5, 6])
  }

  @Test func theLastOfEqualIndicesStays() throws {
    let y = try run([0, 3, 0, 3])
    expectClose(y, [3, 0, 0, 4] + [Double](repeating: 0, count: 12))
  }

  @Test(arguments: [[0, 1, 2, 16], [-1, 0, 1, 2], [Int64.min, 0, 0, 0], [0, 0, 0, .max]])
  func refusesIndicesOutOfRange(indices: [Int64]) {
    #expect(throws: OperatorError.self) { try run(indices) }
  }

  @Test(arguments: [[1, 1, 3, 4], [2, 1, 4, 4], [1, 1, 4], [1, 1, -1, 4]])
  func refusesShapesWithoutRoom(shape: [Int64]) {
    #expect(throws: (any Error).self) { try run([0, 1, 2, 3], outputShape: shape) }
  }

  @Test func undoesMaxPool() throws {
    var noise = Noise(1)
    let x = try noise.tensor(.float64, [2, 3, 6, 8])
    let pooled = try OperatorCase("MaxPool", MaxUnpoolTests.windows, outputCount: 2).run([x])
    let y = try OperatorCase("MaxUnpool", MaxUnpoolTests.windows).run(pooled)[0]
    #expect(y.shape == x.shape)
    let places = Set(pooled[1].elements(as: Int64.self)!.map(Int.init))
    let expected = x.doubles.enumerated().map { places.contains($0) ? $1 : 0 }
    #expect(y.doubles == expected)
  }

  @Test func infersShapes() throws {
    let n = Dimension.symbol("n")
    let node = OperatorCase("MaxUnpool", MaxUnpoolTests.windows)
    let harness = OperatorHarness("MaxUnpool", attributes: MaxUnpoolTests.windows)
    let inferred = try harness.infer([
      InferredValue(.tensor(.float32, shape: [n, 4, 5, n])),
      InferredValue(.tensor(.int64, shape: [n, 4, 5, n])),
    ])
    #expect(inferred[0]?.type.shape == [n, 4, 10, (n - 1) * 2 + 2])
    #expect(throws: (any Error).self) { try node.inferred([[1, 1, 2]]) }
  }
}
