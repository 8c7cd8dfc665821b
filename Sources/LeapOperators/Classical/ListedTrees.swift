// ListedTrees: trees as TreeEnsembleRegressor and TreeEnsembleClassifier list them: inner nodes and leaves in one list, each with the
// numbers of its tree and of its own.

import LeapGraph
import LeapKernels
import LeapTensors

/// The trees of a node's attributes, and what their leaves add.
struct ListedTrees {
  let trees: DecisionTrees
  let weights: [DecisionTrees.Weight]

  /// - Parameters:
  ///   - prefix: of the attributes of what leaves add: "target" or "class".
  ///   - targetCount: how many scores there are.
  /// - Throws: `OperatorError` where lists differ in length, or a number leads nowhere.
  init(_ node: NodeReader, prefix: String, targetCount: Int) throws {
    let list = try NodeList(node)
    let places = try list.places(node, of: prefix)
    let targets = try NodeList.integers(node, "\(prefix)_ids", count: places.count)
    let values = try NodeList.numbers(node, "\(prefix)_weights", count: places.count)
    weights = zip(targets, values).map { DecisionTrees.Weight(target: $0, value: $1) }
    // What is added by inner nodes counts for nothing.
    var leaves: [[DecisionTrees.Weight]] = list.nodes.map { _ in [] }
    for (place, weight) in zip(places, weights) { leaves[place].append(weight) }
    trees = try DecisionTrees(
      nodes: list.nodes, leaves: leaves, roots: list.roots, targetCount: targetCount)
  }
}

/// The nodes of all trees, by their places in the list; a leaf has the place of its node.
private struct NodeList {
  private(set) var nodes: [DecisionTrees.Node] = []
  /// The first node of each tree.
  private(set) var roots: [DecisionTrees.Branch] = []
  private let names: [Name]
  private let modes: [String]
  private var placesByName: [Name: Int] = [:]

  private struct Name: Hashable, CustomStringConvertible {
    let tree: Int
    let node: Int
    var description: String { "node \(node) of tree \(tree)" }
  }

  init(_ node: NodeReader) throws {
    let ids = try NodeList.integers(node, "nodes_nodeids")
    names = zip(try NodeList.integers(node, "nodes_treeids", count: ids.count), ids).map(Name.init)
    modes = try node.required("nodes_modes", node.strings("nodes_modes"))
    try NodeList.check("nodes_modes", modes.count, ids.count)
    var trees: Set<Int> = []
    for (place, name) in names.enumerated() {
      guard placesByName.updateValue(place, forKey: name) == nil else {
        throw OperatorError("\(name) is there twice")
      }
      if trees.insert(name.tree).inserted { roots.append(branch(to: place)) }
    }
    try readNodes(node)
  }

  private func branch(to place: Int) -> DecisionTrees.Branch {
    modes[place] == "LEAF" ? .leaf(place) : .node(place)
  }

  private mutating func readNodes(_ node: NodeReader) throws {
    let count = names.count
    let features = try NodeList.integers(node, "nodes_featureids", count: count)
    let thresholds = try NodeList.numbers(node, "nodes_values", count: count)
    let missing = try node.ints("nodes_missing_value_tracks_true") ?? []
    let whenTrue = try NodeList.integers(node, "nodes_truenodeids", count: count)
    let whenFalse = try NodeList.integers(node, "nodes_falsenodeids", count: count)
    nodes = try names.indices.map { place in
      // A leaf is never compared: its node is there so that places agree.
      if modes[place] == "LEAF" {
        return DecisionTrees.Node(
          feature: 0, comparison: .equal, threshold: 0, missingIsTrue: false,
          whenTrue: .leaf(place), whenFalse: .leaf(place))
      }
      return DecisionTrees.Node(
        feature: features[place], comparison: try NodeList.comparison(modes[place]),
        threshold: thresholds[place],
        missingIsTrue: place < missing.count && missing[place] != 0,
        whenTrue: try child(of: place, whenTrue[place]),
        whenFalse: try child(of: place, whenFalse[place]))
    }
  }

  private func child(of place: Int, _ id: Int) throws -> DecisionTrees.Branch {
    guard let child = placesByName[Name(tree: names[place].tree, node: id)] else {
      throw OperatorError("\(names[place]) leads to \(id), which is not there")
    }
    return branch(to: child)
  }

  /// The places of the nodes that attributes with a prefix name.
  func places(_ node: NodeReader, of prefix: String) throws -> [Int] {
    let ids = try NodeList.integers(node, "\(prefix)_nodeids")
    let trees = try NodeList.integers(node, "\(prefix)_treeids", count: ids.count)
    return try zip(trees, ids).map(Name.init).map { name in
      guard let place = placesByName[name] else {
        throw OperatorError("a weight is of \(name), which is not there")
      }
      return place
    }
  }

  /// A required list; of `count` integers, where that is given.
  static func integers(_ node: NodeReader, _ name: String, count: Int? = nil) throws -> [Int] {
    let values = try node.required(name, node.ints(name))
    try check(name, values.count, count ?? values.count)
    return values
  }

  static func numbers(_ node: NodeReader, _ name: String, count: Int) throws -> [Double] {
    let values = try node.required(name, Classical.numbers(node, name))
    try check(name, values.count, count)
    return values
  }

  private static func check(_ name: String, _ count: Int, _ expected: Int) throws {
    guard count == expected else {
      throw OperatorError("attribute '\(name)' has \(count) values; expected \(expected)")
    }
  }

  private static func comparison(_ mode: String) throws -> DecisionTrees.Comparison {
    switch mode {
    case "BRANCH_LEQ": return .lessOrEqual
    case "BRANCH_LT": return .less
    case "BRANCH_GTE": return .greaterOrEqual
    case "BRANCH_GT": return .greater
    case "BRANCH_EQ": return .equal
    case "BRANCH_NEQ": return .notEqual
    default: throw OperatorError("attribute 'nodes_modes' holds '\(mode)', which is not known")
    }
  }
}
