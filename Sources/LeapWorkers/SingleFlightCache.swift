// SingleFlightCache: what is dear to make is made once, however many threads ask for it at a time, and the least
// recently used entry goes when there are too many.

import Dispatch
import Synchronization

package final class SingleFlightCache<Key: Hashable & Sendable, Value: AnyObject & Sendable>:
  Sendable
{
  private final class Entry: Sendable {
    /// Left once for each thread that waits, when the value is there or making it failed.
    let done = DispatchGroup()
    let result = Mutex<Result<Value, any Error>?>(nil)
  }

  private struct State {
    var entries: [Key: Entry] = [:]
    /// Keys, the least recently used first.
    var order: [Key] = []
  }

  private let capacity: Int
  private let state = Mutex(State())

  /// - Parameter capacity: how many values are kept, at least one.
  package init(capacity: Int) { self.capacity = max(capacity, 1) }

  /// The value of a key, made by `make` where it is not there. While one thread makes it, others wait for it. A failure
  /// reaches all who waited and is not kept. O(capacity).
  ///
  /// - Throws: what `make` throws.
  package func value(for key: Key, make: () throws -> Value) throws -> Value {
    let (entry, isMine) = entry(for: key)
    if !isMine {
      entry.done.wait()
      if let result = entry.result.withLock({ $0 }) { return try result.get() }
    }
    let result = Result(catching: make)
    entry.result.withLock { $0 = result }
    if case .failure = result { forget(key, entry) }
    if isMine { entry.done.leave() }
    return try result.get()
  }

  private func entry(for key: Key) -> (Entry, isMine: Bool) {
    state.withLock { state in
      if let index = state.order.firstIndex(of: key) { state.order.remove(at: index) }
      state.order.append(key)
      if let entry = state.entries[key] { return (entry, false) }
      let entry = Entry()
      entry.done.enter()
      state.entries[key] = entry
      if state.order.count > capacity { state.entries[state.order.removeFirst()] = nil }
      return (entry, true)
    }
  }

  private func forget(_ key: Key, _ entry: Entry) {
    state.withLock { state in
      guard state.entries[key] === entry else { return }
      state.entries[key] = nil
      state.order.removeAll { $0 == key }
    }
  }

  /// How many values there are, those in the making included.
  package var count: Int { state.withLock { $0.entries.count } }
}
