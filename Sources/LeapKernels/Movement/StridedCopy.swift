// StridedCopy: copies an N-dimensional box of elements between buffers of any strides. Transpose, slice, expand,
// concat, split, tile and plain reorders are all this with different numbers.
//
// 1. Right for any strides of the source, zero and negative ones too.
// 2. Long runs are copied whole: dimensions are coalesced before the loops are made.

import CLeapKernels
import LeapTensors

/// One box to copy: extents, and where its elements lie on both sides. Strides and offsets count elements.
package struct CopyBox: Sendable, Hashable {
  package var extents: [Int]
  package var sourceStrides: [Int]
  package var targetStrides: [Int]
  package var sourceOffset: Int
  package var targetOffset: Int

  package init(
    extents: [Int], sourceStrides: [Int], targetStrides: [Int], sourceOffset: Int = 0,
    targetOffset: Int = 0
  ) {
    self.extents = extents
    self.sourceStrides = sourceStrides
    self.targetStrides = targetStrides
    self.sourceOffset = sourceOffset
    self.targetOffset = targetOffset
  }

  /// The same box with as few dimensions as it takes: extents of 1 dropped, neighbours that follow each other without a gap on
  /// both sides joined.
  func coalesced() -> CopyBox {
    var result = self
    result.extents = []
    result.sourceStrides = []
    result.targetStrides = []
    for axis in extents.indices where extents[axis] != 1 {
      if let last = result.extents.indices.last,
        result.sourceStrides[last] == sourceStrides[axis] * extents[axis],
        result.targetStrides[last] == targetStrides[axis] * extents[axis]
      {
        result.extents[last] *= extents[axis]
        result.sourceStrides[last] = sourceStrides[axis]
        result.targetStrides[last] = targetStrides[axis]
      } else {
        result.extents.append(extents[axis])
        result.sourceStrides.append(sourceStrides[axis])
        result.targetStrides.append(targetStrides[axis])
      }
    }
    return result
  }
}

package enum StridedCopy {
  /// Bytes that one block copies, about 30 microseconds of memory traffic.
  private static let blockBytes = 256 << 10

  /// A kernel that copies `boxes[i]` from input `inputs[i]` to output 0, for elements of `width` bytes.
  ///
  /// Source and target may be the same buffer only where every element keeps its place.
  /// - Throws: `OperatorError` for a width that no element type has.
  package static func kernel(
    boxes: [(input: Int, box: CopyBox)], width: Int
  ) throws -> Kernel {
    guard [1, 2, 4, 8, 16].contains(width) else {
      throw OperatorError("elements of \(width * 8) bits cannot be copied one by one")
    }
    let pieces = boxes.flatMap { entry in
      entry.box.extents.contains(0)
        ? [] : split(entry.box.coalesced(), width).map { (entry.input, $0) }
    }
    return Kernel(blocks: pieces.count) { invocation, block in
      let (input, box) = pieces[block]
      copy(
        box, width, from: invocation.input(input), to: invocation.output(0))
    }
  }

  /// Cuts a box along its outermost dimension into pieces of about `blockBytes`.
  private static func split(_ box: CopyBox, _ width: Int) -> [CopyBox] {
    guard let outer = box.extents.first else { return [box] }
    let bytes = Shape.product(box.extents[1...]) * width
    let rows = max(1, min(outer, blockBytes / max(bytes, 1)))
    return stride(from: 0, to: outer, by: rows).map { start in
      var piece = box
      piece.extents[0] = min(rows, outer - start)
      piece.sourceOffset += start * box.sourceStrides[0]
      piece.targetOffset += start * box.targetStrides[0]
      return piece
    }
  }

  /// Copies one box now.
  package static func copy(
    _ box: CopyBox, _ width: Int, from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer
  ) {
    let start = source + box.sourceOffset * width
    let end = target + box.targetOffset * width
    loop(box, 0, start, end, width)
  }

  private static func loop(
    _ box: CopyBox, _ axis: Int, _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer,
    _ width: Int
  ) {
    guard axis < box.extents.count else {
      return leap_copy_strided(source, 1, target, 1, 1, width)
    }
    let count = box.extents[axis]
    let sourceStep = box.sourceStrides[axis]
    let targetStep = box.targetStrides[axis]
    guard axis < box.extents.count - 1 else {
      return leap_copy_strided(source, sourceStep, target, targetStep, count, width)
    }
    for index in 0..<count {
      loop(
        box, axis + 1, source + index * sourceStep * width, target + index * targetStep * width,
        width)
    }
  }
}
