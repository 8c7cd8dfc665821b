// ModelConstants: all tensors that a model carries: initializers and attributes, those of subgraphs and functions too.

import LeapFormat
import LeapGraph
import LeapRuntime
import LeapTensors

/// A tensor that the model carries.
struct ModelConstant: Sendable {
  /// `main`, the path of a subgraph, or the name of a function.
  let graph: String
  /// The initializer's name, or that of the value that a node makes of its attribute.
  let name: String
  let constant: Constant
  /// Whether it is an initializer, and no node's attribute.
  let isInitializer: Bool
  /// Operators of the nodes that read it, each once.
  let readers: [String]
}

extension Model {
  /// All tensors that the model carries, in the order of the file as far as that is known.
  var carriedConstants: [ModelConstant] {
    graph.carriedConstants(path: "main")
      + functions.flatMap { $0.body.carriedConstants(path: "function \($0.qualifiedName)") }
  }
}

extension LocalFunction {
  /// The name with domain and overload.
  var qualifiedName: String {
    (domain.isEmpty ? "" : "\(domain).") + name + (overload.isEmpty ? "" : ":\(overload)")
  }
}

extension Graph {
  fileprivate func carriedConstants(path: String) -> [ModelConstant] {
    var readers: [ValueID: Set<String>] = [:]
    for node in nodes {
      for use in node.uses { readers[use, default: []].insert(node.qualifiedOperator) }
    }
    func entry(_ id: ValueID?, _ name: String, _ constant: Constant, _ isInitializer: Bool)
      -> ModelConstant
    {
      ModelConstant(
        graph: path, name: name, constant: constant, isInitializer: isInitializer,
        readers: id.flatMap { readers[$0] }?.sorted() ?? [])
    }
    let own = constants.sorted { $0.key < $1.key }.map { id, constant in
      entry(id, self[id].name, constant, true)
    }
    return own
      + nodes.flatMap { node in
        let output = node.outputs.first.flatMap { $0 }
        let name = output.map { self[$0].name } ?? node.name
        return node.carriedConstants.map { entry(output, name, $0.constant, false) }
          + node.subgraphs.flatMap { attribute, graph in
            graph.carriedConstants(path: "\(path)/\(node.name)/\(attribute)")
          }
      }
  }
}
