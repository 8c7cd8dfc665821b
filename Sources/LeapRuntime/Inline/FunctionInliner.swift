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

  /// The model without functions, each call replaced by the function's body. A function of the model goes before an
  /// operator of the same name. O(nodes of the result).
  ///
  /// - Throws: `ModelError.invalid` where a call does not fit its function, `.limitExceeded` where calls are nested too
  ///   deeply or expand to too much.
  package static func inlined(_ model: Model) throws -> Model {
    if model.functions.isEmpty { return model }
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
private struct FunctionKey: Hashable {
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

/// What a graph expands to, found before anything is expanded.
private struct ExpansionMeasure {
  private struct Size {
    /// The graph's own nodes, those of subgraphs included.
    var nodes = 0
    /// Nodes that calls add.
    var added = 0
    var depth = Depth()
  }
  /// How deep something is nested.
  private struct Depth {
    var calls = 0
    var graphs = 0

    func inside(_ other: Depth) -> Depth {
      Depth(calls: calls + other.calls, graphs: graphs + other.graphs)
    }
    mutating func formMaximum(_ other: Depth) {
      calls = max(calls, other.calls)
      graphs = max(graphs, other.graphs)
    }
  }
  private let functions: [FunctionKey: LocalFunction]
  private var known: [FunctionKey: Size] = [:]

  init(_ functions: [FunctionKey: LocalFunction]) { self.functions = functions }

  /// Throws `ModelError.limitExceeded` where calls in a graph are nested too deeply, cycles among them, or expand to
  /// too many nodes.
  mutating func check(_ graph: Graph) throws {
    _ = try size(of: graph, at: Depth())
  }

  private mutating func size(of graph: Graph, at depth: Depth) throws -> Size {
    var size = Size()
    for node in graph.nodes {
      size.nodes += 1
      if let function = functions[FunctionKey(node)] {
        let call = Depth(calls: 1)
        let body = try self.size(of: function, at: depth.inside(call), node)
        size.added += body.nodes + body.added
        size.depth.formMaximum(body.depth.inside(call))
      }
      for (_, subgraph) in node.subgraphs {
        let level = Depth(graphs: 1)
        try check(depth.inside(level), node)
        let inner = try self.size(of: subgraph, at: depth.inside(level))
        size.nodes += inner.nodes
        size.added += inner.added
        size.depth.formMaximum(inner.depth.inside(level))
      }
      try check(depth.inside(size.depth), node)
      guard size.added <= FunctionInliner.nodeLimit else {
        throw ModelError.limitExceeded(
          what: "nodes that function calls add, at node '\(node.name)'", found: size.added,
          limit: FunctionInliner.nodeLimit)
      }
    }
    return size
  }

  private mutating func size(
    of function: LocalFunction, at depth: Depth, _ call: Node
  ) throws -> Size {
    if let size = known[FunctionKey(function)] { return size }
    try check(depth, call)
    let size = try size(of: function.body, at: depth)
    known[FunctionKey(function)] = size
    return size
  }

  private func check(_ depth: Depth, _ node: Node) throws {
    for (what, found, limit) in [
      ("function calls", depth.calls, FunctionInliner.depthLimit),
      ("graphs in graphs", depth.graphs, FunctionInliner.graphDepthLimit),
    ] where found > limit {
      throw ModelError.limitExceeded(
        what: "depth of \(what) at node '\(node.name)'", found: found, limit: limit)
    }
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
      node.attributes = try node.attributes.mapValues { try $0.mapGraphs(expanded) }
      target.append(node)
    }
    return target.graph
  }
}

/// The graph that bodies are put into.
private struct InliningTarget {
  private(set) var graph: Graph
  private var names: Set<String>
  private var numbers: [String: Int] = [:]

  init(_ graph: Graph) {
    self.graph = graph
    self.graph.removeNodes { _ in true }
    names = Set(graph.values.map(\.name))
  }

  mutating func append(_ node: Node) {
    graph.addNode(
      name: node.name, domain: node.domain, operatorType: node.operatorType,
      overload: node.overload, opset: node.opset, inputs: node.inputs, outputs: node.outputs,
      attributes: node.attributes, origin: node.origin)
  }

  /// A value of its own for one that a body names.
  mutating func addValue(_ name: String) -> ValueID {
    var unique = name
    while !names.insert(unique).inserted {
      numbers[name, default: 0] += 1
      unique = "\(name)_\(numbers[name, default: 0])"
    }
    let origin = Origin([unique], pass: FunctionInliner.name)
    return graph.addValue(Value(name: unique, type: nil, origin: origin))
  }
}

/// One call of a function.
private struct FunctionCall {
  private let call: Node
  private let function: LocalFunction
  private let identityOpset: Int
  private let arguments: [String: Attribute]

  /// - Throws: `ModelError.invalid` where the call has more inputs or outputs than the function.
  init(_ call: Node, of function: LocalFunction, identityOpset: Int) throws {
    self.call = call
    self.function = function
    self.identityOpset = identityOpset
    arguments = function.defaults.merging(call.attributes) { $1 }
    for (what, given, known) in [
      ("inputs", call.inputs.count, function.body.inputs.count),
      ("outputs", call.outputs.count, function.body.outputs.count),
    ] where given > known {
      throw broken("it has \(given) \(what); function '\(function.name)' has \(known)")
    }
  }

  private func broken(_ reason: String) -> ModelError {
    .invalid(location: "node '\(call.name)' (\(call.operatorType))", reason: reason)
  }

  /// The body's nodes over values of the graph around the call.
  func body(in target: inout InliningTarget) throws -> [Node] {
    let body = function.body
    var bound: [ValueID: ValueID] = [:]
    for (inner, outer) in zip(body.inputs, call.inputs) { if let outer { bound[inner] = outer } }
    let parameters = Set(body.inputs)
    var copies: [(from: ValueID, to: ValueID)] = []
    for (inner, outer) in zip(body.outputs, call.outputs) {
      guard let outer else { continue }
      // An output that is a parameter, or another output too, has no node of its own.
      if parameters.contains(inner) || bound[inner] != nil {
        copies.append((inner, outer))
      } else {
        bound[inner] = outer
      }
    }
    for node in body.nodes {
      for output in node.outputs.compactMap({ $0 }) where bound[output] == nil {
        bound[output] = target.addValue(qualified(body[output].name))
      }
    }
    let nodes = try body.nodes.map { try bind($0, bound) }
    return try nodes + copies.map { try copy(from: $0.from, to: $0.to, bound) }
  }

  private func bind(_ inner: Node, _ bound: [ValueID: ValueID]) throws -> Node {
    var node = inner
    node.name = qualified(inner.name)
    node.origin = origin(of: node.name)
    // What the call leaves out, the body's nodes leave out too.
    node.inputs = inner.inputs.map { $0.flatMap { bound[$0] } }
    while case .some(.none) = node.inputs.last { node.inputs.removeLast() }
    node.outputs = inner.outputs.map { $0.flatMap { bound[$0] } }
    node.attributes = try resolved(inner.attributes).mapValues { attribute in
      try attribute.mapGraphs { graph in
        var graph = graph
        graph.captures = try graph.captures.map { capture in
          guard let outer = bound[capture.outer] else {
            throw broken(
              "it leaves out '\(function.body[capture.outer].name)', which a graph in function '\(function.name)' reads"
            )
          }
          return Capture(inner: capture.inner, outer: outer)
        }
        return graph
      }
    }
    return node
  }

  /// Attributes with the call's in the place of references. One that neither the call nor a default gives is left out.
  private func resolved(_ attributes: [String: Attribute]) -> [String: Attribute] {
    attributes.compactMapValues { attribute in
      if case .reference(let name) = attribute { return arguments[name] }
      return attribute.mapGraphs { graph in
        var graph = graph
        for position in graph.nodes.indices {
          graph.updateNode(at: position) { $0.attributes = resolved($0.attributes) }
        }
        return graph
      }
    }
  }

  private func copy(
    from inner: ValueID, to outer: ValueID, _ bound: [ValueID: ValueID]
  ) throws -> Node {
    let name = function.body[inner].name
    guard let source = bound[inner] else {
      throw broken(
        "function '\(function.name)' returns its input '\(name)', which the call leaves out")
    }
    let qualified = qualified("copy of \(name)")
    return Node(
      id: call.id, name: qualified, operatorType: "Identity", opset: identityOpset,
      inputs: [source], outputs: [outer], origin: origin(of: qualified))
  }

  /// The path of calls to a node, the nodes that called, and the function.
  private func origin(of name: String) -> Origin {
    Origin([name] + call.origin.names.prefix(2) + [function.name], pass: FunctionInliner.name)
  }

  /// A name of the body behind the call's. Cut where it is long: a name may be as long as the file, and occur in many
  /// calls.
  private func qualified(_ name: String) -> String {
    FunctionCall.cut(call.name) + "/" + FunctionCall.cut(name)
  }

  private static let nameLimit = 200

  private static func cut(_ name: String) -> String {
    if name.utf8.count <= nameLimit { return name }
    return "…" + String(decoding: name.utf8.suffix(nameLimit), as: UTF8.self)
  }
}
