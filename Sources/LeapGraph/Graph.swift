// Graph: a model's computation as nodes in topological order over a table of values.
//
// 1. Easy to rewrite: nodes and values have identities that survive insertions and removals.
// 2. Every node and value knows where in the model it comes from.
// 3. Single assignment: a value has one producer. Graph+Invariants.swift checks all that holds.

import LeapTensors

/// A value of a graph: an edge, an input, an initializer.
package struct Value: Sendable {
  /// Unique in its graph, never empty.
  package var name: String
  /// nil until the model or inference says.
  package var type: ValueType?
  package var origin: Origin
  package var documentation: String = ""

  package init(name: String, type: ValueType?, origin: Origin? = nil) {
    self.name = name
    self.type = type
    self.origin = origin ?? Origin([name])
  }
}

/// A value that a subgraph reads from the graph around it.
package struct Capture: Sendable, Hashable {
  /// The value in the subgraph's own table.
  package var inner: ValueID
  /// The value in the table of the graph around it (which may capture it itself).
  package var outer: ValueID

  package init(inner: ValueID, outer: ValueID) {
    self.inner = inner
    self.outer = outer
  }
}

/// A computation: nodes in topological order, values, inputs, outputs, constants.
package struct Graph: Sendable {
  package var name: String
  /// In topological order.
  package private(set) var nodes: [Node] = []
  package private(set) var values: [Value] = []
  /// The inputs that a caller may give, initializers with a default included.
  package var inputs: [ValueID] = []
  package var outputs: [ValueID] = []
  /// Values with a constant: initializers, and what folding made.
  package var constants: [ValueID: Constant] = [:]
  /// In a subgraph: what it reads from outside.
  package var captures: [Capture] = []
  package var documentation: String = ""
  private var nextNode = 0

  package init(name: String) { self.name = name }

  package subscript(id: ValueID) -> Value {
    get { values[id.index] }
    _modify { yield &values[id.index] }
  }

  /// Adds a value.
  @discardableResult
  package mutating func addValue(_ value: Value) -> ValueID {
    values.append(value)
    return ValueID(values.count - 1)
  }

  /// Appends a node, or inserts it at a place in the order. O(nodes) in the latter case.
  @discardableResult
  package mutating func addNode(
    name: String, domain: String = "", operatorType: String, overload: String = "", opset: Int,
    inputs: [ValueID?], outputs: [ValueID?], attributes: [String: Attribute] = [:],
    origin: Origin? = nil, at position: Int? = nil
  ) -> NodeID {
    let node = Node(
      id: NodeID(nextNode), name: name, domain: domain, operatorType: operatorType,
      overload: overload, opset: opset, inputs: inputs, outputs: outputs, attributes: attributes,
      origin: origin)
    nextNode += 1
    nodes.insert(node, at: position ?? nodes.count)
    return node.id
  }

  /// Changes the node at a place in the order. Its identity stays.
  package mutating func updateNode(at position: Int, _ change: (inout Node) throws -> Void) rethrows
  {
    try change(&nodes[position])
  }

  /// Removes all nodes for which `condition` holds. Their outputs stay in the table, without a producer.
  package mutating func removeNodes(where condition: (Node) throws -> Bool) rethrows {
    try nodes.removeAll(where: condition)
  }

  /// Puts the nodes in another order, which must be topological too.
  package mutating func reorder(_ order: [Int]) {
    nodes = order.map { nodes[$0] }
  }

  /// Makes every reader of `old` read `new` instead: nodes, captures of subgraphs, and outputs of the graph, which
  /// keep their places in `outputs`.
  package mutating func replaceUses(of old: ValueID, with new: ValueID) {
    replaceUses([old: new])
  }

  /// Makes every reader of a key read its value instead, as `replaceUses(of:with:)` does for one. A value may be a key
  /// itself; no chain of them is a cycle. O(nodes and their operands), however many are replaced.
  package mutating func replaceUses(_ replacements: [ValueID: ValueID]) {
    if replacements.isEmpty { return }
    var settled = replacements
    func final(_ value: ValueID) -> ValueID {
      guard var end = settled[value] else { return value }
      while let next = settled[end] { end = next }
      // Every key on the way leads to the end at once from now on, so that long chains stay cheap.
      var key = value
      while let next = settled[key], next != end {
        settled[key] = end
        key = next
      }
      return end
    }
    for position in nodes.indices
    where nodes[position].uses.contains(where: { replacements[$0] != nil }) {
      nodes[position].inputs = nodes[position].inputs.map { $0.map(final) }
      nodes[position].attributes = nodes[position].attributes.mapValues { attribute in
        attribute.mapGraphs { graph in
          var graph = graph
          graph.captures = graph.captures.map {
            Capture(inner: $0.inner, outer: final($0.outer))
          }
          return graph
        }
      }
    }
    outputs = outputs.map(final)
  }

  /// A name that no value has yet, made from `base`.
  package func freshName(_ base: String) -> String {
    let taken = Set(values.map(\.name))
    if !taken.contains(base) { return base }
    var number = 1
    while taken.contains("\(base)_\(number)") { number += 1 }
    return "\(base)_\(number)"
  }

  /// Who makes and who reads each value: O(nodes), valid until the graph changes.
  package func connections() -> Connections { Connections(self) }
}

/// Producers and consumers of the values of one graph, as positions in its order of nodes.
package struct Connections: Sendable {
  private let producers: [Int?]
  private let consumerLists: [[Int]]
  private let outputs: Set<ValueID>

  fileprivate init(_ graph: Graph) {
    var producers = [Int?](repeating: nil, count: graph.values.count)
    var consumers = [[Int]](repeating: [], count: graph.values.count)
    for (position, node) in graph.nodes.enumerated() {
      for output in node.outputs { if let output { producers[output.index] = position } }
      for use in node.uses where consumers[use.index].last != position {
        consumers[use.index].append(position)
      }
    }
    self.producers = producers
    consumerLists = consumers
    outputs = Set(graph.outputs)
  }

  /// The position of the node that makes a value; nil for inputs, constants and captures.
  package func producer(of value: ValueID) -> Int? { producers[value.index] }

  /// The positions of the nodes that read a value, ascending, each once.
  package func consumers(of value: ValueID) -> [Int] { consumerLists[value.index] }

  /// The one node that reads a value, where there is just one and the value is no output of the graph.
  package func onlyConsumer(of value: ValueID) -> Int? {
    outputs.contains(value) || consumerLists[value.index].count != 1
      ? nil : consumerLists[value.index][0]
  }

  /// Whether a value is an output of the graph.
  package func isOutput(_ value: ValueID) -> Bool { outputs.contains(value) }
}
