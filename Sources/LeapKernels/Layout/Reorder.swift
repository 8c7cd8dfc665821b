// Reorder: copies a tensor from one layout to another.
//
// A block is a run of pixels of one image, all channels: what a tensor's layout is made of lies in the cache when it is
// turned around.

import CLeapKernels
import LeapTensors

package enum Reorder {
  /// A kernel that reads input 0 in one layout and writes output 0 in another. Unused slots of a blocked target get zeros.
  ///
  /// - Throws: `OperatorError` for operands of different types or shapes.
  package static func kernel(from source: Operand, to target: Operand) throws -> Kernel {
    guard source.dataType == target.dataType, source.shape == target.shape else {
      throw OperatorError(
        "cannot reorder \(source.dataType) \(source.shape) to \(target.dataType) \(target.shape)")
    }
    if let from = source.strides, let to = target.strides {
      let box = CopyBox(extents: source.shape.dimensions, sourceStrides: from, targetStrides: to)
      return try StridedCopy.kernel(boxes: [(0, box)], width: source.dataType.byteWidth)
    }
    return Kernel(phases: try phases(from: source, to: target, input: 0, outputOffset: 0))
  }

  /// The phases that copy one input to a place in output 0, where at least one of the two is blocked.
  ///
  /// - Parameter outputOffset: bytes before the target's first element.
  /// - Throws: `OperatorError` for operands of different types or shapes.
  static func phases(
    from source: Operand, to target: Operand, input: Int, outputOffset: Int
  ) throws -> [Phase] {
    let pixels = source.shape.inner(from: 2)
    let images = source.shape[0]
    if Shape.product([images, pixels, source.shape[1]]) == 0 { return [] }
    let part = try ImageReorder(from: source, to: target)
    let run = max(16, min(pixels, blockElements / max(1, source.shape[1]) / 16 * 16))
    let runs = (pixels + run - 1) / run
    return [
      Phase(blockCount: images * runs) { invocation, block in
        let (image, first) = (block / runs, block % runs * run)
        part.copy(
          invocation.input(input), invocation.output(0) + outputOffset, image: image,
          pixels: first..<min(first + run, pixels))
      }
    ]
  }

  /// A recipe that reorders a constant when it is loaded.
  package static func recipe(from source: Operand, to target: Operand) -> PackingRecipe {
    PackingRecipe(
      key: PackingKey("reorder", layout: target.layout), byteCount: target.byteCount
    ) { _, from, to in
      // The planner made the target from the source: types and shapes agree.
      guard let part = try? ImageReorder(from: source, to: target) else { return }
      for image in 0..<source.shape[0] {
        part.copy(from, to, image: image, pixels: 0..<source.shape.inner(from: 2))
      }
    }
  }

  private static let blockElements = 1 << 15
}

/// The way of one image's channels between layouts of which at least one is blocked.
private struct ImageReorder: Sendable {
  /// Channels that lie in a row on both sides, and where they begin, in elements.
  private struct Run: Sendable {
    let channels: Int
    let source: Int
    let target: Int
  }
  private let runs: [Run]
  /// Unused slots of a blocked target that no run clears, in elements.
  private let unused: [Int]
  private let source: Side
  private let target: Side
  private let isOfBytes: Bool

  /// Strides of one side, in elements.
  private struct Side: Sendable {
    let image: Int
    let pixels: Int
    /// From channel to channel in a plain layout.
    let channel: Int
    let blocks: ChannelBlocks?
    let slots: [Int]

    init(_ operand: Operand) throws {
      pixels = operand.shape.inner(from: 2)
      image = operand.imageStride
      blocks = operand.blocks
      slots = operand.channelSlots ?? Array(0..<operand.shape[1])
      guard let strides = operand.strides else {
        channel = 0
        return
      }
      guard LayoutRequirement.innerContiguous(from: 2).admits(operand) else {
        throw OperatorError("planes with gaps cannot be blocked")
      }
      channel = strides[1]
    }

    func offset(ofSlot slot: Int) -> Int {
      guard let blocks else { return slot * channel }
      return slot / blocks.width * pixels * blocks.width + slot % blocks.width
    }
  }

