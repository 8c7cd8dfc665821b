// FunctionInliner: puts the bodies of a model's own functions in the place of their calls, so that all later stages see
// operators alone.
//
// 1. Hostile models stay harmless: calls are expanded by a stack of our own, and what they expand to is bounded.
// 2. Every node and value says which call and which function it comes from.

import LeapGraph
import LeapOperators
import LeapTensors

package enum FunctionInliner {
  /// Calls that may be nested.
  package static let depthLimit = 100
  /// Graphs that may be nested once all calls are expanded.
  package static let graphDepthLimit = 64
  /// Nodes, those of subgraphs included, that all calls of a model may add.
  package static let nodeLimit = 200_000
  /// What the origin of inlined nodes and values names as their maker.
  package static let name = "function-inlining"

  /// The operators that others are put in the place of, with the versions in which they are.
  package static var rewrittenOperators: [OperatorDeclaration] { Decomposition.operators }

  /// The model without functions, each call replaced by the function's body, and without operators that are made of others
  /// (`Decomposition`). A function of the model goes before an operator of the same name. O(nodes of the result).
  ///
  /// - Throws: `ModelError.invalid` where a call does not fit its function, `.limitExceeded` where calls are nested too
  ///   deeply or expand to too much.
  package static func inlined(_ model: Model) throws -> Model {
    if model.functions.isEmpty && !Decomposition.applies(to: model.graph) { return model }
    var functions: [FunctionKey: LocalFunction] = [:]
    for function in model.functions { functions[FunctionKey(function)] = function }
    var measure = ExpansionMeasure(functions)
    try measure.check(model.graph)
    let expansion = Expansion(
      functions: functions, opset: model.opsets[""] ?? OperatorTable.latestOpset)
    var result = model
    result.graph = try expansion.expanded(model.graph)
    result.functions = []
    return result
  }
}

/// What tells functions apart.
struct FunctionKey: Hashable {
  let domain: String
  let name: String
  let overload: String

  init(_ function: LocalFunction) {
    (domain, name, overload) = (function.domain, function.name, function.overload)
  }
  init(_ node: Node) {
    (domain, name, overload) = (node.domain, node.operatorType, node.overload)
  }
}

/// Puts bodies in the place of their calls.
private struct Expansion {
  let functions: [FunctionKey: LocalFunction]
  /// The version of ONNX's own operators, for nodes that no function has.
  let opset: Int

  /// A graph whose nodes, and those of its subgraphs, call no function.
  func expanded(_ graph: Graph) throws -> Graph {
    var target = InliningTarget(graph)
    // Bodies go onto the stack in place of their calls, last node first, so that order is kept.
    var stack = Array(graph.nodes.reversed())
    while var node = stack.popLast() {
      if let function = functions[FunctionKey(node)] {
        let call = try FunctionCall(node, of: function, identityOpset: opset)
        stack += try call.body(in: &target).reversed()
        continue
      }
      if let body = try Decomposition.body(of: node, in: &target) {
        stack += body.reversed()
        continue
      }
      node.attributes = try node.attributes.mapValues { try $0.mapGraphs(expanded) }
      target.append(node)
    }
    return target.graph
  }
}
