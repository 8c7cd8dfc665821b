// Helper: a thread that may help a team, and the pool of those that wait for one.
//
// 1. Each helper has a serial queue of its own: a global queue never starts more blocks than there
//    are processors while its threads run, and a team on it could not count on its members.
// 2. An idle helper is a queue and nothing else: no thread of ours lives between runs.
// 3. A helper that has not begun when its run ends goes back at once, and what it had been
//    scheduled for serves the next run.

import Dispatch
import Synchronization

/// A worker other than the caller.
final class Helper: Sendable {
  private let queue: DispatchQueue
  private let order = Mutex(Order())

  private struct Order {
    /// Whom to serve next, and as which worker.
    var assignment: (team: Team, worker: Int)?
    /// Whether a block is on the queue, or running, that will look at `assignment`.
    var isScheduled = false
  }

  init(number: Int) {
    queue = DispatchQueue(label: "leapstone.worker.\(number)", qos: .userInitiated)
  }

  /// Sends the helper to a team. It comes when the system gives it a thread, which may be never.
  func assign(to team: Team, worker: Int) {
    let schedules = order.guarded { order in
      order.assignment = (team, worker)
      defer { order.isScheduled = true }
      return !order.isScheduled
    }
    if schedules { queue.async { self.work() } }
  }

  /// Takes back an assignment that the helper has not begun. False where it has.
  func cancel(_ team: Team) -> Bool {
    order.guarded { order in
      guard let assignment = order.assignment, assignment.team === team else { return false }
      order.assignment = nil
      return true
    }
  }

  private func work() {
    while let (team, worker) = nextAssignment() {
      team.serve(worker: worker)
      HelperPool.giveBack(self)
    }
  }

  private func nextAssignment() -> (team: Team, worker: Int)? {
    order.guarded { order in
      defer { order.assignment = nil }
      if order.assignment == nil { order.isScheduled = false }
      return order.assignment
    }
  }
}

/// The helpers of the process that serve nobody.
enum HelperPool {
  private struct Contents {
    var idle: [Helper] = []
    var made = 0
  }

  private static let contents = Mutex(Contents())
  /// More than this many helpers would wait for each other, however many runs there are.
  private static let limit = max(64, 2 * ProcessorCount.inAffinityMask())

  /// Up to `count` helpers, fewer where the process has as many as it may have.
  static func take(_ count: Int) -> [Helper] {
    contents.guarded { contents in
      var taken: [Helper] = []
      while taken.count < count {
        if let helper = contents.idle.popLast() {
          taken.append(helper)
        } else if contents.made < limit {
          contents.made += 1
          taken.append(Helper(number: contents.made))
        } else {
          break
        }
      }
      return taken
    }
  }

  static func giveBack(_ helper: Helper) {
    contents.guarded { $0.idle.append(helper) }
  }
}
