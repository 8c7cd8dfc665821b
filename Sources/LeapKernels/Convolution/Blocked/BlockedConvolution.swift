// BlockedConvolution: convolutions whose results are blocked, as products of pixels with packed filters.
//
// 1. An output element is one sum over groups, taps and lanes, whatever block, batch or worker it falls to.
// 2. Pixels are read where they lie if all windows lie on the image; otherwise from a copy with a border of zeros.

import CLeapKernels
import LeapTensors

package enum BlockedConvolution {
  /// The candidates of this kind for a convolution; empty where there is none.
  package static func candidates(
    _ geometry: ConvolutionGeometry, _ request: KernelRequest
  ) -> [KernelCandidate] {
    guard geometry.groups == 1, let planar = admitted(geometry, request) else { return [] }
    let isPointwise = planar.taps == 1
    var candidates = [
      candidate(isPointwise ? .pointwise : .direct, geometry, planar, request, stem: false)
    ]
    if isStem(geometry, planar, request) {
      candidates.append(candidate(.stem, geometry, planar, request, stem: true))
    }
    return candidates + WinogradConvolution.candidates(geometry, planar, request)
  }

  /// The geometry, where a blocked kernel can compute it: float32, two dimensions at most, filters and bias known when the
  /// model is loaded.
  static func admitted(
    _ geometry: ConvolutionGeometry, _ request: KernelRequest
  ) -> PlanarGeometry? {
    guard request.inputs[0]?.dataType == .float32, request.constantInputs.contains(1),
      EpilogueSplit(request).bias.map(request.constantInputs.contains) ?? true,
      Shape.product([geometry.batch, geometry.outputPixels, geometry.inputPixels]) > 0,
      geometry.outputChannels > 0, geometry.inputChannels > 0,
      let planar = PlanarGeometry(geometry)
    else { return nil }
    return planar
  }

  /// Few planes: what most networks begin with. They are interleaved rather than blocked.
  private static func isStem(
    _ geometry: ConvolutionGeometry, _ planar: PlanarGeometry, _ request: KernelRequest
  ) -> Bool {
    geometry.inputChannels <= 4 && planar.taps > 1 && planar.dilation.width == 1
      && request.prologue == nil && request.available[0]?.blocks == nil
  }

  private static func candidate(
    _ name: Algorithm, _ geometry: ConvolutionGeometry, _ planar: PlanarGeometry,
    _ request: KernelRequest, stem: Bool
  ) -> KernelCandidate {
    blockedCandidate(
      name, geometry, request,
      input: stem
        ? .innerContiguous(from: 2) : .blocked(width: request.instructionSet.blockWidth),
      cost: productCost(geometry, planar, request, stem: stem),
      filter: { recipe(geometry, planar, $0, stem: stem) },
      bind: { try ProductConvolution(geometry, planar, $0, stem: stem).kernel() })
  }

  /// What the convolution costs as products of pixels with filters.
  static func productCost(
    _ geometry: ConvolutionGeometry, _ planar: PlanarGeometry, _ request: KernelRequest, stem: Bool
  ) -> Cost {
    let width = request.instructionSet.blockWidth
    let slots =
      stem
      ? geometry.inputChannels
      : (request.available[0]?.blocks?.slots
        ?? ChannelBlocks(width: width, channels: geometry.inputChannels).slots)
    let outputs = ChannelBlocks(width: width, channels: geometry.outputChannels).slots
    let products = Double(geometry.batch * slots * planar.taps * outputs)
    // Writing and reading a border costs about as much as 16 operations an element.
    let covered = planar.sampled.covered
    let copied =
      planar.isInside && !planar.samples && !stem && request.prologue == nil
      ? 0 : 16 * Double(geometry.batch * covered.height * covered.width * slots)
    return Cost(
      operations: 2 * Double(planar.outputPixels) * products + copied,
      bytes: request.variableBytes, weightBytes: 4 * products, operationsPerNanosecond: 80)
  }

  /// The filters in the order of the sum: group, tap and lane of the input; row, column and channel for a stem.
  static func recipe(
    _ geometry: ConvolutionGeometry, _ planar: PlanarGeometry, _ request: KernelRequest, stem: Bool
  ) -> PackingRecipe {
    let shape = ProductShape(geometry, planar, request, stem: stem)
    let extents = [shape.chunks.width, shape.chunks.vectors]
    let (channels, taps) = (geometry.inputChannels, planar.taps)
    guard !stem, let blocks = request.inputs[0]?.blocks else {
      return shape.recipe(
        key: PackingKey("interleaved-product", extents), filterFloats: channels * taps
      ) {
        (0..<taps).flatMap { tap in (0..<channels).map { $0 * taps + tap } }
      }
    }
    return shape.recipe(
      key: PackingKey("product", extents, layout: .blocked(blocks)), filterFloats: channels * taps
    ) {
      let inSlots = blocks.channels(channels)
      return (0..<blocks.groups).flatMap { group in
        (0..<taps).flatMap { tap in
          inSlots[group * blocks.width..<(group + 1) * blocks.width].map { channel in
            channel.map { $0 * taps + tap }
          }
        }
      }
    }
  }
}

