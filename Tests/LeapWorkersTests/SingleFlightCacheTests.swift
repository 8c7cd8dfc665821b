import Dispatch
import LeapWorkers
import Synchronization
import Testing

@Suite struct SingleFlightCacheTests {
  private final class Box: Sendable {
    let number: Int
    init(_ number: Int) { self.number = number }
  }
  private struct Failure: Error {}

  @Test func concurrentRequestsMakeAValueOnce() {
    let cache = SingleFlightCache<String, Box>(capacity: 4)
    let made = Atomic<Int>(0)
    let right = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: 32) { _ in
      let box = try? cache.value(for: "key") {
        made.add(1, ordering: .relaxed)
        return Box(7)
      }
      if box?.number == 7 { right.add(1, ordering: .relaxed) }
    }
    #expect(made.load(ordering: .relaxed) == 1)
    #expect(right.load(ordering: .relaxed) == 32)
  }

  @Test func theLeastRecentlyUsedGoes() throws {
    let cache = SingleFlightCache<Int, Box>(capacity: 2)
    for key in [1, 2, 1, 3] { _ = try cache.value(for: key) { Box(key) } }
    #expect(cache.count == 2)
    var made = false
    _ = try cache.value(for: 1) {
      made = true
      return Box(1)
    }
    #expect(!made, "1 was used after 2")
  }

  @Test func aFailureIsNotKept() throws {
    let cache = SingleFlightCache<Int, Box>(capacity: 2)
    #expect(throws: Failure.self) { try cache.value(for: 1) { throw Failure() } }
    #expect(try cache.value(for: 1) { Box(5) }.number == 5)
  }
}
