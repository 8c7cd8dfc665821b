// WorkingMemoryPool: as much working memory as runs may be in flight, and a queue before it.

import Dispatch
import LeapTensors
import LeapWorkers
import Synchronization

package final class WorkingMemoryPool: Sendable {
  private struct State {
    var idle: [WorkingMemory] = []
    var inFlight = 0
    var waiting = 0
  }

  private let limit: Int
  private let queueLimit: Int
  private let places: DispatchSemaphore
  private let state = Mutex(State())
  private let ledger: MemoryLedger

  /// - Parameters:
  ///   - limit: how many runs may be in flight.
  ///   - queueLimit: how many more may wait.
  ///   - ledger: what the memory is charged to.
  package init(limit: Int, queueLimit: Int, ledger: MemoryLedger) {
    self.ledger = ledger
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
    return state.withLock { state in
      state.inFlight += 1
      return state.idle.popLast()
    } ?? WorkingMemory(ledger: ledger)
  }

  private func enqueue() throws {
    try state.withLock { state in
      guard state.waiting < queueLimit else { throw RunError.busy(limit: limit + queueLimit) }
      state.waiting += 1
    }
  }

  /// Gives working memory back. While runs overlap, those to come find it in place; after the last of them one is kept for the
  /// next run, and the rest goes back to the system.
  package func giveBack(_ memory: WorkingMemory) {
    memory.settle()
    // Let go after the lock: giving memory back takes a while.
    let surplus = state.withLock { state -> ArraySlice<WorkingMemory> in
      state.inFlight -= 1
      state.idle.append(memory)
      guard state.inFlight == 0, state.waiting == 0 else { return [] }
      defer { state.idle.removeLast(state.idle.count - 1) }
      return state.idle.dropFirst()
    }
    places.signal()
    withExtendedLifetime(surplus) {}
  }

  /// Bytes that the idle memory holds.
  package var idleByteCount: Int { state.withLock { $0.idle.reduce(0) { $0 + $1.byteCount } } }
}
