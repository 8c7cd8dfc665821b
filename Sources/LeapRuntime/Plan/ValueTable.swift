// ValueTable: something for each value of a graph, found by the value's number.

import LeapGraph

/// What a dictionary keyed by values would hold, without hashing: planning looks up values all the time.
struct ValueTable<Element: Sendable>: Sendable {
  private var elements: [Element?]

  /// - Parameter count: the values of the graph.
  init(count: Int) { elements = Array(repeating: nil, count: count) }

  subscript(id: ValueID) -> Element? {
    get { elements[id.index] }
    set { elements[id.index] = newValue }
  }
}
