// PlainPrologue: a convolution in the plain layout whose input is scaled, shifted and clipped first, into scratch.

import CLeapKernels
import LeapTensors

package enum PlainPrologue {
  /// The kernel that `make` makes, with the request's prologue before it; just that kernel where there is none.
  ///
  /// - Throws: `OperatorError` for an input that is not float32, and what `make` throws.
  package static func kernel(
    _ request: KernelRequest, _ make: (KernelRequest) throws -> Kernel
  ) throws -> Kernel {
    guard let prologue = request.prologue else { return try make(request) }
    let x = try request.requiredInput(0)
    guard x.dataType == .float32, let strides = x.strides else {
      throw OperatorError("a prologue on \(x.dataType)")
    }
    var bare = request
    bare.inputs[0] = Operand(x.dataType, x.shape)
    let kernel = try make(bare)
    let (pixels, channels) = (x.shape.inner(from: 2), x.shape[1])
    let own = (x.shape.elementCount * 4 + 63) / 64 * 64
    let operandCount = request.inputs.count + request.outputs.count
    let first = Phase(blockCount: x.shape[0] * channels) { invocation, plane in
      let (image, channel) = plane.quotientAndRemainder(dividingBy: channels)
      func number(_ input: Int) -> Float {
        invocation.input(input).assumingMemoryBound(to: Float.self)[channel]
      }
      leap_scale_shift_clip(
        number(prologue.scaleInput), number(prologue.shiftInput), prologue.minimum,
        prologue.maximum,
        invocation.input(0).assumingMemoryBound(to: Float.self) + image * strides[0]
          + channel * strides[1],
        invocation.sharedScratch.assumingMemoryBound(to: Float.self) + plane * pixels, pixels)
    }
    let rest = kernel.phases.map { phase in
      Phase(blockCount: phase.blockCount) { invocation, block in
        try withUnsafeTemporaryAllocation(
          of: UnsafeMutableRawPointer?.self, capacity: operandCount
        ) { operands in
          for index in 0..<operandCount {
            operands.initializeElement(
              at: index, to: index == 0 ? invocation.sharedScratch : invocation.operands[index])
          }
          try phase.body(
            Invocation(
              operands: UnsafePointer(operands.baseAddress!), inputCount: invocation.inputCount,
              scratch: invocation.scratch, sharedScratch: invocation.sharedScratch + own), block)
        }
      }
    }
    return Kernel(
      phases: [first] + rest, scratchPerWorker: kernel.scratchPerWorker,
      sharedScratch: own + kernel.sharedScratch)
  }
}
