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

/// Packed filters of so many bytes are fetched ahead of their use.
let prefetchedFilterBytes = 256 << 10

/// The extents of packed filters.
struct ProductShape: Sendable {
  let chunks: OutputChunks
  let outputChannels: Int
  /// Steps of the sum: group, tap and lane.
  let steps: Int

  init(_ kernel: leap_blocked_kernel, outputChannels: Int, steps: Int) {
    chunks = OutputChunks(kernel, channels: outputChannels)
    self.outputChannels = outputChannels
    self.steps = steps
  }

  /// Floats of one chunk of `vectors` vectors.
  func chunkFloats(_ vectors: Int) -> Int { steps * vectors * chunks.width }

  var byteCount: Int { steps * chunks.groups * chunks.width * 4 }

  /// Whether a kernel fetches the next filters while it uses some: not where all of them stay in a second-level cache.
  var prefetch: Int32 { byteCount >= prefetchedFilterBytes ? 1 : 0 }

  /// Floats before a chunk.
  func offset(of chunk: Int) -> Int { chunkFloats(chunks.vectors) * chunk }

  /// The recipe for filters whose first dimension are output channels.
  ///
  /// - Parameters:
  ///   - filterFloats: elements of one output channel's filter.
  ///   - sources: for each step, the index in such a filter; nil where there is none and the step multiplies by zero.
  func recipe(
    key: PackingKey, filterFloats: Int, sources: @escaping @Sendable () -> [Int?]
  ) -> PackingRecipe {
    PackingRecipe(key: key, byteCount: byteCount, rows: outputChannels) { rows, source, target in
      pack(
        rows, source.assumingMemoryBound(to: Float.self), filterFloats, sources(),
        target.assumingMemoryBound(to: Float.self))
    }
  }

  /// Writes the lanes of some output channels; those behind the last one with it, as zeros.
  private func pack(
    _ rows: Range<Int>, _ source: UnsafePointer<Float>, _ filterFloats: Int, _ sources: [Int?],
    _ target: UnsafeMutablePointer<Float>
  ) {
    let end = rows.upperBound == outputChannels ? chunks.groups * chunks.width : rows.upperBound
    for chunk in 0..<chunks.count {
      let groups = chunks.groups(of: chunk)
      let lanes = groups.count * chunks.width
      let first = groups.lowerBound * chunks.width
      let written = (rows.lowerBound..<end).clamped(to: first..<first + lanes)
      if written.isEmpty { continue }
      let used = written.clamped(to: rows).count
      let from = source + (written.lowerBound - rows.lowerBound) * filterFloats
      var to = target + offset(of: chunk) + written.lowerBound - first
      for step in sources {
        let count = step == nil ? 0 : used
        if let step {
          for lane in 0..<count { to[lane] = from[lane * filterFloats + step] }
        }
        for lane in count..<written.count { to[lane] = 0 }
        to += lanes
      }
    }
  }
}

extension ProductShape {
  /// The filters of a convolution: `request.inputs[0]` has its settled layout.
  init(
    _ geometry: ConvolutionGeometry, _ planar: PlanarGeometry, _ request: KernelRequest, stem: Bool
  ) {
    let kernel = leap_blocked_kernel_for(request.instructionSet.cValue)
    let slots = stem ? geometry.inputChannels : request.inputs[0]?.blocks?.slots ?? 0
    self.init(kernel, outputChannels: geometry.outputChannels, steps: slots * planar.taps)
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
