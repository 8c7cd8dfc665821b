// GraphDifference: what became of each node between two states of a graph: what a pass did, node by node.
//
// 1. A node is known by its identity and its name: where a pass lets a later node take an earlier one's place, the name says
//    which of them goes on.
// 2. Every node that goes has a reason: what stands for it now.

import LeapGraph
import LeapTensors

/// What happened to one node.
package struct NodeChange: Sendable, Hashable {
  package enum Kind: Sendable, Hashable {
    case added
    case removed(Fate)
    /// In each respect, what it was and what it is.
    case changed([Aspect])
  }

  /// Where the work of a node went that is there no more.
  package enum Fate: Sendable, Hashable {
    /// A node that goes on does it too.
    case merged(into: String)
    /// Its output is this constant.
    case constant(String)
    /// Its output is what this value is anyway.
    case replaced(by: String)
    /// Nobody reads what it makes.
    case unread
    /// Other nodes do it.
    case rewritten
  }

  /// A respect in which a node differs.
  package struct Aspect: Sendable, Hashable {
    package var name: String
    /// nil where there was nothing.
    package var before: String?
    /// nil where there is nothing.
    package var after: String?

    package init(name: String, before: String?, after: String?) {
      self.name = name
      self.before = before
      self.after = after
    }
  }

  package var node: String
  package var operatorName: String
  package var kind: Kind

  package init(node: String, operatorName: String, kind: Kind) {
    self.node = node
    self.operatorName = operatorName
    self.kind = kind
  }
}

