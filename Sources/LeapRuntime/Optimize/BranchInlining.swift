// BranchInlining: graphs of nodes that are known to run once, or never, before anything runs.
//
// 1. An If whose condition is known becomes the nodes of the graph that it chooses, over the values that this reads from outside.
// 2. A Loop that never runs hands on what it was given; what it would make slices of is empty.
// 3. Names stay unique: those of the graph around the node are kept.

import LeapGraph
import LeapOperators
import LeapTensors

/// Puts what If and Loop come to in their place, where that is known.
package struct BranchInlining: Pass {
  package static let name = "branch-inlining"
  package static let summary =
    "put the chosen branch in the place of an If whose condition is known, and remove Loops that never run"

  package init() {}

  package func run(_ context: inout PassContext) throws {
    guard
      context.graph.nodes.contains(where: { $0.operatorType == "If" || $0.operatorType == "Loop" })
    else { return }
    // What is in a branch, or reads what it makes, may have a condition that is known then.
    var rounds = 0
    while rounds < BranchInlining.roundLimit, try inlineOnce(&context) {
      try context.infer()
      rounds += 1
    }
  }

  /// How often the graph is looked through: what is left runs as it is.
  private static let roundLimit = 16

  /// Returns whether anything was found.
  private func inlineOnce(_ context: inout PassContext) throws -> Bool {
    var target = BranchTarget(context.graph)
    var order: [Int] = []
    for (position, node) in context.graph.nodes.enumerated() {
      switch context.operators[position] {
      case is If:
        if let branch = branch(of: node, context) {
          order += try target.inline(branch, of: node)
          continue
        }
      case is Loop:
        if let outputs = outputsWithoutRun(of: node, context) {
          target.replace(node, by: outputs)
          continue
        }
      default: break
      }
      order.append(position)
    }
    if order.count == context.graph.nodes.count, order == Array(context.graph.nodes.indices) {
      return false
    }
    context.graph = target.finished(order)
    return true
  }

  /// The graph that an If runs, where its condition is known and its outputs are of the kinds that the graph makes.
  private func branch(of node: Node, _ context: PassContext) -> Graph? {
    guard let condition = node.inputs.first ?? nil,
      case .tensor(let tensor) = context.known[condition],
      let flag = tensor.elements(as: Bool.self), flag.count == 1,
      case .graph(let graph)? = node.attributes[If.bodyNames[flag[0] ? 0 : 1]]
    else { return nil }
    let alike = zip(graph.outputs, node.outputs).allSatisfy { inner, outer in
      guard let outer, let made = graph[inner].type, let type = context.graph[outer].type else {
        return true
      }
      return made.withoutShapes == type.withoutShapes
    }
    return alike ? graph : nil
  }

  /// What a Loop leaves that never runs: values that it was given, or empty tensors. nil where it may run, or where the shape of
  /// a slice is not known.
  private func outputsWithoutRun(of node: Node, _ context: PassContext) -> [BranchTarget.Output]? {
    func known(_ index: Int) -> Tensor? {
      guard let id = node.inputs[index], case .tensor(let tensor) = context.known[id],
        tensor.elementCount == 1
      else { return nil }
      return tensor
    }
    let neverRuns =
      known(0)?.integers.map { $0[0] <= 0 } ?? false
      || known(1)?.elements(as: Bool.self) == [false]
    guard neverRuns else { return nil }
    var outputs: [BranchTarget.Output] = []
    for (index, output) in node.outputs.enumerated() {
      if index + 2 < node.inputs.count {
        guard let carried = node.inputs[index + 2] else { return nil }
        outputs.append(.value(carried))
      } else if let output {
        guard case .tensor(let dataType, let shape?) = context.graph[output].type,
          dataType != .string, !shape.isEmpty,
          let empty = try? Tensor(
            zeros: dataType, shape: Shape([0] + shape.dropFirst().map { $0.value ?? 0 }))
        else { return nil }
        outputs.append(.constant(Constant(empty)))
      } else {
        outputs.append(.none)
      }
    }
    return outputs
  }
}

/// The graph that nodes go out of.
private struct BranchTarget {
  /// What an output of a node becomes.
  enum Output {
    case none
    case value(ValueID)
    case constant(Constant)
  }

