// TreeEnsembles: TreeEnsemble, of ai.onnx.ml 5, and the two operators before it.

import LeapGraph
import LeapKernels
import LeapTensors

/// How the leaves of all trees become one score.
enum TreeAggregation: String, Sendable, CaseIterable {
  // In the order of their numbers in TreeEnsemble.
  case average = "AVERAGE"
  case sum = "SUM"
  case minimum = "MIN"
  case maximum = "MAX"
}

/// The scores of an ensemble.
struct TreeScores: RowFunction {
  let trees: DecisionTrees
  var aggregation = TreeAggregation.sum
  /// What is added to the first scores.
  var base: [Double] = []
  var transform = ScoreTransform.none
  /// How a classifier decides; nil for a regressor.
  var decision: TreeDecision?

  func width(features: Int) throws -> Int {
    guard features >= trees.featureCount else {
      throw OperatorError(
        "the trees read \(trees.featureCount) features; input 0 has \(features)")
    }
    return decision?.isPair == true ? 2 : trees.targetCount
  }

  func apply(_ row: UnsafeBufferPointer<Double>, _ scores: UnsafeMutableBufferPointer<Double>)
    -> Int
  {
    aggregate(row, scores)
    for (index, value) in base.enumerated() { scores[index] += value }
    let chosen = decision?.chosen(scores) ?? 0
    if let decision, decision.isPair {
      transform.apply(single: scores[0], isShare: decision.isShare, scores)
    } else {
      transform.apply(scores)
    }
    return chosen
  }

  /// What all leaves say; 0 for what none speaks of.
  private func aggregate(
    _ row: UnsafeBufferPointer<Double>, _ scores: UnsafeMutableBufferPointer<Double>
  ) {
    let start: Double =
      switch aggregation {
      case .sum, .average: 0
      case .minimum: .infinity
      case .maximum: -.infinity
      }
    for index in scores.indices { scores[index] = start }
    trees.forEachLeaf(row) { weights in
      for weight in weights {
        switch aggregation {
        case .sum, .average: scores[weight.target] += weight.value
        case .minimum: scores[weight.target] = min(scores[weight.target], weight.value)
        case .maximum: scores[weight.target] = max(scores[weight.target], weight.value)
        }
      }
    }
    for index in scores.indices {
      if aggregation == .average { scores[index] /= Double(max(trees.treeCount, 1)) }
      if start != 0, scores[index] == start { scores[index] = 0 }
    }
  }
}

/// How scores decide on a class.
struct TreeDecision: Sendable {
  /// The classes that leaves speak of, or that have a base value.
  let scored: [Int]
  /// Whether there are two classes, and one score for the second of them.
  let isPair: Bool
  /// Whether one score decides among two, and against what.
  let decider: (target: Int, threshold: Double)?
  /// Whether a single score is a share of 1.
  let isShare: Bool

  /// - Parameters:
  ///   - weights: what leaves add.
  ///   - baseCount: how many classes have a base value.
  init(classes: Int, weights: [DecisionTrees.Weight], baseCount: Int) {
    let targets = Set(weights.map(\.target))
    isShare = weights.allSatisfy { $0.value >= 0 }
    isPair = classes == 2 && targets == [0]
    scored = targets.union(0..<min(baseCount, classes)).sorted()
    if classes == 1 {
      decider = (0, 0)
    } else if classes == 2, targets.count == 1 {
      decider = (isPair ? 0 : 1, isShare ? 0.5 : 0)
    } else {
      decider = nil
    }
  }

  /// The class, before the scores are transformed. They are compared as the float32 that they become.
  func chosen(_ scores: UnsafeMutableBufferPointer<Double>) -> Int {
    if let decider { return scores[decider.target] > decider.threshold ? 1 : 0 }
    var best = scored.first ?? 0
    for index in scored where Float(scores[index]) > Float(scores[best]) { best = index }
    return best
  }
}

