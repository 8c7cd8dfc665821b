// ElementwiseKernels: kernels that compute each element of an output from one element of each input.
//
// Operands are plain, with any strides. Types that a loop does not have are refused when the kernel is made.

import CLeapKernels
import LeapTensors

package enum ElementwiseKernels {
  /// y = f(x), with the function's parameters.
  package static func unary(
    _ function: UnaryFunction, a: Double = 0, b: Double = 0, input: Operand, output: Operand
  ) throws -> Kernel {
    let type = input.dataType.rawValue
    try function.require(input.dataType)
    let loop = StridedLoop(output.shape, [output, input])
    return Kernel(blocks: loop.blockCount) { invocation, block in
      let x = invocation.input(0)
      let y = invocation.output(0)
      loop.forEachRun(of: block) { offsets, count in
        _ = leap_unary_run(
          type, function.raw, x + offsets[1], loop.runStrides[1], y + offsets[0],
          loop.runStrides[0], count, a, b)
      }
    }
  }

  /// y = f(a, b), with broadcasting.
  package static func binary(
    _ function: BinaryFunction, _ left: Operand, _ right: Operand, output: Operand
  ) throws -> Kernel {
    if left.dataType != right.dataType {
      guard function == .pow else {
        throw OperatorError(
          "the operands are \(left.dataType) and \(right.dataType); expected one type")
      }
      return try mixedPower(left, right, output: output)
    }
    let (phase, scratch) = try binaryPhase(function, left, right, output) {
      ($0.input(0), $0.input(1))
    }
    return Kernel(phases: [phase], scratchPerWorker: scratch)
  }

  /// y = f(f(x0, x1), x2) and so on, with broadcasting; with `scale`, times that in the end.
  package static func variadic(
    _ function: BinaryFunction, _ inputs: [Operand], output: Operand, scale: Double? = nil
  ) throws -> Kernel {
    guard let first = inputs.first else { throw OperatorError("expected at least one input") }
    if inputs.count == 1 { return try copy(first, output: output) }
    var phases: [Phase] = []
    var scratch = 0
    for index in inputs.indices.dropFirst() {
      let left = index == 1 ? first : output
      let (phase, own) = try binaryPhase(function, left, inputs[index], output) {
        (index == 1 ? $0.input(0) : UnsafeRawPointer($0.output(0)), $0.input(index))
      }
      phases.append(phase)
      scratch = max(scratch, own)
    }
    if let scale {
      let type = output.dataType.rawValue
      try UnaryFunction.scale.require(output.dataType)
      let loop = StridedLoop(output.shape, [output])
      phases.append(
        Phase(blockCount: loop.blockCount) { invocation, block in
          let y = invocation.output(0)
          let stride = loop.runStrides[0]
          loop.forEachRun(of: block) { offsets, count in
            _ = leap_unary_run(
              type, LEAP_SCALE, y + offsets[0], stride, y + offsets[0], stride, count, scale, 0)
          }
        })
    }
    return Kernel(phases: phases, scratchPerWorker: scratch)
  }

  /// The phase, and the scratch that each of its workers needs.
  private static func binaryPhase(
    _ function: BinaryFunction, _ left: Operand, _ right: Operand, _ output: Operand,
    operands: @escaping @Sendable (Invocation) -> (UnsafeRawPointer, UnsafeRawPointer)
  ) throws -> (Phase, scratch: Int) {
    let type = left.dataType.rawValue
    guard right.dataType == left.dataType else {
      throw OperatorError(
        "the operands are \(left.dataType) and \(right.dataType); expected one type")
    }
    try function.require(left.dataType, right.dataType)
    let loop = StridedLoop(output.shape, [output, left, right])
    if let repetition = loop.repetition {
      return repeatedPhase(function, repetition, left, output, operands)
    }
    let phase = Phase(blockCount: loop.blockCount) { invocation, block in
      let (a, b) = operands(invocation)
      let y = invocation.output(0)
      try loop.forEachRun(of: block) { offsets, count in
        try check(
          leap_binary_run(
            type, function.raw, a + offsets[1], loop.runStrides[1], b + offsets[2],
            loop.runStrides[2], y + offsets[0], loop.runStrides[0], count),
          "\(function)")
      }
    }
    return (phase, 0)
  }

  /// Rows of few elements, of which one operand has the same for all: it is repeated in scratch, so that the loops are long.
  private static func repeatedPhase(
    _ function: BinaryFunction, _ repetition: StridedLoop.Repetition, _ left: Operand,
    _ output: Operand,
    _ operands: @escaping @Sendable (Invocation) -> (UnsafeRawPointer, UnsafeRawPointer)
  ) -> (Phase, scratch: Int) {
    let type = left.dataType.rawValue
    let (width, resultWidth) = (left.dataType.byteWidth, output.dataType.byteWidth)
    let (columns, copies) = (repetition.columns, repetition.copies)
    let phase = Phase(blockCount: repetition.blockCount) { invocation, block in
      var (a, b) = operands(invocation)
      let (offsets, rows) = repetition.place(of: block)
      a += offsets[1]
      b += offsets[2]
      repeatRow(
        repetition.operand == 1 ? a : b, byteCount: columns * width, copies: min(copies, rows),
        into: invocation.scratch)
      if repetition.operand == 1 {
        a = UnsafeRawPointer(invocation.scratch)
      } else {
        b = UnsafeRawPointer(invocation.scratch)
      }
      for first in stride(from: 0, to: rows, by: copies) {
        let count = min(copies, rows - first) * columns
        let before = first * columns
        try check(
          leap_binary_run(
            type, function.raw, repetition.operand == 1 ? a : a + before * width, 1,
            repetition.operand == 2 ? b : b + before * width, 1,
            invocation.output(0) + offsets[0] + before * resultWidth, 1, count),
          "\(function)")
      }
    }
    return (phase, copies * columns * width)
  }

  /// Writes a row so often one behind the other, each time twice as many.
  private static func repeatRow(
    _ row: UnsafeRawPointer, byteCount: Int, copies: Int, into target: UnsafeMutableRawPointer
  ) {
    target.copyMemory(from: row, byteCount: byteCount)
    var written = 1
    while written < copies {
      let count = min(written, copies - written)
      (target + written * byteCount).copyMemory(from: target, byteCount: count * byteCount)
      written += count
    }
  }

  private static func mixedPower(
    _ left: Operand, _ right: Operand, output: Operand
  ) throws -> Kernel {
    let (type, exponent) = (left.dataType.rawValue, right.dataType.rawValue)
    try BinaryFunction.pow.require(left.dataType, right.dataType)
    let loop = StridedLoop(output.shape, [output, left, right])
    return Kernel(blocks: loop.blockCount) { invocation, block in
      let (a, b, y) = (invocation.input(0), invocation.input(1), invocation.output(0))
      loop.forEachRun(of: block) { offsets, count in
        _ = leap_pow_mixed_run(
          type, exponent, a + offsets[1], loop.runStrides[1], b + offsets[2], loop.runStrides[2],
          y + offsets[0], loop.runStrides[0], count)
      }
    }
  }

  /// Throws `OperatorError.unsupported` where there is no loop that clips elements of this type.
  package static func requireClip(_ type: DataType) throws {
    try check(leap_clip_run(type.rawValue, nil, 1, nil, nil, nil, 1, 0), "clipping \(type)")
  }

  /// y = x within the scalars that inputs 1 and 2 hold, where they are given.
  package static func clip(input: Operand, output: Operand) throws -> Kernel {
    let type = input.dataType.rawValue
    try requireClip(input.dataType)
    let loop = StridedLoop(output.shape, [output, input])
    return Kernel(blocks: loop.blockCount) { invocation, block in
      let (x, y) = (invocation.input(0), invocation.output(0))
      let (low, high) = (invocation.optionalInput(1), invocation.optionalInput(2))
      loop.forEachRun(of: block) { offsets, count in
        _ = leap_clip_run(
          type, x + offsets[1], loop.runStrides[1], low, high, y + offsets[0], loop.runStrides[0],
          count)
      }
    }
  }

  /// y = condition ? a : b, with broadcasting.
  package static func select(
    condition: Operand, _ left: Operand, _ right: Operand, output: Operand
  ) throws -> Kernel {
    let width = output.dataType.byteWidth
    try check(
      leap_where_run(width, nil, 1, nil, 1, nil, 1, nil, 1, 0),
      "selecting \(output.dataType)")
    let loop = StridedLoop(output.shape, [output, condition, left, right])
    return Kernel(blocks: loop.blockCount) { invocation, block in
      let condition = invocation.input(0).assumingMemoryBound(to: UInt8.self)
      let (a, b, y) = (invocation.input(1), invocation.input(2), invocation.output(0))
      loop.forEachRun(of: block) { offsets, count in
        _ = leap_where_run(
          width, condition + offsets[1], loop.runStrides[1], a + offsets[2], loop.runStrides[2],
          b + offsets[3], loop.runStrides[3], y + offsets[0], loop.runStrides[0], count)
      }
    }
  }

  /// Throws `OperatorError.unsupported` where there is no loop that converts elements so.
  package static func requireConversion(from: DataType, to: DataType) throws {
    try check(
      leap_convert_run(from.rawValue, to.rawValue, nil, 1, nil, 1, 0), "converting \(from) to \(to)"
    )
  }

  /// y = x in the output's element type.
  package static func convert(input: Operand, output: Operand) throws -> Kernel {
    if input.dataType == output.dataType { return try copy(input, output: output) }
    let (from, to) = (input.dataType.rawValue, output.dataType.rawValue)
    try requireConversion(from: input.dataType, to: output.dataType)
    let loop = StridedLoop(output.shape, [output, input])
    return Kernel(blocks: loop.blockCount) { invocation, block in
      let (x, y) = (invocation.input(0), invocation.output(0))
      loop.forEachRun(of: block) { offsets, count in
        _ = leap_convert_run(
          from, to, x + offsets[1], loop.runStrides[1], y + offsets[0], loop.runStrides[0], count)
      }
    }
  }

  /// y = x, for any type of whole bytes.
  package static func copy(_ input: Operand, output: Operand) throws -> Kernel {
    Kernel(phases: [try copyPhase(input, output)])
  }

  private static func copyPhase(_ input: Operand, _ output: Operand) throws -> Phase {
    let width = input.dataType.byteWidth
    guard width > 0 else {
      throw OperatorError.unsupported("there is no kernel for copying \(input.dataType)")
    }
    let loop = StridedLoop(output.shape, [output, input])
    return Phase(blockCount: loop.blockCount) { invocation, block in
      let (x, y) = (invocation.input(0), invocation.output(0))
      loop.forEachRun(of: block) { offsets, count in
        _ = leap_copy_run(
          width, x + offsets[1], loop.runStrides[1], y + offsets[0], loop.runStrides[0], count)
      }
    }
  }

  /// Output 0 is a copy of the input; output 1, where it is asked for, is one everywhere.
  package static func copyWithOnes(_ input: Operand, outputs: [Operand?]) throws -> Kernel {
    var phases: [Phase] = []
    if let output = outputs[0] { phases.append(try copyPhase(input, output)) }
    if outputs.count > 1, let ones = outputs[1] {
      let type = ones.dataType.rawValue
      try check(
        leap_convert_run(DataType.uint8.rawValue, type, nil, 1, nil, 1, 0),
        "a mask of \(ones.dataType)")
      let loop = StridedLoop(ones.shape, [ones])
      phases.append(
        Phase(blockCount: loop.blockCount) { invocation, block in
          let y = invocation.output(1)
          var one: UInt8 = 1
          loop.forEachRun(of: block) { offsets, count in
            _ = leap_convert_run(
              DataType.uint8.rawValue, type, &one, 0, y + offsets[0], loop.runStrides[0], count)
          }
        })
    }
    return Kernel(phases: phases)
  }
}
