// Team: the workers of one run, which go from region to region together.
//
// 1. The caller never waits for a helper that has not joined the region: whatever the system does
//    with the helpers' threads, a run ends, and any number of workers from 1 to the width gives the
//    same answer.
// 2. Going from one region to the next costs a few atomic operations: a worker that waits spins for
//    a bounded time, then parks.
// 3. Nothing is allocated between `enlist` and `finish`.
//
// A region is a number of blocks, a share of them for each worker, handed out in ascending order by
// atomic counters; who is done with the own share helps with those of the others. The caller opens
// it, helpers that see it open join it at any moment, and whoever finds no block left closes it. It
// is over when it is closed and the helpers that joined have left. All of that happens in one word
// (`TeamState`), which after the team is made is changed by read-modify-write operations
// alone. So all of them that follow a release of that word belong to its release sequence, and:
//   - opening releases and joining acquires: a helper sees the region's numbers and what the caller
//     computed before;
//   - leaving releases and the caller's look at the word after closing acquires: it sees what the
//     helpers computed;
//   - everything else (attending, parking, being dismissed) publishes nothing and is relaxed.

import Dispatch
import LeapTensors
import Synchronization

/// What a team executes.
package protocol ParallelProgram: AnyObject, Sendable {
  /// Executes one block of a region.
  ///
  /// - Parameters:
  ///   - region: the number that the caller of `Team.run` passed.
  ///   - block: from 0 to the region's block count.
  ///   - worker: who executes it, from 0 to the width that was asked for; no two threads have the
  ///     same at a time.
  func perform(region: Int, block: Int, worker: Int) throws
}

/// The caller of a run, as worker 0, and the helpers that come to its aid.
///
/// A team is used by the thread that enlisted it; it must be finished.
package final class Team: Sendable {
  /// Runs of less estimated work than this go on alone: helpers would come when they are over.
  package static let smallestWork: Double = 100_000

  private let state = Atomic<UInt64>(0)
  // Written by the caller while the region is closed and nobody is in it, read by those who joined.
  private let region = Atomic<Int>(0)
  private let blockCount = Atomic<Int>(0)
  /// Whether helpers were woken before, in this run.
  private let hasWoken = Atomic<Bool>(false)
  private nonisolated(unsafe) var program: (any ParallelProgram)?

  private let interrupt: Interrupt?
  private let helpers: [Helper]
  private let executed: [PaddedCounter]
  private let failure = Mutex<Failure?>(nil)
  private let helpersMayGoOn = DispatchSemaphore(value: 0)
  private let regionIsOver = DispatchSemaphore(value: 0)
  /// The next block of each worker's share.
  private let nextBlocks: [PaddedCounter]
  /// The lowest block that has thrown.
  private let firstFailure = Atomic<Int>(.max)

  private struct Failure {
    var block: Int
    var error: any Error
  }

  private init(
    program: any ParallelProgram, interrupt: Interrupt?, helpers: [Helper]
  ) {
    self.program = program
    self.interrupt = interrupt
    self.helpers = helpers
    executed = (0...helpers.count).map { _ in PaddedCounter() }
    nextBlocks = (0...helpers.count).map { _ in PaddedCounter() }
  }

  /// Enlists the helpers of one run. Returns at once: they come when the system gives them threads.
  ///
  /// - Parameters:
  ///   - width: how many workers there are to be, the caller among them.
  ///   - program: what they execute. Released by `finish`.
  ///   - interrupt: polled before every block.
  ///   - estimatedNanoseconds: how long the run takes on one core. Nobody is enlisted for less than
  ///     `smallestWork`.
  package static func enlist(
    width: Int, program: any ParallelProgram, interrupt: Interrupt? = nil,
    estimatedNanoseconds: Double = .infinity
  ) -> Team {
    ProcessBudget.enter()
    let isAlone =
      width <= 1 || estimatedNanoseconds < smallestWork || !ForkWatch.isRegistered
      || ForkWatch.isForkedChild
    let helpers = isAlone ? [] : HelperPool.take(min(width, TeamState.maximalWidth) - 1)
    let team = Team(program: program, interrupt: interrupt, helpers: helpers)
    for (index, helper) in helpers.enumerated() { helper.assign(to: team, worker: index + 1) }
    return team
  }

  /// The most workers that may execute blocks: at most the width that was asked for.
  package var width: Int { executed.count }

  /// How many blocks each worker has executed so far, by worker. Exact between regions.
  package var blocksPerWorker: [Int] { executed.map { $0.value.load(ordering: .relaxed) } }

  /// Executes the blocks of a region and returns when all are done. Allocates nothing.
  ///
  /// - Throws: what `perform` or the interrupt threw; where several blocks throw, the error of the
  ///   lowest one, which is the one that a single worker would have met. Once a block has thrown no
  ///   further ones are handed out, and all workers have left the region before this rethrows.
  package func run(region: Int, blockCount: Int) throws {
    guard let program else { preconditionFailure("a team that is finished runs nothing") }
    if blockCount <= 1 || helpers.isEmpty || ForkWatch.isForkedChild {
      return try runAlone(program, region: region, blockCount: blockCount)
    }
    self.region.store(region, ordering: .relaxed)
    self.blockCount.store(blockCount, ordering: .relaxed)
    for (share, next) in nextBlocks.enumerated() {
      next.value.store(share * blockCount / width, ordering: .relaxed)
    }
    firstFailure.store(.max, ordering: .relaxed)
    open(blockCount: blockCount)
    executeBlocks(worker: 0)
    try close()
    // Nobody is in the region: who stored a failure has left, and its release made it visible.
    let failed = failure.guarded { failure in
      defer { failure = nil }
      return failure
    }
    if let failed { throw failed.error }
  }

  /// Ends the run: no helper executes anything any more, and those that never came are not waited
  /// for.
  ///
  /// Helpers that have come are told to leave and do so on their own; between regions they hold
  /// nothing but the team itself.
  package func finish() {
    guard program != nil else { return }
    program = nil
    ProcessBudget.leave()
    if helpers.isEmpty || ForkWatch.isForkedChild { return }
    let before = TeamState(word: state.bitwiseOr(TeamState.dismissed, ordering: .relaxed).oldValue)
    wake(before.parked)
    ProcessBudget.enter(before.parked)
    for helper in helpers where helper.cancel(self) { HelperPool.giveBack(helper) }
  }

  private func runAlone(_ program: any ParallelProgram, region: Int, blockCount: Int) throws {
    var block = 0
    defer { executed[0].value.wrappingAdd(block, ordering: .relaxed) }
    while block < blockCount {
      try interrupt?.poll()
      try program.perform(region: region, block: block, worker: 0)
      block += 1
    }
  }
}