/// A candidate whose output is blocked, with its channels one behind the other.
func blockedCandidate(
  _ name: Algorithm, _ geometry: ConvolutionGeometry, _ request: KernelRequest,
  input: LayoutRequirement, cost: Cost,
  filter: @escaping @Sendable (KernelRequest) throws -> PackingRecipe,
  bind: @escaping @Sendable (KernelRequest) throws -> Kernel
) -> KernelCandidate {
  let width = request.instructionSet.blockWidth
  let blocks = ChannelBlocks(width: width, channels: geometry.outputChannels)
  var inputs = [LayoutRequirement](repeating: .contiguous, count: request.inputs.count)
  inputs[0] = input
  for case .residual(let residual) in request.epilogue { inputs[residual] = .blockedAs(blocks) }
  let epilogue = EpilogueSplit(request)
  let inPlace = epilogue.residual.map { [InPlacePair(input: $0, output: 0)] } ?? []
  var packing: [Int: @Sendable (KernelRequest) throws -> PackingRecipe] = [1: filter]
  if let prologue = request.prologue {
    for input in [prologue.scaleInput, prologue.shiftInput] {
      packing[input] = { settled in
        BlockedElementwise.recipe(
          channels: geometry.inputChannels,
          settled.inputs[0]?.blocks ?? ChannelBlocks(width: width, channels: geometry.inputChannels)
        )
      }
    }
  }
  if let bias = epilogue.bias {
    packing[bias] = { _ in
      BlockedEpilogue.biasRecipe(channels: geometry.outputChannels, width: width)
    }
  }
  return KernelCandidate(
    name: name, inputs: inputs, outputs: [.blocked(width: width)], inPlace: inPlace,
    epilogue: .all, packing: packing, cost: cost, bind: bind)
}

/// A convolution as one product for each run of pixels and chunk of output channels.
struct ProductConvolution: Sendable {
  private let geometry: PlanarGeometry
  private let batch: Int
  private let isStem: Bool
  private let channels: Int
  private let panel: BlockedPanel
  private let filter: ProductShape
  private let epilogue: BlockedEpilogue
  private let product: leap_blocked_kernel
  private let instructionSet: leap_isa
  private let taps: [Int]
  private let imageStride: Int
  private let planeStride: Int
  private let prologue: BlockedPrologue

  init(
    _ geometry: ConvolutionGeometry, _ planar: PlanarGeometry, _ request: KernelRequest, stem: Bool
  ) throws {
    self.geometry = planar
    batch = geometry.batch
    isStem = stem
    channels = geometry.inputChannels
    instructionSet = request.instructionSet.cValue
    product = leap_blocked_kernel_for(instructionSet)
    filter = ProductShape(geometry, planar, request, stem: stem)
    epilogue = try BlockedEpilogue(
      request, channels: geometry.outputChannels, width: product.width)
    let x = try request.requiredInput(0)
    imageStride = x.imageStride
    planeStride = x.strides.map { $0[1] } ?? 0
    prologue = BlockedPrologue(request, width: product.width)
    let panel = BlockedPanel(
      planar, groups: stem ? 1 : x.blocks?.groups ?? 1,
      lanes: stem ? geometry.inputChannels : product.width,
      readsImage: !stem && request.prologue == nil)
    self.panel = panel
    // Interleaved pixels of a row of taps lie side by side: they are summed over as if they were lanes.
    taps =
      stem
      ? (0..<planar.kernel.height).map { panel.taps[$0 * planar.kernel.width] } : panel.taps
  }

  /// Operations that a block should have at least.
  private static let blockWork = 2e6
  /// Floats of a block's pixels: half a second-level cache.
  private static let blockFloats = 1 << 16