  private var graph: Graph
  private var valueNames: Set<String>
  private var nodeNames: Set<String>
  private var numbers: [String: Int] = [:]
  private var replacements: [ValueID: ValueID] = [:]

  init(_ graph: Graph) {
    self.graph = graph
    valueNames = Set(graph.values.map(\.name))
    nodeNames = Set(graph.nodes.map(\.name))
  }

  /// The graph with its nodes, and those that were added, in an order of their places; the others are gone.
  consuming func finished(_ order: [Int]) -> Graph {
    graph.reorder(order)
    graph.replaceUses(replacements)
    return graph
  }

  mutating func replace(_ node: Node, by outputs: [Output]) {
    for (output, result) in zip(node.outputs, outputs) {
      guard let output else { continue }
      switch result {
      case .none: break
      case .value(let value): replace(output, by: value)
      case .constant(let constant):
        graph.constants[output] = constant
        graph[output].type = .tensor(
          constant.dataType, shape: constant.shape.map(Dimension.fixed))
        graph[output].origin.pass = BranchInlining.name
      }
    }
  }

  /// Adds the nodes of a branch. Returns their places.
  mutating func inline(_ branch: Graph, of node: Node) throws -> [Int] {
    var bound: [ValueID: ValueID] = [:]
    for capture in branch.captures { bound[capture.inner] = capture.outer }
    for (inner, constant) in branch.constants.sorted(by: { $0.key < $1.key })
    where bound[inner] == nil {
      let value = addValue(branch[inner])
      graph.constants[value] = constant
      bound[inner] = value
    }
    let made = Set(branch.nodes.flatMap { $0.outputs.compactMap { $0 } })
    for inner in made.sorted() { bound[inner] = addValue(branch[inner]) }
    let places = try branch.nodes.map { try add($0, bound) }
    for (inner, outer) in zip(branch.outputs, node.outputs) {
      guard let outer else { continue }
      guard let value = bound[inner] else { throw unbound(branch[inner].name) }
      if made.contains(inner), let type = graph[value].type {
        graph[value].type = ShapeInference.merge(inferred: type, declared: graph[outer].type)
      }
      replace(outer, by: value)
    }
    return places
  }

  private mutating func replace(_ output: ValueID, by value: ValueID) {
    replacements[output] = value
    graph[value].origin.names += graph[output].origin.names
  }

  private func unbound(_ name: String) -> OperatorError {
    OperatorError("nothing in the branch makes '\(name)'")
  }

  private mutating func add(_ inner: Node, _ bound: [ValueID: ValueID]) throws -> Int {
    func outer(_ value: ValueID) throws -> ValueID {
      guard let outer = bound[value] else { throw unbound("#\(value.index)") }
      return outer
    }
    let name = unique(inner.name, among: \.nodeNames)
    graph.addNode(
      name: name, domain: inner.domain, operatorType: inner.operatorType,
      overload: inner.overload, opset: inner.opset,
      inputs: try inner.inputs.map { try $0.map(outer) },
      outputs: try inner.outputs.map { try $0.map(outer) },
      attributes: try inner.attributes.mapValues { attribute in
        try attribute.mapGraphs { graph in
          var graph = graph
          graph.captures = try graph.captures.map {
            Capture(inner: $0.inner, outer: try outer($0.outer))
          }
          return graph
        }
      }, origin: Origin(inner.origin.names, pass: BranchInlining.name))
    let position = graph.nodes.count - 1
    graph.updateNode(at: position) {
      ($0.epilogue, $0.prologue) = (inner.epilogue, inner.prologue)
    }
    return position
  }

  private mutating func addValue(_ inner: Value) -> ValueID {
    var value = inner
    value.name = unique(inner.name, among: \.valueNames)
    value.origin.pass = BranchInlining.name
    return graph.addValue(value)
  }

  /// A name that is not among some, which it joins.
  private mutating func unique(
    _ name: String, among names: WritableKeyPath<BranchTarget, Set<String>>
  ) -> String {
    var unique = name
    while !self[keyPath: names].insert(unique).inserted {
      numbers[name, default: 0] += 1
      unique = "\(name)_\(numbers[name, default: 0])"
    }
    return unique
  }
}
