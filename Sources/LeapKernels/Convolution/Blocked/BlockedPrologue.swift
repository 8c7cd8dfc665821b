// BlockedPrologue: what a convolution does to blocked pixels while it copies or transforms them.

import CLeapKernels
import LeapTensors

struct BlockedPrologue: Sendable {
  private let prologue: Prologue?
  private let width: Int

  /// Scale and shift of the request are packed to the slots of input 0.
  init(_ request: KernelRequest, width: Int) {
    prologue = request.prologue
    self.width = width
  }

  /// The prologue for C, from a group on.
  func bound(_ invocation: Invocation, group: Int) -> leap_prologue {
    guard let prologue else { return leap_prologue(scale: nil, shift: nil, low: 0, high: 0) }
    func numbers(_ input: Int) -> UnsafePointer<Float> {
      invocation.input(input).assumingMemoryBound(to: Float.self) + group * width
    }
    return leap_prologue(
      scale: numbers(prologue.scaleInput), shift: numbers(prologue.shiftInput),
      low: prologue.minimum, high: prologue.maximum)
  }
}
