// StridedIndex: where the elements lie that a row-major index over some axes of two operands counts.

import LeapTensors

/// Some axes of an input and an output, with as few dimensions as their strides allow.
struct StridedIndex: Sendable {
  private var extents: [Int] = []
  /// Strides of the input and of the output, counted in elements.
  private var strides: [SIMD2<Int>] = []
  /// The product of the extents; `Int.max` where it overflows.
  let count: Int

  /// - Parameter axes: extents and strides, outermost first. A stride of 0 stays where it is.
  init(_ axes: [(extent: Int, input: Int, output: Int)]) {
    count = Shape.product(axes.map(\.extent)[...])
    for axis in axes where axis.extent != 1 {
      let step = SIMD2(axis.input, axis.output)
      if let last = strides.last, last == step &* axis.extent {
        extents[extents.count - 1] &*= axis.extent
        strides[strides.count - 1] = step
      } else {
        extents.append(axis.extent)
        strides.append(step)
      }
    }
  }

  /// Offsets of one element in the input and in the output, counted in elements.
  func offsets(_ index: Int) -> (input: Int, output: Int) {
    var rest = index
    var offsets = SIMD2(0, 0)
    for axis in extents.indices.reversed() {
      offsets &+= strides[axis] &* (rest % extents[axis])
      rest /= extents[axis]
    }
    return (offsets.x, offsets.y)
  }
}
