// WinogradTile: what Winograd's algorithms compute at once: some outputs of a row, of a column, or of both.

import CLeapKernels

/// F(m, r) of a line, F(m x m, r x r) of a square: tiles of m outputs, filters of r taps.
struct WinogradTile: Sendable {
  let algorithm: Algorithm
  let outputs: (height: Int, width: Int)
  let taps: (height: Int, width: Int)
  private let line: leap_winograd_line

  private init(_ algorithm: Algorithm, _ outputs: (Int, Int), _ taps: (Int, Int)) {
    self.algorithm = algorithm
    self.outputs = outputs
    self.taps = taps
    var line = leap_winograd_line()
    let isMade = leap_winograd_line_make(
      Int32(max(outputs.0, outputs.1)), Int32(max(taps.0, taps.1)), &line)
    precondition(isMade != 0, "F(\(outputs), \(taps)) has no transforms")
    self.line = line
  }

  /// The tiles for a kernel of these extents, those with the smaller filters first; empty where there is none.
  static func all(for kernel: (height: Int, width: Int)) -> [WinogradTile] {
    switch kernel {
    case (3, 3):
      [WinogradTile(.winograd2, (2, 2), (3, 3)), WinogradTile(.winograd4, (4, 4), (3, 3))]
    case (1, let taps): line(taps).map { [WinogradTile(.winograd1d, (1, $0), (1, taps))] } ?? []
    case (let taps, 1): line(taps).map { [WinogradTile(.winograd1d, ($0, 1), (taps, 1))] } ?? []
    default: []
    }
  }

  /// The outputs of a line: as many as cost no more accuracy than F(4 x 4, 3 x 3) does.
  private static func line(_ taps: Int) -> Int? { [3: 4, 5: 4, 7: 3][taps] }

  /// Pixels that a tile is computed from.
  var inputs: (height: Int, width: Int) {
    (outputs.height + taps.height - 1, outputs.width + taps.width - 1)
  }

  /// Products for each pair of channels.
  var positions: Int { inputs.height * inputs.width }

  /// Pieces of the sum over the channels, each a chain of its own: chains half as long make up for what the transforms of F(3, 7)
  /// magnify.
  var parts: Int { max(taps.height, taps.width) == 7 ? 2 : 1 }

  /// Tiles over an image.
  func count(_ planar: PlanarGeometry) -> (rows: Int, columns: Int) {
    (
      (planar.output.height + outputs.height - 1) / outputs.height,
      (planar.output.width + outputs.width - 1) / outputs.width
    )
  }

  /// The tiles, without an image.
  var shape: leap_winograd {
    var shape = leap_winograd()
    shape.line = line
    (shape.tile_height, shape.tile_width) = outputs
    (shape.patch_height, shape.patch_width) = inputs
    return shape
  }

  /// The tiles of an image.
  func shape(_ planar: PlanarGeometry) -> leap_winograd {
    var shape = shape
    (shape.height, shape.width) = planar.input
    (shape.pad_top, shape.pad_left) = planar.pad
    (shape.output_height, shape.output_width) = planar.output
    shape.tile_columns = count(planar).columns
    return shape
  }
}