  /// - Throws: `OperatorError` where there are no channels, elements that are no bytes and no float32, or planes with gaps.
  init(from source: Operand, to target: Operand) throws {
    isOfBytes = source.dataType.byteWidth == 1
    guard source.shape.rank >= 2, isOfBytes || source.dataType.byteWidth == 4 else {
      throw OperatorError("\(source.dataType) \(source.shape) has no blocked layout")
    }
    self.source = try Side(source)
    self.target = try Side(target)
    let width = self.target.blocks?.width ?? self.source.blocks?.width ?? 1
    var runs: [Run] = []
    var channel = 0
    while channel < source.shape[1] {
      let (from, to) = (self.source.slots[channel], self.target.slots[channel])
      var count = 1
      // Whole vectors of both sides begin at their first lane; anything else goes channel by channel.
      let begins =
        (self.source.blocks == nil || from % width == 0)
        && (self.target.blocks == nil || to % width == 0)
      while begins, count < width, channel + count < source.shape[1],
        self.source.slots[channel + count] == from + count,
        self.target.slots[channel + count] == to + count
      { count += 1 }
      runs.append(
        Run(
          channels: count, source: self.source.offset(ofSlot: from),
          target: self.target.offset(ofSlot: to)))
      channel += count
    }
    self.runs = runs
    let used = Set(self.target.slots)
    unused = (0..<(self.target.blocks?.slots ?? 0)).filter { !used.contains($0) }
      .map(self.target.offset)
  }

  func copy(
    _ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer, image: Int, pixels: Range<Int>
  ) {
    if isOfBytes { return copyBytes(from, to, image: image, pixels: pixels) }
    let input = from.assumingMemoryBound(to: Float.self) + image * source.image
    let output = to.assumingMemoryBound(to: Float.self) + image * target.image
    let (first, count) = (pixels.lowerBound, pixels.count)
    for run in runs {
      let x = input + run.source + first * (source.blocks?.width ?? 1)
      let y = output + run.target + first * (target.blocks?.width ?? 1)
      switch (source.blocks, target.blocks) {
      case (nil, let blocks?) where run.channels > 1 || run.target % blocks.width == 0:
        leap_planes_to_vectors(blocks.width, run.channels, count, x, source.channel, y)
      case (let blocks?, nil) where run.channels > 1:
        leap_vectors_to_planes(blocks.width, run.channels, count, x, y, target.channel)
      case (let blocks?, _?) where run.channels == blocks.width:
        UnsafeMutableRawPointer(y).copyMemory(from: x, byteCount: 4 * count * blocks.width)
      case (let blocks?, let others?) where run.channels > 1:
        for pixel in 0..<count {
          for lane in 0..<run.channels {
            y[pixel * others.width + lane] = x[pixel * blocks.width + lane]
          }
        }
      default:
        let (dx, dy) = (source.blocks?.width ?? 1, target.blocks?.width ?? 1)
        for pixel in 0..<count { y[pixel * dy] = x[pixel * dx] }
      }
    }
    guard let width = target.blocks?.width else { return }
    for slot in unused {
      let y = output + slot + first * width
      for pixel in 0..<count { y[pixel * width] = 0 }
    }
  }

  private func copyBytes(
    _ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer, image: Int, pixels: Range<Int>
  ) {
    let input = from.assumingMemoryBound(to: UInt8.self) + image * source.image
    let output = to.assumingMemoryBound(to: UInt8.self) + image * target.image
    let (first, count) = (pixels.lowerBound, pixels.count)
    let (dx, dy) = (source.blocks?.width ?? 1, target.blocks?.width ?? 1)
    for run in runs {
      leap_byte_reorder(
        run.channels, count, input + run.source + first * dx,
        source.blocks == nil ? source.channel : 1, dx, output + run.target + first * dy,
        target.blocks == nil ? target.channel : 1, dy)
    }
    for slot in unused {
      for pixel in 0..<count { output[slot + (first + pixel) * dy] = 0 }
    }
  }
}
