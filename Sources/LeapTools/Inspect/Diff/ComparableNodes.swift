// ComparableNodes: one form for what can be written in several ways in a model.
//
// 1. A constant is a constant, whether the graph holds it or a node.
// 2. An attribute that says what holds without it is as good as none.

import LeapGraph
import LeapOperators
import LeapRuntime
import LeapTensors

extension Graph {
  /// The graph with constants in the place of its Constant nodes, and how many these were.
  func withConstantsOfNodes() -> (graph: Graph, nodes: Int) {
    var graph = self
    var moved: Set<NodeID> = []
    for node in nodes {
      guard let output = node.outputs.first.flatMap({ $0 }),
        let constant = ConstantFolding.carriedConstant(
          node, try OperatorTable.standard.makeOperator(for: node, in: self))
      else { continue }
      graph.constants[output] = constant
      moved.insert(node.id)
    }
    graph.removeNodes { moved.contains($0.id) }
    return (graph, moved.count)
  }
}

extension Node {
  /// Whether the operator would do the same without an attribute that the node has: it states the default.
  func states(defaultOf name: String, in graph: Graph) -> Bool {
    guard let attribute = attributes[name], let full = meaning(in: graph) else { return false }
    if attribute.isNeutral(as: name) { return true }
    var bare = self
    bare.attributes[name] = nil
    return bare.meaning(in: graph) == full
  }

  /// All that the operator took from the node, as text; nil where it is not known, or keeps something that text does not show.
  private func meaning(in graph: Graph) -> String? {
    guard let operation = try? OperatorTable.standard.makeOperator(for: self, in: graph) else {
      return nil
    }
    let text = String(reflecting: operation)
    return text.contains("(Function)") ? nil : text
  }
}

extension Attribute {
  /// Whether a list that stands for each spatial axis says what holds without it, whatever their number.
  fileprivate func isNeutral(as name: String) -> Bool {
    guard case .ints(let values) = self else { return false }
    switch name {
    case "strides", "dilations": return values.allSatisfy { $0 == 1 }
    case "pads", "output_padding": return values.allSatisfy { $0 == 0 }
    default: return false
    }
  }
}
