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
    known: [ValueID: KnownValue], table: OperatorTable, depth: Int
  ) throws -> InferenceContext {
    let node = graph.nodes[position]
    let names = type(of: operation).bodyNames
    let bodies = node.bodies(names).map { InferredBody($0, in: graph, table, depth: depth + 1) }
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
  /// How many graphs it is in.
  private let depth: Int
  /// The inputs that it was inferred for last.
  private var inputs: [ValueType?]?

  /// A loop infers its graph several times, and each of these a loop in it does so again: that deep inside no extents of what
  /// comes in are looked at, so that once suffices.
  private static let depthOfExtents = 3

  init(_ body: Graph, in outer: Graph, _ table: OperatorTable, depth: Int) {
    var declared = body
    for capture in body.captures {
      if let type = outer[capture.outer].type { declared[capture.inner].type = type }
    }
    self.declared = declared
    graph = declared
    self.table = table
    self.depth = depth
  }

  func outputTypes(_ given: [ValueType?]) throws -> [ValueType?] {
    let types = depth > InferredBody.depthOfExtents ? given.map { $0?.withoutShapes } : given
    if types != inputs {
      graph = declared
      for (input, type) in zip(graph.inputs, types) {
        guard let type else { continue }
        graph[input].type = type
      }
      _ = try ShapeInference.run(&graph, table: table, depth: depth)
      inputs = types
    }
    return graph.outputs.map { graph[$0].type }
  }
}
