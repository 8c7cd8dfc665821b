// BlockedTransposed: transposed convolutions as one product for each phase: the output pixels that lie at the same place
// between those of the input are an ordinary convolution with the taps that reach them.

import CLeapKernels
import LeapTensors

package enum BlockedTransposed {
  /// The candidate; empty where there is none. `input` of the geometry is what is read, `output` what is made.
  package static func candidates(
    _ geometry: ConvolutionGeometry, _ request: KernelRequest
  ) -> [KernelCandidate] {
    guard geometry.groups == 1, let planar = BlockedConvolution.admitted(geometry, request),
      planar.dilation == (1, 1), planar.pad.top >= 0, planar.pad.left >= 0
    else { return [] }
    let width = request.instructionSet.blockWidth
    let inputs = ChannelBlocks(width: width, channels: geometry.inputChannels).slots
    let outputs = ChannelBlocks(width: width, channels: geometry.outputChannels).slots
    let sums = Double(geometry.batch * planar.inputPixels * planar.taps)
    return [
      blockedCandidate(
        .transposed, geometry, request, input: .blocked(width: width),
        cost: Cost(
          operations: 2 * sums * Double(inputs * outputs),
          bytes: request.variableBytes,
          weightBytes: 4 * Double(geometry.batch * planar.taps * inputs * outputs),
          operationsPerNanosecond: 75),
        filter: { PhaseFilters(geometry, planar, $0).recipe },
        bind: { try TransposedKernel(geometry, planar, $0).kernel() })
    ]
  }
}

/// The taps of one phase along one axis. Output pixel `first + stride · i` is the sum over taps t of the input's pixel
/// i + offsets[t] times the filter's number `taps[t]`.
struct PhaseAxis: Sendable {
  let first: Int
  let count: Int
  let taps: [Int]
  let offsets: [Int]

  init(_ phase: Int, kernel: Int, stride: Int, pad: Int, output: Int) {
    // The output pixel o gets input pixel i through tap o + pad - stride · i.
    first = phase
    count = phase < output ? (output - phase + stride - 1) / stride : 0
    let remainder = (phase + pad) % stride
    taps = Array(Swift.stride(from: remainder, to: kernel, by: stride))
    offsets = taps.map { (phase + pad - $0) / stride }
  }
}

/// The filters of all phases, one behind the other.
struct PhaseFilters: Sendable {
  struct PhasePart: Sendable {
    let rows: PhaseAxis
    let columns: PhaseAxis
    let filter: ProductShape
    /// Floats before it.
    let offset: Int
  }
  let parts: [PhasePart]
  let byteCount: Int
  private let geometry: ConvolutionGeometry
  private let planar: PlanarGeometry
  private let blocks: ChannelBlocks

  init(_ geometry: ConvolutionGeometry, _ planar: PlanarGeometry, _ request: KernelRequest) {
    let kernel = leap_blocked_kernel_for(request.instructionSet.cValue)
    blocks =
      request.inputs[0]?.blocks
      ?? ChannelBlocks(width: kernel.width, channels: geometry.inputChannels)
    self.geometry = geometry
    self.planar = planar
    var parts: [PhasePart] = []
    var offset = 0
    for row in 0..<planar.stride.height {
      for column in 0..<planar.stride.width {
        let rows = PhaseAxis(
          row, kernel: planar.kernel.height, stride: planar.stride.height, pad: planar.pad.top,
          output: planar.output.height)
        let columns = PhaseAxis(
          column, kernel: planar.kernel.width, stride: planar.stride.width, pad: planar.pad.left,
          output: planar.output.width)
        let filter = ProductShape(
          kernel, outputChannels: geometry.outputChannels,
          steps: blocks.slots * rows.taps.count * columns.taps.count)
        parts.append(PhasePart(rows: rows, columns: columns, filter: filter, offset: offset))
        offset += filter.byteCount / 4
      }
    }
    self.parts = parts
    byteCount = offset * 4
  }

