// ByteWinograd: quantised convolutions of 3 x 3 taps with a quarter of the multiplications (Lavin and Gray, "Fast Algorithms for
// Convolutional Neural Networks", 2016), exact: see byte_winograd.c.
//
// 1. The same bits as other ways, from filters that stay bytes and are transformed when they are used.
// 2. A result is known modulo 2^26. Filters whose results may lie further apart, and those with a zero point, are multiplied
//    directly.
//
// A block is a band of rows of tiles, and a share of the output channels.

import CLeapKernels
import LeapTensors

struct ByteWinograd: Sendable {
  private let operands: ByteOperands
  private let filters: ByteFilters
  private let geometry: PlanarGeometry
  private let batch: Int
  private let slots: Int
  private let cut: TileCut

  /// Whether tiles of 4 x 4 results can compute a convolution.
  static func applies(to planar: PlanarGeometry) -> Bool {
    planar.kernel == (3, 3) && planar.stride == (1, 1) && planar.dilation == (1, 1)
      && planar.pad.top >= 0 && planar.pad.left >= 0
  }

  init(
    _ places: IntegerConvolution, _ planar: PlanarGeometry, _ request: KernelRequest
  ) throws {
    operands = try ByteOperands(places, planar, request)
    geometry = planar
    batch = places.geometry.batch
    let blocks =
      try request.requiredInput(places.image).blocks
      ?? ChannelBlocks(width: operands.width, channels: places.geometry.inputChannels)
    slots = blocks.slots
    filters = ByteFilters(
      places.geometry, planar, blocks, isStem: false, width: operands.width, hasSums: true)
    cut = TileCut(
      planar, slots: slots, outputs: operands.groups * operands.width, width: operands.width)
  }

  /// What it costs, in operations of a product: those of shallow sums count more, and so do transforms.
  static func operations(
    _ geometry: ConvolutionGeometry, _ planar: PlanarGeometry, width: Int
  ) -> Double {
    let inputs = ChannelBlocks(width: width, channels: geometry.inputChannels).slots
    let outputs = ChannelBlocks(width: width, channels: geometry.outputChannels).slots
    let cut = TileCut(planar, slots: inputs, outputs: outputs, width: width)
    let tiles = Double(cut.tileRows * cut.across)
    let products = tiles * Double(inputs * outputs) * 36 * 2 * 1.35
    let transforms =
      300 * Double(inputs * outputs * cut.bands) + 900 * tiles * Double(inputs * cut.shares)
      + 1500 * tiles * Double(outputs)
    return Double(geometry.batch) * (products + transforms)
  }

  /// Offsets in scratch.
  private struct Places {
    let panel: Int
    let pixels: Int
    let filters: Int
    let sums: Int
    let parameters: Int
    let byteCount: Int

    init(_ cut: TileCut, slots: Int, lanes: Int, parameterBytes: Int) {
      var plan = ScratchPlan()
      panel = plan.take((cut.panelRows * cut.columns * slots + 2) * 2)
      pixels = plan.take(36 * cut.pixelPlane(slots) * 2)
      filters = plan.take(36 * TileCut.filterPlane(min(slots, TileCut.depth), lanes) * 2)
      sums = plan.take(36 * cut.largestRows * cut.across * lanes * 4)
      parameters = plan.take(parameterBytes)
      byteCount = plan.byteCount
    }
  }

