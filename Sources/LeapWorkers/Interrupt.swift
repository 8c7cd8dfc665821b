// Interrupt: how a run that is under way is told to stop, by its caller or by the clock.
//
// 1. Asking costs next to nothing, for every block that is handed out asks.
// 2. It never goes back: once a run is cancelled, or its deadline has passed, every later poll
//    throws.

import LeapTensors
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// Nanoseconds of a clock that never goes back and is not set by anyone.
package func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
}

/// A run's cancellation flag and, where it has one, its deadline.
package final class Interrupt: Sendable {
  /// When the run must end, by `monotonicNanoseconds()`; nil: it may take as long as it takes.
  package let deadline: UInt64?
  private let isCancelledFlag = Atomic<Bool>(false)

  package init(deadline: UInt64? = nil) {
    self.deadline = deadline
  }

  /// An interrupt whose deadline is `timeout` from now. A negative timeout has passed already.
  package convenience init(timeout: Duration) {
    let (seconds, attoseconds) = max(timeout, .zero).components
    let (whole, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    let part = UInt64(attoseconds / 1_000_000_000)
    let (deadline, tooFar) = monotonicNanoseconds().addingReportingOverflow(
      overflow ? .max : whole + part)
    self.init(deadline: tooFar ? .max : deadline)
  }

  /// Asks the run to stop at its next block. May be called from any thread, any number of times.
  package func cancel() {
    // Relaxed: the flag publishes nothing but itself.
    isCancelledFlag.store(true, ordering: .relaxed)
  }

  package var isCancelled: Bool { isCancelledFlag.load(ordering: .relaxed) }

  /// Throws where the run must stop.
  ///
  /// - Throws: `RunError.cancelled` or `RunError.deadlineExceeded`.
  package func poll() throws {
    if isCancelled { throw RunError.cancelled }
    if let deadline, monotonicNanoseconds() >= deadline { throw RunError.deadlineExceeded }
  }
}
