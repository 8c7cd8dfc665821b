// OperatorTimes: what the steps of observed runs took, by operator and algorithm.

import Leapstone
import Synchronization

/// What the steps of one operator with one algorithm take in a run.
struct OperatorTime: Sendable {
  let operatorType: String
  let algorithm: String
  /// Steps of a run.
  let steps: Int
  /// All of them together, in a run.
  let milliseconds: Double
}

/// Adds up the steps of runs.
final class OperatorTimes: Sendable {
  private struct Key: Hashable {
    let operatorType: String
    let algorithm: String
  }
  private struct Total {
    var steps = 0
    var nanoseconds = 0.0
  }
  private let totals = Mutex<[Key: Total]>([:])

  /// Takes the steps of a stage. They may overlap, and share its time evenly, so that all of a run's steps together never
  /// take longer than the run.
  func add(_ steps: [StepObservation]) {
    totals.withLock { totals in
      for step in steps {
        let key = Key(operatorType: step.operatorType, algorithm: step.algorithm)
        totals[key, default: Total()].steps += 1
        totals[key, default: Total()].nanoseconds +=
          Double(step.end - step.start) / Double(steps.count)
      }
    }
  }

  /// The means of so many runs, what takes longest first.
  func perRun(_ runs: Int) -> [OperatorTime] {
    totals.withLock { $0 }.map { key, total in
      OperatorTime(
        operatorType: key.operatorType, algorithm: key.algorithm, steps: total.steps / runs,
        milliseconds: total.nanoseconds / Double(runs) / 1e6)
    }.sorted {
      if $0.milliseconds != $1.milliseconds { return $0.milliseconds > $1.milliseconds }
      return ($0.operatorType, $0.algorithm) < ($1.operatorType, $1.algorithm)
    }
  }
}
