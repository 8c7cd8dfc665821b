// Layout: how the elements of a tensor lie in a buffer, as kernels and the planner see it.
//
// A plain layout has a stride for each dimension. A blocked layout serves convolutions: channels are
// grouped by `width` (16 for AVX-512, 8 for AVX2, 4 for NEON), a group's channels lie side by side for each pixel:
// [batch][group][spatial...][width].

/// From logical channels to the slots of a blocked buffer.
package enum ChannelMap: Sendable, Hashable {
  /// Channel `c` lies in slot `c`; the last group is padded with zeros.
  case identity
  /// Channel `c` lies in slot `slots[c]`. What a concat of parts whose channel counts are no multiple of the
  /// width leaves behind; slots that no channel uses hold zeros.
  case slots([Int])
}

/// How an image's channels (dimension 1) are grouped.
package struct ChannelBlocks: Sendable, Hashable {
  /// Channels that lie side by side for each pixel.
  package var width: Int
  /// Channel slots, a multiple of `width`; those that no channel uses hold zeros.
  package var slots: Int
  package var map: ChannelMap

  package init(width: Int, slots: Int, map: ChannelMap = .identity) {
    self.width = width
    self.slots = slots
    self.map = map
  }

  /// Channels one behind the other, with as few unused slots as there can be.
  package init(width: Int, channels: Int) {
    self.init(width: width, slots: (channels + width - 1) / width * width)
  }

  package var groups: Int { slots / width }

  /// The slot of each of `channels` channels.
  package func channelSlots(_ channels: Int) -> [Int] {
    switch map {
    case .identity: Array(0..<channels)
    case .slots(let slots): slots
    }
  }
}

/// How elements lie in a buffer.
package enum Layout: Sendable, Hashable {
  /// Row-major without gaps.
  case contiguous
  /// One stride for each dimension, counted in elements.
  case strided([Int])
  /// Channels in groups. From one image to the next there are `imageSlots` slots: more than the tensor's own where it is a
  /// part of a larger one.
  case blocked(ChannelBlocks, imageSlots: Int)

  /// Blocked, images without gaps.
  package static func blocked(_ blocks: ChannelBlocks) -> Layout {
    .blocked(blocks, imageSlots: blocks.slots)
  }

  /// How channels are grouped; nil in a plain layout.
  package var blocks: ChannelBlocks? {
    if case .blocked(let blocks, _) = self { blocks } else { nil }
  }
}

/// One operand of a step: all that is known of it when the step is planned. The pointer comes when it runs.
package struct Operand: Sendable, Hashable {
  package var dataType: DataType
  /// The logical extents, whatever the layout.
  package var shape: Shape
  package var layout: Layout

  package init(_ dataType: DataType, _ shape: Shape, layout: Layout = .contiguous) {
    self.dataType = dataType
    self.shape = shape
    self.layout = layout
  }

  /// The strides of a plain layout, counted in elements; nil for a blocked one.
  package var strides: [Int]? {
    switch layout {
    case .contiguous: shape.rowMajorStrides
    case .strided(let strides): strides
    case .blocked: nil
    }
  }

  /// Bytes from the first element to the end of the last, padding lanes included; `Int.max` on overflow.
  package var byteCount: Int {
    switch layout {
    case .contiguous: return dataType.byteCount(elements: shape.elementCount) ?? .max
    case .strided(let strides):
      if shape.contains(0) { return 0 }
      let last = zip(shape, strides).reduce(0) { $0 + ($1.0 - 1) * $1.1 }
      return dataType.byteCount(elements: last + 1) ?? .max
    case .blocked(let blocks, let imageSlots):
      if shape.contains(0) { return 0 }
      let (between, overflow) = (shape[0] - 1).multipliedReportingOverflow(by: imageSlots)
      let slots = between.addingReportingOverflow(blocks.slots)
      if overflow || slots.overflow { return .max }
      let count = slots.partialValue.multipliedReportingOverflow(by: shape.inner(from: 2))
      return count.overflow ? .max : dataType.byteCount(elements: count.partialValue) ?? .max
    }
  }

  /// How the channels are grouped; nil in a plain layout.
  package var blocks: ChannelBlocks? { layout.blocks }

  /// The slot of each logical channel in a blocked layout; nil for a plain one.
  package var channelSlots: [Int]? { blocks?.channelSlots(shape[1]) }

  /// A blocked operand as its groups and lanes lie: [batch, groups, spatial..., width], with strides. A plain one as it is.
  package var physical: Operand {
    guard case .blocked(let blocks, let imageSlots) = layout else { return self }
    let spatial = shape.dimensions[2...]
    let inner = Shape([blocks.groups] + spatial + [blocks.width])
    return Operand(
      dataType, Shape([shape[0]] + inner.dimensions),
      layout: .strided([imageSlots * Shape.product(spatial)] + inner.rowMajorStrides))
  }
}

