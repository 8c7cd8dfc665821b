// WinogradConvolution: convolutions of stride 1 with fewer multiplications (Winograd, "Arithmetic Complexity of Computations",
// 1980; Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016). Of 3 x 3 taps: F(4x4, 3x3) a quarter of
// them, F(2x2, 3x3) four ninths; of a row or a column of them: F(4, 3) a half, F(4, 5) two fifths, F(3, 7) three sevenths.
//
// 1. Tiles are transformed and multiplied some at a time, so that what lies between stays in the second-level cache.
// 2. A tile's result depends on that tile alone: blocks change no bit.

import CLeapKernels
import LeapTensors

enum WinogradConvolution {
  static func candidates(
    _ geometry: ConvolutionGeometry, _ planar: PlanarGeometry, _ request: KernelRequest
  ) -> [KernelCandidate] {
    guard planar.stride == (1, 1), planar.dilation == (1, 1), planar.pad.top >= 0,
      planar.pad.left >= 0
    else { return [] }
    return worthwhileTiles(geometry, planar, request).map { tile in
      blockedCandidate(
        tile.algorithm, geometry, request,
        input: .blocked(width: request.instructionSet.blockWidth),
        cost: cost(tile, geometry, planar, request),
        filter: { WinogradFilter(tile, geometry, $0).recipe },
        bind: { try WinogradKernel(tile, geometry, planar, $0).kernel() })
    }
  }

  /// The tiles whose time is worth the memory of their filters: 16/9 of the plain ones for 2 x 2 outputs, 4 times those for
  /// 4 x 4, 9/7 to 2 times those for lines. Each must save enough against what takes less memory.
  private static func worthwhileTiles(
    _ geometry: ConvolutionGeometry, _ planar: PlanarGeometry, _ request: KernelRequest
  ) -> [WinogradTile] {
    let all = WinogradTile.all(for: planar.kernel)
    guard let price = nanosecondsPerByte(request.memoryPolicy) else { return all }
    var chosen = BlockedConvolution.productCost(geometry, planar, request, stem: false)
    var tiles: [WinogradTile] = []
    for tile in all {
      let cost = cost(tile, geometry, planar, request)
      // Both in proportion to the batch, which must not decide.
      let saved = chosen.nanoseconds - cost.nanoseconds
      let added = cost.weightBytes - chosen.weightBytes
      guard saved >= added * price else { continue }
      tiles.append(tile)
      chosen = cost
    }
    return tiles
  }

  /// What a byte of memory must save of each run, where it must. At a nanosecond, those of up to 256 channels of a U-Net do.
  private static func nanosecondsPerByte(_ policy: MemoryPolicy) -> Double? {
    switch policy {
    case .fast: nil
    case .balanced: 0.04
    case .lean: 1
    }
  }

  private static func cost(
    _ tile: WinogradTile, _ geometry: ConvolutionGeometry, _ planar: PlanarGeometry,
    _ request: KernelRequest
  ) -> Cost {
    let width = request.instructionSet.blockWidth
    let (rows, columns) = tile.count(planar)
    let positions = Double(tile.positions)
    let count = Double(geometry.batch * rows * columns)
    let inputs = Double(ChannelBlocks(width: width, channels: geometry.inputChannels).slots)
    let outputs = Double(ChannelBlocks(width: width, channels: geometry.outputChannels).slots)
    // A transformed number costs about as much as 24 operations of the product, a sum that goes on in another part as 16.
    let transforms = 24 * (inputs + outputs) + 16 * Double(tile.parts - 1) * outputs
    let operations = count * positions * (2 * inputs * outputs + transforms)
    return Cost(
      operations: operations, bytes: request.variableBytes,
      weightBytes: Double(geometry.batch) * positions * inputs * outputs * 4,
      operationsPerNanosecond: 80)
  }
}

/// Transformed filters: [panel][position][chunk][group][lane][vector lanes].
struct WinogradFilter: Sendable {
  let tile: WinogradTile
  let chunks: OutputChunks
  /// Chunks of a panel, which share each reading of a position's pixels.
  let panelChunks: Int
  let inputSlots: Int
  private let instructionSet: leap_isa
  private let blocks: ChannelBlocks
  private let inputChannels: Int
  private let outputChannels: Int

