// BandCut: how quantised convolutions are cut into blocks: a band of output rows and a share of the output channels each.

import CLeapKernels
import LeapTensors

/// How a picture's output is cut into bands of rows, or of pixels where rows mean nothing, and its channels into shares.
struct BandCut: Sendable {
  let isFlat: Bool
  let bands: Int
  let shares: Int
  /// Pixels of a row of the panel, of the widest band.
  let columns: Int
  /// Elements of the largest panel.
  let panelElements: Int
  private let unitCount: Int
  private let groups: Int
  private let rowPixels: Int

  /// Operations that a block should have at least.
  private static let blockWork = 4e6
  /// Elements of a panel: about half a second-level cache.
  private static let panelLimit = 1 << 17
  private static let leastPixels = 96
  /// Chunks of a share: each widens the band's pixels for itself.
  private static let leastChunks = 8

  /// - Parameters:
  ///   - elements: elements of a pixel of the panel.
  ///   - depth: products of a sum.
  init(_ geometry: PlanarGeometry, elements: Int, groups: Int, depth: Int) {
    isFlat = geometry.isFlat
    self.groups = groups
    let pixels = geometry.outputPixels
    unitCount = isFlat ? pixels : geometry.output.height
    rowPixels = isFlat ? 1 : geometry.output.width
    let work = 2 * Double(pixels) * Double(depth) * Double(groups * 8)
    let wanted = max(1, min(32, Int(work / BandCut.blockWork)))
    let unit = (isFlat ? 1 : geometry.covered.width * geometry.stride.height) * elements
    let fixed = isFlat ? 0 : geometry.covered.width * geometry.reach.height * elements
    let affordable = max(isFlat ? 24 : 1, (BandCut.panelLimit - fixed) / max(1, unit))
    let least = (unitCount + affordable - 1) / affordable
    bands = min(unitCount, max(least, min(wanted, pixels / BandCut.leastPixels)))
    let chunks = (groups + 1) / 2
    shares = max(1, min((wanted + bands - 1) / bands, chunks / BandCut.leastChunks))
    let largest = (unitCount + bands - 1) / bands
    columns = isFlat ? largest : geometry.covered.width
    panelElements = columns * (isFlat ? 1 : geometry.rows(of: largest)) * elements
  }

  /// The rows or pixels of a band.
  func units(of band: Int) -> Range<Int> {
    band * unitCount / bands..<(band + 1) * unitCount / bands
  }

  /// The output pixels of some rows or pixels.
  func pixels(_ units: Range<Int>) -> Range<Int> {
    units.lowerBound * rowPixels..<units.upperBound * rowPixels
  }

  /// The groups of a share: whole chunks, but for the last.
  func groups(of share: Int) -> Range<Int> {
    let chunks = (groups + 1) / 2
    return 2 * (share * chunks / shares)..<min(groups, 2 * ((share + 1) * chunks / shares))
  }

  var groupsPerShare: Int { ((groups + 1) / 2 + shares - 1) / shares * 2 }

  /// The part of the image that a band reads.
  func window(
    _ units: Range<Int>, _ image: PlanarGeometry, _ geometry: PlanarGeometry
  ) -> leap_blocked_window {
    if isFlat {
      return leap_blocked_window(
        height: 1, width: image.inputPixels, first_row: 0, first_column: units.lowerBound,
        rows: 1, columns: units.count, row_step: 1, column_step: 1)
    }
    return leap_blocked_window(
      height: image.input.height, width: image.input.width,
      first_row: units.lowerBound * image.stride.height - image.pad.top,
      first_column: -image.pad.left, rows: geometry.rows(of: units.count), columns: columns,
      row_step: image.samples ? image.stride.height : 1,
      column_step: image.samples ? image.stride.width : 1)
  }
}

extension PlanarGeometry {
  /// Whether each output pixel reads just the input pixel at the same place: rows mean nothing.
  var isFlat: Bool {
    taps == 1 && stride == (1, 1) && pad == (0, 0) && input == output
  }
}
