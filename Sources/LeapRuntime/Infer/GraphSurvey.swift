// GraphSurvey: types and shapes as far as they can be told, for tools that look at models which may not run.
//
// 1. Nothing ends it: what a node lacks is noted, and the rest goes on with what the model declares.
// 2. Trouble is told once, where it begins: what follows from it is no trouble of its own.

import LeapGraph
import LeapOperators
import LeapTensors

/// Why a node cannot be inferred, and so not run.
package struct NodeProblem: Sendable, Hashable {
  package var node: NodeDescription
  package var reason: String
  /// Whether there is nothing wrong but that Leapstone does not have the operator, or not for these types.
  package var isUnsupported: Bool
}

/// A graph with the types that can be told of its values.
package struct GraphSurvey: Sendable {
  /// With types filled in, those of subgraphs too.
  package private(set) var graph: Graph
  /// The operators of the nodes, in the graph's order; nil where there is none, or the node breaks its rules.
  package private(set) var operators: [(any Operator)?] = []
  /// By the places of nodes with subgraphs, in the order of `Node.subgraphs`.
  package private(set) var subgraphs: [Int: [GraphSurvey]] = [:]
  /// What keeps nodes from running, those of subgraphs included, in the order of nodes.
  package private(set) var problems: [NodeProblem] = []
  /// The places of the graph's own nodes that have a problem.
  package private(set) var troubled: Set<Int> = []
  private var known: [ValueID: KnownValue] = [:]
  /// Values of which neither a node nor the model says anything.
  private var untold: Set<ValueID> = []

  package init(_ graph: Graph, table: OperatorTable) {
    self.graph = graph
    known = (try? ShapeInference.knownConstants(of: graph, skipsAbsent: true)) ?? [:]
    untold = Set((graph.inputs + graph.captures.map(\.inner)).filter { graph[$0].type == nil })
    for position in graph.nodes.indices { survey(position, table) }
  }

  /// A graph as it stands: its operators, and no types but those that it has.
  package init(asDeclared graph: Graph, table: OperatorTable) {
    self.graph = graph
    for (position, node) in graph.nodes.enumerated() {
      operators.append(try? table.makeOperator(for: node, in: graph))
      if node.subgraphs.isEmpty { continue }
      subgraphs[position] = node.subgraphs.map {
        GraphSurvey(asDeclared: $0.graph, table: table)
      }
    }
  }

  private mutating func survey(_ position: Int, _ table: OperatorTable) {
    let node = graph.nodes[position]
    var trouble: (any Error)?
    do {
      let operation = try table.makeOperator(for: node, in: graph)
      operators.append(operation)
      if node.uses.contains(where: untold.contains) {
        giveUp(node)
      } else {
        try ShapeInference.infer(position, operation, in: &graph, known: &known, table: table)
      }
    } catch {
      if operators.count == position { operators.append(nil) }
      trouble = error
      giveUp(node)
    }
    let told = problems.count
    // With the types that the node hands to its graphs.
    surveySubgraphs(of: graph.nodes[position], position, table)
    // What is wrong in a graph of the node was told there.
    if let trouble, problems.count == told {
      troubled.insert(position)
      note(trouble, node)
    }
  }

  /// Leaves the outputs of a node to what the model declares of them.
  private mutating func giveUp(_ node: Node) {
    for output in node.outputs.compactMap({ $0 }) where graph[output].type == nil {
      untold.insert(output)
    }
  }

  private mutating func note(_ error: any Error, _ node: Node) {
    switch error {
    case ModelError.unsupportedOperators(let found):
      problems += found.map { NodeProblem(node: $0.node, reason: $0.reason, isUnsupported: true) }
    case ModelError.inference(let description, let reason):
      problems.append(NodeProblem(node: description, reason: reason, isUnsupported: false))
    default:
      let description = node.description(in: graph)
      problems.append(NodeProblem(node: description, reason: "\(error)", isUnsupported: false))
    }
  }

  private mutating func surveySubgraphs(
    of node: Node, _ position: Int, _ table: OperatorTable
  ) {
    if node.subgraphs.isEmpty { return }
    var surveys: [GraphSurvey] = []
    for (_, inner) in node.subgraphs {
      var inner = inner
      for capture in inner.captures { inner[capture.inner].type = graph[capture.outer].type }
      let survey = GraphSurvey(inner, table: table)
      problems += survey.problems
      surveys.append(survey)
    }
    subgraphs[position] = surveys
    var rest = surveys.map(\.graph)[...]
    let names = node.attributes.keys.sorted()
    graph.updateNode(at: position) { node in
      for name in names {
        node.attributes[name] = node.attributes[name]?.mapGraphs { _ in rest.removeFirst() }
      }
    }
  }
}
