// PaddedCopy: copies a tensor into a larger or smaller one, and fills the places around it.
//
// 1. Any strides on both sides; any type of whole bytes.
// 2. Long runs: neighbouring axes are joined where padding leaves them together.

import CLeapKernels
import LeapTensors

package enum PaddedCopy {
  /// Bytes that one block writes, about 30 microseconds of memory traffic.
  private static let blockBytes = 256 << 10

  /// A candidate that writes input 0, padded, to output 0.
  ///
  /// - Parameters:
  ///   - pads: for each axis the places before and after; negative ones crop.
  ///   - mode: what stands in the new places.
  ///   - constant: the element for mode constant where input `constantInput` is not given.
  ///   - constantInput: the input that holds that element, read when the kernel runs.
  /// - Throws: `OperatorError` for pads that do not go with the shapes, or a type of no whole bytes.
  package static func candidate(
    _ request: KernelRequest, pads: [(before: Int, after: Int)], mode: PaddingMode,
    constant: ElementBytes, constantInput: Int
  ) throws -> KernelCandidate {
    guard let source = request.inputs.first ?? nil, let target = request.outputs.first ?? nil else {
      throw OperatorError("input 0 and output 0 are required")
    }
    let width = target.dataType.byteWidth
    guard width > 0, source.dataType == target.dataType else {
      throw OperatorError.unsupported("elements of type \(source.dataType) cannot be moved")
    }
    let axes = try zip(source.shape, pads).map {
      try PaddedAxis(extent: $0, before: $1.before, after: $1.after, mode: mode)
    }
    guard source.shape.rank == pads.count, axes.map(\.extent) == target.shape.dimensions else {
      throw OperatorError("pads make another shape than \(target.shape) of \(source.shape)")
    }
    guard target.dataType.byteCount(elements: target.shape.elementCount) != nil else {
      throw OperatorError("the output \(target.shape) is too large")
    }
    return KernelCandidate(
      name: .pad,
      inputs: request.inputs.indices.map {
        $0 == 0 ? .plain : $0 == constantInput ? .contiguous : .planned
      },
      outputs: request.outputs.map { _ in .plain },
      cost: Cost(operations: 0, bytes: Double(source.byteCount) + Double(target.byteCount))
    ) { settled in
      let walk = PaddingWalk(
        axes, try Movement.strides(settled.inputs[0]), try Movement.strides(settled.outputs[0]))
      return walk.kernel(width, blockBytes: blockBytes) { invocation, body in
        if let given = invocation.optionalInput(constantInput) { return body(given) }
        constant.withBytes(body)
      }
    }
  }
}

/// The walk over the rows of a padded tensor: its axes outermost first, joined where they can be.
private struct PaddingWalk: Sendable {
  private struct Axis: Sendable {
    var places: PaddedAxis
    var sourceStride: Int
    var targetStride: Int
  }
  private let outer: [Axis]
  private let row: Axis

  init(_ places: [PaddedAxis], _ sourceStrides: [Int], _ targetStrides: [Int]) {
    let axes = places.indices.map {
      Axis(
        places: places[$0], sourceStride: sourceStrides[$0], targetStride: targetStrides[$0])
    }
    var joined: [Axis] = []
    for axis in axes.reversed() {
      if let inner = joined.last, let both = PaddingWalk.join(axis, inner) {
        joined[joined.count - 1] = both
      } else {
        joined.append(axis)
      }
    }
    row =
      joined.first
      ?? Axis(places: PaddedAxis.single, sourceStride: 1, targetStride: 1)
    outer = joined.dropFirst().reversed()
  }

  /// Two neighbours as one axis; nil where padding or strides keep them apart.
  private static func join(_ outer: Axis, _ inner: Axis) -> Axis? {
    guard !inner.places.isPadded, inner.places.skipped == 0,
      outer.places.mode == .constant || !outer.places.isPadded,
      outer.sourceStride == inner.places.kept &* inner.sourceStride,
      outer.targetStride == inner.places.kept &* inner.targetStride
    else { return nil }
    return Axis(
      places: outer.places.scaled(by: inner.places.kept), sourceStride: inner.sourceStride,
      targetStride: inner.targetStride)
  }

  /// The kernel: a block writes so many rows, or a piece of a long one.
  ///
  /// - Parameter withConstant: calls its body with the element of the padding.
  func kernel(
    _ width: Int, blockBytes: Int,
    withConstant: @escaping @Sendable (Invocation, (UnsafeRawPointer) -> Void) -> Void
  ) -> Kernel {
    let rows = Shape.product(outer.map(\.places.extent)[...])
    let length = row.places.extent
    guard rows > 0, length > 0 else { return Kernel(blocks: 0) { _, _ in } }
    let piece = min(length, blockBytes / width)
    let pieces = (length - 1) / piece + 1
    let rowsPerBlock = pieces > 1 ? 1 : max(1, min(rows, blockBytes / width / length))
    let blocks = ((rows - 1) / rowsPerBlock + 1) * pieces
    return Kernel(blocks: blocks) { invocation, block in
      let first = block / pieces * rowsPerBlock
      let start = block % pieces * piece
      withConstant(invocation) { constant in
        for index in first..<min(first + rowsPerBlock, rows) {
          write(
            index, start..<min(start + piece, length), from: invocation.input(0),
            to: invocation.output(0), constant: constant, width)
        }
      }
    }
  }

  /// Where a row starts in the source, nil where all of it is padding, and in the target. Counts elements.
  private func origin(of index: Int) -> (source: Int?, target: Int) {
    var rest = index
    var source: Int? = 0
    var target = 0
    for axis in outer.reversed() {
      let place = rest % axis.places.extent
      rest /= axis.places.extent
      target += place * axis.targetStride
      let element = axis.places.run(at: place).source
      source = source.flatMap { sum in element.map { sum + $0 * axis.sourceStride } }
    }
    return (source, target)
  }

  /// Writes some places of one row.
  private func write(
    _ index: Int, _ range: Range<Int>, from source: UnsafeRawPointer,
    to target: UnsafeMutableRawPointer, constant: UnsafeRawPointer, _ width: Int
  ) {
    let origin = origin(of: index)
    var place = range.lowerBound
    while place < range.upperBound {
      let run = row.places.run(at: place)
      let end = target + (origin.target + place * row.targetStride) * width
      var count = range.upperBound - place
      if let start = origin.source {
        count = min(count, run.count)
        if let element = run.source {
          leap_copy_strided(
            source + (start + element * row.sourceStride) * width, run.step * row.sourceStride,
            end, row.targetStride, count, width)
          place += count
          continue
        }
      }
      leap_copy_strided(constant, 0, end, row.targetStride, count, width)
      place += count
    }
  }
}
