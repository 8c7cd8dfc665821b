// PatternKernels: kernels that lay elements out in a fixed pattern: triangles, diagonals, one-hot vectors, reversed
// sequences. Operands are contiguous; elements count as bytes, whatever their type.

import CLeapKernels
import LeapTensors

package enum PatternKernels {
  /// Bytes that one block writes at least, where there are as many.
  private static let grain = 128 << 10

  /// A kernel that calls `body` for each of `units` parts of the output of `bytes` each.
  private static func kernel(
    units: Int, bytes: Int, _ body: @escaping @Sendable (Invocation, _ unit: Int) throws -> Void
  ) -> Kernel {
    let perBlock = max(1, grain / max(bytes, 1))
    return Kernel(blocks: units == 0 ? 0 : (units - 1) / perBlock + 1) { invocation, block in
      for unit in block * perBlock..<min((block + 1) * perBlock, units) {
        try body(invocation, unit)
      }
    }
  }

  private static func checkedWidth(_ operand: Operand) throws -> Int {
    let width = operand.dataType.byteWidth
    guard width > 0 else {
      throw OperatorError.unsupported("elements of type \(operand.dataType) cannot be moved")
    }
    return width
  }

  /// Keeps the upper (or lower) triangle of each matrix of the last two axes; the rest becomes 0. The output may lie where
  /// the input lies.
  ///
  /// - Parameter diagonal: where the triangle ends: 0 is the main diagonal, those above count up.
  /// - Throws: `OperatorError` for a rank below 2 and for elements narrower than a byte.
  package static func triangle(
    upper: Bool, diagonal: Int, _ operand: Operand
  ) throws -> Kernel {
    let width = try checkedWidth(operand)
    let shape = operand.shape
    guard shape.rank >= 2 else {
      throw OperatorError("the input has rank \(shape.rank); expected 2 or more")
    }
    let (rows, columns) = (shape[shape.rank - 2], shape[shape.rank - 1])
    // Beyond these all is kept, or nothing.
    let diagonal = max(-rows, min(diagonal, columns))
    let bytes = columns * width
    // Of a type that does not throw: where a closure that may throw ends in a memset, the compiler (Swift 6.3) jumps there with
    // the error register still in use, and the caller takes what is in it for an error.
    let body: @Sendable (Invocation, Int) -> Void = { invocation, row in
      let edge = row % rows + diagonal + (upper ? 0 : 1)
      let cut = max(0, min(edge, columns)) * width
      let source = invocation.input(0) + row * bytes
      let target = invocation.output(0) + row * bytes
      let (kept, cleared) = upper ? (cut, 0) : (0, cut)
      let length = upper ? bytes - cut : cut
      (target + kept).copyMemory(from: source + kept, byteCount: length)
      (target + cleared).initializeMemory(as: UInt8.self, repeating: 0, count: bytes - length)
    }
    return kernel(units: shape.outer(shape.rank - 1), bytes: bytes, body)
  }

  /// Throws `OperatorError.unsupported` for a type that has no 1 here.
  package static func requireIdentity(_ type: DataType) throws {
    try check(
      leap_convert_run(DataType.uint8.rawValue, type.rawValue, nil, 1, nil, 1, 0),
      "identity matrices of \(type)")
  }

  /// A matrix of zeros with ones along a diagonal.
  ///
  /// - Throws: `OperatorError` for a type that has no 1 here.
  package static func identity(diagonal: Int, _ output: Operand) throws -> Kernel {
    let type = output.dataType.rawValue
    try requireIdentity(output.dataType)
    let width = output.dataType.byteWidth
    let (rows, columns) = (output.shape[0], output.shape[1])
    let diagonal = max(-rows, min(diagonal, columns))
    let bytes = columns * width
    return kernel(units: rows, bytes: bytes) { invocation, row in
      let target = invocation.output(0) + row * bytes
      target.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
      guard (0..<columns).contains(row + diagonal) else { return }
      var one: UInt8 = 1
      _ = leap_convert_run(
        DataType.uint8.rawValue, type, &one, 1, target + (row + diagonal) * width, 1, 1)
    }
  }

  /// One-hot vectors along `axis` of the output: input 2's second element at each index of input 0, its first
  /// elsewhere. An index out of range selects nothing.
  ///
  /// - Parameter wraps: whether negative indices count from the end.
  /// - Throws: `OperatorError` for indices that are no numbers, and values narrower than a byte.
  package static func oneHot(
    indices: Operand, _ output: Operand, axis: Int, wraps: Bool
  ) throws -> Kernel {
    let width = try checkedWidth(output)
    let (type, indexWidth) = (indices.dataType.rawValue, indices.dataType.byteWidth)
    let int64 = DataType.int64.rawValue
    try check(
      leap_convert_run(type, int64, nil, 1, nil, 1, 0), "indices of \(indices.dataType)")
    let depth = output.shape[axis]
    let inner = output.shape.inner(from: axis + 1)
    let bytes = Shape.product([depth, inner, width])
    return kernel(units: output.shape.outer(axis), bytes: bytes) { invocation, unit in
      let (off, on) = (invocation.input(2), invocation.input(2) + width)
      let target = invocation.output(0) + unit * bytes
      leap_copy_strided(off, 0, target, 1, depth * inner, width)
      for place in 0..<inner {
        var index: Int64 = 0
        _ = leap_convert_run(
          type, int64, invocation.input(0) + (unit * inner + place) * indexWidth, 1, &index, 1, 1)
        if wraps, index < 0 { index &+= Int64(depth) }
        guard index >= 0, index < depth else { continue }
        leap_copy_strided(on, 1, target + (Int(index) * inner + place) * width, 1, 1, width)
      }
    }
  }

  /// Reverses the first elements of each sequence; how many, input 1 says for each of the batch, int64.
  ///
  /// - Parameter timeIsOuter: whether axis 0 is time and axis 1 the batch; otherwise it is the other way round.
  /// - Throws: `OperatorError` for elements narrower than a byte; when it runs, for a length out of range.
  package static func reverse(_ input: Operand, timeIsOuter: Bool) throws -> Kernel {
    let width = try checkedWidth(input)
    let (time, batch) =
      timeIsOuter ? (input.shape[0], input.shape[1]) : (input.shape[1], input.shape[0])
    let bytes = Shape.product([input.shape.inner(from: 2), width])
    let step = (timeIsOuter ? batch : 1) &* bytes
    return kernel(units: batch, bytes: Shape.product([time, bytes])) { invocation, sequence in
      let length = (invocation.input(1) + sequence * 8).load(as: Int64.self)
      guard length >= 0, length <= time else {
        throw OperatorError(
          "the length of sequence \(sequence) is \(length); expected 0 to \(time)")
      }
      let start = sequence * (timeIsOuter ? bytes : time * bytes)
      for moment in 0..<time {
        let from = moment < length ? Int(length) - 1 - moment : moment
        (invocation.output(0) + start + moment * step).copyMemory(
          from: invocation.input(0) + start + from * step, byteCount: bytes)
      }
    }
  }
}
