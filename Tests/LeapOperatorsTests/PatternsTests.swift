// PatternsTests: Tile, Trilu, EyeLike, OneHot, ReverseSequence, UnfoldTensor.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct PatternsTests {
  private func counting(_ shape: Shape) throws -> Tensor {
    try Tensor((1...max(shape.elementCount, 1)).map { Float($0) }, shape: shape)
  }

  @Test func tilesRepeatEveryAxis() throws {
    let x = try counting([2, 2])
    let result = try OperatorHarness("Tile").run([x, Tensor([Int64(2), 2])])[0]
    expectClose(result, [1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4], shape: [4, 4])
    let none = try OperatorHarness("Tile").run([x, Tensor([Int64(0), 1])])[0]
    #expect(none.shape == [0, 2])
    let one = try OperatorHarness("Tile", opset: 1)
      .run([x, Tensor([Float(3)]), Tensor([Float(1)])])[0]
    expectClose(one, [1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4], shape: [2, 6])
  }

  @Test func hostileTilesAreRefused() throws {
    let x = try counting([2, 2])
    for repeats in [[-1, 1], [1], [Int64.max, 1]] {
      #expect(throws: (any Error).self) {
        try OperatorHarness("Tile").run([x, Tensor(repeats)])
      }
    }
  }

  @Test func tilesOfSymbolsMultiply() throws {
    let batch = Dimension.symbol("batch")
    let inferred = try OperatorHarness("Tile").infer([
      InferredValue(.tensor(.float32, shape: [3, 4])),
      InferredValue(.tensor(.int64, shape: [2]), known: .dimensions([batch, 1])),
    ])
    #expect(inferred[0]?.type.shape == [batch * 3, 4])
  }

  /// A triangle of the matrix 1 2 3 / 4 5 6.
  struct Triangle: Sendable {
    let upper: Int64
    let diagonal: Int64
    let wanted: [Double]
  }

  static let triangles = [
    Triangle(upper: 1, diagonal: 0, wanted: [1, 2, 3, 0, 5, 6]),
    Triangle(upper: 0, diagonal: 0, wanted: [1, 0, 0, 4, 5, 0]),
    Triangle(upper: 1, diagonal: 1, wanted: [0, 2, 3, 0, 0, 6]),
    Triangle(upper: 0, diagonal: 1, wanted: [1, 2, 0, 4, 5, 6]),
    Triangle(upper: 1, diagonal: -1, wanted: [1, 2, 3, 4, 5, 6]),
    Triangle(upper: 0, diagonal: -1, wanted: [0, 0, 0, 4, 0, 0]),
    Triangle(upper: 1, diagonal: .max, wanted: [0, 0, 0, 0, 0, 0]),
    Triangle(upper: 0, diagonal: .max, wanted: [1, 2, 3, 4, 5, 6]),
    Triangle(upper: 1, diagonal: .min, wanted: [1, 2, 3, 4, 5, 6]),
    Triangle(upper: 0, diagonal: .min, wanted: [0, 0, 0, 0, 0, 0]),
  ]

  @Test(arguments: triangles)
  func trianglesKeepOneSide(triangle: Triangle) throws {
    let harness = OperatorHarness("Trilu", attributes: ["upper": .int(triangle.upper)])
    let diagonal = try Tensor(scalar: triangle.diagonal)
    expectClose(
      try harness.run([counting([2, 3]), diagonal])[0], triangle.wanted, shape: [2, 3])
    let integers: [Int64] = [1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6]
    let pair = try Tensor(integers, shape: [2, 2, 3])
    expectClose(try harness.run([pair, diagonal])[0], triangle.wanted + triangle.wanted)
  }

  @Test(
    arguments: [
      (0, [1.0, 0, 0, 0, 1, 0]), (1, [0, 1, 0, 0, 0, 1]), (-1, [0, 0, 0, 1, 0, 0]),
      (5, [0, 0, 0, 0, 0, 0]), (.min, [0, 0, 0, 0, 0, 0]),
    ] as [(Int64, [Double])])
  func eyes(_ diagonal: Int64, _ wanted: [Double]) throws {
    let x = try counting([2, 3])
    expectClose(
      try OperatorHarness("EyeLike", attributes: ["k": .int(diagonal)]).run([x])[0], wanted)
    let typed = try OperatorHarness(
      "EyeLike",
      attributes: ["k": .int(diagonal), "dtype": .int(Int64(DataType.int16.rawValue))]
    ).run([x])[0]
    #expect(typed.dataType == .int16)
    expectClose(typed, wanted, shape: [2, 3])
  }

  @Test func oneHotAlongTheLastAndTheFirstAxis() throws {
    let indices = try Tensor([Int64(1), -1, 7])
    let values = try Tensor([Float(2), 5])
    let depth = try Tensor(scalar: Int64(3))
    expectClose(
      try OperatorHarness("OneHot").run([indices, depth, values])[0],
      [2, 5, 2, 2, 2, 5, 2, 2, 2], shape: [3, 3])
    expectClose(
      try OperatorHarness("OneHot", attributes: ["axis": .int(0)])
        .run([indices, depth, values])[0], [2, 2, 2, 5, 2, 2, 2, 5, 2], shape: [3, 3])
    // Before opset 11 negative indices select nothing; indices and depth may be floats.
    expectClose(
      try OperatorHarness("OneHot", opset: 9)
        .run([Tensor([Float(1), -1]), Tensor([Float(2)]), Tensor([Int32(0), 1])])[0],
      [0, 1, 0, 0], shape: [2, 2])
    #expect(throws: OperatorError.self) {
      try OperatorHarness("OneHot").run([indices, Tensor(scalar: Int64(-3)), values])
    }
  }

  @Test func sequencesAreReversedToTheirLengths() throws {
    let lengths = try Tensor([Int64(3), 1])
    let x = try counting([3, 2])
    expectClose(
      try OperatorHarness("ReverseSequence").run([x, lengths])[0], [5, 2, 3, 4, 1, 6])
    let batchFirst: [String: Attribute] = ["time_axis": .int(1), "batch_axis": .int(0)]
    expectClose(
      try OperatorHarness("ReverseSequence", attributes: batchFirst)
        .run([counting([2, 3, 1]), lengths])[0], [3, 2, 1, 4, 5, 6])
    for length in [4, -1, Int64.max] {
      #expect(throws: OperatorError.self) {
        try OperatorHarness("ReverseSequence").run([x, Tensor([length, 1])])
      }
    }
  }

  @Test func windowsOfAnAxisFollowOneAnother() throws {
    func unfold(_ x: Tensor, _ size: Int64, step: Int64 = 1, axis: Int64 = -1) throws -> Tensor {
      try OperatorHarness(
        "UnfoldTensor", opset: 1, domain: "com.microsoft",
        attributes: ["size": .int(size), "step": .int(step), "dim": .int(axis)]
      ).run([x])[0]
    }
    let x = try counting([2, 3])
    expectClose(try unfold(x, 2), [1, 2, 2, 3, 4, 5, 5, 6], shape: [2, 2, 2])
    expectClose(try unfold(x, 2, axis: 0), [1, 4, 2, 5, 3, 6], shape: [1, 3, 2])
    expectClose(try unfold(x, 1, step: 5), [1, 4], shape: [2, 1, 1])
    let words = try Tensor(strings: ["a", "b", "c"])
    #expect(try unfold(words, 2).strings == ["a", "b", "b", "c"])
    for (size, step, axis): (Int64, Int64, Int64) in [
      (0, 1, 0), (4, 1, 1), (.max, 1, 0), (1, 0, 0), (1, -1, 0), (1, .max, 0), (1, 1, 2),
    ] {
      #expect(throws: OperatorError.self) { try unfold(x, size, step: step, axis: axis) }
    }
  }
}
