// ProgressionKernels: running sums and products along an axis, arithmetic progressions, determinants and inverses.

import CLeapKernels
import LeapTensors

package enum ProgressionKernels {
  /// Running sums, or products, along `axis`.
  ///
  /// - Parameters:
  ///   - multiplies: products instead of sums.
  ///   - exclusive: an element is not part of its own sum.
  ///   - reverse: sums run from the end.
  /// - Throws: `OperatorError` for a type that is no number.
  package static func cumulate(
    multiplies: Bool, exclusive: Bool, reverse: Bool, _ input: Operand, _ output: Operand,
    axis: Int
  ) throws -> Kernel {
    let (type, width) = (input.dataType.rawValue, input.dataType.byteWidth)
    let function = multiplies ? LEAP_REDUCE_PROD : LEAP_REDUCE_SUM
    try check(
      leap_cumulate(type, function, 0, 0, nil, nil, 0, 0, 0, nil),
      "running sums of \(input.dataType)")
    let loop = try AxisLoop(input, output, axis: axis)
    return loop.kernel(grain: 16 << 10, scratchPerColumn: Int(LEAP_ACCUMULATOR_WIDTH)) {
      invocation, place in
      _ = leap_cumulate(
        type, function, exclusive ? 1 : 0, reverse ? 1 : 0,
        invocation.input(0) + place.input * width, invocation.output(0) + place.output * width,
        loop.rows, loop.columns, place.columns, invocation.scratch)
    }
  }

  /// start + i * delta for every element i of a contiguous vector.
  ///
  /// - Parameters:
  ///   - start: one element of the output's type, as is `delta`.
  /// - Throws: `OperatorError` for a type that is no number.
  package static func range(start: Tensor, delta: Tensor, _ output: Operand) throws -> Kernel {
    let type = output.dataType.rawValue
    try check(leap_range(type, nil, nil, 0, nil, 0), "progressions of \(output.dataType)")
    let (count, width) = (output.shape.elementCount, output.dataType.byteWidth)
    let piece = 32 << 10
    return Kernel(blocks: count == 0 ? 0 : (count - 1) / piece + 1) { invocation, block in
      let first = block * piece
      start.withUnsafeBytes { start in
        delta.withUnsafeBytes { delta in
          _ = leap_range(
            type, start.baseAddress, delta.baseAddress, Int64(first),
            invocation.output(0) + first * width, min(piece, count - first))
        }
      }
    }
  }

  /// The determinants of square matrices, contiguous.
  ///
  /// - Throws: `OperatorError` for a type other than float32 and float64.
  package static func determinant(_ input: Operand, _ output: Operand) throws -> Kernel {
    let (type, width) = (input.dataType.rawValue, input.dataType.byteWidth)
    try requireFloats(input.dataType)
    let extent = input.shape.last ?? 0
    let scratch = Shape.product([extent, extent, MemoryLayout<Double>.stride])
    return Kernel(blocks: output.shape.elementCount, scratchPerWorker: scratch) {
      invocation, matrix in
      _ = leap_determinant(
        type, invocation.input(0) + matrix * extent * extent * width, extent,
        invocation.output(0) + matrix * width,
        invocation.scratch.assumingMemoryBound(to: Double.self))
    }
  }
  /// The inverses of square matrices, contiguous.
  ///
  /// - Throws: `OperatorError` for a type other than float32 and float64.
  package static func inverse(_ input: Operand) throws -> Kernel {
    let (type, width) = (input.dataType.rawValue, input.dataType.byteWidth)
    try requireFloats(input.dataType)
    let extent = input.shape.last ?? 0
    let size = Shape.product([extent, extent])
    let scratch = Shape.product([size, 2 * MemoryLayout<Double>.stride])
    return Kernel(
      blocks: size == 0 ? 0 : input.shape.elementCount / size, scratchPerWorker: scratch
    ) { invocation, matrix in
      let offset = matrix * size * width
      _ = leap_inverse(
        type, invocation.input(0) + offset, extent, invocation.output(0) + offset,
        invocation.scratch.assumingMemoryBound(to: Double.self))
    }
  }

  private static func requireFloats(_ type: DataType) throws {
    guard type == .float32 || type == .float64 else {
      throw OperatorError("elements are \(type); expected float32 or float64")
    }
  }
}
