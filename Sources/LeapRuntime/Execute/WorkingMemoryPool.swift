// WorkingMemoryPool: as much working memory as runs may be in flight, and a queue before it.

import Dispatch
import LeapTensors
import LeapWorkers
import Synchronization

package final class WorkingMemoryPool: Sendable {
  private struct State {
    var idle: [WorkingMemory] = []
    var waiting = 0
  }

  private let limit: Int
  private let queueLimit: Int
  private let places: DispatchSemaphore
  private let state = Mutex(State())

  /// - Parameters:
  ///   - limit: how many runs may be in flight.
  ///   - queueLimit: how many more may wait.
  package init(limit: Int, queueLimit: Int) {
    self.limit = limit
    self.queueLimit = queueLimit
    places = DispatchSemaphore(value: limit)
  }

  /// Takes working memory, waiting for a run to end where all is taken.
  ///
  /// - Throws: `RunError.busy` where the queue is full; `.cancelled`, `.deadlineExceeded` while it waits.
  package func take(_ interrupt: Interrupt) throws -> WorkingMemory {
    if places.wait(timeout: .now()) != .success {
      try enqueue()
      defer { state.withLock { $0.waiting -= 1 } }
      while places.wait(timeout: .now() + .milliseconds(2)) != .success { try interrupt.poll() }
    }
    return state.withLock { $0.idle.popLast() } ?? WorkingMemory()
  }

  private func enqueue() throws {
    try state.withLock { state in
      guard state.waiting < queueLimit else { throw RunError.busy(limit: limit + queueLimit) }
      state.waiting += 1
    }
  }

  /// Gives working memory back. One is kept for the next run; what is idle beyond that goes back to the system.
  package func giveBack(_ memory: WorkingMemory) {
    state.withLock { state in
      if state.idle.isEmpty { state.idle.append(memory) }
    }
    places.signal()
  }
}
