// PlanOptions: what, besides the shapes of the inputs, decides a plan.

import LeapKernels
import LeapTensors

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
  /// The instruction set of the kernels.
  package var instructionSet: InstructionSet
  /// What kernels may take for speed. Lean plans let no steps overlap in time, so that more of them share memory.
  package var memoryPolicy: MemoryPolicy
  /// What looks at steps as they are bound, and wraps their kernels: for examining runs. In the order in which they wrap.
  package var instruments: [KernelInstrument] = []

  package init(
    width: Int = 1, reuse: Reuse = .full, algorithms: [String: String] = [:],
    forbidden: Set<String> = [], instructionSet: InstructionSet = .preferred,
    memoryPolicy: MemoryPolicy = .balanced
  ) {
    self.width = width
    self.reuse = reuse
    self.algorithms = algorithms
    self.forbidden = forbidden
    self.instructionSet = instructionSet
    self.memoryPolicy = memoryPolicy
  }

  /// Checks the names of algorithms.
  ///
  /// - Throws: `ModelError.option` for one that no operator has.
  func checkAlgorithms() throws {
    for (option, names) in [("algorithm", Array(algorithms.values)), ("forbid", Array(forbidden))] {
      for name in names.sorted()
      where name.isEmpty || !Algorithm.allCases.contains(where: { $0.isMeant(by: name) }) {
        let all = Algorithm.allCases.map(\.rawValue).sorted()
        throw ModelError.option(
          name: option,
          reason: "no operator has an algorithm '\(name)'; there are \(all.joined(separator: ", "))"
        )
      }
    }
  }
}