  func kernel() -> Kernel {
    let width = operands.width
    let places = Places(
      cut, slots: slots, lanes: 2 * width,
      parameterBytes: operands.parameterBytes(cut.chunksPerShare * 2) + 8 * width)
    return operands.kernel(
      blocks: batch * cut.bands * cut.shares, scratch: places.byteCount
    ) { invocation, block in
      let (part, share) = block.quotientAndRemainder(dividingBy: cut.shares)
      let (image, band) = part.quotientAndRemainder(dividingBy: cut.bands)
      let rows = cut.rows(of: band)
      let panel = (invocation.scratch + places.panel).assumingMemoryBound(to: Int16.self)
      operands.widen(invocation, image: image, cut.window(rows, geometry), into: panel)
      leap_byte_winograd_inputs(
        operands.set, panel, cut.columns, slots, rows.count, cut.across, cut.pixelPlane(slots),
        (invocation.scratch + places.pixels).assumingMemoryBound(to: Int16.self))
      let chunks = cut.chunks(of: share)
      let groups = 2 * chunks.lowerBound..<min(operands.groups, 2 * chunks.upperBound)
      let middle = (invocation.scratch + places.parameters).assumingMemoryBound(to: Int32.self)
      let results = operands.results(
        invocation, of: groups, into: invocation.scratch + places.parameters + 8 * width)
      for chunk in chunks {
        let own = 2 * chunk..<min(operands.groups, 2 * chunk + 2)
        let result = results.from((own.lowerBound - groups.lowerBound) * width)
        if results.zeros == nil, findMiddle(invocation, own, middle) {
          transform(invocation, places, rows, own)
          for group in own {
            finish(
              invocation, places, image: image, rows, group, of: own, middle,
              results.from((group - groups.lowerBound) * width))
          }
        } else {
          multiply(invocation, image: image, rows, own, panel, result)
        }
      }
    }
  }

  private func packed(_ invocation: Invocation) -> UnsafePointer<Int8> {
    invocation.input(operands.places.filters).assumingMemoryBound(to: Int8.self)
  }

  /// The middle of the range of each result; false where a range is too wide.
  private func findMiddle(
    _ invocation: Invocation, _ groups: Range<Int>, _ middle: UnsafeMutablePointer<Int32>
  ) -> Bool {
    let sums = (invocation.input(operands.places.filters) + filters.sumsOffset)
      .assumingMemoryBound(to: Int32.self)
    let pixel = (operands.sign == 1 ? -1 : 127) - operands.zeroPoint(invocation)
    let first = groups.lowerBound * operands.width
    for slot in 0..<groups.count * operands.width {
      if sums[2 * (first + slot) + 1] >= 1 << 18 { return false }
      middle[slot] = sums[2 * (first + slot)] &* pixel
    }
    return true
  }

  /// Multiplies transformed pixels with the transformed filters of a chunk, some channels at a time.
  private func transform(
    _ invocation: Invocation, _ places: Places, _ rows: Range<Int>, _ groups: Range<Int>
  ) {
    let (set, lanes) = (operands.set, groups.count * operands.width)
    let (tiles, pixelPlane) = (rows.count * cut.across, cut.pixelPlane(slots))
    let pixels = (invocation.scratch + places.pixels).assumingMemoryBound(to: Int16.self)
    let u = (invocation.scratch + places.filters).assumingMemoryBound(to: Int16.self)
    let sums = (invocation.scratch + places.sums).assumingMemoryBound(to: UInt32.self)
    let source = packed(invocation) + groups.lowerBound * filters.groupBytes
    for channel in stride(from: 0, to: slots, by: TileCut.depth) {
      let count = min(TileCut.depth, slots - channel)
      let plane = TileCut.filterPlane(count, lanes)
      leap_byte_winograd_filters(
        set, source + channel * lanes, slots * lanes, count * lanes, plane, u)
      for position in 0..<36 {
        leap_byte_winograd_products(
          set, pixels + position * pixelPlane + channel, tiles, slots, u + position * plane,
          count / 2, groups.count, channel == 0 ? 1 : 0, sums + position * tiles * lanes)
      }
    }
  }

  private func finish(
    _ invocation: Invocation, _ places: Places, image: Int, _ rows: Range<Int>, _ group: Int,
    of groups: Range<Int>, _ middle: UnsafePointer<Int32>, _ results: leap_byte_results
  ) {
    let (width, lanes) = (operands.width, groups.count * operands.width)
    let sums = (invocation.scratch + places.sums).assumingMemoryBound(to: UInt32.self)
    let slot = (group - groups.lowerBound) * width
    let pixels = cut.pixelRows(rows)
    var (own, result) = (cut.tiles(rows), results)
    leap_byte_winograd_results(
      operands.set, &own, sums + slot, lanes, middle + slot, &result,
      operands.y(invocation, image: image, group: group)
        + pixels.lowerBound * geometry.output.width * width)
  }

