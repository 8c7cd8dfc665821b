// DeadCode: removes what no output of the graph depends on.

import LeapGraph

/// Removes nodes whose outputs nobody reads, and constants that no node reads.
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
    // A constant that is an input too belongs to the caller, who may give another.
    needed.formUnion(context.graph.inputs)
    context.graph.constants = context.graph.constants.filter { needed.contains($0.key) }
  }
}