  var recipe: PackingRecipe {
    let chunks = parts[0].filter.chunks
    let key = PackingKey(
      "transposed",
      [
        chunks.width, chunks.vectors, planar.stride.height, planar.stride.width, planar.pad.top,
        planar.pad.left,
      ], layout: .blocked(blocks))
    return PackingRecipe(
      key: key, byteCount: byteCount, rows: geometry.inputChannels
    ) { rows, source, target in
      let to = target.assumingMemoryBound(to: Float.self)
      // Slots that no channel uses and lanes behind the last output channel are nobody's rows.
      if rows.lowerBound == 0 { to.update(repeating: 0, count: byteCount / 4) }
      let slots = blocks.channelSlots(geometry.inputChannels)
      for (index, channel) in rows.enumerated() {
        let from =
          source.assumingMemoryBound(to: Float.self)
          + index * geometry.outputChannels * planar.taps
        for part in parts { pack(from, slot: slots[channel], part, to + part.offset) }
      }
    }
  }

  /// Writes what a phase takes of one input channel's filters, [output channel][row][column].
  private func pack(
    _ source: UnsafePointer<Float>, slot: Int, _ part: PhasePart,
    _ target: UnsafeMutablePointer<Float>
  ) {
    let (chunks, width) = (part.filter.chunks, blocks.width)
    let taps = part.rows.taps.flatMap { y in
      part.columns.taps.map { y * planar.kernel.width + $0 }
    }
    for chunk in 0..<chunks.count {
      let groups = chunks.groups(of: chunk)
      let (first, lanes) = (groups.lowerBound * chunks.width, groups.count * chunks.width)
      let used = min(lanes, geometry.outputChannels - first)
      let from = source + first * planar.taps
      for (index, tap) in taps.enumerated() {
        let step = (slot / width * taps.count + index) * width + slot % width
        let to = target + part.filter.offset(of: chunk) + step * lanes
        for lane in 0..<used { to[lane] = from[lane * planar.taps + tap] }
      }
    }
  }
}

struct TransposedKernel: Sendable {
  private let planar: PlanarGeometry
  private let batch: Int
  private let filters: PhaseFilters
  private let epilogue: BlockedEpilogue
  private let product: leap_blocked_kernel
  private let instructionSet: leap_isa
  private let imageStride: Int
  private let groups: Int
  /// Pixels of zeros around the image, where a phase reads beyond it.
  private let border: (top: Int, left: Int, bottom: Int, right: Int)
  private let panelRows: Int
  private let panelColumns: Int
  /// For each phase: where its taps lie in the panel, in floats.
  private let taps: [[Int]]

  init(
    _ geometry: ConvolutionGeometry, _ planar: PlanarGeometry, _ request: KernelRequest
  ) throws {
    self.planar = planar
    batch = geometry.batch
    instructionSet = request.instructionSet.cValue
    product = leap_blocked_kernel_for(instructionSet)
    let filters = PhaseFilters(geometry, planar, request)
    self.filters = filters
    epilogue = try BlockedEpilogue(
      request, channels: geometry.outputChannels, width: product.width)
    let x = try request.requiredInput(0)
    imageStride = x.imageStride
    groups = x.blocks?.groups ?? 1
    func before(_ axis: KeyPath<PhaseFilters.PhasePart, PhaseAxis>) -> Int {
      filters.parts.flatMap { $0[keyPath: axis].offsets }.map { max(0, -$0) }.max() ?? 0
    }
    func behind(_ axis: KeyPath<PhaseFilters.PhasePart, PhaseAxis>, _ extent: Int) -> Int {
      filters.parts.flatMap { part in
        part[keyPath: axis].offsets.map { max(0, $0 + part[keyPath: axis].count - extent) }
      }.max() ?? 0
    }
    let border = (
      top: before(\.rows), left: before(\.columns),
      bottom: behind(\.rows, planar.input.height), right: behind(\.columns, planar.input.width)
    )
    self.border = border
    let columns = planar.input.width + border.left + border.right
    panelColumns = columns
    panelRows = planar.input.height + border.top + border.bottom
    let width = product.width
    taps = filters.parts.map { part in
      part.rows.offsets.flatMap { row in
        part.columns.offsets.map { ((row + border.top) * columns + $0 + border.left) * width }
      }
    }
  }

  private var isCopied: Bool { border != (0, 0, 0, 0) }
  private var groupFloats: Int { panelRows * panelColumns * product.width }

  /// Operations that a block should have at least.
  private static let blockWork = 2e6

