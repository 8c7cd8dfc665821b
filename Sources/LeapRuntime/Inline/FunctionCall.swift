// FunctionCall: one call of a function, turned into the nodes of its body over the values of the graph around it.

import LeapGraph
import LeapTensors

/// The graph that bodies are put into.
struct InliningTarget {
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

  /// A constant under a name of its own.
  mutating func addConstant(_ name: String, _ constant: Constant) -> ValueID {
    let value = addValue(name)
    graph.constants[value] = constant
    graph[value].type = .tensor(constant.dataType, shape: constant.shape.map(Dimension.fixed))
    return value
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
struct FunctionCall {
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
