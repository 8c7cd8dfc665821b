// RegionRewriter: lets the nodes of a region compute in another order of axes, with transposes at its borders.

import LeapGraph
import LeapOperators
import LeapTensors

struct RegionRewriter {
  private let region: TransposedRegion
  private var graph: Graph
  private let pass: String
  private var names: Set<String>
  /// What stands for a value in the other order.
  private var counterparts: [ValueID: ValueID] = [:]
  private var replacements: [ValueID: ValueID] = [:]
  /// Places of the nodes that were there already.
  private let originalCount: Int
  /// For each new node, in the order in which they were added: whether it stands before or after the node at a place.
  private var additions: [(position: Int, isBefore: Bool)] = []

  private var permutation: Permutation { region.permutation }

  init(_ region: TransposedRegion, pass: String) {
    self.region = region
    self.pass = pass
    graph = region.context.graph
    originalCount = graph.nodes.count
    names = Set(graph.values.map(\.name))
  }

  /// The graph with the region in the other order. Transposes that nobody reads any more are still there.
  ///
  /// - Throws: `OperatorError` or `ModelError` where memory is refused.
  mutating func rewritten() throws -> Graph {
    for position in region.members.keys.sorted() {
      if let node = region.members[position] { try transpose(position, node) }
    }
    for position in region.members.keys.sorted() { leave(position) }
    graph.replaceUses(replacements)
    graph.reorder(order())
    return graph
  }

  private mutating func transpose(_ position: Int, _ node: TransposableNode) throws {
    var inputs = graph.nodes[position].inputs
    for index in node.operands {
      if let value = inputs[index] { inputs[index] = counterpart(of: value, before: position) }
    }
    for (index, elements) in node.vectors.sorted(by: { $0.key < $1.key }) {
      guard let value = inputs[index] else { continue }
      let tensor = try Tensor(elements.map(Int64.init))
      inputs[index] = addConstant(Constant(tensor), for: value)
    }
    var outputs = graph.nodes[position].outputs
    if node.transposesOutputs { outputs = outputs.map { $0.map { addCounterpart(of: $0) } } }
    graph.updateNode(at: position) {
      $0.inputs = inputs
      $0.outputs = outputs
      $0.attributes.merge(node.attributes) { $1 }
      $0.origin.pass = pass
    }
  }

  // MARK: Into the region

  private mutating func counterpart(of value: ValueID, before position: Int) -> ValueID {
    if let made = counterparts[value] { return made }
    let made: ValueID
    if region.isConstant(value) {
      made = constantCounterpart(of: value, before: position)
    } else if let (source, order) = origin(of: value) {
      made = addTranspose(
        of: source, permutation.inverse.following(order), (position, true), for: value)
    } else {
      made = addTranspose(of: value, permutation.inverse, (position, true), for: value)
    }
    counterparts[value] = made
    return made
  }

  /// What a Transpose makes a value of, and in what order; nil where none makes it. In the other order, where the region makes
  /// that itself.
  private func origin(of value: ValueID) -> (source: ValueID, order: Permutation)? {
    guard let order = region.order(of: value),
      let producer = region.connections.producer(of: value),
      let source = region.context.graph.nodes[producer].inputs[0]
    else { return nil }
    guard region.isTransposed(source), let made = counterparts[source] else {
      return (source, order)
    }
    return (made, order.following(permutation))
  }

  /// A constant in the other order: under another shape where its elements stay in place, transposed otherwise.
  private mutating func constantCounterpart(of value: ValueID, before position: Int) -> ValueID {
    guard let constant = graph.constants[value] else { return value }
    let rank = permutation.axes.count
    let whole = Shape(
      Array(repeating: 1, count: rank - constant.shape.rank) + constant.shape.dimensions)
    let back = permutation.inverse
    if back.movesOnlyUnits(of: whole.map(Dimension.fixed)) {
      let shape = Shape(back.reorder(whole.dimensions))
      return addConstant(constant.reshaped(shape), for: value)
    }
    let source =
      whole == constant.shape ? value : addConstant(constant.reshaped(whole), for: value)
    return addTranspose(of: source, back, (position, true), for: value)
  }

  // MARK: Out of the region

  /// Gives the readers outside the region what they had.
  private mutating func leave(_ position: Int) {
    for value in region.outputs(position) where region.isTransposed(value) {
      guard let made = counterparts[value] else { continue }
      for reader in region.connections.consumers(of: value) {
        if let order = region.transposes[reader] { retarget(reader, order, to: made) }
      }
      if region.isReadAsItWas(value) {
        _ = addTranspose(of: made, permutation, (position, false), for: value, as: value)
      }
    }
  }

  /// Lets a Transpose read the counterpart of what it read.
  private mutating func retarget(_ reader: Int, _ order: Permutation, to made: ValueID) {
    let combined = order.following(permutation)
    if combined.isIdentity, let output = graph.nodes[reader].outputs[0] {
      replacements[output] = made
      graph[made].origin.names += graph[output].origin.names
    } else {
      graph.updateNode(at: reader) {
        $0.inputs[0] = made
        $0.attributes["perm"] = combined.attribute
        $0.origin.pass = pass
      }
    }
  }

  // MARK: New nodes and values

  private mutating func freshName(_ base: String) -> String {
    var name = base
    while !names.insert(name).inserted { name += "'" }
    return name
  }

  private mutating func addCounterpart(of value: ValueID) -> ValueID {
    let made = addValue(for: value, type: transposed(graph[value].type, permutation.inverse))
    counterparts[value] = made
    return made
  }

  private mutating func addValue(for value: ValueID, type: ValueType?) -> ValueID {
    let name = freshName("\(graph[value].name) transposed")
    let origin = Origin(graph[value].origin.names, pass: pass)
    return graph.addValue(Value(name: name, type: type, origin: origin))
  }

  private mutating func addConstant(_ constant: Constant, for value: ValueID) -> ValueID {
    let type = ValueType.tensor(constant.dataType, shape: constant.shape.map(Dimension.fixed))
    let id = addValue(for: value, type: type)
    graph.constants[id] = constant
    return id
  }

  private func transposed(_ type: ValueType?, _ permutation: Permutation) -> ValueType? {
    guard let dataType = type?.dataType, let shape = type?.shape,
      shape.count == permutation.axes.count
    else { return nil }
    return .tensor(dataType, shape: permutation.reorder(shape))
  }

  /// Adds a Transpose, or nothing where the order stays, and returns its result.
  private mutating func addTranspose(
    of source: ValueID, _ order: Permutation, _ place: (position: Int, isBefore: Bool),
    for value: ValueID, as output: ValueID? = nil
  ) -> ValueID {
    if order.isIdentity, output == nil { return source }
    let made = output ?? addValue(for: value, type: transposed(graph[source].type, order))
    let neighbour = graph.nodes[place.position]
    graph.addNode(
      name: "\(graph[made].name) by transpose", operatorType: "Transpose",
      opset: neighbour.opset, inputs: [source], outputs: [made],
      attributes: ["perm": order.attribute],
      origin: Origin(neighbour.origin.names, pass: pass))
    additions.append((place.position, place.isBefore))
    return made
  }

  /// The nodes in an order that is topological again.
  private func order() -> [Int] {
    var before: [Int: [Int]] = [:]
    var after: [Int: [Int]] = [:]
    for (index, addition) in additions.enumerated() {
      if addition.isBefore {
        before[addition.position, default: []].append(originalCount + index)
      } else {
        after[addition.position, default: []].append(originalCount + index)
      }
    }
    return (0..<originalCount).flatMap { position in
      before[position, default: []] + [position] + after[position, default: []]
    }
  }
}
