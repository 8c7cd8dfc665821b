// What a team promises: every block once, the right error, and no run that waits for somebody who
// does not come.

import Dispatch
import LeapTensors
import LeapWorkers
import Synchronization
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

struct TestError: Error, Equatable { var block: Int }

extension Serially {
  struct TeamTests {
    @Test(arguments: [1, 2, 3, 8])
    func executesEveryBlockOnce(width: Int) throws {
      var random = SystemRandomNumberGenerator()
      let blockCounts = (0..<4000).map { _ in Int.random(in: 0...40, using: &random) }
      let program = CountingProgram(blockCounts: blockCounts + [width])
      let team = Team.enlist(width: width, program: program)
      defer { team.finish() }
      if width > 1 { try runUntilHelped(team, region: 4000, blockCount: width) }
      let before = team.blocksPerWorker.reduce(0, +)
      for (region, blockCount) in blockCounts.enumerated() {
        try team.run(region: region, blockCount: blockCount)
      }
      for (region, blockCount) in blockCounts.enumerated() {
        #expect(program.executions(region: region) == Array(repeating: 1, count: blockCount))
      }
      #expect(team.blocksPerWorker.reduce(0, +) == before + blockCounts.reduce(0, +))
      #expect(team.width <= width)
      #expect(program.largestWorker < width)
    }

    @Test func regionsSeeWhatRegionsBeforeThemWrote() throws {
      // Each block of a region adds up what all blocks of the region before wrote. Plain memory:
      // only the team's barriers order it, which is also what a run under the thread sanitizer
      // looks at.
      let blocks = 16
      let cells = UnsafeMutablePointer<Int>.allocate(capacity: 2 * blocks)
      defer { cells.deallocate() }
      cells.initialize(repeating: 1, count: 2 * blocks)
      let address = UInt(bitPattern: cells)
      let program = ClosureProgram { region, block, _ in
        guard region >= 0 else { return }
        let cells = UnsafeMutablePointer<Int>(bitPattern: address)!
        let (source, target) = region % 2 == 0 ? (0, blocks) : (blocks, 0)
        var sum = 0
        for index in 0..<blocks { sum += cells[source + index] }
        cells[target + block] = sum % 1009
      }
      let team = Team.enlist(width: 4, program: program)
      defer { team.finish() }
      try runUntilHelped(team, region: -1, blockCount: blocks)
      let regions = 30_001
      for region in 0..<regions { try team.run(region: region, blockCount: blocks) }
      let expected = (0..<regions).reduce(1) { value, _ in value * blocks % 1009 }
      #expect((0..<blocks).map { cells[blocks + $0] } == Array(repeating: expected, count: blocks))
    }

    @Test func twoWorkersExecuteBlocksWhereTwoWereAskedFor() throws {
      let byWorker = try runTeam(
        width: 2, BusyProgram(nanoseconds: 2_000_000), blockCounts: [50, 50])
      #expect(byWorker.count == 2)
      #expect(byWorker.allSatisfy { $0 > 0 }, "blocks by worker: \(byWorker)")
    }

    @Test func smallRunsEnlistNobody() throws {
      let program = BusyProgram(nanoseconds: 1000)
      let team = Team.enlist(width: 8, program: program, estimatedNanoseconds: 99_000)
      defer { team.finish() }
      try team.run(region: 0, blockCount: 20)
      #expect(team.blocksPerWorker == [20])
    }

    @Test(arguments: [1, 2, 8])
    func rethrowsTheErrorOfTheLowestBlock(width: Int) throws {
      for lowest in [0, 1, 7, 30] {
        let program = ClosureProgram { _, block, _ in
          spin(nanoseconds: 20_000)
          if block >= lowest { throw TestError(block: block) }
        }
        let team = Team.enlist(width: width, program: program)
        defer { team.finish() }
        for _ in 0..<20 {
          #expect(throws: TestError(block: lowest)) { try team.run(region: 0, blockCount: 40) }
        }
      }
    }

    @Test func anErrorStopsTheHandOutAndTheTeamGoesOn() throws {
      let executed = Atomic<Int>(0)
      let inside = Atomic<Int>(0)
      let program = ClosureProgram { region, block, _ in
        inside.wrappingAdd(1, ordering: .relaxed)
        defer { inside.wrappingSubtract(1, ordering: .relaxed) }
        spin(nanoseconds: 50_000)
        executed.wrappingAdd(1, ordering: .relaxed)
        if region == 0, block == 3 { throw TestError(block: block) }
      }
      let team = Team.enlist(width: 2, program: program)
      defer { team.finish() }
      // Blocks for most of a minute: how many the other worker takes until the hand-out ends is the machine's affair.
      let blocks = 1_000_000
      #expect(throws: TestError(block: 3)) { try team.run(region: 0, blockCount: blocks) }
      #expect(inside.load(ordering: .relaxed) == 0)
      let before = executed.load(ordering: .relaxed)
      #expect(before < blocks / 2)
      try team.run(region: 1, blockCount: 10)
      #expect(executed.load(ordering: .relaxed) == before + 10)
    }

    @Test(arguments: [1, 4])
    func cancellationStopsARun(width: Int) throws {
      let interrupt = Interrupt()
      let program = BusyProgram(nanoseconds: 1_000_000)
      DispatchQueue(label: "canceller").asyncAfter(deadline: .now() + .milliseconds(20)) {
        interrupt.cancel()
      }
      let error = #expect(throws: RunError.self) {
        try runTeam(width: width, program, blockCounts: [100_000], interrupt: interrupt)
      }
      guard case .cancelled = error else {
        Issue.record("expected cancelled, got \(String(describing: error))")
        return
      }
      #expect(program.executed.load(ordering: .relaxed) < 10_000)
    }

    @Test(arguments: [1, 4])
    func aDeadlineStopsARun(width: Int) throws {
      let program = BusyProgram(nanoseconds: 1_000_000)
      let interrupt = Interrupt(timeout: .milliseconds(20))
      var error: RunError?
      let taken = nanoseconds {
        error = #expect(throws: RunError.self) {
          try runTeam(width: width, program, blockCounts: [100_000], interrupt: interrupt)
        }
      }
      guard case .deadlineExceeded = error else {
        Issue.record("expected deadlineExceeded, got \(String(describing: error))")
        return
      }
      #expect(taken >= 20_000_000)
      #expect(taken < 2_000_000_000)
    }

    @Test func aFinishedTeamReleasesItsProgram() throws {
      weak var program: BusyProgram?
      let team: Team
      do {
        let busy = BusyProgram(nanoseconds: 100_000)
        program = busy
        team = Team.enlist(width: 4, program: busy)
        try team.run(region: 0, blockCount: 40)
      }
      #expect(program != nil)
      team.finish()
      #expect(program == nil)
      team.finish()
    }

    @Test func aBlockMayRunATeamOfItsOwn() throws {
      let inner = BusyProgram(nanoseconds: 10_000)
      let program = ClosureProgram { _, _, _ in try runTeam(width: 2, inner, blockCounts: [8, 8]) }
      try runTeam(width: 2, program, blockCounts: [10, 10])
      #expect(inner.executed.load(ordering: .relaxed) == 320)
    }
  }
}
