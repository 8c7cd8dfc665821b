// ByteProduct: quantised convolutions over all channels, as products of widened pixels with packed filters.
//
// A block is a band of output rows and a share of the output channels.

import CLeapKernels
import LeapTensors

struct ByteProduct: Sendable {
  private let operands: ByteOperands
  private let filters: ByteFilters
  /// The windows over the panel.
  private let geometry: PlanarGeometry
  private let isStem: Bool
  private let channels: Int
  private let imageGroups: Int
  private let planeStride: Int
  private let batch: Int
  private let cut: BandCut

  init(
    _ places: IntegerConvolution, _ planar: PlanarGeometry, _ request: KernelRequest, isStem: Bool
  ) throws {
    operands = try ByteOperands(places, planar, request)
    let x = try request.requiredInput(places.image)
    self.isStem = isStem
    channels = places.geometry.inputChannels
    batch = places.geometry.batch
    imageGroups = x.blocks?.groups ?? 0
    planeStride = x.strides?[1] ?? 0
    filters = ByteFilters(
      places.geometry, planar, x.blocks, isStem: isStem, width: operands.width)
    geometry = planar.sampled
    cut = BandCut(
      geometry, elements: isStem ? channels : imageGroups * operands.width,
      groups: operands.groups, depth: filters.runs * filters.runLength)
  }

  private var lanes: Int { isStem ? channels : imageGroups * operands.width }

  /// The first elements of the runs in the panel.
  private var runs: [Int] {
    let kernel = geometry.kernel
    let columns = filters.runs == kernel.height ? 1 : kernel.width
    return (0..<kernel.height).flatMap { row in
      (0..<columns).map { column in
        (row * geometry.dilation.height * cut.columns + column * geometry.dilation.width) * lanes
      }
    }
  }

  func kernel() -> Kernel {
    let runs = runs
    let panelBytes = (cut.panelElements + 2) * 2
    let parameters = operands.parameterBytes(cut.groupsPerShare)
    let offset = (panelBytes + 63) / 64 * 64
    return operands.kernel(
      blocks: batch * cut.bands * cut.shares, scratch: offset + parameters
    ) { invocation, block in
      let (part, share) = block.quotientAndRemainder(dividingBy: cut.shares)
      let (image, band) = part.quotientAndRemainder(dividingBy: cut.bands)
      let panel = invocation.scratch.assumingMemoryBound(to: Int16.self)
      let units = cut.units(of: band)
      widen(invocation, image: image, units, into: panel)
      let groups = cut.groups(of: share)
      let results = operands.results(invocation, of: groups, into: invocation.scratch + offset)
      runs.withUnsafeBufferPointer {
        multiply(
          invocation, image: image, units, groups, results, panel: panel, runs: $0.baseAddress)
      }
    }
  }

  /// Copies what a band's windows cover.
  private func widen(
    _ invocation: Invocation, image: Int, _ units: Range<Int>,
    into panel: UnsafeMutablePointer<Int16>
  ) {
    var window = cut.window(units, operands.planar, geometry)
    if isStem {
      leap_byte_interleave(
        operands.sign, &window, channels, operands.zeroPoint(invocation),
        operands.x(invocation, image: image), planeStride, panel)
    } else {
      operands.widen(invocation, image: image, window, into: panel)
    }
    let end = window.rows * window.columns * lanes
    (panel[end], panel[end + 1]) = (0, 0)
  }

  private func multiply(
    _ invocation: Invocation, image: Int, _ units: Range<Int>, _ groups: Range<Int>,
    _ results: ByteResults, panel: UnsafePointer<Int16>, runs: UnsafePointer<Int>?
  ) {
    let (width, outputs) = (operands.width, cut.pixels(units))
    var product = leap_byte_product(
      columns: cut.isFlat ? outputs.count : geometry.output.width,
      in_row: geometry.stride.height * cut.columns * lanes,
      in_pixel: geometry.stride.width * lanes, run_count: filters.runs, runs: runs,
      run_length: filters.runLength, run_used: filters.used,
      out_group: operands.planar.outputPixels * width)
    let packed = invocation.input(operands.places.filters).assumingMemoryBound(to: Int8.self)
    let vectors = Int(LEAP_BYTE_VECTORS)
    for group in stride(from: groups.lowerBound, to: groups.upperBound, by: vectors) {
      var own = results.from((group - groups.lowerBound) * width)
      leap_byte_convolve(
        operands.set, &product, panel, packed + group * filters.groupBytes, &own,
        operands.y(invocation, image: image, group: group) + outputs.lowerBound * width,
        outputs.count, min(vectors, groups.upperBound - group))
    }
  }
}

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
