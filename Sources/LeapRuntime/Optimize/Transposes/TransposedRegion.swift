// TransposedRegion: nodes that together compute in another order of axes, chosen so that most transposes go.
//
// What a set of nodes costs is what the transposes at its borders move: one that enters the set and undoes the other order
// goes, one that leaves it into the other order goes, and every other border needs a new one. The set starts with all nodes
// that hang together through values and shrinks while that costs nothing: a transpose then stays where it moves least.

import LeapGraph
import LeapOperators

/// The transposes of a graph, and what it costs to move some of them.
struct TransposedRegion {
  let context: PassContext
  let connections: Connections
  /// Makes the order that the nodes have now of the other one.
  let permutation: Permutation
  /// The orders that Transposes make, by their places.
  let transposes: [Int: Permutation]
  private let overridable: Set<ValueID>
  /// The nodes of the region, by their places.
  private(set) var members: [Int: TransposableNode] = [:]
  /// Nodes that were looked at; nil for those that mean their axes.
  private var candidates: [Int: TransposableNode?] = [:]

  /// Nodes around a value with more readers stay as they are: each decision would look at all of them.
  private static let readerLimit = 64

  init(
    _ permutation: Permutation, _ context: PassContext, _ connections: Connections,
    _ transposes: [Int: Permutation]
  ) {
    self.permutation = permutation
    self.context = context
    self.connections = connections
    self.transposes = transposes
    overridable = Set(context.graph.inputs)
  }

  /// Finds the nodes around the Transposes of this order that are worth computing in the other one. O(nodes).
  ///
  /// - Returns: whether transposes of more elements go than come.
  /// - Throws: what looking at nodes throws.
  mutating func grow() throws -> Bool {
    var pending: [Int] = []
    for (position, order) in transposes.sorted(by: { $0.key < $1.key }) {
      if order == permutation { pending += readers(of: output(position)) }
      if order == permutation.inverse, let source = input(position),
        let producer = connections.producer(of: source)
      {
        pending.append(producer)
      }
    }
    while let position = pending.popLast() {
      guard members[position] == nil, let node = try candidate(position) else { continue }
      members[position] = node
      pending += neighbours(of: position, node)
    }
    shrink()
    return !members.isEmpty && touchedValues(members.keys).reduce(0) { $0 + cost(of: $1) } < 0
  }

  private mutating func shrink() {
    var pending = members.keys.sorted()
    while let position = pending.popLast() {
      guard let node = members[position] else { continue }
      let values = touchedValues([position])
      let with = values.reduce(0) { $0 + cost(of: $1) }
      members[position] = nil
      let without = values.reduce(0) { $0 + cost(of: $1) }
      if without > with {
        members[position] = node
      } else {
        pending += neighbours(of: position, node).filter { members[$0] != nil }
      }
    }
  }

  // MARK: The graph around a node

  private mutating func candidate(_ position: Int) throws -> TransposableNode? {
    if let known = candidates[position] { return known }
    var node = try TransposableNode(
      position, permutation, in: context, overridable: overridable)
    if let found = node {
      let values = operands(of: position, found).filter { !isConstant($0) } + outputs(position)
      let counts = values.map { connections.consumers(of: $0).count }
      if counts.contains(where: { $0 > TransposedRegion.readerLimit }) { node = nil }
    }
    candidates[position] = .some(node)
    return node
  }

  private func input(_ position: Int) -> ValueID? { context.graph.nodes[position].inputs[0] }
  private func output(_ position: Int) -> ValueID? { context.graph.nodes[position].outputs[0] }

  private func readers(of value: ValueID?) -> [Int] {
    value.map { connections.consumers(of: $0) } ?? []
  }

  /// The nodes that share an operand or a result in the other order with a node.
  private func neighbours(of position: Int, _ node: TransposableNode) -> [Int] {
    var found: [Int] = []
    for value in operands(of: position, node) where !isConstant(value) {
      if let producer = connections.producer(of: value) { found.append(producer) }
      // Others that read the same Transpose: it goes where all of them follow.
      if order(of: value) == permutation { found += readers(of: value) }
    }
    if node.transposesOutputs { found += outputs(position).flatMap(readers) }
    return found.filter { $0 != position }
  }

  func operands(of position: Int, _ node: TransposableNode) -> [ValueID] {
    node.operands.compactMap { context.graph.nodes[position].inputs[$0] }
  }

  func outputs(_ position: Int) -> [ValueID] {
    context.graph.nodes[position].outputs.compactMap { $0 }
  }

  /// The order that the Transpose that makes a value makes; nil where none does.
  func order(of value: ValueID) -> Permutation? {
    connections.producer(of: value).flatMap { transposes[$0] }
  }

  // MARK: Costs

  private func touchedValues(_ positions: some Sequence<Int>) -> Set<ValueID> {
    var values: Set<ValueID> = []
    for position in positions {
      guard let node = members[position] else { continue }
      values.formUnion(operands(of: position, node))
      values.formUnion(outputs(position))
    }
    return values
  }

  /// Whether a node of the region makes a value, in the other order.
  func isTransposed(_ value: ValueID) -> Bool {
    connections.producer(of: value).flatMap { members[$0] }?.transposesOutputs ?? false
  }

  /// Whether something outside the region reads a value that the region makes, and no Transpose does it.
  func isReadAsItWas(_ value: ValueID) -> Bool {
    connections.isOutput(value)
      || connections.consumers(of: value).contains { members[$0] == nil && transposes[$0] == nil }
  }

  /// Elements that transposes of a value move, less what they move now.
  private func cost(of value: ValueID) -> Int {
    if isConstant(value) { return 0 }
    let readers = connections.consumers(of: value)
    if isTransposed(value) {
      let undone = readers.count { transposes[$0] == permutation.inverse }
      return ((isReadAsItWas(value) ? 1 : 0) - undone) * weight(value)
    }
    guard readers.contains(where: { members[$0] != nil }) else { return 0 }
    let isReadByRegionAlone =
      !connections.isOutput(value) && readers.allSatisfy { members[$0] != nil }
    switch order(of: value) {
    case permutation?: return isReadByRegionAlone ? -weight(value) : 0
    case .some: return isReadByRegionAlone ? 0 : weight(value)
    case nil: return weight(value)
    }
  }

  func isConstant(_ value: ValueID) -> Bool {
    context.graph.constants[value] != nil && !overridable.contains(value)
  }

  /// The elements of a value that change their places in the other order, extents that are not known counted as 1.
  private func weight(_ value: ValueID) -> Int {
    guard let shape = context.graph[value].type?.shape, shape.count == permutation.axes.count,
      !permutation.inverse.movesOnlyUnits(of: shape)
    else { return 0 }
    let extents = shape.map { max($0.value ?? 1, 1) }
    return Int(min(extents.reduce(1) { $0 * Double($1) }, 0x1p40))
  }
}
