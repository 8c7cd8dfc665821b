// ShapeInference+Bodies: nodes that run graphs. These are inferred with what the node hands them, and keep the types that they have
// whenever they run.

import LeapGraph
import LeapOperators
import LeapTensors

extension ShapeInference {
  /// Infers a node that runs graphs, and writes the types of their values into them.
  ///
  /// - Throws: as `run(_:table:)`.
  static func inferBodies(
    _ position: Int, _ operation: any BodyOperator, in graph: inout Graph,
    known: [ValueID: KnownValue], table: OperatorTable
  ) throws -> InferenceContext {
    let node = graph.nodes[position]
    let names = type(of: operation).bodyNames
    let bodies = node.bodies(names).map { InferredBody($0, in: graph, table) }
    var context = context(of: node, in: graph, known: known)
    do {
      try operation.infer(&context, bodies: bodies.map { body in { try body.outputTypes($0) } })
    } catch let error as OperatorError {
      throw ModelError.inference(error, at: node.description(in: graph))
    }
    graph.updateNode(at: position) { node in
      for (name, body) in zip(names, bodies) { node.attributes[name] = .graph(body.graph) }
    }
    return context
  }
}

/// A graph of a node while the node is inferred.
private final class InferredBody {
  /// With the types that were found last.
  private(set) var graph: Graph
  private let declared: Graph
  private let table: OperatorTable

  init(_ body: Graph, in outer: Graph, _ table: OperatorTable) {
    var declared = body
    for capture in body.captures {
      if let type = outer[capture.outer].type { declared[capture.inner].type = type }
    }
    self.declared = declared
    graph = declared
    self.table = table
  }

  func outputTypes(_ inputs: [ValueType?]) throws -> [ValueType?] {
    graph = declared
    for (input, type) in zip(graph.inputs, inputs) {
      guard let type else { continue }
      graph[input].type = type
    }
    _ = try ShapeInference.run(&graph, table: table)
    return graph.outputs.map { graph[$0].type }
  }
}
