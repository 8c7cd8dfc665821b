// Permutation: an order of axes, as Transpose has it.

import LeapGraph
import LeapOperators

/// y = transpose(x): axis i of y is axis `axes[i]` of x.
struct Permutation: Hashable, Sendable {
  let axes: [Int]

  init(_ axes: [Int]) { self.axes = axes }

  /// The order that a Transpose makes; nil for any other node, or where it does not fit the rank.
  ///
  /// - Parameter type: the input's, which is asked where the node says no order.
  /// - Throws: `OperatorError` for a malformed attribute.
  init?(_ node: Node, input type: ValueType?) throws {
    guard node.domain.isEmpty, node.operatorType == "Transpose", node.epilogue.isEmpty else {
      return nil
    }
    if let axes = try NodeReader(node).ints("perm") {
      self.axes = axes
    } else {
      guard let rank = type?.shape?.count else { return nil }
      axes = (0..<rank).reversed()
    }
    guard axes.sorted() == Array(axes.indices) else { return nil }
  }

  var isIdentity: Bool { axes == Array(axes.indices) }

  /// The order that undoes this one.
  var inverse: Permutation {
    var inverted = axes
    for (index, axis) in axes.enumerated() { inverted[axis] = index }
    return Permutation(inverted)
  }

  /// The one order that does what `first` and then this one do.
  func following(_ first: Permutation) -> Permutation { Permutation(reorder(first.axes)) }

  /// A list with an element for each axis of x, in the order of y's axes.
  func reorder<Element>(_ list: [Element]) -> [Element] { axes.map { list[$0] } }

  /// Whether all axes that are not 1 long keep their order, so that the bytes stay where they are.
  func movesOnlyUnits(of shape: [Dimension]) -> Bool {
    let moved = axes.filter { shape[$0] != 1 }
    return zip(moved, moved.dropFirst()).allSatisfy { $0 < $1 }
  }

  var attribute: Attribute { .ints(axes.map(Int64.init)) }
}
