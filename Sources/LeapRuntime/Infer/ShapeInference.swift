// ShapeInference: types and shapes of every value of a graph, with the model's symbols kept, by asking each operator in turn.

import LeapGraph
import LeapOperators
import LeapTensors

/// What inference found out about a graph beyond the types it wrote into the graph's values.
package struct InferenceResult: Sendable {
  /// The operators of the nodes, in the graph's order.
  package var operators: [any Operator]
  /// Elements of values that are known before running: small constants, and shapes as expressions.
  package var known: [ValueID: KnownValue]
}

package enum ShapeInference {
  /// The largest constant, in elements, whose elements inference reads: larger ones are weights.
  package static let knownElementLimit = 4096

  /// Makes the operators of a graph's nodes and writes the types and shapes of all values into the graph.
  ///
  /// A shape that the model declares and one that is inferred are merged: what either knows, holds. Where they contradict
  /// each other on an extent, the inferred one wins for values inside the graph, as the operators are what will run.
  ///
  /// - Throws: `ModelError.unsupportedOperators` with all unknown operators, or else all nodes whose types there are no kernels
  ///   for; `.inference` where types or shapes do not fit.
  package static func run(
    _ graph: inout Graph, table: OperatorTable, depth: Int = 0
  ) throws -> InferenceResult {
    let operators = try makeOperators(of: graph, table: table)
    var known = try knownConstants(of: graph)
    var unsupported: [UnsupportedOperator] = []
    // What nodes without a kernel make: nothing can be said of what reads it.
    var untold: Set<ValueID> = []
    for (position, node) in graph.nodes.enumerated() {
      let made = node.outputs.compactMap { $0 }
      if !untold.isEmpty, node.inputs.contains(where: { $0.map(untold.contains) ?? false }) {
        untold.formUnion(made)
        continue
      }
      do {
        try infer(
          position, operators[position], in: &graph, known: &known, table: table, depth: depth)
      } catch ModelError.unsupportedOperators(let found) {
        unsupported += found
        untold.formUnion(made)
      }
    }
    if !unsupported.isEmpty { throw ModelError.unsupportedOperators(unsupported) }
    return InferenceResult(operators: operators, known: known)
  }

  /// Infers one node, and writes what is found out of its outputs into the graph.
  ///
  /// - Throws: as `infer(_:_:in:known:)`.
  static func infer(
    _ position: Int, _ operation: any Operator, in graph: inout Graph,
    known: inout [ValueID: KnownValue], table: OperatorTable, depth: Int = 0
  ) throws {
    let node = graph.nodes[position]
    let context: InferenceContext
    if let operation = operation as? any BodyOperator {
      context = try inferBodies(
        position, operation, in: &graph, known: known, table: table, depth: depth)
    } else {
      context = try infer(node, operation, in: graph, known: known)
    }
    for (output, inferred) in zip(node.outputs, context.outputs) {
      guard let output, let inferred else { continue }
      graph[output].type = merge(inferred: inferred.type, declared: graph[output].type)
      known[output] = inferred.known
    }
  }

  /// Makes the operators of all nodes, or throws one error that lists every node without one.
  package static func makeOperators(
    of graph: Graph, table: OperatorTable
  ) throws -> [any Operator] {
    var operators: [any Operator] = []
    var unsupported: [UnsupportedOperator] = []
    for node in graph.nodes {
      do {
        operators.append(try table.makeOperator(for: node, in: graph))
      } catch ModelError.unsupportedOperators(let found) { unsupported += found }
    }
    if !unsupported.isEmpty { throw ModelError.unsupportedOperators(unsupported) }
    return operators
  }

  /// Runs one operator's inference on what is known of its inputs.
  ///
  /// - Throws: `ModelError.inference`, or `.unsupportedOperators` with the node.
  package static func infer(
    _ node: Node, _ operation: any Operator, in graph: Graph, known: [ValueID: KnownValue]
  ) throws -> InferenceContext {
    var context = context(of: node, in: graph, known: known)
    do { try operation.infer(&context) } catch let error as OperatorError {
      throw ModelError.inference(error, at: node.description(in: graph))
    }
    return context
  }

  /// What is known of a node's inputs.
  static func context(
    of node: Node, in graph: Graph, known: [ValueID: KnownValue]
  ) -> InferenceContext {
    InferenceContext(
      inputs: node.inputs.map { id in
        guard let id, let type = graph[id].type else { return nil }
        return InferredValue(type, known: known[id])
      },
      given: node.inputs.map { $0 != nil }, outputCount: node.outputs.count)
  }

  /// The elements of constants that inference reads.
  ///
  /// - Parameter skipsAbsent: whether those that are not where the model says are left out, and no error.
  static func knownConstants(
    of graph: Graph, skipsAbsent: Bool = false
  ) throws -> [ValueID: KnownValue] {
    // A constant that is also an input may be overridden, so its elements are not known.
    let overridable = Set(graph.inputs)
    var known: [ValueID: KnownValue] = [:]
    for (id, constant) in graph.constants where !overridable.contains(id) {
      guard constant.shape.elementCount <= knownElementLimit, !(skipsAbsent && constant.isAbsent)
      else { continue }
      known[id] = .tensor(try constant.tensor())
    }
    return known
  }

  /// Joins what inference says with what the model declares.
  package static func merge(inferred: ValueType, declared: ValueType?) -> ValueType {
    guard case .tensor(let type, let shape) = inferred,
      case .tensor(type, let other?) = declared
    else { return inferred }
    guard let shape else { return .tensor(type, shape: other) }
    guard shape.count == other.count else { return inferred }
    let merged = zip(shape, other).map { inferred, declared -> Dimension in
      switch (inferred, declared) {
      case (.unknown, _): declared
      case (_, .fixed) where inferred.value == nil: declared
      default: inferred
      }
    }
    return .tensor(type, shape: merged)
  }
}
