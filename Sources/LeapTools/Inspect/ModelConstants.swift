// ModelConstants: all tensors that a model carries: initializers and attributes, those of subgraphs and functions too.

import LeapFormat
import LeapGraph
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
    let own = constants.sorted { $0.key < $1.key }.map { id, constant in
      ModelConstant(graph: path, name: self[id].name, constant: constant, isInitializer: true)
    }
    return own
      + nodes.flatMap { node in
        let name = node.outputs.first.flatMap { $0 }.map { self[$0].name } ?? node.name
        return node.carriedConstants.map {
          ModelConstant(graph: path, name: name, constant: $0.constant, isInitializer: false)
        }
          + node.subgraphs.flatMap { attribute, graph in
            graph.carriedConstants(path: "\(path)/\(node.name)/\(attribute)")
          }
      }
  }
}
