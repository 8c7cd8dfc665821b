// TransposeElimination: fewer changes of the order of axes. Models from frameworks that keep channels last have one before
// and one behind each convolution.
//
// 1. Transposes that follow each other become one, or none.
// 2. Nodes that compute alike in any order (element-wise operators, concats, reductions, pads) take the order that lets most
//    transposes go: a region of them is turned as a whole where that moves fewer elements.
// 3. A transpose that moves axes of extent 1 alone is a reshape, which costs nothing.

import LeapGraph
import LeapOperators
import LeapTensors

package struct TransposeElimination: Pass {
  package static let name = "transpose-elimination"
  package static let summary =
    "cancel transposes, also through operators that compute alike in any order of axes"

  /// How often the orders that a graph has are tried: each time that helps leaves less to move.
  private static let roundLimit = 16

  package init() {}

  package func run(_ context: inout PassContext) throws {
    try join(&context)
    for _ in 0..<TransposeElimination.roundLimit {
      guard try turnRegion(&context) else { break }
      try context.infer()
      try join(&context)
    }
    try reshapeUnits(&context)
  }

  /// The orders that Transposes make, by their places.
  private func transposes(_ context: PassContext) throws -> [Int: Permutation] {
    var found: [Int: Permutation] = [:]
    for (position, node) in context.graph.nodes.enumerated() where context.isTranspose(node) {
      let type = node.inputs.first.flatMap { $0 }.flatMap { context.graph[$0].type }
      found[position] = try Permutation(node, input: type)
    }
    return found
  }

  // MARK: Chains

  /// Lets each Transpose read what the first of its chain reads; drops those that then do nothing or that nobody reads.
  private func join(_ context: inout PassContext) throws {
    let found = try transposes(context)
    if found.isEmpty { return }
    var sources: [ValueID: (source: ValueID, order: Permutation)] = [:]
    var replacements: [ValueID: ValueID] = [:]
    for (position, order) in found.sorted(by: { $0.key < $1.key }) {
      let node = context.graph.nodes[position]
      guard let input = node.inputs[0], let output = node.outputs[0] else { continue }
      let (source, whole) =
        sources[input].map { ($0.source, order.following($0.order)) } ?? (input, order)
      sources[output] = (source, whole)
      if whole.isIdentity {
        replacements[output] = source
        context.graph[source].origin.names += context.graph[output].origin.names
      } else if source != input {
        context.graph.updateNode(at: position) {
          $0.inputs[0] = source
          $0.attributes["perm"] = whole.attribute
          $0.origin.pass = TransposeElimination.name
        }
      }
    }
    context.graph.replaceUses(replacements)
    removeUnread(&context)
    try context.infer()
  }

  /// Removes Transposes that nobody reads.
  private func removeUnread(_ context: inout PassContext) {
    var read = Set(context.graph.outputs)
    var unread: Set<NodeID> = []
    for node in context.graph.nodes.reversed() {
      if context.isTranspose(node), let output = node.outputs[0], !read.contains(output) {
        unread.insert(node.id)
      } else {
        read.formUnion(node.uses)
      }
    }
    if !unread.isEmpty { context.graph.removeNodes { unread.contains($0.id) } }
  }

  // MARK: Regions

  /// Turns one region where that lets transposes go; false where none does.
  private func turnRegion(_ context: inout PassContext) throws -> Bool {
    let found = try transposes(context)
    let connections = context.graph.connections()
    for order in ordersByFrequency(found) {
      var region = TransposedRegion(order, context, connections, found)
      guard try region.grow() else { continue }
      var rewriter = RegionRewriter(region, pass: TransposeElimination.name)
      context.graph = try rewriter.rewritten()
      return true
    }
    return false
  }

  private func ordersByFrequency(_ found: [Int: Permutation]) -> [Permutation] {
    var counts: [Permutation: Int] = [:]
    for order in found.values {
      counts[order, default: 0] += 1
      counts[order.inverse, default: 0] += 1
    }
    let sorted = counts.sorted { a, b in
      a.value != b.value ? a.value > b.value : a.key.axes.lexicographicallyPrecedes(b.key.axes)
    }
    return sorted.prefix(TransposeElimination.roundLimit).map(\.key)
  }

  // MARK: Axes of extent 1

  /// Turns Transposes that leave every element in its place into reshapes.
  private func reshapeUnits(_ context: inout PassContext) throws {
    var names = Set(context.graph.values.map(\.name))
    for (position, order) in try transposes(context) {
      let node = context.graph.nodes[position]
      guard node.opset >= 5, let input = node.inputs[0], let output = node.outputs[0],
        let shape = context.graph[input].type?.shape, shape.count == order.axes.count,
        order.movesOnlyUnits(of: shape), let target = target(order, shape)
      else { continue }
      var name = "\(context.graph[output].name) shape"
      while !names.insert(name).inserted { name += "'" }
      let origin = Origin(context.graph[output].origin.names, pass: TransposeElimination.name)
      let type = ValueType.tensor(.int64, shape: [.fixed(target.count)])
      let constant = context.graph.addValue(Value(name: name, type: type, origin: origin))
      context.graph.constants[constant] = Constant(try Tensor(target))
      context.graph.updateNode(at: position) {
        $0.operatorType = "Reshape"
        $0.attributes = [:]
        $0.inputs.append(constant)
        $0.origin.pass = TransposeElimination.name
      }
    }
  }

  /// The shape to reshape to, 0 for an extent that stays at its axis and -1 for one that moves; nil where that says too little.
  private func target(_ order: Permutation, _ shape: [Dimension]) -> [Int64]? {
    let symbols = shape.indices.filter { shape[$0].value == nil }
    let target = order.axes.enumerated().map { place, axis -> Int64 in
      shape[axis].value.map(Int64.init) ?? (place == axis ? 0 : -1)
    }
    // A known extent of 0 would copy; -1 beside a copied extent that turns out to be 0 would say nothing.
    let isKnown = shape.allSatisfy { $0.value != 0 }
    return isKnown && (!target.contains(-1) || symbols.count == 1) ? target : nil
  }
}

extension PassContext {
  fileprivate func isTranspose(_ node: Node) -> Bool {
    node.domain.isEmpty && node.operatorType == "Transpose" && node.epilogue.isEmpty
      && node.inputs.count == 1 && node.outputs.count == 1
  }
}