  /// The band's results as products of pixels and filters.
  private func multiply(
    _ invocation: Invocation, image: Int, _ rows: Range<Int>, _ groups: Range<Int>,
    _ panel: UnsafePointer<Int16>, _ results: leap_byte_results
  ) {
    let row = cut.columns * slots
    let pixels = cut.pixelRows(rows)
    let columns = geometry.output.width
    var result = results
    withUnsafePointer(to: (0, row, 2 * row)) { runs in
      var product = leap_byte_product(
        columns: columns, in_row: row, in_pixel: slots, run_count: 3,
        runs: UnsafeRawPointer(runs).assumingMemoryBound(to: Int.self), run_length: 3 * slots,
        run_used: 3 * slots, out_group: geometry.outputPixels * operands.width)
      leap_byte_convolve(
        operands.set, &product, panel,
        packed(invocation) + groups.lowerBound * filters.groupBytes, &result,
        operands.y(invocation, image: image, group: groups.lowerBound)
          + pixels.lowerBound * columns * operands.width,
        pixels.count * columns, groups.count)
    }
  }
}

/// How a picture's tiles are cut into bands, and the output channels into shares.
struct TileCut: Sendable {
  let tileRows: Int
  let across: Int
  let bands: Int
  let shares: Int
  /// Pixels of a row of the panel.
  let columns: Int
  private let height: Int
  private let width: Int
  private let chunkCount: Int

  /// Channels whose transformed filters are multiplied at a time.
  static let depth = 128
  /// Elements of a band's transformed pixels.
  private static let bandLimit = 5 << 15
  /// Output channels that a share has at least: transforms of pixels are made for each share.
  private static let leastOutputs = 64

  init(_ planar: PlanarGeometry, slots: Int, outputs: Int, width lane: Int) {
    (height, width) = planar.output
    tileRows = (height + 3) / 4
    across = (width + 3) / 4
    columns = across * 4 + 2
    let affordable = max(1, TileCut.bandLimit / (36 * slots * across))
    bands = (tileRows + affordable - 1) / affordable
    let lanes = Int(LEAP_BYTE_VECTORS) * lane
    chunkCount = (outputs + lanes - 1) / lanes
    shares = max(1, min(chunkCount, outputs / TileCut.leastOutputs))
  }

  var largestRows: Int { (tileRows + bands - 1) / bands }
  var panelRows: Int { largestRows * 4 + 2 }
  var chunksPerShare: Int { (chunkCount + shares - 1) / shares }

  /// Elements from one position of transformed pixels to the next: no power of two.
  func pixelPlane(_ slots: Int) -> Int { largestRows * across * slots + 32 }

  /// Elements from one position of transformed filters to the next.
  static func filterPlane(_ channels: Int, _ lanes: Int) -> Int { channels * lanes + 32 }

  func rows(of band: Int) -> Range<Int> {
    band * tileRows / bands..<(band + 1) * tileRows / bands
  }

  func chunks(of share: Int) -> Range<Int> {
    share * chunkCount / shares..<(share + 1) * chunkCount / shares
  }

  /// The rows of results of some rows of tiles.
  func pixelRows(_ rows: Range<Int>) -> Range<Int> {
    rows.lowerBound * 4..<min(height, rows.upperBound * 4)
  }

  func tiles(_ rows: Range<Int>) -> leap_byte_tiles {
    leap_byte_tiles(
      rows: rows.count, across: across, height: pixelRows(rows).count, width: width)
  }

  /// The part of the image that some rows of tiles cover.
  func window(_ rows: Range<Int>, _ planar: PlanarGeometry) -> leap_blocked_window {
    leap_blocked_window(
      height: planar.input.height, width: planar.input.width,
      first_row: rows.lowerBound * 4 - planar.pad.top, first_column: -planar.pad.left,
      rows: rows.count * 4 + 2, columns: columns, row_step: 1, column_step: 1)
  }
}
