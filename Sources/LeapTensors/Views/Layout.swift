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

/// How elements lie in a buffer.
package enum Layout: Sendable, Hashable {
  /// Row-major without gaps.
  case contiguous
  /// One stride for each dimension, counted in elements.
  case strided([Int])
  /// Channels (dimension 1) in groups of `width`; `slots` is the number of channel slots in the buffer of
  /// one image, a multiple of `width`.
  case blocked(width: Int, slots: Int, map: ChannelMap)
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
    case .blocked(_, let slots, _):
      let count = Shape.product([shape[0], slots] + shape.dimensions[2...])
      return dataType.byteCount(elements: count) ?? .max
    }
  }

  /// The slot of each logical channel in a blocked layout; nil for a plain one.
  package var channelSlots: [Int]? {
    guard case .blocked(_, _, let map) = layout else { return nil }
    switch map {
    case .identity: return Array(0..<shape[1])
    case .slots(let slots): return slots
    }
  }
}
