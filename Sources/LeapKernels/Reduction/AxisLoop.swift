// AxisLoop: the work along one axis, as outer x rows x columns, in blocks of a few columns each.
//
// A column is computed whole by one call, so that blocks do not show in the result.

import LeapTensors

/// The loops over all axes but one.
struct AxisLoop: Sendable {
  /// The axes before.
  private let outer: StridedIndex
  /// The extent of the axis.
  let rows: Int
  /// The elements of the axes behind it, side by side: the stride of the axis.
  let columns: Int
  private let tile: Int
  private let tiles: Int

  /// Where a call works: offsets in elements of the axis' first element, and how many columns.
  struct Place {
    let input: Int
    let output: Int
    let columns: Int
  }

  /// - Parameters:
  ///   - output: has the axes before `axis` that the input has.
  ///   - flattens: whether all axes from `axis` on count as one.
  ///   - widestTile: the columns that one call takes at most.
  init(
    _ input: Operand, _ output: Operand, axis: Int, flattens: Bool = false, widestTile: Int = 256
  ) throws {
    guard let from = input.strides, let to = output.strides else {
      throw OperatorError("expected plain layouts")
    }
    outer = StridedIndex((0..<axis).map { (input.shape[$0], from[$0], to[$0]) })
    rows = flattens ? input.shape.inner(from: axis) : input.shape[axis]
    columns = flattens ? 1 : input.shape.inner(from: axis + 1)
    tile = max(1, min(columns, widestTile))
    tiles = columns == 0 ? 0 : (columns - 1) / tile + 1
  }

  /// A kernel that calls `body` for every tile of columns.
  ///
  /// - Parameters:
  ///   - grain: elements that one block reads at least, where there are as many.
  ///   - scratchPerColumn: bytes for each column of a tile.
  func kernel(
    grain: Int, scratchPerColumn: Int,
    _ body: @escaping @Sendable (Invocation, Place) -> Void
  ) -> Kernel {
    let units = Shape.product([outer.count, tiles])
    let perBlock = max(1, grain / max(Shape.product([rows, tile]), 1))
    let blocks = units == 0 ? 0 : (units - 1) / perBlock + 1
    let scratch = Shape.product([tile, scratchPerColumn])
    return Kernel(blocks: blocks, scratchPerWorker: scratch) { invocation, block in
      for unit in block * perBlock..<min((block + 1) * perBlock, units) {
        let first = unit % tiles * tile
        let offsets = outer.offsets(unit / tiles)
        body(
          invocation,
          Place(
            input: offsets.input + first, output: offsets.output + first,
            columns: min(tile, columns - first)))
      }
    }
  }
}