  init(_ tile: WinogradTile, _ geometry: ConvolutionGeometry, _ request: KernelRequest) {
    self.tile = tile
    instructionSet = request.instructionSet.cValue
    let kernel = leap_blocked_kernel_for(instructionSet)
    chunks = OutputChunks(kernel, channels: geometry.outputChannels)
    inputChannels = geometry.inputChannels
    outputChannels = geometry.outputChannels
    blocks =
      request.inputs[0]?.blocks
      ?? ChannelBlocks(width: kernel.width, channels: inputChannels)
    inputSlots = blocks.slots
    panelChunks = inputSlots >= WinogradFilter.manyInputs ? 4 : 1
  }

  /// With so many input channels the pixels of one position fill a good part of a second-level cache.
  private static let manyInputs = 512

  var positions: Int { tile.positions }
  private var byteCount: Int { positions * inputSlots * chunks.groups * chunks.width * 4 }

  /// Whether a kernel fetches the next filters while it uses some.
  var prefetch: Int32 { byteCount >= prefetchedFilterBytes ? 1 : 0 }

  var panelCount: Int { (chunks.count + panelChunks - 1) / panelChunks }

  func chunks(of panel: Int) -> Range<Int> {
    panel * panelChunks..<min(chunks.count, (panel + 1) * panelChunks)
  }

  /// Floats from one position of a chunk's panel to the next.
  private func positionStride(chunk: Int) -> Int {
    let panel = chunks(of: chunk / panelChunks)
    let groups =
      chunks.groups(of: panel.upperBound - 1).upperBound
      - chunks.groups(of: panel.lowerBound).lowerBound
    return inputSlots * groups * chunks.width
  }

  /// Floats before a position of a chunk.
  func offset(position: Int, chunk: Int) -> Int {
    let floats = inputSlots * chunks.width * chunks.vectors
    let first = chunk / panelChunks * panelChunks
    return first * floats * positions + position * positionStride(chunk: chunk)
      + (chunk - first) * floats
  }

  var recipe: PackingRecipe {
    let key = PackingKey(
      tile.algorithm.rawValue, [tile.positions, chunks.width, chunks.vectors, panelChunks],
      layout: .blocked(blocks))
    return PackingRecipe(
      key: key, byteCount: byteCount, rows: outputChannels
    ) { rows, source, target in
      pack(
        rows, source.assumingMemoryBound(to: Float.self),
        target.assumingMemoryBound(to: Float.self))
    }
  }

  /// Writes the lanes of some output channels; those behind the last one with it, as zeros.
  private func pack(
    _ rows: Range<Int>, _ source: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>
  ) {
    let channels = blocks.channels(inputChannels)
    let chunkLanes = chunks.vectors * chunks.width
    let taps = tile.taps.height * tile.taps.width
    var shape = tile.shape
    for chunk in rows.lowerBound / chunkLanes..<chunks.count {
      let first = chunk * chunkLanes
      let lanes = chunks.groups(of: chunk).count * chunks.width
      let outputs = rows.clamped(to: first..<first + lanes)
      if outputs.isEmpty { break }
      let end = outputs.upperBound == outputChannels ? first + lanes : outputs.upperBound
      let stride = positionStride(chunk: chunk)
      for slot in 0..<inputSlots {
        let start =
          target + offset(position: 0, chunk: chunk) + slot * lanes + outputs.lowerBound - first
        var written = 0
        if let channel = channels[slot] {
          let filter = (outputs.lowerBound - rows.lowerBound) * inputChannels + channel
          leap_winograd_filters(
            instructionSet, &shape, source + filter * taps, inputChannels * taps, outputs.count,
            start,
            stride)
          written = outputs.count
        }
        let left = end - outputs.lowerBound - written
        if left == 0 { continue }
        for position in 0..<positions {
          (start + position * stride + written).update(repeating: 0, count: left)
        }
      }
    }
  }
}

struct WinogradKernel: Sendable {
  private let tile: WinogradTile
  private let batch: Int
  private let filter: WinogradFilter
  private let epilogue: BlockedEpilogue
  private let product: leap_blocked_kernel
  private let instructionSet: leap_isa
  private let shape: leap_winograd
  private let tiles: Int
  private let imageStride: Int
  private let inputPixels: Int
  private let outputRow: Int
  private let prologue: BlockedPrologue

