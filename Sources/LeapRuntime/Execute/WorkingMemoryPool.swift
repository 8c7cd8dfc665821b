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
    /// The process that these runs belong to: see `settle`.
    var generation = ForkWatch.generation

    /// Forgets the runs of a process that this one is a fork of: their threads are not here to end them.
    mutating func settle() {
      if generation == ForkWatch.generation { return }
      (inFlight, waiting, generation) = (0, 0, ForkWatch.generation)
    }

    /// Takes a place, if one is free.
    mutating func enter(_ limit: Int) -> Bool {
      settle()
      if inFlight >= limit { return false }
      inFlight += 1
      return true
    }
  }

  private let limit: Int
  private let queueLimit: Int
  private let aPlaceIsFree = DispatchSemaphore(value: 0)
  private let state = Mutex(State())
  private let ledger: MemoryLedger

  /// - Parameters:
  ///   - limit: how many runs may be in flight.
  ///   - queueLimit: how many more may wait.
  ///   - ledger: what the memory is charged to.
  package init(limit: Int, queueLimit: Int, ledger: MemoryLedger) {
    _ = ForkWatch.isRegistered
    self.ledger = ledger
    self.limit = limit
    self.queueLimit = queueLimit
  }

  /// Takes working memory, waiting for a run to end where all is taken.
  ///
  /// - Throws: `RunError.busy` where the queue is full; `.cancelled`, `.deadlineExceeded` while it waits.
  package func take(_ interrupt: Interrupt) throws -> WorkingMemory {
    if !state.guarded({ $0.enter(limit) }) {
      try enqueue()
      defer { state.guarded { $0.waiting -= 1 } }
      while !state.guarded({ $0.enter(limit) }) {
        try interrupt.poll()
        _ = aPlaceIsFree.wait(timeout: .now() + .milliseconds(2))
      }
    }
    return state.guarded { $0.idle.popLast() } ?? WorkingMemory(ledger: ledger)
  }

  private func enqueue() throws {
    try state.guarded { state in
      guard state.waiting < queueLimit else { throw RunError.busy(limit: limit + queueLimit) }
      state.waiting += 1
    }
  }

  /// Gives working memory back. While runs overlap, those to come find it in place; after the last of them one is kept for the
  /// next run, and the rest goes back to the system.
  package func giveBack(_ memory: WorkingMemory) {
    memory.settle()
    // Let go after the lock: giving memory back takes a while.
    let (surplus, isAwaited) = state.guarded { state -> (ArraySlice<WorkingMemory>, Bool) in
      state.inFlight -= 1
      state.idle.append(memory)
      guard state.inFlight == 0, state.waiting == 0 else { return ([], state.waiting > 0) }
      defer { state.idle.removeLast(state.idle.count - 1) }
      return (state.idle.dropFirst(), false)
    }
    if isAwaited { aPlaceIsFree.signal() }
    withExtendedLifetime(surplus) {}
  }

  /// Bytes that the idle memory holds.
  package var idleByteCount: Int { state.guarded { $0.idle.reduce(0) { $0 + $1.byteCount } } }
}
