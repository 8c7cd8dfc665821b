// WorkingMemory: what one run works in, charged to the session before it is taken.

import LeapTensors

/// The arena and the scratch of a run, kept for the next one. Not shared between runs that overlap in time.
package final class WorkingMemory: @unchecked Sendable {
  private(set) var arena: TensorStorage?
  private(set) var scratch: TensorStorage?
  /// What the run in flight makes besides: its results, and what hosts make.
  private var results = 0
  /// What runs of graphs left for those that follow.
  private var spares = SpareMemory()
  /// How many graphs the node is in that runs now: 0 in the graph of the program itself.
  private(set) var depth = 0
  private let ledger: MemoryLedger
  private var charged = 0

  package init(ledger: MemoryLedger) { self.ledger = ledger }

  deinit { ledger.release(charged) }

  /// Bytes of arena and scratch that it holds now.
  package var byteCount: Int { (arena?.byteCount ?? 0) + (scratch?.byteCount ?? 0) }

  /// Makes sure of at least this much memory, and charges results that the caller is about to allocate. What is there is
  /// kept where it is enough.
  ///
  /// - Throws: `RunError.overBudget` before anything is taken; `ModelError.outOfMemory`.
  func reserve(arena arenaBytes: Int, scratch scratchBytes: Int, results resultBytes: Int) throws {
    let parts = [
      max(arenaBytes - (arena?.byteCount ?? 0), 0),
      max(scratchBytes - (scratch?.byteCount ?? 0), 0), resultBytes,
    ]
    try charge(parts.reduce(0, saturatingSum))
    results += resultBytes
    do {
      try grow(&arena, to: arenaBytes)
      try grow(&scratch, to: scratchBytes)
    } catch {
      balance()
      throw error
    }
  }

  /// Begins a node that runs graphs.
  func beginBodies() { depth += 1 }

  /// Ends it: what its graphs' runs left for each other goes.
  func endBodies() {
    spares.drop(depth: depth)
    depth -= 1
    balance()
  }

  /// Begins a run of a graph, and gives its number.
  func beginRun() -> Int { spares.beginRun() }

  /// Ends a run of a graph: of what was left before it, it took what it could use.
  func endRun(_ number: Int) { spares.drop(depth: depth, before: number) }

  /// Keeps memory that nobody holds any more for the runs that follow.
  func keep(_ storage: TensorStorage) { spares.keep(storage, depth: depth) }

  /// Memory for a result of so many bytes that an earlier run left, which is accounted for already; nil where there is none.
  func takeSpare(byteCount: Int) -> TensorStorage? {
    guard let storage = spares.take(byteCount: byteCount) else { return nil }
    results += byteCount
    return storage
  }

  /// Charges what a host makes.
  ///
  /// - Throws: `RunError.overBudget`.
  func chargeResults(_ bytes: Int) throws {
    try charge(bytes)
    results += bytes
  }

  /// Bytes that the run in flight has made besides, as far as they are still accounted.
  var resultBytes: Int { results }

  /// Accounts for so many bytes of results: the others are given back.
  func settle(results bytes: Int) {
    results = bytes
    balance()
  }

  /// Ends a run's account: what it made belongs to who asked for it.
  func settle() { settle(results: 0) }

  private func charge(_ bytes: Int) throws {
    do { try ledger.charge(bytes) } catch {
      guard spares.byteCount > 0 else { throw error }
      spares.drop(depth: 0)
      balance()
      try ledger.charge(bytes)
    }
    charged += bytes
  }

  /// Gives back what is charged beyond what there is.
  private func balance() {
    let held = byteCount + results + spares.byteCount
    ledger.release(charged - held)
    charged = held
  }

  private func grow(_ buffer: inout TensorStorage?, to bytes: Int) throws {
    if let buffer, buffer.byteCount >= bytes { return }
    // The old one goes first: both need not fit at once.
    buffer = nil
    buffer = try TensorStorage(lasting: bytes)
  }
}
