// ReductionGeometry: a reduction of any axes as loops over outer kept x outer reduced x rows x columns.
//
// 1. The order in which an element's sources are joined follows from shape and axes alone, never from strides, from
//    the batch or from how work is cut into blocks.
// 2. What is longer than 64 Ki elements is cut at fixed places.

import LeapTensors

/// The loops of one reduction.
///
/// The innermost reduced axes are the rows, the kept ones inside them the columns; where there are none of those the
/// rows are single elements side by side, a run.
struct ReductionGeometry: Sendable {
  /// Elements after which a long reduction is cut.
  static let longest = 64 << 10
  /// Columns that one block takes at most.
  private static let widestTile = 1024

  /// Whether the last axis is reduced: the elements of a row lie side by side.
  let isRun: Bool
  let rows: Int
  let columns: Int
  /// Kept axes outside the rows.
  let kept: StridedIndex
  /// Reduced axes outside the rows. An output that has them is one of the input's shape.
  let reduced: StridedIndex
  /// Elements that become one.
  let reducedCount: Int

  let tileWidth: Int
  let tiles: Int
  /// Rows without a cut, and how many such pieces a run over the rows has.
  private let rowsPerPiece: Int
  private let piecesPerRun: Int
  private let pieces: Int
  private let piecesPerChunk: Int
  /// How many partial results each element of the output has.
  let chunks: Int

  /// - Parameters:
  ///   - axes: for each axis of the input, whether it is reduced.
  ///   - keepsDimensions: whether the output has extents for them: 1, or those of the input.
  init(_ input: Operand, _ output: Operand, axes: [Bool], keepsDimensions: Bool) throws {
    guard let from = input.strides, let to = output.strides else {
      throw OperatorError("reductions take plain layouts")
    }
    let (first, end) = ReductionGeometry.rowAxes(axes)
    isRun = end == axes.count && first < end
    rows = Shape.product(input.shape.dimensions[first..<end])
    columns = input.shape.inner(from: end)
    var outer: [(extent: Int, input: Int, output: Int)] = []
    var inner: [(extent: Int, input: Int, output: Int)] = []
    for axis in 0..<first {
      if axes[axis] {
        let stays = keepsDimensions && output.shape[axis] != 1
        inner.append((input.shape[axis], from[axis], stays ? to[axis] : 0))
      } else {
        let place = keepsDimensions ? axis : outer.count
        outer.append((input.shape[axis], from[axis], to[place]))
      }
    }
    kept = StridedIndex(outer)
    reduced = StridedIndex(inner)
    reducedCount = Shape.product([reduced.count, rows])

    tileWidth = max(1, min(columns, ReductionGeometry.widestTile))
    tiles = columns == 0 ? 0 : (columns - 1) / tileWidth + 1
    rowsPerPiece = max(1, min(rows, ReductionGeometry.longest))
    piecesPerRun = rows == 0 ? 0 : (rows - 1) / rowsPerPiece + 1
    pieces = Shape.product([reduced.count, piecesPerRun])
    piecesPerChunk = piecesPerRun > 1 ? 1 : ReductionGeometry.longest / rowsPerPiece
    chunks = pieces == 0 ? 1 : (pieces - 1) / piecesPerChunk + 1
  }

  /// The innermost axes that are reduced without a kept one between them.
  static func rowAxes(_ axes: [Bool]) -> (first: Int, end: Int) {
    guard let last = axes.lastIndex(of: true) else { return (0, 0) }
    let before = axes[..<last].lastIndex(of: false)
    return (before.map { $0 + 1 } ?? 0, last + 1)
  }

  /// Some rows that are joined one after the other.
  struct Piece {
    /// Offsets of the first row, counted in elements.
    let input: Int
    let output: Int
    /// The first row, and how many there are.
    let row: Int
    let rows: Int
  }

  /// Calls `body` for each piece of a chunk, in order.
  @inline(__always)
  func forEachPiece(of chunk: Int, _ body: (Piece) -> Void) {
    let first = chunk * piecesPerChunk
    for piece in first..<min(first + piecesPerChunk, pieces) {
      let row = piece % piecesPerRun * rowsPerPiece
      let offsets = reduced.offsets(piece / piecesPerRun)
      body(
        Piece(
          input: offsets.input + row * columns, output: offsets.output + row * columns, row: row,
          rows: min(rowsPerPiece, rows - row)))
    }
  }
}
