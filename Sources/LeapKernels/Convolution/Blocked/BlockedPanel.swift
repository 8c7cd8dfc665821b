// BlockedPanel: where a blocked product reads its pixels: in the image itself, or in a copy that has a border of zeros,
// made for the whole image once or for a band of rows at a time.

import CLeapKernels
import LeapTensors

/// One spatial convolution of two dimensions; a convolution of one has a height of 1.
struct PlanarGeometry: Sendable {
  let input: (height: Int, width: Int)
  let output: (height: Int, width: Int)
  let kernel: (height: Int, width: Int)
  private(set) var stride: (height: Int, width: Int)
  let dilation: (height: Int, width: Int)
  let pad: (top: Int, left: Int)

  /// nil for more than two dimensions.
  init?(_ geometry: ConvolutionGeometry) {
    guard geometry.input.count <= 2 else { return nil }
    func pair(_ values: [Int], _ fill: Int) -> (Int, Int) {
      values.count == 1 ? (fill, values[0]) : (values[0], values[1])
    }
    input = pair(geometry.input, 1)
    output = pair(geometry.output, 1)
    kernel = pair(geometry.kernel, 1)
    stride = pair(geometry.strides, 1)
    dilation = pair(geometry.dilations, 1)
    pad = pair(geometry.pads, 0)
  }

  var outputPixels: Int { output.height * output.width }
  var inputPixels: Int { input.height * input.width }
  var taps: Int { kernel.height * kernel.width }

  /// Rows and columns that all windows together cover.
  var covered: (height: Int, width: Int) {
    (rows(of: output.height), (output.width - 1) * stride.width + reach.width)
  }

  /// From a window's first pixel to behind its last.
  var reach: (height: Int, width: Int) {
    ((kernel.height - 1) * dilation.height + 1, (kernel.width - 1) * dilation.width + 1)
  }

  /// Rows that the windows of so many output rows cover.
  func rows(of count: Int) -> Int { (count - 1) * stride.height + reach.height }

  /// Whether windows leave out pixels between them: those of one tap that are apart.
  var samples: Bool { taps == 1 && stride != (1, 1) }

  /// The windows over a copy without the pixels that are left out.
  var sampled: PlanarGeometry {
    var geometry = self
    if samples { geometry.stride = (1, 1) }
    return geometry
  }

  /// Whether every tap of every window lies on the image.
  var isInside: Bool {
    pad.top >= 0 && pad.left >= 0 && pad.top == 0 && pad.left == 0
      && covered.height <= input.height && covered.width <= input.width
  }
}

struct BlockedPanel: Sendable {
  enum Mode: Sendable, Hashable {
    /// Products read the image.
    case image
    /// A first phase copies the whole image.
    case whole
    /// Each block copies the rows it reads: so many output rows.
    case band(rows: Int)
  }

  let mode: Mode
  /// The windows over the image.
  let geometry: PlanarGeometry
  /// The windows over the panel, which shows none of the pixels between them.
  let sampled: PlanarGeometry
  /// Groups that are copied, and floats that lie side by side for a pixel.
  let groups: Int
  let lanes: Int

  /// A panel larger than this many floats is made in bands.
  private static let wholeLimit = 1 << 17
  /// Floats of a band's panel: about half a second-level cache.
  private static let bandLimit = 1 << 16

  init(_ geometry: PlanarGeometry, groups: Int, lanes: Int, readsImage: Bool) {
    self.geometry = geometry
    sampled = geometry.sampled
    self.groups = groups
    self.lanes = lanes
    let covered = sampled.covered
    let row = covered.width * groups * lanes
    if readsImage && geometry.isInside && !geometry.samples {
      mode = .image
    } else if row * covered.height <= BlockedPanel.wholeLimit {
      mode = .whole
    } else {
      let affordable = BlockedPanel.bandLimit / max(1, row) - geometry.reach.height
      let rows = max(1, min(geometry.output.height, affordable / sampled.stride.height + 1))
      // Eight, or a multiple of four: few workers have as many each.
      let bands = max(8, ((geometry.output.height + rows - 1) / rows + 3) / 4 * 4)
      mode = .band(rows: (geometry.output.height + bands - 1) / bands)
    }
  }

  /// Pixels of a row of the panel.
  var rowPixels: Int { mode == .image ? geometry.input.width : sampled.covered.width }

  /// Rows of the panel.
  var rows: Int {
    switch mode {
    case .image: geometry.input.height
    case .whole: sampled.covered.height
    case .band(let rows): sampled.rows(of: rows)
    }
  }

  var groupFloats: Int { rows * rowPixels * lanes }

  /// Bytes of the copy of one image or band; 0 where there is none.
  var byteCount: Int { mode == .image ? 0 : (groups * groupFloats * 4 + 63) / 64 * 64 }

  /// Offsets of the taps in the panel, in floats, in row-major order.
  var taps: [Int] {
    (0..<geometry.kernel.height).flatMap { row in
      (0..<geometry.kernel.width).map { column in
        (row * geometry.dilation.height * rowPixels + column * geometry.dilation.width) * lanes
      }
    }
  }

  /// The part of the image that a band, or the whole panel, shows.
  func window(firstOutputRow: Int) -> leap_blocked_window {
    leap_blocked_window(
      height: geometry.input.height, width: geometry.input.width,
      first_row: firstOutputRow * geometry.stride.height - geometry.pad.top,
      first_column: -geometry.pad.left, rows: rows, columns: rowPixels,
      row_step: geometry.samples ? geometry.stride.height : 1,
      column_step: geometry.samples ? geometry.stride.width : 1)
  }
}