// MARK: - The caller's side

extension Team {
  /// Opens the region whose numbers are stored, and wakes parked helpers where there are blocks and
  /// processors for them.
  private func open(blockCount: Int) {
    let before = TeamState(
      word: state.bitwiseOr(TeamState.open, ordering: .releasing).oldValue)
    precondition(!before.isOpen && before.active == 0, "a team runs one region at a time")
    let awake = before.attending - before.parked
    let wanted = min(before.parked, blockCount - 1 - awake)
    guard wanted > 0 else { return }
    // Helpers that came before the first region get their turn, however busy the process is.
    if hasWoken.exchange(true, ordering: .relaxed) {
      wake(ProcessBudget.admit(wanted, width: width))
    } else {
      ProcessBudget.enter(wanted)
      wake(wanted)
    }
  }

  /// Lets `count` of the parked helpers go on. They are in the process's budget already.
  private func wake(_ count: Int) {
    guard count > 0 else { return }
    // Only the caller lowers the count, so at least as many are parked still; each will take
    // exactly one of the signals.
    state.wrappingSubtract(UInt64(count) * TeamState.oneParked, ordering: .relaxed)
    for _ in 0..<count { helpersMayGoOn.signal() }
  }

  /// Closes the region and waits until all who joined it have left.
  ///
  /// - Throws: `OperatorError` in the child of a fork that happened inside the region: its helpers
  ///   took blocks with them.
  private func close() throws {
    var now = TeamState(
      word: state.bitwiseAnd(~TeamState.open, ordering: .acquiring).newValue)
    var spin = Spin()
    while now.active > 0 {
      if ForkWatch.isForkedChild {
        throw OperatorError("the process was forked inside the region: its helpers are gone")
      }
      guard spin.once() else { return waitForHelpers() }
      now = TeamState(word: state.load(ordering: .acquiring))
    }
  }

