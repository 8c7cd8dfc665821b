// One build for many who ask, a bound on what stays, and nobody who waits for ever.

import Dispatch
import LeapTensors
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

/// A value that knows from which build it came.
private final class Built: Sendable {
  let build: Int
  init(_ build: Int) { self.build = build }
}

private typealias Cache = SingleFlightCache<String, Built>

extension Serially {
  @Suite struct SingleFlightCacheTests {
    @Test func manyWhoAskAtOnceGetOneBuild() {
      let cache = Cache(capacity: 4)
      let builds = Atomic<Int>(0)
      let wrong = Atomic<Int>(0)
      inThreads(8) { _ in
        for key in ["a", "b", "c"] {
          let value = try? cache.value(for: key) {
            usleep(20_000)
            return Built(builds.wrappingAdd(1, ordering: .relaxed).oldValue)
          }
          let again = try? cache.value(for: key) { Built(-1) }
          if value == nil || value !== again { wrong.wrappingAdd(1, ordering: .relaxed) }
        }
      }
      #expect(builds.load(ordering: .relaxed) == 3)
      #expect(wrong.load(ordering: .relaxed) == 0)
    }

    @Test func theLeastRecentlyUsedGoesFirst() throws {
      let cache = Cache(capacity: 2)
      for (build, key) in ["a", "b", "a", "c"].enumerated() {
        _ = try cache.value(for: key) { Built(build) }
      }
      #expect(cache.count == 2)
      #expect(try cache.value(for: "a") { Built(10) }.build == 0)
      #expect(try cache.value(for: "c") { Built(11) }.build == 3)
      #expect(try cache.value(for: "b") { Built(12) }.build == 12)
      cache.removeAll()
      #expect(cache.count == 0)
    }

    @Test func anEvictedValueDies() throws {
      let cache = Cache(capacity: 1)
      weak let first = try cache.value(for: "a") { Built(0) }
      #expect(first != nil)
      _ = try cache.value(for: "b") { Built(1) }
      #expect(first == nil)
    }

    @Test func aBuildMayAskForOtherKeys() throws {
      let cache = Cache(capacity: 4)
      let value = try cache.value(for: "outer") {
        Built(try cache.value(for: "inner") { Built(5) }.build + 1)
      }
      #expect(value.build == 6)
      #expect(cache.count == 2)
    }

    @Test func aFailureFailsOnlyTheOneWhoBuilt() throws {
      let cache = Cache(capacity: 4)
      #expect(throws: TestError(block: 1)) {
        try cache.value(for: "a") { throw TestError(block: 1) }
      }
      #expect(cache.count == 0)
      // Of eight who ask together the first builder fails; one of those who wait builds.
      let builds = Atomic<Int>(0)
      let failures = Atomic<Int>(0)
      let successes = Atomic<Int>(0)
      inThreads(8) { _ in
        do {
          _ = try cache.value(for: "a") {
            let build = builds.wrappingAdd(1, ordering: .relaxed).oldValue
            usleep(20_000)
            if build == 0 { throw TestError(block: 0) }
            return Built(build)
          }
          successes.wrappingAdd(1, ordering: .relaxed)
        } catch {
          failures.wrappingAdd(1, ordering: .relaxed)
        }
      }
      #expect(builds.load(ordering: .relaxed) == 2)
      #expect(failures.load(ordering: .relaxed) == 1)
      #expect(successes.load(ordering: .relaxed) == 7)
    }

    @Test func whoWaitsCanBeInterrupted() throws {
      let cache = Cache(capacity: 4)
      let building = Flag()
      let goOn = Flag()
      let group = DispatchGroup()
      DispatchQueue(label: "builder").async(group: group) {
        _ = try? cache.value(for: "a") {
          building.set()
          while !goOn.isSet { usleep(500) }
          return Built(0)
        }
      }
      while !building.isSet { usleep(500) }
      let interrupt = Interrupt(timeout: .milliseconds(20))
      #expect(throws: RunError.self) {
        try cache.value(for: "a", interrupt: interrupt) { Built(1) }
      }
      goOn.set()
      group.wait()
      #expect(try cache.value(for: "a") { Built(2) }.build == 0)
    }
  }
}
