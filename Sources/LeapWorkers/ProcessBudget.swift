// ProcessBudget: how many workers of this process are awake, over all teams, against how many
// processors there are.
//
// 1. Workers never spin while others of the process wait for a processor.
// 2. Runs that together fill the machine do not wake helpers that would only take turns with them.
// 3. Off the path of a region: it is touched where a worker parks, wakes or spins, never per block.

import CLeapKernels
import Synchronization

/// The workers of all teams that are not parked, and what they may do.
///
/// Every access is relaxed: the count steers who spins and who wakes, and publishes nothing. That
/// two teams may both see the last free processor costs a wake-up, never an answer.
enum ProcessBudget {
  private static let awake = Atomic<Int>(0)
  private static let processors = ProcessorCount.available()
  private static let hardwareThreads = ProcessorCount.inAffinityMask()

  /// Counts a worker that begins, or goes on, without asking.
  static func enter(_ count: Int = 1) {
    awake.wrappingAdd(count, ordering: .relaxed)
  }

  static func leave(_ count: Int = 1) {
    awake.wrappingSubtract(count, ordering: .relaxed)
  }

  /// Counts as many of `wanted` more workers as may wake, and returns how many these are.
  ///
  /// A team of width `width` may fill the processors that the process has, and where its caller
  /// asked for more than a CPU quota grants, as many hardware threads as it asked for.
  static func admit(_ wanted: Int, width: Int) -> Int {
    let limit = max(processors, min(width, hardwareThreads))
    let count = min(wanted, limit - awake.load(ordering: .relaxed))
    guard count > 0 else { return 0 }
    enter(count)
    return count
  }

  /// Whether a worker that waits may spin: whether each that is awake has a processor.
  static var admitsSpinning: Bool { awake.load(ordering: .relaxed) <= processors }
}

/// A bounded spin: how long a worker that waits stays awake before it parks.
struct Spin {
  /// Twice what parking and waking again costs, so that waiting never costs more than three times
  /// the better choice.
  static let bound: UInt64 = 100_000
  private var rounds = 0
  private var started: UInt64 = 0

  /// Waits for an instant. False where the worker should park instead.
  mutating func once() -> Bool {
    // The clock takes as long as a round: it is asked at the first round and then at every 32nd.
    if rounds & 31 == 0 {
      guard ProcessBudget.admitsSpinning else { return false }
      let now = monotonicNanoseconds()
      if rounds == 0 { started = now } else if now &- started > Spin.bound { return false }
    }
    rounds &+= 1
    leap_spin_hint()
    return true
  }
}
