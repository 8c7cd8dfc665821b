// Metrics: what the service counts, in Prometheus's text format.

import Synchronization

final class Metrics: Sendable {
  private static let bounds = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
  ]

  private struct State {
    var answered: [Int: Int] = [:]
    var aborted = 0
    var inFlight = 0
    var latencies = [Int](repeating: 0, count: bounds.count + 1)
    var latencySum = 0.0
  }

  private let state = Mutex(State())

  func count(_ event: Server.Event) {
    state.withLock { state in
      switch event {
      case .began: state.inFlight += 1
      case .answered(let status):
        state.inFlight -= 1
        state.answered[status, default: 0] += 1
      case .aborted:
        state.inFlight -= 1
        state.aborted += 1
      }
    }
  }

  /// Notes how long a picture took to be classified, its time in the queue included.
  func observe(_ latency: Duration) {
    let seconds = latency / .seconds(1)
    let bucket = Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count
    state.withLock {
      $0.latencies[bucket] += 1
      $0.latencySum += seconds
    }
  }

  /// All metrics as text.
  ///
  /// - Parameter sessionMemory: bytes that the session holds.
  func text(sessionMemory: Int) -> String {
    let state = state.withLock { $0 }
    var text = ""
    func metric(_ name: String, _ type: String, _ help: String, _ samples: [(String, String)]) {
      text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
      for (suffix, value) in samples { text += "\(name)\(suffix) \(value)\n" }
    }
    metric(
      "classify_requests_total", "counter", "Requests that were answered, by status.",
      state.answered.sorted { $0.key < $1.key }.map { ("{code=\"\($0.key)\"}", "\($0.value)") })
    metric(
      "classify_requests_aborted_total", "counter",
      "Requests whose client went away or was silent for too long.", [("", "\(state.aborted)")])
    metric(
      "classify_requests_in_flight", "gauge", "Requests that have begun and are not answered.",
      [("", "\(state.inFlight)")])
    metric(
      "classify_duration_seconds", "histogram",
      "Time to classify a picture, its time in the queue included.", histogram(state))
    metric(
      "classify_session_memory_bytes", "gauge", "What the session's weights and runs take.",
      [("", "\(sessionMemory)")])
    return text
  }

  private func histogram(_ state: State) -> [(String, String)] {
    var total = 0
    var samples: [(String, String)] = []
    for (bound, count) in zip(Self.bounds.map { "\($0)" } + ["+Inf"], state.latencies) {
      total += count
      samples.append(("_bucket{le=\"\(bound)\"}", "\(total)"))
    }
    return samples + [("_sum", "\(state.latencySum)"), ("_count", "\(total)")]
  }
}