  func kernel() -> Kernel {
    if case .band(let rows) = panel.mode { return bandKernel(rows) }
    let (pixels, chunks) = (geometry.outputPixels, filter.chunks.count)
    let work = 2 * Double(pixels * chunks) * Double(filter.chunkFloats(filter.chunks.vectors))
    let wanted = max(1, min(32, Int(work / ProductConvolution.blockWork)))
    let largest = max(24, ProductConvolution.blockFloats / max(1, panel.groups * panel.lanes))
    let pixelBlocks = max((pixels + largest - 1) / largest, min(wanted, pixels / 96))
    let run = (pixels + pixelBlocks - 1) / pixelBlocks
    let runs = (pixels + run - 1) / run
    let chunkBlocks = min(chunks, max(1, wanted / runs))
    let isCopied = panel.mode == .whole
    let compute = Phase(blockCount: batch * runs * chunkBlocks) { invocation, block in
      let (image, part) = (block / (runs * chunkBlocks), block % (runs * chunkBlocks))
      let (first, share) = (part / chunkBlocks * run, part % chunkBlocks)
      let from =
        isCopied
        ? UnsafeRawPointer(invocation.sharedScratch + image * panel.byteCount)
        : invocation.input(0) + image * imageStride * 4
      multiply(
        invocation, panel: from.assumingMemoryBound(to: Float.self), image: image, firstRow: 0,
        pixels: first..<min(first + run, pixels),
        chunks: share * chunks / chunkBlocks..<(share + 1) * chunks / chunkBlocks)
    }
    guard isCopied else { return Kernel(phases: [compute]) }
    let copy = Phase(blockCount: batch * panel.groups) { invocation, block in
      let (image, group) = block.quotientAndRemainder(dividingBy: panel.groups)
      fill(
        invocation, image: image, groups: group..<group + 1, firstRow: 0,
        invocation.sharedScratch + image * panel.byteCount + group * panel.groupFloats * 4)
    }
    return Kernel(phases: [copy, compute], sharedScratch: batch * panel.byteCount)
  }

  private func bandKernel(_ rows: Int) -> Kernel {
    let bands = (geometry.output.height + rows - 1) / rows
    return Kernel(blocks: batch * bands, scratchPerWorker: panel.byteCount) { invocation, block in
      let (image, band) = block.quotientAndRemainder(dividingBy: bands)
      let first = band * rows
      let count = min(rows, geometry.output.height - first)
      fill(
        invocation, image: image, groups: 0..<panel.groups, firstRow: first, invocation.scratch)
      multiply(
        invocation, panel: UnsafePointer(invocation.scratch.assumingMemoryBound(to: Float.self)),
        image: image, firstRow: first, pixels: 0..<count * geometry.output.width,
        chunks: 0..<filter.chunks.count)
    }
  }

  private func fill(
    _ invocation: Invocation, image: Int, groups: Range<Int>, firstRow: Int,
    _ destination: UnsafeMutableRawPointer
  ) {
    var window = panel.window(firstOutputRow: firstRow)
    let to = destination.assumingMemoryBound(to: Float.self)
    let from = invocation.input(0).assumingMemoryBound(to: Float.self) + image * imageStride
    if isStem {
      leap_interleave(&window, channels, from, planeStride, to)
      return
    }
    var prologue = prologue.bound(invocation, group: groups.lowerBound)
    leap_blocked_pack(
      instructionSet, &window, &prologue, groups.count,
      from + groups.lowerBound * geometry.inputPixels * product.width, to)
  }

  /// Computes some pixels, counted from `firstRow` on, of some chunks.
  private func multiply(
    _ invocation: Invocation, panel source: UnsafePointer<Float>, image: Int, firstRow: Int,
    pixels: Range<Int>, chunks: Range<Int>
  ) {
    let width = product.width
    let packed = invocation.input(1).assumingMemoryBound(to: Float.self)
    let before = firstRow * geometry.output.width
    taps.withUnsafeBufferPointer { taps in
      var d = leap_blocked_product(
        columns: geometry.output.width,
        in_row: panel.sampled.stride.height * panel.rowPixels * panel.lanes,
        in_pixel: panel.sampled.stride.width * panel.lanes, groups: panel.groups,
        group_stride: panel.groupFloats, tap_count: taps.count, taps: taps.baseAddress,
        lanes: isStem ? panel.lanes * geometry.kernel.width : panel.lanes,
        out_row: geometry.output.width * width, out_pixel: width,
        out_group: epilogue.outputStrides.group, residual_group: epilogue.residualStrides.group,
        low: epilogue.low, high: epilogue.high,
        prefetch: filter.prefetch)
      for chunk in chunks {
        let groups = filter.chunks.groups(of: chunk)
        let first = groups.lowerBound
        product.function(
          &d, source, packed + filter.offset(of: chunk),
          epilogue.biasPointer(invocation, group: first),
          epilogue.residualPointer(invocation, image: image, group: first).map {
            $0 + before * width
          },
          epilogue.outputPointer(invocation, image: image, group: first) + before * width,
          pixels.lowerBound, pixels.count, groups.count)
        epilogue.finish(
          invocation, image: image, groups: groups,
          pixels: before + pixels.lowerBound..<before + pixels.upperBound)
      }
    }
  }
}
