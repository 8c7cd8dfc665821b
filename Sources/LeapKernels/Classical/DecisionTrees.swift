// DecisionTrees: an ensemble of trees of comparisons, whose leaves say what the row adds to each score.
//
// 1. What is walked was checked when it was made: every way ends at a leaf.

import LeapTensors

/// Trees whose nodes compare a feature with a number.
package struct DecisionTrees: Sendable {
  /// How a node compares. The numbers are those of ONNX's TreeEnsemble.
  package enum Comparison: UInt8, Sendable {
    case lessOrEqual, less, greaterOrEqual, greater, equal, notEqual
    /// Whether the feature is one of some numbers.
    case member
  }

  /// Where a node leads to.
  package enum Branch: Sendable, Hashable {
    case node(Int)
    case leaf(Int)
  }

  /// A comparison, and what follows.
  package struct Node: Sendable {
    package var feature: Int
    package var comparison: Comparison
    package var threshold: Double
    /// Whether a feature that is no number goes the way of what is true.
    package var missingIsTrue: Bool
    /// Where the numbers of a membership are among those of all, in increasing order.
    package var members: Range<Int>
    package var whenTrue: Branch
    package var whenFalse: Branch

    package init(
      feature: Int, comparison: Comparison, threshold: Double, missingIsTrue: Bool,
      members: Range<Int> = 0..<0, whenTrue: Branch, whenFalse: Branch
    ) {
      self.feature = feature
      self.comparison = comparison
      self.threshold = threshold
      self.missingIsTrue = missingIsTrue
      self.members = members
      self.whenTrue = whenTrue
      self.whenFalse = whenFalse
    }
  }

  /// What a leaf adds to one score.
  package struct Weight: Sendable {
    package var target: Int
    package var value: Double

    package init(target: Int, value: Double) { (self.target, self.value) = (target, value) }
  }

  private let nodes: [Node]
  private let members: [Double]
  private let leaves: [[Weight]]
  private let roots: [Branch]
  /// The features that a row has at least.
  package let featureCount: Int
  package let targetCount: Int
  package var treeCount: Int { roots.count }

  /// - Parameters:
  ///   - members: the numbers of all memberships.
  ///   - leaves: what each adds; targets are from 0 to `targetCount - 1`.
  ///   - roots: where each tree begins.
  /// - Throws: `OperatorError` where a branch, a feature or a target leads out, or a way has no end.
  package init(
    nodes: [Node], members: [Double] = [], leaves: [[Weight]], roots: [Branch], targetCount: Int
  ) throws {
    (self.nodes, self.leaves, self.roots) = (nodes, leaves, roots)
    (self.members, self.targetCount) = (members, targetCount)
    for branch in roots + nodes.flatMap({ [$0.whenTrue, $0.whenFalse] }) {
      let isThere =
        switch branch {
        case .node(let index): nodes.indices.contains(index)
        case .leaf(let index): leaves.indices.contains(index)
        }
      guard isThere else {
        throw OperatorError(
          "a branch leads to \(branch), which is none of \(nodes.count) nodes and "
            + "\(leaves.count) leaves")
      }
    }
    for weight in leaves.lazy.joined() where !(0..<targetCount).contains(weight.target) {
      throw OperatorError("a leaf is of target \(weight.target); there are \(targetCount)")
    }
    for node in nodes {
      guard (0...Int(Int32.max)).contains(node.feature) else {
        throw OperatorError("a node reads feature \(node.feature)")
      }
      guard members.indices.contains(node.members) || node.members.isEmpty else {
        throw OperatorError("a node has members \(node.members) of \(members.count)")
      }
    }
    featureCount = (nodes.lazy.map(\.feature).max() ?? -1) + 1
    try DecisionTrees.requireEnds(nodes, roots)
  }

  /// Looks at each node once, depth first. Throws `OperatorError` where a node leads back to one above it.
  private static func requireEnds(_ nodes: [Node], _ roots: [Branch]) throws {
    enum State { case new, open, done }
    var states = [State](repeating: .new, count: nodes.count)
    var stack: [(node: Int, isLeft: Bool)] = []
    func push(_ branch: Branch) {
      if case .node(let index) = branch { stack.append((index, false)) }
    }
    for root in roots {
      push(root)
      while let (index, isLeft) = stack.popLast() {
        if isLeft {
          states[index] = .done
          continue
        }
        switch states[index] {
        case .done: continue
        case .open: throw OperatorError("node \(index) of a tree leads back to itself")
        case .new: states[index] = .open
        }
        stack.append((index, true))
        push(nodes[index].whenTrue)
        push(nodes[index].whenFalse)
      }
    }
  }

  /// What the leaves of a row add, tree by tree.
  package func forEachLeaf(_ row: UnsafeBufferPointer<Double>, _ body: ([Weight]) -> Void) {
    nodes.withUnsafeBufferPointer { nodes in
      for root in roots {
        var place = root
        while case .node(let index) = place { place = nodes[index].branch(row, members) }
        if case .leaf(let index) = place { body(leaves[index]) }
      }
    }
  }
}

extension DecisionTrees.Node {
  /// Where a row goes from here.
  fileprivate func branch(
    _ row: UnsafeBufferPointer<Double>, _ all: [Double]
  ) -> DecisionTrees.Branch {
    let x = row[feature]
    let isTrue =
      switch comparison {
      case .lessOrEqual: x <= threshold
      case .less: x < threshold
      case .greaterOrEqual: x >= threshold
      case .greater: x > threshold
      case .equal: x == threshold
      case .notEqual: x != threshold
      case .member: hasMember(x, all)
      }
    return isTrue || missingIsTrue && x.isNaN ? whenTrue : whenFalse
  }

  private func hasMember(_ x: Double, _ all: [Double]) -> Bool {
    var (low, high) = (members.lowerBound, members.upperBound)
    while low < high {
      let middle = (low + high) / 2
      if all[middle] < x { low = middle + 1 } else { high = middle }
    }
    return low < members.upperBound && all[low] == x
  }
}
