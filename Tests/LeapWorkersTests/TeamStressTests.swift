// Teams where the machine is against them: no processor to spare, many runs at once, a fork.

import Dispatch
import LeapTestSupport
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

extension Serially {
  struct TeamStressTests {
    /// 20 regions of 16 blocks of 0.1 ms: 32 ms of work.
    static let blockCounts = Array(repeating: 16, count: 20)
    static let blockNanoseconds: UInt64 = 100_000

    /// The median time of one such run on a quiet machine, the helpers warm.
    func timeAlone(width: Int) throws -> UInt64 {
      let times = try (0..<5).map { _ in
        try nanoseconds {
          try runTeam(
            width: width, BusyProgram(nanoseconds: Self.blockNanoseconds),
            blockCounts: Self.blockCounts)
        }
      }
      return times.sorted()[2]
    }

    @Test func finishesWhileTheGlobalQueueIsSaturated() throws {
      let alone = try timeAlone(width: 2)
      let program = BusyProgram(nanoseconds: Self.blockNanoseconds)
      var best = UInt64.max
      try saturatingGlobalQueue(blocks: 4 * ProcessorCount.available()) {
        for _ in 0..<5 {
          best = min(
            best,
            try nanoseconds { try runTeam(width: 2, program, blockCounts: Self.blockCounts) })
        }
      }
      #expect(program.executed.load(ordering: .relaxed) == 5 * 320)
      // The spinning blocks take half of the machine or more: what is left is shared by all, and a
      // block that has been begun is waited for. Blocks here last for a time of the clock, so a
      // fair share costs less than it would.
      print("saturated .global(): \(best / 1000) µs, alone \(alone / 1000) µs")
      #expect(best < 3 * max(alone, 32_000_000), "alone \(alone) ns, beside spinners \(best) ns")
    }

    @Test func sixteenTeamsAtOnce() throws {
      let alone = try timeAlone(width: 1)
      let failed = Flag()
      let executed = Atomic<Int>(0)
      let teams = 16
      let taken = nanoseconds {
        inThreads(teams) { _ in
          let program = BusyProgram(nanoseconds: Self.blockNanoseconds)
          do {
            try runTeam(width: 2, program, blockCounts: Self.blockCounts)
          } catch {
            failed.set()
          }
          executed.wrappingAdd(program.executed.load(ordering: .relaxed), ordering: .relaxed)
        }
      }
      #expect(!failed.isSet)
      #expect(executed.load(ordering: .relaxed) == teams * 320)
      print("16 teams at once: \(taken / 1000) µs, one worker alone \(alone / 1000) µs")
      // Sixteen times the work, on at least one processor.
      #expect(taken < 3 * UInt64(teams) * alone)
    }

    @Test func moreThreadsThanProcessors() throws {
      let width = 4 * ProcessorCount.available()
      let one = try timeAlone(width: 1)
      let program = BusyProgram(nanoseconds: Self.blockNanoseconds)
      let taken = try nanoseconds {
        try runTeam(width: width, program, blockCounts: Self.blockCounts)
      }
      #expect(program.executed.load(ordering: .relaxed) == 320)
      print("\(width) workers: \(taken / 1000) µs, one worker \(one / 1000) µs")
      #expect(taken < 3 * one)
    }

    @Test func aRunDoesNotWaitForHelpersThatHaveNotCome() throws {
      // Every helper of the process is kept inside a block of another run.
      let hold = Flag()
      let entered = Atomic<Int>(0)
      let holding = ClosureProgram { _, _, worker in
        entered.wrappingAdd(1, ordering: .relaxed)
        while !hold.isSet { usleep(200) }
      }
      let holder = DispatchQueue(label: "holder")
      let group = DispatchGroup()
      holder.async(group: group) {
        do { try runTeam(width: 400, holding, blockCounts: [400]) } catch { hold.set() }
      }
      defer {
        hold.set()
        group.wait()
      }
      while entered.load(ordering: .relaxed) < 2 { usleep(200) }
      let program = BusyProgram(nanoseconds: 10_000)
      let taken = try nanoseconds { try runTeam(width: 8, program, blockCounts: [64, 64]) }
      #expect(program.executed.load(ordering: .relaxed) == 128)
      #expect(taken < 1_000_000_000)
    }

    @Test(arguments: [2, 8])
    func aForkedChildRunsAlone(width: Int) throws {
      // Twice: the second run finds helpers in the pool.
      for _ in 0..<2 {
        try runTeam(width: width, BusyProgram(nanoseconds: 50_000), blockCounts: [32, 32])
      }
      let childsProgram = CountingProgram(blockCounts: [32, 32])
      // A team that is enlisted before the fork goes on in the child too.
      let started = Team.enlist(width: width, program: childsProgram)
      defer { started.finish() }
      try started.run(region: 0, blockCount: 32)
      let child = forkProcess()
      if child == 0 {
        do {
          try started.run(region: 1, blockCount: 32)
          started.finish()
          let byWorker = try runTeam(
            width: width, BusyProgram(nanoseconds: 1000), blockCounts: [16, 16])
          let isRight =
            byWorker == [32] && childsProgram.executions(region: 1).allSatisfy { $0 == 1 }
          _exit(isRight ? 0 : 2)
        } catch {
          _exit(3)
        }
      }
      try #require(child > 0)
      let status = waitForExit(of: child, milliseconds: 2000)
      #expect(status == 0, "the child's status; nil: it did not end in 2 s")
    }

    @Test func goingFromRegionToRegionIsQuick() throws {
      // As many regions as an Inception-ResNet has, almost without work.
      let program = BusyProgram(nanoseconds: 0)
      for width in [1, 2] {
        var best = UInt64.max
        for _ in 0..<20 {
          let team = Team.enlist(width: width, program: program)
          defer { team.finish() }
          if width > 1 { try runUntilHelped(team, region: 0, blockCount: 8) }
          let taken = try nanoseconds {
            for _ in 0..<245 { try team.run(region: 0, blockCount: 8) }
          }
          best = min(best, taken)
        }
        print("\(width) workers: \(best / 245) ns a region of 8 empty blocks")
        #expect(best / 245 < 20_000)
      }
    }
  }
}
