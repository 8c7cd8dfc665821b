// ByteStem: quantised convolutions of pictures of a few channels, which are planes: as products of widened pixels with packed
// filters, whose runs are rows of taps.

import CLeapKernels
import LeapTensors

struct ByteStem: Sendable {
  private let operands: ByteOperands
  private let filters: ByteFilters
  private let geometry: PlanarGeometry
  private let channels: Int
  private let planeStride: Int
  private let batch: Int
  private let cut: BandCut

  init(
    _ places: IntegerConvolution, _ planar: PlanarGeometry, _ request: KernelRequest
  ) throws {
    operands = try ByteOperands(places, planar, request)
    channels = places.geometry.inputChannels
    batch = places.geometry.batch
    planeStride = try request.requiredInput(places.image).strides?[1] ?? 0
    filters = ByteFilters(places.geometry, planar, nil, isStem: true, width: operands.width)
    geometry = planar
    cut = BandCut(
      geometry, elements: channels, groups: operands.groups,
      depth: filters.runs * filters.runLength)
  }

  /// The first elements of the runs in the panel.
  private var runs: [Int] {
    (0..<filters.runs).map { $0 * geometry.dilation.height * cut.columns * channels }
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
      interleave(invocation, image: image, units, into: panel)
      let groups = cut.groups(of: share)
      let results = operands.results(invocation, of: groups, into: invocation.scratch + offset)
      runs.withUnsafeBufferPointer {
        multiply(
          invocation, image: image, units, groups, results, panel: panel, runs: $0.baseAddress)
      }
    }
  }

  /// Copies what a band's windows cover.
  private func interleave(
    _ invocation: Invocation, image: Int, _ units: Range<Int>,
    into panel: UnsafeMutablePointer<Int16>
  ) {
    var window = cut.window(units, operands.planar, geometry)
    leap_byte_interleave(
      operands.sign, &window, channels, operands.zeroPoint(invocation),
      operands.x(invocation, image: image), planeStride, panel)
    let end = window.rows * window.columns * channels
    (panel[end], panel[end + 1]) = (0, 0)
  }

  private func multiply(
    _ invocation: Invocation, image: Int, _ units: Range<Int>, _ groups: Range<Int>,
    _ results: ByteResults, panel: UnsafePointer<Int16>, runs: UnsafePointer<Int>?
  ) {
    let (width, outputs) = (operands.width, cut.pixels(units))
    var product = leap_byte_product(
      columns: geometry.output.width,
      in_row: geometry.stride.height * cut.columns * channels,
      in_pixel: geometry.stride.width * channels, run_count: filters.runs, runs: runs,
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
