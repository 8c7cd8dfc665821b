// Reorder: copies a tensor from one layout to another.

import LeapTensors

package enum Reorder {
  /// A kernel that reads input 0 in one layout and writes output 0 in another. Padding slots of a blocked target get zeros.
  ///
  /// - Throws: `OperatorError` for operands of different types or shapes.
  package static func kernel(from source: Operand, to target: Operand) throws -> Kernel {
    guard source.dataType == target.dataType, source.shape == target.shape else {
      throw OperatorError(
        "cannot reorder \(source.dataType) \(source.shape) to \(target.dataType) \(target.shape)")
    }
    let width = source.dataType.byteWidth
    if let from = source.strides, let to = target.strides {
      let box = CopyBox(extents: source.shape.dimensions, sourceStrides: from, targetStrides: to)
      return try StridedCopy.kernel(boxes: [(0, box)], width: width)
    }
    return try channelwise(from: source, to: target, width)
  }

  /// One block for each image and slot of the target (or channel, where it is plain): a strided copy of one channel's pixels.
  private static func channelwise(from source: Operand, to target: Operand, _ width: Int) throws
    -> Kernel
  {
    guard source.shape.rank >= 2 else { throw OperatorError("a blocked layout needs channels") }
    let from = ChannelAddress(source)
    let to = ChannelAddress(target)
    let channels = source.shape[1]
    let spatial = Array(source.shape.dimensions[2...])
    let boxes = (0..<channels).map { channel in
      CopyBox(
        extents: spatial, sourceStrides: from.spatialStrides, targetStrides: to.spatialStrides,
        sourceOffset: from.offset(channel), targetOffset: to.offset(channel)
      ).coalesced()
    }
    let padding = to.unusedSlots
    return Kernel(blocks: source.shape[0]) { invocation, image in
      let input = invocation.input(0) + image * from.imageStride * width
      let output = invocation.output(0) + image * to.imageStride * width
      for box in boxes where !box.extents.contains(0) {
        StridedCopy.copy(box, width, from: input, to: output)
      }
      for slot in padding {
        clear(output + to.slotOffset(slot) * width, to, width)
      }
    }
  }

  private static func clear(
    _ base: UnsafeMutableRawPointer, _ address: ChannelAddress, _ width: Int
  ) {
    for pixel in 0..<address.pixels {
      (base + pixel * address.width * width).initializeMemory(
        as: UInt8.self, repeating: 0, count: width)
    }
  }
}

/// Where the channels of one image lie, in elements.
private struct ChannelAddress: Sendable {
  let imageStride: Int
  let spatialStrides: [Int]
  let pixels: Int
  /// Channels side by side; 1 in a plain layout.
  let width: Int
  let unusedSlots: [Int]
  private let slots: [Int]
  private let channelStride: Int

  init(_ operand: Operand) {
    pixels = Shape.product(operand.shape.dimensions[2...])
    if case .blocked(let width, let count, _) = operand.layout {
      self.width = width
      slots = operand.channelSlots ?? []
      channelStride = 0
      spatialStrides = Shape(Array(operand.shape.dimensions[2...])).rowMajorStrides.map {
        $0 * width
      }
      imageStride = count * pixels
      let used = Set(slots)
      unusedSlots = (0..<count).filter { !used.contains($0) }
    } else {
      let strides = operand.strides ?? operand.shape.rowMajorStrides
      width = 1
      slots = Array(0..<operand.shape[1])
      channelStride = strides[1]
      spatialStrides = Array(strides[2...])
      imageStride = strides[0]
      unusedSlots = []
    }
  }

  func offset(_ channel: Int) -> Int {
    width == 1 ? channel * channelStride : slotOffset(slots[channel])
  }

  func slotOffset(_ slot: Int) -> Int { slot / width * pixels * width + slot % width }
}