  init(
    _ tile: WinogradTile, _ geometry: ConvolutionGeometry, _ planar: PlanarGeometry,
    _ request: KernelRequest
  ) throws {
    self.tile = tile
    batch = geometry.batch
    instructionSet = request.instructionSet.cValue
    product = leap_blocked_kernel_for(instructionSet)
    filter = WinogradFilter(tile, geometry, request)
    epilogue = try BlockedEpilogue(
      request, channels: geometry.outputChannels, width: product.width)
    let (rows, columns) = tile.count(planar)
    tiles = rows * columns
    shape = tile.shape(planar)
    imageStride = try request.requiredInput(0).imageStride
    inputPixels = planar.inputPixels
    outputRow = planar.output.width
    prologue = BlockedPrologue(request, width: product.width)
  }

  /// Floats of transformed pixels that a block holds: a good part of a second-level cache.
  private static let blockFloats = 96 << 10
  /// Tiles that share one reading of the filters at least.
  private static let smallestRun = 24
  /// Operations that a block should have at least.
  private static let blockWork = 2e6

  private var groups: Int { filter.inputSlots / product.width }
  private var positions: Int { filter.positions }

  func kernel() -> Kernel {
    let fitting = WinogradKernel.blockFloats / (positions * filter.inputSlots) / 6 * 6
    let run = max(WinogradKernel.smallestRun, min(48, fitting))
    // A multiple of four, so that few workers have as many each.
    let runs = ((tiles + run - 1) / run + 3) / 4 * 4
    return tiles > 3 * run ? tileKernel((tiles + runs - 1) / runs) : imageKernel()
  }

  /// From one position to the next, in floats, of `floats` each: an odd number of cache lines, so that the positions of a tile do
  /// not compete for one set of a cache.
  private func spread(_ floats: Int) -> Int { ((floats + 15) / 16 | 1) * 16 }
  /// From one position of some tiles' transformed input to the next.
  private func inputStride(_ count: Int) -> Int { spread(filter.inputSlots * count) }
  /// From one position of some tiles' sums to the next, of a chunk of `groups` output groups.
  private func sumStride(_ count: Int, groups: Int) -> Int {
    spread(groups * product.width * count)
  }
  /// Bytes of some tiles' transformed input.
  private func inputBytes(_ count: Int) -> Int { positions * inputStride(count) * 4 }
  /// Bytes of some tiles' sums for a whole panel.
  private func sumBytes(_ count: Int) -> Int {
    positions * sumStride(count, groups: filter.chunks.vectors) * filter.panelChunks * 4
  }

  /// Blocks that each take some tiles from the image to the output.
  private func tileKernel(_ run: Int) -> Kernel {
    let runs = (tiles + run - 1) / run
    let inputBytes = inputBytes(run)
    return Kernel(
      blocks: batch * runs, scratchPerWorker: inputBytes + sumBytes(run)
    ) { invocation, block in
      let (image, index) = block.quotientAndRemainder(dividingBy: runs)
      let first = index * run
      let count = min(run, tiles - first)
      let v = invocation.scratch.assumingMemoryBound(to: Float.self)
      let sums = (invocation.scratch + inputBytes).assumingMemoryBound(to: Float.self)
      transform(
        invocation, image: image, groups: 0..<groups, first: first, count: count, into: v)
      for panel in 0..<filter.panelCount {
        multiply(
          invocation, image: image, panel: panel, first: first, count: count, v: v, sums: sums)
      }
    }
  }

  /// Two phases: all tiles are transformed, then each block computes some output channels of all of them. For images of few
  /// tiles, whose filters are larger than they are.
  private func imageKernel() -> Kernel {
    let imageBytes = inputBytes(tiles)
    let transformBlock = max(1, min(groups, 4096 / max(1, tiles * positions)))
    let transformBlocks = (groups + transformBlock - 1) / transformBlock
    let panels = filter.panelCount
    let work = Double(sumBytes(tiles) / 2) * Double(filter.inputSlots)
    let perBlock = max(1, min(panels, Int(WinogradKernel.blockWork / max(1, work))))
    let blocks = (panels + perBlock - 1) / perBlock
    let input = Phase(blockCount: batch * transformBlocks) { invocation, block in
      let (image, index) = block.quotientAndRemainder(dividingBy: transformBlocks)
      let first = index * transformBlock
      transform(
        invocation, image: image, groups: first..<min(groups, first + transformBlock), first: 0,
        count: tiles,
        into: (invocation.sharedScratch + image * imageBytes).assumingMemoryBound(to: Float.self))
    }
    let output = Phase(blockCount: batch * blocks) { invocation, block in
      let (image, index) = block.quotientAndRemainder(dividingBy: blocks)
      for panel in index * perBlock..<min(panels, (index + 1) * perBlock) {
        multiply(
          invocation, image: image, panel: panel, first: 0, count: tiles,
          v: (invocation.sharedScratch + image * imageBytes).assumingMemoryBound(to: Float.self),
          sums: invocation.scratch.assumingMemoryBound(to: Float.self))
      }
    }
    return Kernel(
      phases: [input, output], scratchPerWorker: sumBytes(tiles),
      sharedScratch: batch * imageBytes)
  }