  /// Sleeps until the last helper has left the closed region.
  private func waitForHelpers() {
    let before = TeamState(
      word: state.bitwiseOr(TeamState.callerWaits, ordering: .relaxed).oldValue)
    // Nobody joins a closed region: exactly one helper is the last to leave it, and if it has not
    // done so yet it sees the mark.
    if before.active > 0 { regionIsOver.wait() }
    state.bitwiseAnd(~TeamState.callerWaits, ordering: .acquiring)
  }
}

// MARK: - The helpers' side

extension Team {
  /// What a helper does from when it comes until it is dismissed.
  func serve(worker: Int) {
    ProcessBudget.enter()
    state.wrappingAdd(TeamState.oneAttending, ordering: .relaxed)
    while joinNextRegion() {
      executeBlocks(worker: worker)
      leaveRegion()
    }
    state.wrappingSubtract(TeamState.oneAttending, ordering: .relaxed)
    ProcessBudget.leave()
  }

  /// Waits for a region that is open and joins it. False when the run is over.
  private func joinNextRegion() -> Bool {
    var spin = Spin()
    while true {
      let now = TeamState(word: state.load(ordering: .relaxed))
      if now.isDismissed { return false }
      if now.isOpen {
        let joined = now.word &+ TeamState.oneActive
        if state.weakCompareExchange(expected: now.word, desired: joined, ordering: .acquiring)
          .exchanged
        {
          return true
        }
      } else if !spin.once() {
        // The word is what it was, so the region is still closed, and whoever opens the next one
        // sees this helper parked.
        let asleep = now.word &+ TeamState.oneParked
        guard
          state.weakCompareExchange(expected: now.word, desired: asleep, ordering: .relaxed)
            .exchanged
        else { continue }
        ProcessBudget.leave()
        helpersMayGoOn.wait()
        spin = Spin()
      }
    }
  }

  private func leaveRegion() {
    // All blocks are handed out. The region cannot be a later one: the caller does not go on while
    // this helper is in it.
    state.bitwiseAnd(~TeamState.open, ordering: .relaxed)
    let before = TeamState(
      word: state.wrappingSubtract(TeamState.oneActive, ordering: .releasing).oldValue)
    if before.active == 1 && before.callerWaits { regionIsOver.signal() }
  }
}

// MARK: - Both sides

extension Team {
  /// Takes blocks, executes them, and goes on until none is left or one has thrown.
  ///
  /// First those of the worker's own share, then what others have left of theirs: in regions that follow each other
  /// a worker finds much of what it reads in its own cache, since it wrote that itself.
  private func executeBlocks(worker: Int) {
    guard let program else { return }
    let region = region.load(ordering: .relaxed)
    let blockCount = blockCount.load(ordering: .relaxed)
    var count = 0
    for turn in 0..<width {
      let share = (worker + turn) % width
      let end = (share + 1) * blockCount / width
      while true {
        // Relaxed: that no two workers take the same block follows from the operation being atomic,
        // and what blocks read and write is published by opening and leaving.
        let block = nextBlocks[share].value.wrappingAdd(1, ordering: .relaxed).oldValue
        // Blocks below one that threw are executed, so that the error does not depend on who was faster.
        if block >= min(end, firstFailure.load(ordering: .relaxed)) { break }
        do {
          try interrupt?.poll()
          try program.perform(region: region, block: block, worker: worker)
          count += 1
        } catch {
          fail(block: block, error: error)
          break
        }
      }
    }
    executed[worker].value.wrappingAdd(count, ordering: .relaxed)
  }

  /// Ends the hand-out of higher blocks, and keeps the error if no lower block has thrown.
  private func fail(block: Int, error: any Error) {
    firstFailure.min(block, ordering: .relaxed)
    failure.guarded { failure in
      if failure.map({ block < $0.block }) ?? true { failure = Failure(block: block, error: error) }
    }
  }
}

/// A counter that shares no cache line, nor the neighbour that is fetched with it, with anything
/// that is written.
private final class PaddedCounter: Sendable {
  private typealias Line = (Int, Int, Int, Int, Int, Int, Int, Int)
  private let before: (Line, Line) = zeroLines
  let value = Atomic<Int>(0)
  private let after: (Line, Line) = zeroLines

  private static var zeroLines: (Line, Line) {
    let line = (0, 0, 0, 0, 0, 0, 0, 0)
    return (line, line)
  }
}
