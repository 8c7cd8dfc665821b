// ChromeTrace: what a run did when, in the trace event format that chrome://tracing and ui.perfetto.dev read
// ("Trace Event Format", Google, 2016).

import Leapstone
import LeapstoneImage
import Synchronization

/// Collects the steps of runs, from several threads.
package final class ChromeTrace: Sendable {
  private struct Event: Sendable {
    let step: StepObservation
    let run: Int
    let thread: Int
  }
  private let events = Mutex<[Event]>([])

  /// Steps of one stage stand below one another; those of runs that overlap stand further apart.
  private static let lanesOfRun = 64

  package init() {}

  /// What to give to a run as its observer.
  ///
  /// - Parameters:
  ///   - run: its number, from 0.
  ///   - slot: which of the runs in flight it is.
  package func observer(run: Int, slot: Int) -> @Sendable ([StepObservation]) -> Void {
    { [self] steps in
      events.withLock { events in
        for (lane, step) in steps.enumerated() {
          let thread = slot * ChromeTrace.lanesOfRun + min(lane, ChromeTrace.lanesOfRun - 1)
          events.append(Event(step: step, run: run, thread: thread))
        }
      }
    }
  }

  /// The trace as JSON: one complete event ("ph": "X") for each step of each run, times in microseconds from the first.
  package func json() -> JSON {
    let events = events.withLock { $0 }
    let origin = events.map(\.step.start).min() ?? 0
    func microseconds(_ nanoseconds: UInt64) -> JSON { .number(Double(nanoseconds) / 1000) }
    let steps = events.map { event -> JSON in
      [
        "name": .string(event.step.name), "cat": .string(event.step.operatorType), "ph": "X",
        "ts": microseconds(event.step.start - origin),
        "dur": microseconds(event.step.end - event.step.start), "pid": 1,
        "tid": .integer(event.thread),
        "args": [
          "operator": .string(event.step.operatorType), "algorithm": .string(event.step.algorithm),
          "stage": .integer(event.step.stage), "run": .integer(event.run),
        ],
      ]
    }
    return ["displayTimeUnit": "ms", "traceEvents": .array(steps)]
  }
}
