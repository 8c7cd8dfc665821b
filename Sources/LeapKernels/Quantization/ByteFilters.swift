// ByteFilters: filters of quantised convolutions in the order in which products read them:
// [chunk][run][pair of steps][vector lanes][2], a chunk being the output groups that one call computes.

import CLeapKernels
import LeapTensors

struct ByteFilters: Sendable {
  /// Steps of a run, an even number; those from `used` on multiply by zero.
  let runLength: Int
  let used: Int
  let runs: Int
  private let width: Int
  private let outputChannels: Int
  private let filterBytes: Int
  private let key: PackingKey
  /// For each step that is used, the index in a filter; nil where there is none.
  private let sources: @Sendable () -> [Int?]
  private let isDepthwise: Bool

  /// Whether the sum and the sum of magnitudes of each filter follow, two numbers of 32 bits for each slot.
  private let hasSums: Bool

  /// - Parameter blocks: how the image's channels are blocked; not read for a stem.
  init(
    _ geometry: ConvolutionGeometry, _ planar: PlanarGeometry, _ blocks: ChannelBlocks?,
    isStem: Bool, width: Int, hasSums: Bool = false
  ) {
    self.hasSums = hasSums
    let channels = geometry.inputChannels
    let blocks = blocks ?? ChannelBlocks(width: width, channels: channels)
    let slots = isStem ? channels : blocks.slots
    // Where taps of a row lie side by side they are one run.
    let joined = planar.dilation.width == 1 ? planar.kernel.width : 1
    used = slots * joined
    runLength = (used + 1) / 2 * 2
    runs = planar.taps / joined
    self.width = width
    outputChannels = geometry.outputChannels
    filterBytes = geometry.depth
    let taps = planar.taps
    key =
      isStem
      ? PackingKey("byte-stem", [width, joined])
      : PackingKey(
        hasSums ? "byte-winograd" : "byte-product", [width, joined], layout: .blocked(blocks))
    sources = {
      let inSlots = isStem ? Array(0..<channels) : blocks.channels(channels)
      return (0..<taps).flatMap { tap in inSlots.map { $0.map { $0 * taps + tap } } }
    }
    isDepthwise = false
  }

  /// Filters of one channel each: [group][tap][lane].
  init(depthwise geometry: ConvolutionGeometry, _ planar: PlanarGeometry, width: Int) {
    (used, runLength, runs) = (1, 1, planar.taps)
    hasSums = false
    self.width = width
    outputChannels = geometry.outputChannels
    filterBytes = planar.taps
    key = PackingKey("byte-depthwise", [width])
    let taps = planar.taps
    sources = { Array(0..<taps) }
    isDepthwise = true
  }

  private var vectors: Int { isDepthwise ? 1 : Int(LEAP_BYTE_VECTORS) }
  var groups: Int { (outputChannels + width - 1) / width }

  /// Bytes of one group's filters.
  var groupBytes: Int { runs * runLength * width }

  /// Bytes before the sums of filters.
  var sumsOffset: Int { groups * groupBytes }

  private var byteCount: Int { sumsOffset + (hasSums ? groups * width * 8 : 0) }

  func recipe(isSigned: Bool) -> PackingRecipe {
    var key = key
    key.extents.append(isSigned ? 1 : 0)
    return PackingRecipe(key: key, byteCount: byteCount, rows: outputChannels) {
      rows, source, target in
      let steps = paddedSteps()
      for row in rows {
        write(
          steps, of: source + (row - rows.lowerBound) * filterBytes, flip: isSigned ? 0 : 0x80,
          channel: row, to: target)
      }
      if rows.upperBound == outputChannels {
        for channel in outputChannels..<groups * width {
          write(steps.map { _ in nil }, of: source, flip: 0, channel: channel, to: target)
        }
      }
    }
  }

  /// The sources of all steps, those that fill up runs too.
  private func paddedSteps() -> [Int?] {
    let all = sources()
    return (0..<runs).flatMap { run in
      Array(all[run * used..<(run + 1) * used])
        + [Int?](repeating: nil, count: runLength - used)
    }
  }

  private func write(
    _ steps: [Int?], of filter: UnsafeRawPointer, flip: UInt8, channel: Int,
    to target: UnsafeMutableRawPointer
  ) {
    let first = channel / width / vectors * vectors
    let lanes = min(vectors, groups - first) * width
    let pair = isDepthwise ? 1 : 2
    let lane = channel - first * width
    let base = target + first * groupBytes
    var (sum, magnitude) = (Int32(0), Int32(0))
    for (step, source) in steps.enumerated() {
      let byte = source.map { filter.load(fromByteOffset: $0, as: UInt8.self) ^ flip } ?? 0
      sum &+= Int32(Int8(bitPattern: byte))
      magnitude &+= abs(Int32(Int8(bitPattern: byte)))
      base.storeBytes(
        of: byte, toByteOffset: (step / pair * lanes + lane) * pair + step % pair, as: UInt8.self)
    }
    guard hasSums else { return }
    target.storeBytes(of: sum, toByteOffset: sumsOffset + 8 * channel, as: Int32.self)
    target.storeBytes(of: magnitude, toByteOffset: sumsOffset + 8 * channel + 4, as: Int32.self)
  }
}
