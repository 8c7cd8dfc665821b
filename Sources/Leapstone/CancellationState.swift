// CancellationState: what a Cancellation remembers: that it was used, and the run it belongs to.

import LeapWorkers
import Synchronization

final class CancellationState: Sendable {
  private struct State {
    var isCancelled = false
    var interrupt: Interrupt?
  }
  private let state = Mutex(State())

  func cancel() {
    state.withLock { state in
      state.isCancelled = true
      state.interrupt?.cancel()
    }
  }

  /// Ties a run to it; one that starts after `cancel` is cancelled at once.
  func attach(_ interrupt: Interrupt) {
    state.withLock { state in
      state.interrupt = interrupt
      if state.isCancelled { interrupt.cancel() }
    }
  }
}
