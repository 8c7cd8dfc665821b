// Pass: one named rewrite of a graph, and the pipeline that runs the list of them in order.
//
// 1. Every pass can be switched off by name, alone.
// 2. The graph is whole after every pass: invariants are checked, origins are set.
// 3. A pass that fails names itself and the node.

import LeapGraph
import LeapOperators
import LeapTensors

/// A rewrite of a graph that keeps what it computes.
package protocol Pass: Sendable {
  /// What tools and `--disable-pass` call it, in kebab case.
  static var name: String { get }
  /// One sentence for the tools' help.
  static var summary: String { get }
  /// Whether the pass asks for operators, types or known elements.
  static var needsInference: Bool { get }
  init()
  /// Rewrites the graph. Throws `OperatorError` or `ModelError`.
  func run(_ context: inout PassContext) throws
}

extension Pass {
  package static var needsInference: Bool { true }
}

/// What a pass works on.
package struct PassContext {
  package var graph: Graph {
    didSet {
      isChanged = true
      isInferred = false
    }
  }
  /// Whether the graph was touched since it was checked. Passes that find nothing to do leave it alone.
  private var isChanged = false
  /// Whether it was touched since it was inferred.
  private var isInferred = false
  package let table: OperatorTable
  /// What is left of the bytes that constant folding may make.
  package var foldingBudget: Int
  /// Operators and known elements for the graph as it stood when the pass began; parallel to its nodes. nil entries
  /// are nodes whose operator is not known, which passes leave alone.
  package internal(set) var operators: [(any Operator)?]
  package internal(set) var known: [ValueID: KnownValue]

  package init(graph: Graph, table: OperatorTable, foldingBudget: Int) {
    self.graph = graph
    self.table = table
    self.foldingBudget = foldingBudget
    operators = []
    known = [:]
  }

  /// Infers the graph as it stands, where there was a change that `operators` and `known` should reflect.
  package mutating func infer() throws {
    if isInferred { return }
    let wasChanged = isChanged
    let result = try ShapeInference.run(&graph, table: table)
    operators = result.operators
    known = result.known
    (isChanged, isInferred) = (wasChanged, true)
  }

  /// Checks the invariants of the graph, where there was a change.
  ///
  /// - Throws: as `Graph.checkInvariants()`.
  package mutating func check() throws {
    if isChanged { try graph.checkInvariants() }
    isChanged = false
  }
}

/// What one pass did.
package struct PassReport: Sendable {
  package let name: String
  package let nodesBefore: Int
  package let nodesAfter: Int
}

package enum Optimizer {
  /// The bytes that constant folding may make, unless an option says otherwise.
  package static let defaultFoldingBudget = 256 << 20

  /// Runs the passes on a graph.
  ///
  /// - Parameters:
  ///   - disabled: names of passes to leave out.
  ///   - observe: called with the graph after each pass.
  /// - Throws: `ModelError.option` for an unknown name, `.pass` where a pass fails, and what inference throws.
  package static func optimize(
    _ graph: Graph, table: OperatorTable, passes: [any Pass.Type] = standardPasses,
    disabled: Set<String> = [], foldingBudget: Int = defaultFoldingBudget,
    observe: ((PassReport, Graph) -> Void)? = nil
  ) throws -> Graph {
    try checkNames(disabled, among: passes)
    var context = PassContext(graph: graph, table: table, foldingBudget: foldingBudget)
    // Before dead code goes: what is not known there is an error too.
    try context.infer()
    for pass in passes where !disabled.contains(pass.name) {
      if pass.needsInference { try context.infer() }
      let before = context.graph.nodes.count
      do {
        try pass.init().run(&context)
        try context.check()
      } catch let error as OperatorError {
        throw ModelError.pass(pass.name, node: nil, reason: error.reason)
      } catch ModelError.invalid(let location, let reason) {
        throw ModelError.pass(pass.name, node: nil, reason: "\(location): \(reason)")
      }
      guard let observe else { continue }
      try context.infer()
      let after = context.graph.nodes.count
      observe(
        PassReport(name: pass.name, nodesBefore: before, nodesAfter: after), context.graph)
    }
    try context.infer()
    return context.graph
  }

  private static func checkNames(
    _ disabled: Set<String>, among passes: [any Pass.Type]
  ) throws {
    // A pass may run several times.
    var names: [String] = []
    for pass in passes where !names.contains(pass.name) { names.append(pass.name) }
    if let unknown = disabled.subtracting(names).sorted().first {
      throw ModelError.option(
        name: "disable-pass",
        reason: "there is no pass '\(unknown)'; there are \(names.joined(separator: ", "))")
    }
  }
}
