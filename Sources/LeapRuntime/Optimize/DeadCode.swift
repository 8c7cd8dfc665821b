// DeadCode: removes what no output of the graph depends on: nodes, constants, outputs that a node may leave out.

import LeapGraph

/// Removes nodes whose outputs nobody reads, further outputs that nobody reads, and constants that no node reads.
package struct DeadCode: Pass {
  package static let name = "dead-code"
  package static let summary = "remove nodes and constants that no output depends on"

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
    context.graph.removeNodes { !live.contains($0.id) }
    dropOutputs(except: needed, &context.graph)
    // A constant that is an input too belongs to the caller, who may give another.
    needed.formUnion(context.graph.inputs)
    context.graph.constants = context.graph.constants.filter { needed.contains($0.key) }
  }

  /// Operators of ONNX's own domain whose outputs after the first may be left out, which saves computing them. Not
  /// BatchNormalization: before opset 14 the number of outputs says whether it trains.
  private static let operatorsWithOptionalOutputs: Set<String> = [
    "Dropout", "LayerNormalization", "MaxPool",
  ]

  private func dropOutputs(except needed: Set<ValueID>, _ graph: inout Graph) {
    for (position, node) in graph.nodes.enumerated()
    where node.domain.isEmpty && DeadCode.operatorsWithOptionalOutputs.contains(node.operatorType) {
      let unread = node.outputs.reversed().prefix { $0.map { !needed.contains($0) } ?? true }.count
      // A node that is read at all keeps its first output's place.
      let kept = max(node.outputs.count - unread, 1)
      graph.updateNode(at: position) { $0.outputs.removeLast(node.outputs.count - kept) }
    }
  }
}
