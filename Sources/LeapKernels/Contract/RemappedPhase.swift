// RemappedPhase: a kernel's phases as a part of a larger kernel, on operands of other places.

import LeapTensors

/// Where an operand of a part of a kernel lies.
package enum OperandPlace: Sendable {
  /// An input, or an output, so many bytes from its start.
  case input(Int, offset: Int = 0)
  case output(Int, offset: Int = 0)
  /// So many bytes into the scratch that workers share.
  case shared(Int)

  func address(_ invocation: Invocation) -> UnsafeMutableRawPointer {
    switch self {
    case .input(let index, let offset):
      UnsafeMutableRawPointer(mutating: invocation.input(index) + offset)
    case .output(let index, let offset): invocation.output(index) + offset
    case .shared(let offset): invocation.sharedScratch + offset
    }
  }
}

extension Kernel {
  /// The kernel's phases, reading and writing elsewhere.
  ///
  /// - Parameters:
  ///   - inputs: one for each of the kernel's inputs.
  ///   - outputs: likewise.
  ///   - shared: where its shared scratch begins, in bytes, in that of the whole.
  package func remapped(
    inputs: [OperandPlace], outputs: [OperandPlace], shared: Int = 0
  ) -> [Phase] {
    let places = inputs + outputs
    return phases.map { phase in
      Phase(blockCount: phase.blockCount) { invocation, block in
        try withUnsafeTemporaryAllocation(
          of: UnsafeMutableRawPointer?.self, capacity: places.count
        ) { operands in
          for (index, place) in places.enumerated() {
            operands.initializeElement(at: index, to: place.address(invocation))
          }
          let inner = Invocation(
            operands: UnsafePointer(operands.baseAddress!), inputCount: inputs.count,
            scratch: invocation.scratch, sharedScratch: invocation.sharedScratch + shared)
          try phase.body(inner, block)
        }
      }
    }
  }
}
