// NodePlan: what a run does with a node: which kernel computes it when, and where; or what became of it before.

import LeapGraph
import LeapRuntime
import LeapTensors

package struct NodePlan: Sendable, Equatable {
  package enum State: String, Sendable {
    /// A kernel computes it.
    case kernel
    /// Its output lies where its input lies.
    case view
    /// Its inputs are computed where they lie in its output.
    case inPlace = "in-place"
    /// It makes its own outputs, after the kernels.
    case host
    /// Planning computes it.
    case computed
    /// It is planned when running has told what it needs.
    case later
    /// Another node does it too.
    case merged
    /// It was computed when the model was loaded.
    case constant
    /// Nothing needs it.
    case removed
  }

  package var state: State
  /// The kernel's algorithm.
  package var algorithm: String?
  /// The node that does it too.
  package var mergedInto: String?
  package var stage: Int?
  /// Where its first output lies, in bytes from the start of the arena; nil where that is memory of the caller's.
  package var arenaOffset: Int?
  /// Estimated time on one core.
  package var nanoseconds: Double?

  init(_ state: State) { self.state = state }

  /// What stands in the column of algorithms.
  package var label: String {
    switch state {
    case .kernel: algorithm ?? ""
    case .merged: mergedInto.map { "in \($0)" } ?? "merged"
    case .inPlace: "in place"
    default: state.rawValue
    }
  }
}

/// Finds what became of nodes.
struct PlanIndex {
  private let graph: Graph
  private let description: PlanDescription?
  /// The step of a node of the optimised graph.
  private var steps: [Int: Int] = [:]
  /// The places in the optimised graph of what makes its values, and of nodes whose names do not repeat.
  private var makers: [ValueID: Int] = [:]
  private var places: [String: Int] = [:]
  /// Nodes that stand for others, by these others' names.
  private var heirs: [String: Int] = [:]
  /// Steps that lay their inputs side by side.
  private let concats: Set<Int>

  /// - Parameters:
  ///   - graph: the optimised graph.
  ///   - description: its plan; nil where there is none.
  init(_ graph: Graph, _ description: PlanDescription?) {
    self.graph = graph
    self.description = description
    concats = Set((description?.decisions ?? []).filter { $0.kind == .part }.map(\.step))
    for (place, step) in (description?.steps ?? []).enumerated() {
      if let node = step.node { steps[node] = place }
    }
    let names = Dictionary(graph.nodes.map { ($0.name, 1) }, uniquingKeysWith: +)
    for (place, node) in graph.nodes.enumerated() {
      if names[node.name] == 1 { places[node.name] = place }
      for output in node.outputs.compactMap({ $0 }) { makers[output] = place }
      for name in node.origin.names where name != node.name { heirs[name] = place }
    }
  }

  /// What becomes of a node of the graph before its optimisation. Names may repeat: a node is known by what it makes where
  /// something makes that still.
  func plan(ofModelNode node: Node) -> NodePlan? {
    let maker = node.outputs.compactMap { $0.flatMap { makers[$0] } }.first
    for place in [maker, places[node.name]].compactMap({ $0 })
    where graph.nodes[place].name == node.name
      && graph.nodes[place].operatorType == node.operatorType
    {
      return plan(at: place)
    }
    if let heir = maker ?? heirs[node.name] {
      var plan = NodePlan(.merged)
      plan.mergedInto = graph.nodes[heir].name
      return plan
    }
    let isConstant = node.outputs.contains { $0.map { graph.constants[$0] != nil } ?? false }
    return NodePlan(isConstant ? .constant : .removed)
  }

  /// What becomes of the node at a place of the optimised graph.
  func plan(at place: Int) -> NodePlan? {
    guard let description else { return nil }
    if let step = steps[place] { return plan(ofStep: step) }
    if description.hostNodes.contains(place) { return NodePlan(.host) }
    return NodePlan(description.laterNodes.contains(place) ? .later : .computed)
  }

  /// What a step does.
  func plan(ofStep place: Int) -> NodePlan? {
    guard let description else { return nil }
    let step = description.steps[place]
    var plan = NodePlan(.kernel)
    if step.work == .none {
      plan.state = concats.contains(place) ? .inPlace : .view
    } else {
      plan.algorithm = step.algorithm
      plan.nanoseconds = step.nanoseconds
      plan.stage = step.stage
    }
    plan.arenaOffset = step.outputs.first.flatMap { $0 }.flatMap { description.arenaOffset($0) }
    return plan
  }
}

extension PlanDescription {
  /// Bytes from the start of the arena to a value; nil where it lies elsewhere.
  func arenaOffset(_ value: Int) -> Int? {
    guard let place = values[value].place, let start = buffers[place.buffer].offset else {
      return nil
    }
    return start + place.byteOffset
  }
}
