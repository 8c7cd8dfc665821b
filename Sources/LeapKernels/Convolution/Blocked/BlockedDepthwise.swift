// BlockedDepthwise: depthwise convolutions whose channels are blocked: each lane of a window times its own filter.
//
// A block is a band of rows of some groups, and those of the first band come first: convolutions over pixels before and after
// hand out theirs in the same order, so that a worker finds what it reads in its own cache.

import CLeapKernels
import LeapTensors

package enum BlockedDepthwise {
  /// The candidate for a convolution in which each output channel reads the input channel of the same number; empty where
  /// there is none.
  package static func candidates(
    _ geometry: ConvolutionGeometry, _ request: KernelRequest
  ) -> [KernelCandidate] {
    guard geometry.groupInputs == 1, geometry.groupOutputs == 1,
      let planar = BlockedConvolution.admitted(geometry, request)
    else { return [] }
    let width = request.instructionSet.blockWidth
    let blocks = ChannelBlocks(width: width, channels: geometry.outputChannels)
    let operations =
      2 * Double(geometry.batch * planar.outputPixels * planar.taps) * Double(blocks.slots)
    return [
      blockedCandidate(
        .depthwise, geometry, request, input: .blockedAs(blocks),
        cost: Cost(
          operations: operations, bytes: request.variableBytes,
          operationsPerNanosecond: 20),
        filter: { _ in recipe(channels: geometry.outputChannels, taps: planar.taps, blocks) },
        bind: { try kernel(geometry, planar, $0) })
    ]
  }

  /// Filters [group][tap][lane].
  private static func recipe(channels: Int, taps: Int, _ blocks: ChannelBlocks) -> PackingRecipe {
    let width = blocks.width
    return PackingRecipe(
      key: PackingKey("depthwise", [width]), byteCount: blocks.slots * taps * 4
    ) { _, source, target in
      let from = source.assumingMemoryBound(to: Float.self)
      let to = target.assumingMemoryBound(to: Float.self)
      for slot in 0..<blocks.slots {
        for tap in 0..<taps {
          to[(slot / width * taps + tap) * width + slot % width] =
            slot < channels ? from[slot * taps + tap] : 0
        }
      }
    }
  }

  /// Operations that a block should have at least.
  private static let blockWork = 5e5
  /// Rows narrower than this are mostly edges: they are read from a copy with a border of zeros.
  private static let narrow = 16

  private static func kernel(
    _ geometry: ConvolutionGeometry, _ planar: PlanarGeometry, _ request: KernelRequest
  ) throws -> Kernel {
    let width = request.instructionSet.blockWidth
    let set = request.instructionSet.cValue
    let x = try request.requiredInput(0)
    let epilogue = try BlockedEpilogue(request, channels: geometry.outputChannels, width: width)
    let groups = ChannelBlocks(width: width, channels: geometry.outputChannels).groups
    let cut = BlockCut(planar, groups: groups, width: width)
    let isCopied = planar.output.width < narrow && !planar.isInside
    let (imageStride, groupStride) = (x.imageStride, planar.inputPixels * width)
    let panelBytes = isCopied ? planar.rows(of: cut.rows) * planar.covered.width * width * 4 : 0
    let compute: @Sendable (Invocation, Int, Int, Range<Int>) -> Void = {
      invocation, image, group, band in
      let (first, count) = (band.lowerBound, band.count)
      var source = UnsafePointer(
        invocation.input(0).assumingMemoryBound(to: Float.self) + image * imageStride
          + group * groupStride)
      var windows = planar.windows
      var output = epilogue.outputPointer(invocation, image: image, group: group)
      var residual = epilogue.residualPointer(invocation, image: image, group: group)
      if isCopied {
        let panel = invocation.scratch.assumingMemoryBound(to: Float.self)
        windows = planar.copyRows(first..<first + count, set, from: source, to: panel)
        source = UnsafePointer(panel)
        output += first * planar.output.width * width
        residual = residual.map { $0 + first * planar.output.width * width }
      }
      leap_blocked_depthwise(
        set, &windows, source,
        invocation.input(1).assumingMemoryBound(to: Float.self) + group * planar.taps * width,
        epilogue.biasPointer(invocation, group: group), residual, epilogue.low, epilogue.high,
        isCopied ? 0 : first, count, output)
      epilogue.finish(
        invocation, image: image, groups: group..<group + 1,
        pixels: first * planar.output.width..<(first + count) * planar.output.width)
    }
    return Kernel(
      blocks: geometry.batch * cut.bands * cut.shares, scratchPerWorker: panelBytes
    ) { invocation, block in
      let (part, share) = block.quotientAndRemainder(dividingBy: cut.shares)
      let (image, band) = part.quotientAndRemainder(dividingBy: cut.bands)
      for group in cut.groups(share) { compute(invocation, image, group, cut.rows(of: band)) }
    }
  }

  /// How the rows and groups of a picture are cut into blocks.
  private struct BlockCut {
    let height: Int
    let groupCount: Int
    /// Rows of a band.
    let rows: Int
    let bands: Int
    /// In how many blocks the groups of a band are computed.
    let shares: Int

    init(_ planar: PlanarGeometry, groups: Int, width: Int) {
      height = planar.output.height
      groupCount = groups
      let rowWork = 2 * Double(planar.output.width * planar.taps * width)
      // Rows that two bands read are copied twice where rows are narrow.
      let wanted = planar.output.width < narrow ? 2 : 4
      rows = max(1, min((height + wanted - 1) / wanted, Int(blockWork / max(1, rowWork))))
      bands = (height + rows - 1) / rows
      let perBlock = max(1, Int(blockWork / (4 * max(1, rowWork * Double(rows)))))
      shares = (groups + perBlock - 1) / perBlock
    }

    func rows(of band: Int) -> Range<Int> { band * rows..<min(height, (band + 1) * rows) }

    func groups(_ share: Int) -> Range<Int> {
      share * groupCount / shares..<(share + 1) * groupCount / shares
    }
  }
}

extension PlanarGeometry {
  /// Copies what some output rows cover of one group, with zeros where there is no pixel. Returns the windows on the copy.
  fileprivate func copyRows(
    _ outputRows: Range<Int>, _ set: leap_isa, from image: UnsafePointer<Float>,
    to panel: UnsafeMutablePointer<Float>
  ) -> leap_blocked_windows {
    let rows = rows(of: outputRows.count)
    var window = leap_blocked_window(
      height: input.height, width: input.width,
      first_row: outputRows.lowerBound * stride.height - pad.top, first_column: -pad.left,
      rows: rows, columns: covered.width, row_step: 1, column_step: 1)
    var prologue = leap_prologue(scale: nil, shift: nil, low: 0, high: 0)
    leap_blocked_pack(set, &window, &prologue, 1, image, panel)
    var windows = windows
    windows.input = (rows, covered.width)
    windows.output.0 = outputRows.count
    windows.pad = (0, 0)
    windows.padded = windows.input
    return windows
  }

  /// The windows for C.
  var windows: leap_blocked_windows {
    leap_blocked_windows(
      input: (input.height, input.width), output: (output.height, output.width),
      kernel: (kernel.height, kernel.width), stride: (stride.height, stride.width),
      dilation: (dilation.height, dilation.width), pad: (pad.top, pad.left),
      padded: (input.height, input.width), counts_padding: 0)
  }
}
