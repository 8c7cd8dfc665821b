// PackingRecipe: how a constant is rearranged for a kernel.
//
// 1. A constant is packed once for each key, and read through a small buffer: recipes take it some rows at a time.
// 2. Plans make recipes again and again, sessions pack once: what packing alone needs is worked out when it packs.

import LeapTensors

/// Says all that decides the bytes that a recipe makes of a constant.
package struct PackingKey: Hashable, Sendable {
  /// The order of the packed elements, `product` or `winograd4` say.
  package var order: String
  /// Extents that the order depends on.
  package var extents: [Int]
  /// The layout of the operand that the packed copy goes with.
  package var layout: Layout

  package init(_ order: String, _ extents: [Int] = [], layout: Layout = .contiguous) {
    self.order = order
    self.extents = extents
    self.layout = layout
  }
}

/// How a constant input is rearranged once, when the model is loaded.
package struct PackingRecipe: Sendable {
  /// Two recipes of the same key make the same bytes from the same source.
  package var key: PackingKey
  package var byteCount: Int
  /// How many rows the constant may be packed by: the extent of its first dimension, or 1 where it is packed as a whole.
  package var rows: Int
  /// Reads some rows of the constant (row-major) and writes what becomes of them; with the rows of a constant in ascending
  /// order, all of the packed copy is written. `source` is the first element of these rows, `destination` the start of
  /// the copy.
  package var pack:
    @Sendable (
      _ rows: Range<Int>, _ source: UnsafeRawPointer, _ destination: UnsafeMutableRawPointer
    ) -> Void

  package init(
    key: PackingKey, byteCount: Int, rows: Int = 1,
    pack: @escaping @Sendable (Range<Int>, UnsafeRawPointer, UnsafeMutableRawPointer) -> Void
  ) {
    self.key = key
    self.byteCount = byteCount
    self.rows = rows
    self.pack = pack
  }
}