/// Changes from one state of a graph to a later one.
package struct GraphDifference: Sendable {
  /// In the order of the earlier graph's nodes; what was added at the end.
  package private(set) var changes: [NodeChange] = []
  /// Names of constants that are new.
  package private(set) var newConstants: [String] = []
  private let before: Graph
  private let after: Graph
  /// For each node of the earlier graph its place in the later one.
  private var successor: [Int?]

  /// O(nodes and values).
  package init(from before: Graph, to after: Graph) {
    self.before = before
    self.after = after
    successor = GraphDifference.successors(before, after)
    newConstants = after.constants.keys.filter { before.constants[$0] == nil }.sorted()
      .map { after[$0].name }
    let heirs = heirs()
    let read = Set(after.nodes.flatMap(\.uses) + after.outputs)
    let replacements = replacements(read)
    for (position, node) in before.nodes.enumerated() {
      guard let place = successor[position] else {
        add(node, .removed(fate(of: node, heirs, replacements, read)))
        continue
      }
      let aspects = aspects(node, after.nodes[place])
      if !aspects.isEmpty { add(node, .changed(aspects)) }
    }
    let kept = Set(successor.compactMap { $0 })
    for (position, node) in after.nodes.enumerated() where !kept.contains(position) {
      add(node, .added)
    }
  }

  private mutating func add(_ node: Node, _ kind: NodeChange.Kind) {
    changes.append(
      NodeChange(
        node: node.name, operatorName: node.qualifiedOperator, kind: kind))
  }

  /// The nodes that go on: by name where that is clear, otherwise by identity.
  private static func successors(_ before: Graph, _ after: Graph) -> [Int?] {
    func places(_ graph: Graph) -> [String: [Int]] {
      Dictionary(grouping: graph.nodes.indices) { graph.nodes[$0].name }
    }
    let (earlier, later) = (places(before), places(after))
    let identities = Dictionary(
      uniqueKeysWithValues: after.nodes.enumerated().map { ($1.id, $0) })
    return before.nodes.map { node in
      if earlier[node.name]?.count == 1, let found = later[node.name], found.count == 1 {
        return found[0]
      }
      guard let place = identities[node.id], after.nodes[place].name == node.name else {
        return nil
      }
      return place
    }
  }

  /// By the names of nodes that were there before: a node that stands for them now, beside itself.
  private func heirs() -> [String: String] {
    var heirs: [String: String] = [:]
    for node in after.nodes where node.origin.names.count > 1 {
      for name in node.origin.names where name != node.name { heirs[name] = node.name }
    }
    return heirs
  }

  private func fate(
    of node: Node, _ heirs: [String: String], _ replacements: [String: ValueID],
    _ read: Set<ValueID>
  ) -> NodeChange.Fate {
    let outputs = node.outputs.compactMap { $0 }
    if let constant = outputs.first(where: { after.constants[$0] != nil && read.contains($0) }) {
      return .constant(after[constant].name)
    }
    if let heir = heirs[node.name] ?? node.origin.names.lazy.compactMap({ heirs[$0] }).first {
      return .merged(into: heir)
    }
    if let output = outputs.first, !read.contains(output),
      let value = replacements[before[output].name]
    {
      return .replaced(by: after[value].name)
    }
    return outputs.contains { read.contains($0) } ? .rewritten : .unread
  }

  /// By the names of values: those that stand for them now, and did not before.
  private func replacements(_ read: Set<ValueID>) -> [String: ValueID] {
    var replacements: [String: ValueID] = [:]
    for id in read.sorted() where id.index < before.values.count {
      let names = after[id].origin.names
      guard names != before[id].origin.names else { continue }
      for name in Set(names).subtracting(before[id].origin.names)
      where replacements[name] == nil {
        replacements[name] = id
      }
    }
    return replacements
  }

  private func aspects(_ old: Node, _ new: Node) -> [NodeChange.Aspect] {
    var aspects: [NodeChange.Aspect] = []
    func compare(_ name: String, _ before: String?, _ after: String?) {
      if before != after { aspects.append(.init(name: name, before: before, after: after)) }
    }
    compare("operator", old.qualifiedOperator, new.qualifiedOperator)
    for (what, earlier, later) in [
      ("input", old.inputs, new.inputs), ("output", old.outputs, new.outputs),
    ] {
      for index in 0..<max(earlier.count, later.count) {
        compare("\(what) \(index)", name(index, earlier, before), name(index, later, after))
      }
    }
    for name in Set(old.attributes.keys).union(new.attributes.keys).sorted() {
      compare(name, old.attributes[name]?.summary, new.attributes[name]?.summary)
    }
    compare("before it", old.prologue?.text, new.prologue?.text)
    compare(
      "after it", old.epilogue.isEmpty ? nil : old.epilogue.text,
      new.epilogue.isEmpty ? nil : new.epilogue.text)
    return aspects
  }

  private func name(_ index: Int, _ operands: [ValueID?], _ graph: Graph) -> String? {
    index < operands.count ? operands[index].map { graph[$0].name } : nil
  }
}

extension Node {
  /// The operator with its domain, where that is not ONNX's own.
  package var qualifiedOperator: String {
    domain.isEmpty ? operatorType : "\(domain).\(operatorType)"
  }
}

extension Prologue {
  /// What is done to the input: `scale, shift, relu`.
  package var text: String {
    let bounds: String? =
      switch (minimum, maximum) {
      case (-.infinity, .infinity): nil
      case (0, .infinity): "relu"
      default: "clip(\(minimum), \(maximum))"
      }
    return (["scale", "shift"] + [bounds].compactMap { $0 }).joined(separator: ", ")
  }
}

extension [EpilogueStage] {
  /// What is done to results: `bias, residual, relu`.
  package var text: String {
    map { stage in
      switch stage {
      case .scale: "scale"
      case .bias: "bias"
      case .residual: "residual"
      case .activation(let activation): activation.text
      }
    }.joined(separator: ", ")
  }
}

extension Activation {
  fileprivate var text: String {
    switch self {
    case .relu: "relu"
    case .leakyRelu(let alpha): "leakyRelu(\(alpha))"
    case .clip(let minimum, let maximum): "clip(\(minimum), \(maximum))"
    case .sigmoid: "sigmoid"
    case .tanh: "tanh"
    case .hardSigmoid(let alpha, let beta): "hardSigmoid(\(alpha), \(beta))"
    case .hardSwish: "hardSwish"
    case .silu: "silu"
    }
  }
}
