// ByteDot: quantised convolutions over all channels, as dot products of bytes: see byte_dot.c.
//
// A block is a band of output rows and a share of the output channels. It copies what the band's windows cover, with a border,
// and finds the largest pixel of each group on the way: these say how the steps of a sum are multiplied.

import CLeapKernels
import LeapTensors

struct ByteDot: Sendable {
  private let operands: ByteOperands
  private let filters: DotFilters
  /// The windows over the panel.
  private let geometry: PlanarGeometry
  private let imageGroups: Int
  private let batch: Int
  private let cut: BandCut
  private let groupStride: Int

  init(
    _ places: IntegerConvolution, _ planar: PlanarGeometry, _ request: KernelRequest
  ) throws {
    operands = try ByteOperands(places, planar, request)
    batch = places.geometry.batch
    let blocks = try request.requiredInput(places.image).blocks
    imageGroups = blocks?.groups ?? 0
    filters = DotFilters(places.geometry, planar, blocks, width: operands.width)
    geometry = planar.sampled
    cut = BandCut(
      geometry, elements: imageGroups * operands.width, groups: operands.groups,
      depth: filters.packing.steps * filters.packing.depth)
    // An odd number of lines: groups at the same place share no lines of the cache.
    groupStride = (cut.panelElements / max(1, imageGroups) + 63) / 64 / 2 * 128 + 64
  }

  /// What it costs, in operations: of all slots, used or not.
  static func operations(
    _ geometry: ConvolutionGeometry, _ planar: PlanarGeometry, width: Int
  ) -> Double {
    let packing = DotFilters(geometry, planar, nil, width: width).packing
    return 2 * Double(geometry.batch * planar.outputPixels)
      * Double(packing.steps * packing.depth) * Double(packing.groups * width)
  }

  /// The steps' first bytes in the panel.
  private var pixels: [Int] {
    let (kernel, dilation, width) = (geometry.kernel, geometry.dilation, operands.width)
    return (0..<kernel.height * kernel.width).flatMap { tap in
      let (row, column) = tap.quotientAndRemainder(dividingBy: kernel.width)
      let first = (row * dilation.height * cut.columns + column * dilation.width) * width
      return (0..<filters.span).flatMap { group in
        stride(from: 0, to: width, by: filters.packing.depth).map {
          first + group * groupStride + $0
        }
      }
    }
  }

  /// Offsets in scratch.
  private struct Places {
    let panel: Int
    let peaks: Int
    let kinds: Int
    let steps: Int
    let parameters: Int
    let byteCount: Int

    init(panelBytes: Int, peaks peakCount: Int, steps count: Int, parameterBytes: Int) {
      var plan = ScratchPlan()
      panel = plan.take(panelBytes)
      peaks = plan.take(peakCount)
      kinds = plan.take(count)
      steps = plan.take(count * MemoryLayout<leap_byte_step>.stride)
      parameters = plan.take(parameterBytes)
      byteCount = plan.byteCount
    }
  }

  func kernel() -> Kernel {
    let pixels = pixels
    let places = Places(
      panelBytes: imageGroups * groupStride, peaks: imageGroups * groupSteps,
      steps: filters.packing.steps,
      parameterBytes: operands.parameterBytes(cut.groupsPerShare))
    return operands.kernel(
      blocks: batch * cut.bands * cut.shares, scratch: places.byteCount
    ) { invocation, block in
      let (part, share) = block.quotientAndRemainder(dividingBy: cut.shares)
      let (image, band) = part.quotientAndRemainder(dividingBy: cut.bands)
      let units = cut.units(of: band)
      operands.copy(
        invocation, image: image, cut.window(units, operands.planar, geometry),
        groupStride: groupStride, panel: invocation.scratch + places.panel,
        groupSteps: groupSteps, peaks: invocation.scratch + places.peaks)
      let groups = cut.groups(of: share)
      let results = operands.results(
        invocation, of: groups, sums: filters.packing.sums(packed(invocation)),
        into: invocation.scratch + places.parameters)
      pixels.withUnsafeBufferPointer {
        multiply(invocation, places, image: image, units, groups, results, pixels: $0.baseAddress)
      }
    }
  }

  /// Steps that an input group makes at a tap.
  private var groupSteps: Int { operands.width / filters.packing.depth }

  private func packed(_ invocation: Invocation) -> UnsafeRawPointer {
    invocation.input(operands.places.filters)
  }

  private func multiply(
    _ invocation: Invocation, _ places: Places, image: Int, _ units: Range<Int>,
    _ groups: Range<Int>, _ results: ByteResults, pixels: UnsafePointer<Int>?
  ) {
    let (width, outputs, vectors) = (operands.width, cut.pixels(units), DotPacking.vectors)
    func place<T>(_ offset: Int, of type: T.Type) -> UnsafeMutablePointer<T> {
      (invocation.scratch + offset).assumingMemoryBound(to: type)
    }
    let packing = filters.packing
    var dot = leap_byte_dot(
      columns: cut.isFlat ? outputs.count : geometry.output.width,
      in_row: geometry.stride.height * cut.columns * width,
      in_pixel: geometry.stride.width * width, steps: packing.steps,
      tap_steps: filters.span * groupSteps, pixels: pixels, depth: packing.depth,
      out_group: operands.planar.outputPixels * width, zero: operands.zeroByte(invocation))
    var steps = leap_byte_steps(
      steps: place(places.steps, of: leap_byte_step.self), fours: 0, pairs: 0, singles: 0)
    for group in stride(from: groups.lowerBound, to: groups.upperBound, by: vectors) {
      let (chunk, count) = (group / vectors, min(vectors, groups.upperBound - group))
      let first = filters.starts[chunk]
      leap_byte_dot_sort(
        operands.set, &dot, count * width, packing.limits(packed(invocation), chunk: chunk),
        place(places.peaks, of: UInt8.self) + first * groupSteps,
        place(places.kinds, of: UInt8.self), &steps)
      var own = results.from((group - groups.lowerBound) * width)
      leap_byte_dot_convolve(
        operands.set, &dot, place(places.panel, of: UInt8.self) + first * groupStride, &steps,
        packing.filters(packed(invocation), chunk: chunk), &own,
        operands.y(invocation, image: image, group: group) + outputs.lowerBound * width,
        outputs.count, count)
    }
  }
}
