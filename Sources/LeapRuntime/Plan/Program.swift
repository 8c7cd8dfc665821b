// Program: an optimised graph with its operators, ready to be planned for any shapes.

import LeapGraph
import LeapOperators
import LeapTensors
import LeapWorkers

/// What planning starts from. Immutable; all plans of a session share it.
package final class Program: Sendable {
  package let graph: Graph
  /// What the operators come from.
  let table: OperatorTable
  /// The operators of the nodes, in the graph's order.
  package let operators: [any Operator]
  /// Constants whose elements are known while planning: small ones, and those that decide shapes.
  let knownConstants: ValueTable<Tensor>
  /// The types of all constants.
  let constantTypes: ValueTable<ValueType>
  /// What the graphs of nodes read from outside, by the nodes' positions.
  let captured: [Int: [ValueID]]
  /// For each value, the positions of the nodes that read it.
  let connections: Connections

  /// The largest value, in bytes, that can be planned: the machine's memory.
  let largestValue = MemoryLimit.available()

  /// - Throws: `ModelError.unsupportedOperators` with all operators that are not known, or what reading constants throws.
  package init(graph: Graph, table: OperatorTable) throws {
    self.graph = graph
    self.table = table
    operators = try ShapeInference.makeOperators(of: graph, table: table)
    connections = graph.connections()
    var captured: [Int: [ValueID]] = [:]
    for (position, node) in graph.nodes.enumerated() {
      let subgraphs = node.subgraphs
      if subgraphs.isEmpty { continue }
      captured[position] = subgraphs.flatMap { $0.graph.captures.map(\.outer) }
    }
    self.captured = captured
    var needed: Set<ValueID> = []
    for (node, operation) in zip(graph.nodes, operators) {
      for index in operation.valueInputs where index < node.inputs.count {
        if let input = node.inputs[index] { needed.insert(input) }
      }
    }
    let overridable = Set(graph.inputs)
    var known = ValueTable<Tensor>(count: graph.values.count)
    var types = ValueTable<ValueType>(count: graph.values.count)
    for (id, constant) in graph.constants {
      types[id] = .tensor(constant.dataType, shape: constant.shape.map(Dimension.fixed))
    }
    for (id, constant) in graph.constants where !overridable.contains(id) {
      if needed.contains(id) || constant.shape.elementCount <= Program.foldedElementLimit {
        known[id] = try constant.tensor()
      }
    }
    knownConstants = known
    constantTypes = types
  }

  /// The largest value, in elements, that planning computes itself when all it depends on is known.
  static let foldedElementLimit = 4096

  /// A node for an error message, with the shapes that a plan knows.
  func description(at position: Int, types: ValueTable<ValueType>) -> NodeDescription {
    let node = graph.nodes[position]
    var description = node.description(in: graph)
    description.inputs = node.inputs.map { id in
      guard let id else { return "none" }
      return (types[id] ?? graph[id].type)?.description ?? "unknown type"
    }
    return description
  }
}