/// TreeEnsemble, of ai.onnx.ml 5. Attributes are those of inner nodes, and of leaves.
///
/// Transforms have the numbers of the specification: ONNX Runtime takes that of a softmax for the logistic function's, and the other way
/// round. What no leaf speaks of is 0, as it has it.
package struct TreeEnsemble: RowOperator {
  package static var declarations: [OperatorDeclaration] {
    [
      OperatorDeclaration(
        "TreeEnsemble", domain: Texts.classical, opsets: 5...OperatorTable.latestOpset)
    ]
  }
  package let function: any RowFunction

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    let (nodes, members) = try TreeEnsemble.nodes(node)
    let targets = try node.required("leaf_targetids", node.ints("leaf_targetids"))
    let weights = try TreeEnsemble.numbers(node, "leaf_weights")
    guard targets.count == weights.count else {
      throw OperatorError("\(weights.count) leaf_weights for \(targets.count) leaf_targetids")
    }
    let roots = try node.required("tree_roots", node.ints("tree_roots"))
    function = TreeScores(
      trees: try DecisionTrees(
        nodes: nodes, members: members,
        leaves: zip(targets, weights).map { [DecisionTrees.Weight(target: $0, value: $1)] },
        roots: roots.map(DecisionTrees.Branch.node),
        targetCount: try TreeEnsemble.targetCount(node)),
      aggregation: try TreeEnsemble.numbered(node, "aggregate_function", default: .sum),
      transform: try TreeEnsemble.numbered(node, "post_transform", default: .none))
  }

  /// The inner nodes, and the members of all their sets.
  private static func nodes(_ node: NodeReader) throws -> ([DecisionTrees.Node], [Double]) {
    let features = try node.required("nodes_featureids", node.ints("nodes_featureids"))
    func sized<Element>(_ name: String, _ values: [Element]) throws -> [Element] {
      guard values.count == features.count else {
        throw OperatorError(
          "attribute '\(name)' has \(values.count) values; expected \(features.count), one for each node"
        )
      }
      return values
    }
    func branches(_ side: String) throws -> [DecisionTrees.Branch] {
      let (ids, leaves) = ("nodes_\(side)nodeids", "nodes_\(side)leafs")
      return try zip(
        sized(ids, node.required(ids, node.ints(ids))),
        sized(leaves, node.required(leaves, node.ints(leaves)))
      ).map { $1 == 0 ? .node($0) : .leaf($0) }
    }
    let modes = try sized("nodes_modes", numbers(node, "nodes_modes"))
    let splits = try sized("nodes_splits", numbers(node, "nodes_splits"))
    let missing = try node.ints("nodes_missing_value_tracks_true").map {
      try sized("nodes_missing_value_tracks_true", $0)
    }
    let (whenTrue, whenFalse) = (try branches("true"), try branches("false"))
    var memberships = Memberships(try node.tensor("membership_values").map(Classical.numbers))
    let made = try features.indices.map { index in
      guard let comparison = UInt8(exactly: modes[index]).flatMap(DecisionTrees.Comparison.init)
      else { throw OperatorError("attribute 'nodes_modes' holds \(modes[index])") }
      return DecisionTrees.Node(
        feature: features[index], comparison: comparison, threshold: splits[index],
        missingIsTrue: missing.map { $0[index] != 0 } ?? false,
        members: comparison == .member ? try memberships.next() : 0..<0,
        whenTrue: whenTrue[index], whenFalse: whenFalse[index])
    }
    return (made, memberships.values)
  }

  private static func numbers(_ node: NodeReader, _ name: String) throws -> [Double] {
    try Classical.numbers(of: node.required(name, node.tensor(name)))
  }

  /// The number of scores. Throws `OperatorError` where it is not given, or too large.
  static func targetCount(_ node: NodeReader) throws -> Int {
    let count = try node.required("n_targets", node.int("n_targets"))
    guard (1...1 << 24).contains(count) else {
      throw OperatorError("attribute 'n_targets' is \(count); expected 1 to \(1 << 24)")
    }
    return count
  }

  /// A choice by its number.
  private static func numbered<Choice: CaseIterable>(
    _ node: NodeReader, _ name: String, default value: Choice
  ) throws -> Choice {
    guard let number = try node.int(name) else { return value }
    let all = Array(Choice.allCases)
    guard all.indices.contains(number) else {
      throw OperatorError("attribute '\(name)' is \(number); expected 0 to \(all.count - 1)")
    }
    return all[number]
  }

  package var inputTypes: Set<DataType> { [.float32, .float64] }
  package func resultType(_ input: DataType) -> DataType { input }

  /// The sets of numbers of nodes that look for a member: one behind the other, each ended by a NaN.
  private struct Memberships {
    /// In increasing order within each set.
    private(set) var values: [Double]
    private var place = 0

    init(_ values: [Double]?) { self.values = values ?? [] }

    /// The place of the next set. Throws `OperatorError` where there is none.
    mutating func next() throws -> Range<Int> {
      guard let end = values[place...].firstIndex(where: \.isNaN) else {
        throw OperatorError(
          "attribute 'membership_values' has fewer sets, each ended by a NaN, than nodes ask for")
      }
      values[place..<end].sort()
      defer { place = end + 1 }
      return place..<end
    }
  }
}

/// TreeEnsembleRegressor (ai.onnx.ml 1 to 5).
package struct TreeEnsembleRegressor: RowOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("TreeEnsembleRegressor", domain: Texts.classical)]
  }
  package let function: any RowFunction

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    let targets = try TreeEnsemble.targetCount(node)
    let base = try Classical.numbers(node, "base_values") ?? []
    guard base.isEmpty || base.count == targets else {
      throw OperatorError("\(base.count) base_values for \(targets) targets")
    }
    function = TreeScores(
      trees: try ListedTrees(node, prefix: "target", targetCount: targets).trees,
      aggregation: try node.choice("aggregate_function", default: .sum), base: base,
      transform: try node.choice("post_transform", default: .none))
  }
}

/// TreeEnsembleClassifier (ai.onnx.ml 1 to 5).
///
/// Of two classes whose leaves speak of one only, its score decides: against 0.5 where no weight is negative, against 0 otherwise,
/// as ONNX Runtime has it. Where they speak of both, the class of the larger score is the label, as the specification says;
/// ONNX Runtime then gives 1 where the second class's score is above 0, and 0 where it is not, whatever the labels are.
package struct TreeEnsembleClassifier: RowOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("TreeEnsembleClassifier", domain: Texts.classical)]
  }
  package let function: any RowFunction
  package let labels: ClassLabels?

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    let classes = try ClassLabels(node, integers: "classlabels_int64s")
    let listed = try ListedTrees(node, prefix: "class", targetCount: classes.count)
    let base = try Classical.numbers(node, "base_values") ?? []
    guard base.isEmpty || base.count == classes.count || classes.count == 2 && base.count == 1
    else {
      throw OperatorError("\(base.count) base_values for \(classes.count) classes")
    }
    function = TreeScores(
      trees: listed.trees, base: base, transform: try node.choice("post_transform", default: .none),
      decision: TreeDecision(
        classes: classes.count, weights: listed.weights, baseCount: base.count))
    labels = classes.decidedByOne
  }
}
