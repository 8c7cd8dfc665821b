// InFlight: pieces of work at the same time, each on a queue of its own: the global ones may have no thread to spare.

import Dispatch
import Synchronization

enum InFlight {
  /// Does all pieces at once and waits for them.
  ///
  /// - Parameter body: given a piece's place and the piece.
  /// - Returns: what came of each, in order.
  static func map<Item: Sendable, Value: Sendable>(
    _ items: [Item], _ body: @escaping @Sendable (_ slot: Int, Item) throws -> Value
  ) -> [Result<Value, any Error>] {
    if items.count == 1 { return [Result { try body(0, items[0]) }] }
    let results = Mutex<[Int: Result<Value, any Error>]>([:])
    let group = DispatchGroup()
    for (slot, item) in items.enumerated() {
      DispatchQueue(label: "leapstone.run.\(slot)").async(group: group) {
        let result = Result { try body(slot, item) }
        results.withLock { $0[slot] = result }
      }
    }
    group.wait()
    let all = results.withLock { $0 }
    return items.indices.compactMap { all[$0] }
  }
}
