// DeadCode: removes what no output of the graph depends on: nodes, constants, outputs that a node may leave out.

import LeapGraph

/// Removes nodes whose outputs nobody reads, further outputs that nobody reads, and constants that no node reads.
package struct DeadCode: Pass {
  package static let name = "dead-code"
  package static let summary = "remove nodes and constants that no output depends on"

  package static let needsInference = false

  package init() {}

  package func run(_ context: inout PassContext) throws {
    var needed = Set(context.graph.outputs)
    var live: Set<NodeID> = []
    // Readers come after what they read, so one walk backwards finds all that is needed.
    for node in context.graph.nodes.reversed()
    where node.outputs.contains(where: { $0.map(needed.contains) ?? false }) {
      live.insert(node.id)
      needed.formUnion(node.uses)
    }
    if live.count < context.graph.nodes.count {
      context.graph.removeNodes { !live.contains($0.id) }
    }
    for (position, count) in unreadOutputs(context.graph, needed) {
      context.graph.updateNode(at: position) { $0.outputs.removeLast(count) }
    }
    // A constant that is an input too belongs to the caller, who may give another.
    needed.formUnion(context.graph.inputs)
    if !context.graph.constants.keys.allSatisfy(needed.contains) {
      context.graph.constants = context.graph.constants.filter { needed.contains($0.key) }
    }
  }

  /// Operators of ONNX's own domain whose outputs after the first may be left out, which saves computing them. Not
  /// BatchNormalization: before opset 14 the number of outputs says whether it trains.
  private static let operatorsWithOptionalOutputs: Set<String> = [
    "Dropout", "LayerNormalization", "MaxPool",
  ]

  /// How many outputs at the end nodes may leave out, by the nodes' places.
  private func unreadOutputs(
    _ graph: Graph, _ needed: Set<ValueID>
  ) -> [(position: Int, count: Int)] {
    graph.nodes.enumerated().compactMap { position, node in
      guard node.domain.isEmpty,
        DeadCode.operatorsWithOptionalOutputs.contains(node.operatorType)
      else { return nil }
      let unread = node.outputs.reversed().prefix { $0.map { !needed.contains($0) } ?? true }.count
      // A node that is read at all keeps its first output's place.
      let count = min(unread, node.outputs.count - 1)
      return count > 0 ? (position, count) : nil
    }
  }
}