  func kernel() -> Kernel {
    let panelBytes = isCopied ? (groups * groupFloats * 4 + 63) / 64 * 64 : 0
    let (phases, chunks) = (filters.parts.count, filters.parts.first?.filter.chunks.count ?? 0)
    // A block is some output rows of one phase, all output channels.
    let rowWork =
      filters.parts.map { part in
        2
          * Double(
            part.columns.count * part.filter.chunkFloats(part.filter.chunks.vectors) * chunks)
      }.max() ?? 1
    let height = filters.parts.map(\.rows.count).max() ?? 0
    let rows = max(1, min(height, Int(TransposedKernel.blockWork / max(1, rowWork))))
    let runs = (height + rows - 1) / rows
    let compute = Phase(blockCount: batch * runs * phases) { invocation, block in
      let (image, rest) = block.quotientAndRemainder(dividingBy: runs * phases)
      let (run, phase) = rest.quotientAndRemainder(dividingBy: phases)
      let from =
        isCopied
        ? UnsafeRawPointer(invocation.sharedScratch + image * panelBytes)
        : invocation.input(0) + image * imageStride * 4
      multiply(
        invocation, from.assumingMemoryBound(to: Float.self), phase, image: image,
        rows: run * rows..<min((run + 1) * rows, filters.parts[phase].rows.count))
    }
    guard isCopied else { return Kernel(phases: [compute]) }
    let copy = Phase(blockCount: batch * groups) { invocation, block in
      let (image, group) = block.quotientAndRemainder(dividingBy: groups)
      var window = leap_blocked_window(
        height: planar.input.height, width: planar.input.width, first_row: -border.top,
        first_column: -border.left, rows: panelRows, columns: panelColumns, row_step: 1,
        column_step: 1)
      var prologue = leap_prologue(scale: nil, shift: nil, low: 0, high: 0)
      leap_blocked_pack(
        instructionSet, &window, &prologue, 1,
        invocation.input(0).assumingMemoryBound(to: Float.self) + image * imageStride
          + group * planar.inputPixels * product.width,
        (invocation.sharedScratch + image * panelBytes).assumingMemoryBound(to: Float.self)
          + group * groupFloats)
    }
    return Kernel(phases: [copy, compute], sharedScratch: batch * panelBytes)
  }

  private func multiply(
    _ invocation: Invocation, _ panel: UnsafePointer<Float>, _ phase: Int, image: Int,
    rows: Range<Int>
  ) {
    let part = filters.parts[phase]
    if rows.isEmpty || part.columns.count == 0 { return }
    let width = product.width
    let rowStride = planar.stride.height * planar.output.width * width
    let origin = (part.rows.first * planar.output.width + part.columns.first) * width
    let packed = invocation.input(1).assumingMemoryBound(to: Float.self) + part.offset
    taps[phase].withUnsafeBufferPointer { taps in
      var d = leap_blocked_product(
        columns: part.columns.count, in_row: panelColumns * width, in_pixel: width,
        groups: groups, group_stride: groupFloats, tap_count: taps.count,
        taps: taps.baseAddress, lanes: width, out_row: rowStride,
        out_pixel: planar.stride.width * width, out_group: epilogue.outputStrides.group,
        residual_group: epilogue.residualStrides.group, low: epilogue.low, high: epilogue.high,
        prefetch: part.filter.prefetch)
      for chunk in 0..<part.filter.chunks.count {
        let outputs = part.filter.chunks.groups(of: chunk)
        let first = outputs.lowerBound
        product.function(
          &d, panel, packed + part.filter.offset(of: chunk),
          epilogue.biasPointer(invocation, group: first),
          epilogue.residualPointer(invocation, image: image, group: first).map { $0 + origin },
          epilogue.outputPointer(invocation, image: image, group: first) + origin,
          rows.lowerBound * part.columns.count, rows.count * part.columns.count, outputs.count)
        finish(invocation, part, image: image, groups: outputs, rows: rows)
      }
    }
  }

  /// What the epilogue does after the pixels are stored, one by one: they lie apart.
  private func finish(
    _ invocation: Invocation, _ part: PhaseFilters.PhasePart, image: Int, groups: Range<Int>,
    rows: Range<Int>
  ) {
    if epilogue.isFinished { return }
    for row in rows {
      let y = part.rows.first + row * planar.stride.height
      for column in 0..<part.columns.count {
        let pixel =
          y * planar.output.width + part.columns.first + column * planar.stride.width
        epilogue.finish(invocation, image: image, groups: groups, pixels: pixel..<pixel + 1)
      }
    }
  }
}
