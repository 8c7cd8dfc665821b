// Repetition: a piece of work, done again and again by one or several threads, each time measured.

import Dispatch
import Synchronization

struct Repetition: Sendable {
  /// When it is enough.
  enum Length: Sendable {
    /// No more is begun after so long; once at least.
    case seconds(Double)
    /// So many times, all threads together.
    case iterations(Int)
  }

  /// What came of it.
  struct Result: Sendable {
    /// What each repetition took, those of a thread in order.
    var milliseconds: [Double]
    /// From the beginning of the first to the end of the last.
    var seconds: Double
  }

  let length: Length
  /// How many threads do it at the same time.
  let concurrency: Int

  /// Does the work.
  ///
  /// - Parameters:
  ///   - progress: told how often it was done, by the calling thread where that does the work itself.
  ///   - body: the work; given the number of the thread.
  /// - Throws: what `body` throws first.
  func measure(
    progress: (Int) -> Void = { _ in }, _ body: @escaping @Sendable (_ slot: Int) throws -> Void
  ) throws -> Result {
    // First, so that the time is no less than was asked for.
    let start = ContinuousClock.now
    let turns = Turns(length)
    var times: [Double] = []
    if concurrency == 1 {
      while turns.next() {
        times.append(try Repetition.milliseconds { try body(0) })
        progress(times.count)
      }
    } else {
      times = try onThreads(turns, body)
    }
    return Result(milliseconds: times, seconds: (ContinuousClock.now - start) / .seconds(1))
  }

  /// Each thread is a queue of its own: the global ones may have none to spare.
  private func onThreads(
    _ turns: Turns, _ body: @escaping @Sendable (Int) throws -> Void
  ) throws -> [Double] {
    let results = Mutex<[Int: Swift.Result<[Double], any Error>]>([:])
    let group = DispatchGroup()
    for slot in 0..<concurrency {
      DispatchQueue(label: "leapstone.bench.\(slot)").async(group: group) {
        let result = Swift.Result {
          var times: [Double] = []
          while turns.next() { times.append(try Repetition.milliseconds { try body(slot) }) }
          return times
        }
        if case .failure = result { turns.end() }
        results.withLock { $0[slot] = result }
      }
    }
    group.wait()
    let all = results.withLock { $0 }
    return try (0..<concurrency).flatMap { try all[$0]?.get() ?? [] }
  }

  /// What a piece of work takes.
  static func milliseconds(_ body: () throws -> Void) rethrows -> Double {
    try timed(body).milliseconds
  }

  /// What a piece of work makes, and what it takes.
  static func timed<Value>(
    _ body: () throws -> Value
  ) rethrows -> (value: Value, milliseconds: Double) {
    let start = ContinuousClock.now
    let value = try body()
    return (value, (ContinuousClock.now - start) / .milliseconds(1))
  }
}

/// Hands out turns until there were enough.
private final class Turns: Sendable {
  private struct State {
    var begun = 0
    var isEnded = false
  }
  private let state = Mutex(State())
  private let limit: Int
  private let deadline: ContinuousClock.Instant?

  init(_ length: Repetition.Length) {
    switch length {
    case .seconds(let seconds): (limit, deadline) = (.max, .now + .seconds(seconds))
    case .iterations(let count): (limit, deadline) = (count, nil)
    }
  }

  /// Whether there is another turn; it counts as begun then.
  func next() -> Bool {
    state.withLock { state in
      if state.isEnded || state.begun >= limit { return false }
      if let deadline, state.begun > 0, ContinuousClock.now >= deadline { return false }
      state.begun += 1
      return true
    }
  }

  /// No more turns.
  func end() { state.withLock { $0.isEnded = true } }
}
