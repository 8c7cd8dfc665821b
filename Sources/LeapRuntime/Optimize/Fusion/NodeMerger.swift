// NodeMerger: what the fusing passes share: one sweep over a graph's nodes in order that merges nodes into later ones.
//
// 1. A merged node stands where the later of the two stood: whatever either reads exists there.
// 2. Positions stay what they were until the sweep ends, so that a graph's connections are found once.
// 3. Every node and value that a merge makes names all that it comes from.

import LeapGraph
import LeapOperators
import LeapTensors

struct NodeMerger {
  private var graph: Graph { didSet { isChanged = true } }
  private var isChanged = false
  private let pass: String
  private var operators: [(any Operator)?]
  private let connections: Connections
  /// How many values the graph had when `connections` was made.
  private let connectedCount: Int
  private let overridable: Set<ValueID>
  private var removed: Set<NodeID> = []
  private var names: Set<String>
  private var nextNumber: [String: Int] = [:]

  /// - Parameter pass: the name of the pass, for origins.
  init(_ context: PassContext, pass: String) {
    graph = context.graph
    self.pass = pass
    operators = context.operators
    connections = graph.connections()
    connectedCount = graph.values.count
    overridable = Set(graph.inputs)
    names = Set(graph.values.map(\.name))
  }

  /// The positions of all nodes, in order.
  var positions: Range<Int> { graph.nodes.indices }

  /// The node at a position; nil where it was merged into a later one.
  func node(_ position: Int) -> Node? {
    let node = graph.nodes[position]
    return removed.contains(node.id) ? nil : node
  }

  /// The operator of the node at a position; nil where it is not known.
  func operation(_ position: Int) -> (any Operator)? { operators[position] }

  func type(_ value: ValueID) -> ValueType? { graph[value].type }

  /// The node that makes a value.
  func producer(of value: ValueID) -> Int? {
    value.index < connectedCount ? connections.producer(of: value) : nil
  }

  /// The node that makes a value of which the node at `reader` is the only reader, and which is no output of the graph.
  func soleProducer(of value: ValueID, reader: Int) -> Int? {
    guard value.index < connectedCount, connections.onlyConsumer(of: value) == reader else {
      return nil
    }
    return connections.producer(of: value)
  }

  /// Whether one node at most reads a value, and it is no output of the graph.
  func hasOneReader(_ value: ValueID) -> Bool {
    // What a merge added has the one reader that it was made for.
    guard value.index < connectedCount else { return true }
    return connections.consumers(of: value).count <= 1 && !connections.isOutput(value)
  }

  /// The nodes that read a value; nil where it is an output of the graph, or was made by a merge.
  func readers(of value: ValueID) -> [Int]? {
    guard value.index < connectedCount, !connections.isOutput(value) else { return nil }
    return connections.consumers(of: value)
  }

  /// A constant that no caller can replace.
  func constant(_ value: ValueID) -> Constant? {
    overridable.contains(value) ? nil : graph.constants[value]
  }

  /// The longest vector, in elements, that a merge reads or makes at once.
  static let vectorLimit = 1 << 20

  /// The elements of a float constant of at most `vectorLimit` elements that no caller can replace.
  func floats(_ value: ValueID) throws -> [Double]? {
    guard let constant = constant(value), constant.shape.elementCount <= NodeMerger.vectorLimit,
      [.float32, .float64].contains(constant.dataType)
    else { return nil }
    return try constant.tensor().doubles
  }

  /// A small constant that no caller can replace.
  func known(_ value: ValueID) throws -> Tensor? {
    guard let constant = constant(value),
      constant.shape.elementCount <= ShapeInference.knownElementLimit
    else { return nil }
    return try constant.tensor()
  }

  /// Adds a constant for the use of one node, made from the values `sources`.
  mutating func addConstant(_ constant: Constant, from sources: [ValueID]) -> ValueID {
    let base = sources.first.map { graph[$0].name } ?? "constant"
    return addConstant(
      constant, named: "\(base)_folded", from: sources.flatMap { graph[$0].origin.names })
  }

  /// Adds a constant for the use of one node, made from the nodes and values of these names.
  mutating func addConstant(
    _ constant: Constant, named base: String, from origins: [String]
  ) -> ValueID {
    let id = addValue(base, from: origins)
    graph[id].type = .tensor(constant.dataType, shape: constant.shape.map(Dimension.fixed))
    graph.constants[id] = constant
    return id
  }

  /// Adds a value for a node that the pass makes, of a type that is still to be inferred.
  mutating func addValue(_ base: String, from origins: [String]) -> ValueID {
    let name = freshName(base)
    return graph.addValue(
      Value(
        name: name, type: nil, origin: Origin(origins.isEmpty ? [name] : origins, pass: pass)))
  }

  /// Adds a constant vector, rounded to `dataType`. Throws where memory is refused.
  mutating func addVector(
    _ elements: [Double], _ dataType: DataType, from sources: [ValueID]
  ) throws -> ValueID {
    let tensor =
      dataType == .float64
      ? try Tensor(elements) : try Tensor(elements.map { Float($0) })
    return addConstant(Constant(tensor), from: sources)
  }

  /// Drops a constant that one node read and that was replaced, so that its bytes are not kept.
  mutating func dropConstant(_ value: ValueID) {
    if hasOneReader(value), !overridable.contains(value) { graph.constants[value] = nil }
  }

  private mutating func freshName(_ base: String) -> String {
    if names.insert(base).inserted { return base }
    var number = nextNumber[base, default: 1]
    while !names.insert("\(base)_\(number)").inserted { number += 1 }
    nextNumber[base] = number + 1
    return "\(base)_\(number)"
  }

  /// Lets the earlier node compute what the later one made of its result: it moves to the later one's position and takes
  /// over its outputs. The later node is gone.
  mutating func extend(
    _ earlier: Int, through later: Int, _ change: (inout Node) throws -> Void
  ) rethrows {
    var merged = graph.nodes[earlier]
    merged.outputs = graph.nodes[later].outputs
    merged.origin = origin([earlier, later])
    try change(&merged)
    removed.insert(graph.nodes[earlier].id)
    operators[later] = operators[earlier]
    graph.updateNode(at: later) { node in
      node.name = merged.name
      node.domain = merged.domain
      node.operatorType = merged.operatorType
      node.overload = merged.overload
      node.opset = merged.opset
      node.inputs = merged.inputs
      node.outputs = merged.outputs
      node.attributes = merged.attributes
      node.epilogue = merged.epilogue
      node.prologue = merged.prologue
      node.origin = merged.origin
    }
  }

  /// Lets a node do the work of earlier ones too, which are gone.
  mutating func absorb(
    _ earlier: [Int], into later: Int, _ change: (inout Node) throws -> Void
  ) rethrows {
    let merged = origin(earlier + [later])
    try graph.updateNode(at: later) { node in
      try change(&node)
      node.origin = merged
    }
    for position in earlier { removed.insert(graph.nodes[position].id) }
    operators[later] = nil
  }

  private func origin(_ positions: [Int]) -> Origin {
    var names: [String] = []
    for name in positions.flatMap({ graph.nodes[$0].origin.names }) where !names.contains(name) {
      names.append(name)
    }
    return Origin(names, pass: pass)
  }

  /// Gives the context the graph with all merges done, where there are any. O(nodes).
  consuming func finish(_ context: inout PassContext) {
    guard isChanged else { return }
    let removed = removed
    graph.removeNodes { removed.contains($0.id) }
    context.graph = graph
  }
}
