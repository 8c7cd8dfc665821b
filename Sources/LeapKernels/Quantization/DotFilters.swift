// DotFilters: filters of quantised convolutions, packed for dot products of bytes.
//
// 1. A step is some lanes of a group of input channels, at one tap. A chunk of output channels reads the same number of input groups
//    as every other, from one of its own on: in a grouped convolution those that its groups of channels lie in.
// 2. What an output channel does not read is multiplied by zero.

import CLeapKernels
import LeapTensors

struct DotFilters: Sendable {
  let packing: DotPacking
  /// Input groups that a chunk reads, and the first of them for each chunk.
  let span: Int
  let starts: [Int]
  private let geometry: ConvolutionGeometry
  private let blocks: ChannelBlocks
  private let taps: Int

  init(
    _ geometry: ConvolutionGeometry, _ planar: PlanarGeometry, _ blocks: ChannelBlocks?,
    width: Int
  ) {
    self.geometry = geometry
    let blocks = blocks ?? ChannelBlocks(width: width, channels: geometry.inputChannels)
    self.blocks = blocks
    taps = planar.taps
    let lanes = DotPacking.vectors * width
    let ranges = DotFilters.inputGroups(geometry, blocks, lanes: lanes)
    let span = ranges.map(\.count).max() ?? 0
    self.span = span
    starts = ranges.map { min($0.lowerBound, blocks.groups - span) }
    packing = DotPacking(
      steps: taps * span * width / DotPacking.depth(width: width),
      outputs: geometry.outputChannels, width: width)
  }

  /// The input groups that each chunk of `lanes` output channels reads.
  private static func inputGroups(
    _ geometry: ConvolutionGeometry, _ blocks: ChannelBlocks, lanes: Int
  ) -> [Range<Int>] {
    let outputs = geometry.outputChannels
    let firsts = stride(from: 0, to: outputs, by: lanes)
    guard geometry.groups > 1 else { return firsts.map { _ in 0..<blocks.groups } }
    let slots = blocks.channelSlots(geometry.inputChannels)
    return firsts.map { first in
      let last = min(outputs, first + lanes) - 1
      let read =
        slots[
          first / geometry.groupOutputs * geometry.groupInputs..<(last / geometry.groupOutputs + 1)
            * geometry.groupInputs]
      return (read.min() ?? 0) / blocks.width..<(read.max() ?? 0) / blocks.width + 1
    }
  }

  func recipe(isSigned: Bool) -> PackingRecipe {
    let outputs = geometry.outputChannels
    return PackingRecipe(
      key: PackingKey(
        "byte-dot", [packing.width, isSigned ? 1 : 0, geometry.groups], layout: .blocked(blocks)),
      byteCount: packing.byteCount, rows: outputs
    ) { rows, source, target in
      let channels = blocks.channels(geometry.inputChannels)
      var known: (chunk: Int, group: Int, sources: [Int32])?
      for row in rows {
        let place = (chunk: row / packing.chunkLanes, group: row / geometry.groupOutputs)
        if known?.group != place.group || (geometry.groups > 1 && known?.chunk != place.chunk) {
          known = (place.chunk, place.group, sources(channels, place.chunk, group: place.group))
        }
        write(
          known?.sources ?? [], of: source + (row - rows.lowerBound) * geometry.depth,
          flip: isSigned ? 0 : 0x80, channel: row, to: target)
        if row == outputs - 1 { writeNothing(behind: outputs, to: target) }
        // Rows come in ascending order: the filters of a chunk are there with its last one.
        if row == min(outputs, (place.chunk + 1) * packing.chunkLanes) - 1 {
          packing.describe(chunk: place.chunk, target)
        }
      }
    }
  }

  /// For each slot of each step of a chunk the index in a filter of a group of channels; -1 where there is none.
  private func sources(_ channels: [Int?], _ chunk: Int, group: Int) -> [Int32] {
    let slots = starts[chunk] * blocks.width..<(starts[chunk] + span) * blocks.width
    let first = group * geometry.groupInputs
    return (0..<taps).flatMap { tap in
      channels[slots].map { channel in
        guard let channel, channel >= first, channel < first + geometry.groupInputs else {
          return -1
        }
        return Int32((channel - first) * taps + tap)
      }
    }
  }

  private func write(
    _ sources: [Int32], of filter: UnsafeRawPointer, flip: UInt8, channel: Int,
    to target: UnsafeMutableRawPointer
  ) {
    let chunk = channel / packing.chunkLanes
    leap_byte_dot_pack(
      filter.assumingMemoryBound(to: UInt8.self), flip, sources, packing.steps, packing.depth,
      packing.groups(ofChunk: chunk) * packing.width, channel - chunk * packing.chunkLanes,
      UnsafeMutablePointer(mutating: packing.filters(target, chunk: chunk)))
  }

  /// The lanes behind the last output channel.
  private func writeNothing(behind outputs: Int, to target: UnsafeMutableRawPointer) {
    let nothing = [Int32](repeating: -1, count: packing.steps * packing.depth)
    for channel in outputs..<packing.groups * packing.width {
      write(nothing, of: target, flip: 0, channel: channel, to: target)
    }
  }
}
