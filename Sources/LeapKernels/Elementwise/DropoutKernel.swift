// DropoutKernel: dropout in training. Numbers are drawn one after the other, so that there is one block.

import CLeapKernels
import LeapTensors

package enum DropoutKernel {
  /// y = x / (1 - ratio) where a number drawn from 0..<1 is at least the ratio, else 0: input 0 to output 0, which may lie in one
  /// place. Output 1, bool, says where; it may be left out.
  ///
  /// - Parameters:
  ///   - hasMask: whether output 1 is there.
  ///   - ratio: in 0..<1.
  ///   - seed: of NumPy's legacy generator; nil for other numbers in each run.
  /// - Throws: `OperatorError` for a type other than float32 and float64.
  package static func kernel(
    _ input: Operand, hasMask: Bool, ratio: Double, seed: UInt32?
  ) throws -> Kernel {
    guard [.float32, .float64].contains(input.dataType) else {
      throw OperatorError("elements are \(input.dataType); expected float32 or float64")
    }
    let (type, count) = (input.dataType.rawValue, input.shape.elementCount)
    return Kernel(
      blocks: count == 0 ? 0 : 1, scratchPerWorker: MemoryLayout<leap_twister>.stride
    ) { invocation, _ in
      let twister = invocation.scratch.assumingMemoryBound(to: leap_twister.self)
      leap_twister_seed(twister, seed ?? .random(in: .min ... .max))
      let kept = hasMask ? invocation.output(1).assumingMemoryBound(to: UInt8.self) : nil
      leap_dropout_run(
        type, invocation.input(0), invocation.output(0), kept, count, ratio, twister)
    }
  }
}
