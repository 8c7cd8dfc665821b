// Pieces of tensors: what Split makes of any extent.

import LeapGraph
import LeapOperators
import Testing

@Suite struct ConcatenationTests {
  /// All pieces but the last are as large as the first; those behind the end are empty.
  @Test(arguments: [
    (9, 3, [3, 3, 3]), (10, 3, [4, 4, 2]), (2, 4, [1, 1, 0, 0]), (0, 2, [0, 0]),
    (Int.max, 2, [Int.max / 2 + 1, Int.max / 2]), (Int.max - 1, 1, [Int.max - 1]),
  ])
  func splitsAnyExtentEvenly(extent: Int, pieces: Int, sizes: [Int]) throws {
    let split = OperatorCase("Split", ["num_outputs": .int(Int64(pieces))], outputCount: pieces)
    let inferred = try split.inferred([[.fixed(extent)]])
    let expected = sizes.map { size -> [Dimension]? in [.fixed(size)] }
    #expect(inferred == expected)
  }
}
