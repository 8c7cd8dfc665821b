// CancellationState: what a Cancellation remembers: that it was used, and the runs that are under way with it.

import LeapWorkers
import Synchronization

final class CancellationState: Sendable {
  private struct State {
    var isCancelled = false
    var interrupts: [ObjectIdentifier: Interrupt] = [:]
  }
  private let state = Mutex(State())

  func cancel() {
    state.guarded { state in
      state.isCancelled = true
      for interrupt in state.interrupts.values { interrupt.cancel() }
    }
  }

  /// Ties a run to it until `detach`; one that starts after `cancel` is cancelled at once.
  func attach(_ interrupt: Interrupt) {
    state.guarded { state in
      state.interrupts[ObjectIdentifier(interrupt)] = interrupt
      if state.isCancelled { interrupt.cancel() }
    }
  }

  /// Forgets a run that has ended.
  func detach(_ interrupt: Interrupt) {
    state.guarded { $0.interrupts[ObjectIdentifier(interrupt)] = nil }
  }
}
