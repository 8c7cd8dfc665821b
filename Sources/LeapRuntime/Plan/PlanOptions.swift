// PlanOptions: what, besides the shapes of the inputs, decides a plan.

/// What a plan is made for.
package struct PlanOptions: Sendable, Hashable {
  /// How values share memory.
  package enum Reuse: Sendable, Hashable {
    /// Values whose lifetimes do not overlap share memory; outputs overwrite dying inputs; concats are computed in place.
    case full
    /// Every value has memory of its own. For checking the former.
    case none
  }

  /// How many workers may run it.
  package var width: Int
  package var reuse: Reuse
  /// The algorithm that a node must use, by the node's name; the entry "" holds for all nodes that have it.
  package var algorithms: [String: String]
  /// Algorithms that no node may use.
  package var forbidden: Set<String>

  package init(
    width: Int = 1, reuse: Reuse = .full, algorithms: [String: String] = [:],
    forbidden: Set<String> = []
  ) {
    self.width = width
    self.reuse = reuse
    self.algorithms = algorithms
    self.forbidden = forbidden
  }
}
