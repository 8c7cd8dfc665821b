// SingleFlightCache: a bounded cache whose values are dear to build.
//
// 1. Requests for one key that come at the same time build it once; requests for other keys go on.
// 2. Who waits for another's build can be cancelled, and is not failed by the other's failure.
// 3. At most `capacity` values stay; the least recently used goes first.

import Dispatch
import Synchronization

/// Values by key, built where they are missing. Values are references, handed out to many at once.
package final class SingleFlightCache<Key: Hashable & Sendable, Value: AnyObject & Sendable>:
  Sendable
{
  fileprivate struct Entry {
    var value: Value
    var lastUse: UInt64
  }

  fileprivate struct Contents {
    var entries: [Key: Entry] = [:]
    /// What is being built. A group that its builder has entered and leaves when it is done.
    var flights: [Key: DispatchGroup] = [:]
    /// Counts the uses, so that they have an order.
    var uses: UInt64 = 0
  }

  private enum Request {
    case found(Value)
    case wait(for: DispatchGroup)
    case build(DispatchGroup)
  }

  /// The most values that stay.
  package let capacity: Int
  private let contents = Mutex(Contents())

  /// - Parameter capacity: how many values stay, at least one.
  package init(capacity: Int) {
    self.capacity = max(capacity, 1)
    // A flight of the parent never lands in a forked child.
    _ = ForkWatch.isRegistered
  }

  /// The value of a key, built where it is not there. A build must not ask for its own key.
  ///
  /// - Parameters:
  ///   - interrupt: polled while another builds the value. The own build polls for itself.
  ///   - build: makes the value, outside all locks. A value that could not be built is built again
  ///     by the next who asks, those who are waiting among them.
  /// - Throws: what the own build throws; `RunError.cancelled` or `RunError.deadlineExceeded` while
  ///   waiting.
  /// - Complexity: a hit costs one hash and a lock; an eviction O(`capacity`).
  package func value(
    for key: Key, interrupt: Interrupt? = nil, build: () throws -> Value
  ) throws -> Value {
    while true {
      switch request(key) {
      case .found(let value): return value
      case .build(let flight): return try fly(flight, for: key, build)
      case .wait(let flight):
        while flight.wait(timeout: .now() + .milliseconds(2)) != .success {
          try interrupt?.poll()
          // The thread that was building is not in this process.
          if ForkWatch.isForkedChild { return try build() }
        }
      }
    }
  }

  /// How many values are there.
  package var count: Int { contents.guarded { $0.entries.count } }

  /// Forgets all values. Builds under way go on, and their values stay.
  package func removeAll() {
    // Values die after the lock is released.
    _ = contents.guarded { contents in
      defer { contents.entries = [:] }
      return contents.entries
    }
  }

  private func request(_ key: Key) -> Request {
    contents.guarded { contents in
      if let value = contents.use(key) { return .found(value) }
      if let flight = contents.flights[key] { return .wait(for: flight) }
      let flight = DispatchGroup()
      flight.enter()
      contents.flights[key] = flight
      return .build(flight)
    }
  }

  private func fly(
    _ flight: DispatchGroup, for key: Key, _ build: () throws -> Value
  ) throws -> Value {
    let built = Result { try build() }
    let evicted = contents.guarded { contents -> Value? in
      contents.flights[key] = nil
      guard case .success(let value) = built else { return nil }
      return contents.insert(value, for: key, capacity: capacity)
    }
    // The value is there before the flight has landed: those who waited find it.
    flight.leave()
    // It dies outside the lock: it may take a while.
    withExtendedLifetime(evicted) {}
    return try built.get()
  }
}

extension SingleFlightCache.Contents {
  /// The value of a key, which is now the most recently used.
  fileprivate mutating func use(_ key: Key) -> Value? {
    guard let value = entries[key]?.value else { return nil }
    uses += 1
    entries[key]?.lastUse = uses
    return value
  }

  /// Adds a value, and returns the one that had to go for it; nil while there is room.
  fileprivate mutating func insert(_ value: Value, for key: Key, capacity: Int) -> Value? {
    uses += 1
    entries[key] = .init(value: value, lastUse: uses)
    guard entries.count > capacity,
      let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse })
    else { return nil }
    return entries.removeValue(forKey: oldest.key)?.value
  }
}
