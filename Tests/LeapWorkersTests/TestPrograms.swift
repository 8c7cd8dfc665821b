// Programs that the tests of the workers execute.

import LeapWorkers
import Synchronization
import Testing

/// One test at a time: several of these measure, or fill the machine.
@Suite(.serialized, .timeLimit(.minutes(10)))
enum Serially {}

/// Counts how often each block of each region is executed.
final class CountingProgram: ParallelProgram {
  private let counts: [[CountedBlock]]
  private let largest = Atomic<Int>(0)

  /// Atomics cannot lie in an array themselves.
  private final class CountedBlock: Sendable { let executions = Atomic<Int>(0) }

  init(blockCounts: [Int]) {
    counts = blockCounts.map { (0..<$0).map { _ in CountedBlock() } }
  }

  func perform(region: Int, block: Int, worker: Int) {
    counts[region][block].executions.wrappingAdd(1, ordering: .relaxed)
    largest.max(worker, ordering: .relaxed)
  }

  /// How often each block of a region was executed.
  func executions(region: Int) -> [Int] {
    counts[region].map { $0.executions.load(ordering: .relaxed) }
  }

  /// The largest worker number that was met.
  var largestWorker: Int { largest.load(ordering: .relaxed) }
}

/// Computes for a while in each block, without sleeping, and counts the blocks.
final class BusyProgram: ParallelProgram {
  let nanoseconds: UInt64
  let executed = Atomic<Int>(0)

  init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  func perform(region: Int, block: Int, worker: Int) {
    spin(nanoseconds: nanoseconds)
    executed.wrappingAdd(1, ordering: .relaxed)
  }
}

/// Executes a closure for each block.
final class ClosureProgram: ParallelProgram {
  private let body: @Sendable (_ region: Int, _ block: Int, _ worker: Int) throws -> Void

  init(_ body: @escaping @Sendable (_ region: Int, _ block: Int, _ worker: Int) throws -> Void) {
    self.body = body
  }

  func perform(region: Int, block: Int, worker: Int) throws { try body(region, block, worker) }
}

/// Keeps the processor busy.
func spin(nanoseconds: UInt64) {
  let end = monotonicNanoseconds() + nanoseconds
  while monotonicNanoseconds() < end {}
}

/// How long something takes.
func nanoseconds(_ body: () throws -> Void) rethrows -> UInt64 {
  let start = monotonicNanoseconds()
  try body()
  return monotonicNanoseconds() - start
}

/// Enlists a team for a program, executes regions of `blockCounts` blocks, and says which worker
/// executed how many.
@discardableResult
func runTeam(
  width: Int, _ program: any ParallelProgram, blockCounts: [Int], interrupt: Interrupt? = nil
) throws -> [Int] {
  let team = Team.enlist(width: width, program: program, interrupt: interrupt)
  defer { team.finish() }
  for (region, blockCount) in blockCounts.enumerated() {
    try team.run(region: region, blockCount: blockCount)
  }
  return team.blocksPerWorker
}

/// Executes `region` again and again until a helper has executed a block of it, 5 s at most: what
/// comes after it is not over before the helpers have come.
func runUntilHelped(_ team: Team, region: Int, blockCount: Int) throws {
  let end = monotonicNanoseconds() + 5_000_000_000
  while team.blocksPerWorker.dropFirst().allSatisfy({ $0 == 0 }) {
    try team.run(region: region, blockCount: blockCount)
    if monotonicNanoseconds() > end { throw NobodyHelped() }
  }
}

/// No helper came in all the time it had.
struct NobodyHelped: Error {}
