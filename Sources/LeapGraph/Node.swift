// Node: one application of an operator in a graph, with its attributes.

import LeapTensors

/// A value of a graph, by its place in the graph's table of values.
package struct ValueID: Hashable, Sendable, Comparable {
  package let index: Int
  package init(_ index: Int) { self.index = index }
  package static func < (a: ValueID, b: ValueID) -> Bool { a.index < b.index }
}

/// A node of a graph; stays the same while passes insert and remove others.
package struct NodeID: Hashable, Sendable, Comparable {
  package let index: Int
  package init(_ index: Int) { self.index = index }
  package static func < (a: NodeID, b: NodeID) -> Bool { a.index < b.index }
}

/// Where a node or value comes from: the model's own names, and the pass that made it.
package struct Origin: Sendable, Hashable {
  /// The names of the model's nodes (for a node) or values (for a value) that it stands for.
  package var names: [String]
  /// The pass that made it; nil for what stood in the model.
  package var pass: String?

  package init(_ names: [String], pass: String? = nil) {
    self.names = names
    self.pass = pass
  }
}

/// An attribute of a node, as ONNX types it.
package enum Attribute: Sendable {
  case int(Int64)
  case float(Float)
  case string([UInt8])
  case tensor(Constant)
  case sparseTensor(Constant)
  case graph(Graph)
  case type(ValueType)
  case ints([Int64])
  case floats([Float])
  case strings([[UInt8]])
  case tensors([Constant])
  case graphs([Graph])
  case types([ValueType])
  /// Inside a local function's body: the value of the caller's attribute of this name.
  case reference(String)
}

extension Attribute {
  fileprivate var holdsGraphs: Bool {
    switch self {
    case .graph, .graphs: true
    default: false
    }
  }

  /// The attribute with each graph that it holds put through `change`.
  package func mapGraphs(_ change: (Graph) throws -> Graph) rethrows -> Attribute {
    switch self {
    case .graph(let graph): .graph(try change(graph))
    case .graphs(let graphs): .graphs(try graphs.map(change))
    default: self
    }
  }
}

/// One application of an operator.
package struct Node: Sendable {
  package let id: NodeID
  /// The node's name in the model, or `#index` where it has none.
  package var name: String
  /// Empty for ONNX's own operators; "ai.onnx" is spelled empty too.
  package var domain: String
  package var operatorType: String
  package var overload: String
  /// The opset version of `domain` that the model imports.
  package var opset: Int
  /// nil where an optional input is left out in the middle.
  package var inputs: [ValueID?]
  package var outputs: [ValueID?]
  package var attributes: [String: Attribute]
  /// What fusion appended: stages that run on each result before it is stored.
  package var epilogue: [EpilogueStage] = []
  /// What fusion put in front: done to input 0 before the operator reads it.
  package var prologue: Prologue?
  package var origin: Origin

  package init(
    id: NodeID, name: String, domain: String = "", operatorType: String, overload: String = "",
    opset: Int, inputs: [ValueID?], outputs: [ValueID?], attributes: [String: Attribute] = [:],
    origin: Origin? = nil
  ) {
    self.id = id
    self.name = name
    self.domain = domain
    self.operatorType = operatorType
    self.overload = overload
    self.opset = opset
    self.inputs = inputs
    self.outputs = outputs
    self.attributes = attributes
    self.origin = origin ?? Origin([name])
  }

  /// The graphs among the attributes, in the order of the attributes' names.
  package var subgraphs: [(attribute: String, graph: Graph)] {
    var found: [(attribute: String, graph: Graph)] = []
    for (name, attribute) in attributes.sorted(by: { $0.key < $1.key }) {
      switch attribute {
      case .graph(let graph): found.append((name, graph))
      case .graphs(let graphs): found += graphs.map { (name, $0) }
      default: break
      }
    }
    return found
  }

  /// The values of the enclosing graph that this node reads: its inputs, and what its subgraphs capture.
  package var uses: [ValueID] {
    let read = inputs.compactMap { $0 }
    guard attributes.values.contains(where: \.holdsGraphs) else { return read }
    return read + subgraphs.flatMap { $0.graph.captures.map(\.outer) }
  }

  /// The node for an error message.
  package func description(in graph: Graph) -> NodeDescription {
    NodeDescription(
      name: origin.names.first ?? name, domain: domain, operatorType: operatorType, opset: opset,
      inputs: inputs.map { id in
        id.map { graph[$0].type?.description ?? "unknown type" } ?? "none"
      })
  }
}