  /// v[position][group][tile][lane].
  private func transform(
    _ invocation: Invocation, image: Int, groups: Range<Int>, first: Int, count: Int,
    into v: UnsafeMutablePointer<Float>
  ) {
    var shape = shape
    let width = product.width
    let x = invocation.input(0).assumingMemoryBound(to: Float.self) + image * imageStride
    for group in groups {
      var prologue = prologue.bound(invocation, group: group)
      leap_winograd_input(
        instructionSet, &shape, &prologue, x + group * inputPixels * width, first,
        count, v + group * count * width, inputStride(count))
    }
  }

  /// The output channels of a panel, position by position: its pixels are read from afar once for all of them.
  private func multiply(
    _ invocation: Invocation, image: Int, panel: Int, first: Int, count: Int,
    v: UnsafeMutablePointer<Float>, sums: UnsafeMutablePointer<Float>
  ) {
    let width = product.width
    let panelChunks = filter.chunks(of: panel)
    let packed = invocation.input(1).assumingMemoryBound(to: Float.self)
    let inputStride = inputStride(count)
    let chunkSums = positions * sumStride(count, groups: filter.chunks.vectors)
    var tap = 0
    withUnsafePointer(to: &tap) { tap in
      var d = leap_blocked_product(
        columns: count, in_row: 0, in_pixel: width, groups: 0, group_stride: count * width,
        tap_count: 1, taps: tap, lanes: width, out_row: 0, out_pixel: width,
        out_group: count * width, residual_group: count * width, low: -.infinity, high: .infinity,
        prefetch: filter.prefetch)
      let parts = min(tile.parts, groups)
      for position in 0..<positions {
        for chunk in panelChunks {
          let vectors = filter.chunks.groups(of: chunk).count
          let from = v + position * inputStride
          let filters = packed + filter.offset(position: position, chunk: chunk)
          let to =
            sums + (chunk - panelChunks.lowerBound) * chunkSums
            + position * sumStride(count, groups: vectors)
          for part in 0..<parts {
            let (first, end) = (part * groups / parts, (part + 1) * groups / parts)
            d.groups = end - first
            product.function(
              &d, from + first * d.group_stride, filters + first * width * vectors * width, nil,
              part == 0 ? nil : to, to, 0, count, vectors)
          }
        }
      }
    }
    for chunk in panelChunks {
      store(
        invocation, image: image, chunk: chunk, first: first, count: count,
        sums: sums + (chunk - panelChunks.lowerBound) * chunkSums)
    }
  }

  /// Some tiles of a chunk's output.
  private func store(
    _ invocation: Invocation, image: Int, chunk: Int, first: Int, count: Int,
    sums: UnsafeMutablePointer<Float>
  ) {
    let width = product.width
    let outputs = filter.chunks.groups(of: chunk)
    let sumStride = sumStride(count, groups: outputs.count)
    var shape = shape
    for group in outputs {
      leap_winograd_output(
        instructionSet, &shape,
        sums + (group - outputs.lowerBound) * count * width, sumStride,
        epilogue.biasPointer(invocation, group: group),
        epilogue.residualPointer(invocation, image: image, group: group), epilogue.low,
        epilogue.high, first, count,
        epilogue.outputPointer(invocation, image: image, group: group))
    }
    finish(invocation, image: image, groups: outputs, first: first, count: count)
  }

  /// What the epilogue does after the tiles are stored, row by row of them.
  private func finish(
    _ invocation: Invocation, image: Int, groups: Range<Int>, first: Int, count: Int
  ) {
    if epilogue.isFinished { return }
    let (height, columns) = (shape.output_height, shape.tile_columns)
    for index in first..<first + count {
      let row = index / columns * tile.outputs.height
      let column = index % columns * tile.outputs.width
      let right = min(outputRow, column + tile.outputs.width)
      for y in row..<min(height, row + tile.outputs.height) {
        epilogue.finish(
          invocation, image: image, groups: groups,
          pixels: y * outputRow + column..<y * outputRow + right)
      }
    }
  }
}
