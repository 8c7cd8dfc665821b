// Queues for runs: every body at once, whatever else the process has Dispatch do.

import Dispatch
import LeapTestSupport
import LeapWorkers
import Synchronization
import Testing

extension Serially {
  @Suite struct RunQueuesTests {
    @Test func allBodiesRunAtOnceWhileTheGlobalQueueIsSaturated() {
      let queues = RunQueues()
      let count = 4 * ProcessorCount.available()
      let isOver = saturatingGlobalQueue(blocks: count) {
        let group = DispatchGroup()
        let gate = Gate(count)
        for _ in 0..<count {
          group.enter()
          queues.async {
            gate.pass()
            group.leave()
          }
        }
        return group.wait(timeout: .now() + .seconds(20)) == .success
      }
      #expect(isOver)
    }
  }
}

/// Lets nobody through before all have come.
private final class Gate: Sendable {
  private let entered = Atomic<Int>(0)
  private let count: Int

  init(_ count: Int) { self.count = count }

  func pass() {
    entered.add(1, ordering: .relaxed)
    while entered.load(ordering: .relaxed) < count {}
  }
}
