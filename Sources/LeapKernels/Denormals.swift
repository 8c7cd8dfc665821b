// Denormals: whether the calling thread computes with floats below the normal range or takes them for zero.

import CLeapKernels

package enum Denormals {
  /// Has the calling thread take denormal floats for zero, as operands and as results.
  ///
  /// - Returns: what `restore` needs to put things back.
  package static func flush() -> UInt64 { leap_denormals_flush() }

  /// Puts back what `flush` changed, on the same thread.
  package static func restore(_ control: UInt64) { leap_denormals_restore(control) }
}
