// FilterPacking: filters as blocked products want them: [chunk][group][tap][lane][vector lanes], a chunk being the output
// groups that one call of a product kernel computes.

import CLeapKernels
import LeapTensors

/// How the output channels of a blocked product are cut into chunks.
struct OutputChunks: Sendable {
  let width: Int
  /// Output groups of a whole chunk.
  let vectors: Int
  /// All output groups.
  let groups: Int

  init(_ kernel: leap_blocked_kernel, channels: Int) {
    width = kernel.width
    vectors = kernel.vectors
    groups = (channels + width - 1) / width
  }

  var count: Int { (groups + vectors - 1) / vectors }

  /// The output groups of a chunk.
  func groups(of chunk: Int) -> Range<Int> {
    chunk * vectors..<min(groups, (chunk + 1) * vectors)
  }
}

/// Where the inputs of a product come from.
struct ProductFilter: Sendable {
  let chunks: OutputChunks
  let outputChannels: Int
  /// For each step of the sum (group, tap, lane): the index in one output channel's filter; nil where there is none.
  let steps: [Int?]
  /// Floats from one output channel's filter to the next, and from one step's index to the next.
  let channelStride: Int
  let stepStride: Int
  /// Says what decides `steps`.
  let key: String

  /// Floats of one chunk of `vectors` vectors.
  func chunkFloats(_ vectors: Int) -> Int { steps.count * vectors * chunks.width }

  var byteCount: Int { steps.count * chunks.groups * chunks.width * 4 }

  /// Floats before a chunk.
  func offset(of chunk: Int) -> Int { chunkFloats(chunks.vectors) * chunk }

  /// The recipe: `element` gives a step's number of an output channel's filter.
  var recipe: PackingRecipe {
    PackingRecipe(key: key, byteCount: byteCount) { source, target in
      pack(source.assumingMemoryBound(to: Float.self), target.assumingMemoryBound(to: Float.self))
    }
  }

  private func pack(_ source: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>) {
    steps.withUnsafeBufferPointer { steps in
      for chunk in 0..<chunks.count {
        let groups = chunks.groups(of: chunk)
        let lanes = groups.count * chunks.width
        let first = groups.lowerBound * chunks.width
        let used = min(lanes, outputChannels - first)
        var to = target + offset(of: chunk)
        for step in steps {
          if let step {
            let from = source + first * channelStride + step * stepStride
            for lane in 0..<used { to[lane] = from[lane * channelStride] }
            for lane in used..<max(used, lanes) { to[lane] = 0 }
          } else {
            for lane in 0..<lanes { to[lane] = 0 }
          }
          to += lanes
        }
      }
    }
  }
}

extension ChannelBlocks {
  /// The channel of each slot; nil for unused ones.
  func channels(_ count: Int) -> [Int?] {
    var channels = [Int?](repeating: nil, count: slots)
    for (channel, slot) in channelSlots(count).enumerated() { channels[slot] = channel }
    return channels
  }
}
