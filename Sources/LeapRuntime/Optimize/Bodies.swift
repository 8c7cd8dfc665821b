// Bodies: the graphs that nodes run, optimised like the graph around them.

import LeapGraph
import LeapTensors

enum Bodies {
  /// A graph with those that its nodes run optimised, and those that their nodes run.
  ///
  /// - Parameters:
  ///   - graph: optimised itself, with the types of its values.
  ///   - optimize: optimises one graph.
  /// - Throws: what `optimize` throws.
  static func optimized(in graph: Graph, _ optimize: (Graph) throws -> Graph) throws -> Graph {
    var result = graph
    for position in graph.nodes.indices where !graph.nodes[position].subgraphs.isEmpty {
      try result.updateNode(at: position) { node in
        node.attributes = try node.attributes.mapValues { attribute in
          try attribute.mapGraphs { body in
            let whole = try optimize(adopting(body, from: graph))
            return try optimized(in: withoutIdleCaptures(whole), optimize)
          }
        }
      }
    }
    return result
  }

  /// A body with constants of the graph around it as its own, so that they are folded and packed there; the other values that it
  /// reads from outside have the types that they have there.
  private static func adopting(_ body: Graph, from outer: Graph) -> Graph {
    let overridable = Set(outer.inputs)
    var adopting = body
    adopting.captures = []
    for capture in body.captures {
      if let constant = outer.constants[capture.outer], !overridable.contains(capture.outer) {
        adopting.constants[capture.inner] = constant
      } else {
        adopting.captures.append(capture)
      }
      adopting[capture.inner].type = outer[capture.outer].type ?? body[capture.inner].type
    }
    return adopting
  }

  /// A body without the values from outside that nothing in it reads.
  private static func withoutIdleCaptures(_ body: Graph) -> Graph {
    var body = body
    let used = Set(body.nodes.flatMap(\.uses) + body.outputs)
    body.captures.removeAll { !used.contains($0.inner) }
    return body
  }
}
