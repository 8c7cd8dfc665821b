// RunQueues: threads for runs whose caller does not block.

import Dispatch
import Synchronization

/// Serial queues, as many as are busy at once, and reused. `.global()`, and concurrent queues, which draw on its threads, start
/// no more blocks than there are processors: a run behind others' blocks would wait for ever.
package final class RunQueues: Sendable {
  private let idle = Mutex<[DispatchQueue]>([])

  package init() {}

  /// Executes `body` on a thread of its own, soon.
  package func async(_ body: @escaping @Sendable () -> Void) {
    let queue = idle.guarded { $0.popLast() } ?? DispatchQueue(label: "leapstone.run")
    queue.async {
      body()
      self.idle.guarded { $0.append(queue) }
    }
  }
}
