// BLASThreads: OpenBLAS on one thread while a session runs, and as the host program had set it when none does.
//
// OpenBLAS 0.3.21 has one thread count for the whole process, so runs are counted: the first to come in saves the
// host's figure, the last to leave puts it back.

import CLeapBLAS
import LeapWorkers
import Synchronization

package enum BLASThreads {
  private struct State {
    var runs = 0
    var hostThreads: Int32 = 1
  }
  private static let state = Mutex(State())

  /// Begins a run: OpenBLAS computes on the calling thread alone until the matching `leave`.
  package static func enter() {
    state.guarded { state in
      if state.runs == 0 {
        state.hostThreads = openblas_get_num_threads()
        if state.hostThreads != 1 { openblas_set_num_threads(1) }
      }
      state.runs += 1
    }
  }

  /// Ends a run.
  package static func leave() {
    state.guarded { state in
      precondition(state.runs > 0, "leave without enter")
      state.runs -= 1
      if state.runs == 0 && state.hostThreads != 1 { openblas_set_num_threads(state.hostThreads) }
    }
  }
}
