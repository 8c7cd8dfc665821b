// OrderingKernels: the place of the largest element along an axis, and the k largest in order.

import CLeapKernels
import LeapTensors

package enum OrderingKernels {
  /// The index along `axis` of the largest (or smallest) element, int64.
  ///
  /// - Parameters:
  ///   - takesLast: of equal elements the last counts.
  /// - Throws: `OperatorError` for a type without order, and for an axis of no elements.
  package static func argExtreme(
    largest: Bool, takesLast: Bool, _ input: Operand, _ output: Operand, axis: Int
  ) throws -> Kernel {
    let (type, width) = (input.dataType.rawValue, input.dataType.byteWidth)
    try check(
      leap_arg_extreme(type, 1, 0, nil, 0, 0, 0, nil), "comparing elements of \(input.dataType)")
    let loop = try AxisLoop(input, output, axis: axis)
    guard loop.rows > 0 || output.shape.contains(0) else {
      throw OperatorError("axis \(axis) has no elements of which one could be chosen")
    }
    return loop.kernel(grain: 16 << 10, scratchPerColumn: 0) { invocation, place in
      _ = leap_arg_extreme(
        type, largest ? 1 : 0, takesLast ? 1 : 0, invocation.input(0) + place.input * width,
        loop.rows, loop.columns, place.columns,
        invocation.output(0).assumingMemoryBound(to: Int64.self) + place.output)
    }
  }

  /// The first `k` elements along `axis` in order, and their indices: outputs 0 and 1, contiguous, either may be left out.
  ///
  /// - Throws: `OperatorError` for a type without order, and for a `k` that is negative or beyond the extent.
  package static func topK(
    _ k: Int, largest: Bool, _ input: Operand, axis: Int
  ) throws -> Kernel {
    let (type, width) = (input.dataType.rawValue, input.dataType.byteWidth)
    try check(
      leap_top_k(type, 1, nil, 0, 0, 0, nil, nil, 0, nil),
      "comparing elements of \(input.dataType)")
    guard k >= 0, k <= input.shape[axis] else {
      throw OperatorError("k is \(k); axis \(axis) has \(input.shape[axis]) elements")
    }
    var shape = input.shape
    shape[axis] = k
    let loop = try AxisLoop(input, Operand(input.dataType, shape), axis: axis, widestTile: 1)
    return loop.kernel(grain: 8 << 10, scratchPerColumn: k * MemoryLayout<Int64>.stride) {
      invocation, place in
      let indices = invocation.optionalOutput(1)?.assumingMemoryBound(to: Int64.self)
      _ = leap_top_k(
        type, largest ? 1 : 0, invocation.input(0) + place.input * width, loop.rows, loop.columns,
        k, invocation.optionalOutput(0).map { $0 + place.output * width },
        indices.map { $0 + place.output }, loop.columns,
        invocation.scratch.assumingMemoryBound(to: Int64.self))
    }
  }
}