extension Operand {
  /// Whether images follow each other without gaps.
  package var isDense: Bool {
    switch layout {
    case .contiguous: true
    case .strided(let strides):
      zip(zip(strides, shape.rowMajorStrides), shape).allSatisfy { $0.0 == $0.1 || $1 == 1 }
    case .blocked(let blocks, let imageSlots): imageSlots == blocks.slots || shape[0] == 1
    }
  }

  /// Whether the elements lie as another layout would have them.
  package func hasLayout(_ other: Layout) -> Bool {
    let alike = Operand(dataType, shape, layout: other)
    guard let blocks else { return strides == alike.strides && alike.blocks == nil }
    guard case .blocked(blocks, let imageSlots) = other else { return false }
    return imageStrideSlots == imageSlots || shape[0] == 1
  }

  private var imageStrideSlots: Int? {
    if case .blocked(_, let slots) = layout { slots } else { nil }
  }

  /// The layout that the tensor has as a part of one that lies in `whole`; nil where one is blocked and the other is not.
  package func layout(in whole: Layout) -> Layout? {
    switch (blocks, whole) {
    case (nil, .contiguous): .contiguous
    case (nil, .strided): whole
    case (let own?, .blocked(let blocks, let imageSlots)) where own.width == blocks.width:
      .blocked(own, imageSlots: imageSlots)
    default: nil
    }
  }

  /// Where each of several tensors lies that make up this one along an axis: elements before its first, and its layout.
  /// Blocked tensors lie side by side along their channels, slot by slot.
  package func parts(_ parts: [Operand], axis: Int) -> [(offset: Int, layout: Layout)] {
    var before = 0
    guard case .blocked(_, let imageSlots) = layout, parts.allSatisfy({ $0.blocks != nil }) else {
      let strides = strides ?? shape.rowMajorStrides
      return parts.map { part in
        defer { before += part.shape[axis] * strides[axis] }
        return (before, .strided(strides))
      }
    }
    let pixels = shape.inner(from: 2)
    return parts.map { part in
      let own = part.blocks ?? ChannelBlocks(width: 1, channels: part.shape[1])
      defer { before += own.slots * pixels }
      return (before, .blocked(own, imageSlots: imageSlots))
    }
  }
}

extension ChannelBlocks {
  /// The blocks of tensors side by side, each of so many channels.
  package static func joined(_ parts: [(blocks: ChannelBlocks, channels: Int)]) -> ChannelBlocks {
    let width = parts.first?.blocks.width ?? 1
    let isPacked = parts.enumerated().allSatisfy { index, part in
      part.blocks.map == .identity
        && (part.channels == part.blocks.slots || index == parts.count - 1)
    }
    if isPacked {
      return ChannelBlocks(width: width, slots: parts.reduce(0) { $0 + $1.blocks.slots })
    }
    var slots: [Int] = []
    var total = 0
    for part in parts {
      slots += part.blocks.channelSlots(part.channels).map { $0 + total }
      total += part.blocks.slots
    }
    return ChannelBlocks(width: width, slots: total, map: .slots(slots))
  }
}
