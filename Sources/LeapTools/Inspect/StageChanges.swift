// StageChanges: what happened to a model's nodes between two of its stages, pass by pass.

import LeapGraph
import LeapKernels
import LeapRuntime
import LeapTensors

/// A state of a model on its way to a run.
package enum ModelStage: String, Sendable, CaseIterable, Comparable {
  // In their order.
  case original, inferred, optimized, plan

  /// How many stages come before it.
  private var place: Int { ModelStage.allCases.firstIndex(of: self)! }

  package static func < (a: ModelStage, b: ModelStage) -> Bool { a.place < b.place }
}

/// What one pass did.
package struct StageChanges: Sendable {
  /// The pass, as `--disable-pass` calls it; or the stage.
  package var name: String
  package var summary: String
  package var nodesBefore: Int
  package var nodesAfter: Int
  package var changes: [NodeChange]
  /// Names of constants that are new.
  package var newConstants: [String]
}

extension StageChanges {
  /// What a step from one graph to the next did.
  init(_ name: String, _ summary: String, from before: Graph, to after: Graph) {
    let difference = GraphDifference(from: before, to: after)
    self.init(
      name: name, summary: summary, nodesBefore: before.nodes.count,
      nodesAfter: after.nodes.count, changes: difference.changes,
      newConstants: difference.newConstants)
  }

  /// The types that inference told, where the model declares others or none.
  static func inference(from before: Graph, to after: Graph) -> StageChanges {
    let changes = after.nodes.compactMap { node -> NodeChange? in
      let aspects = node.outputs.compactMap { $0 }.compactMap { id -> NodeChange.Aspect? in
        let (old, new) = (before[id].type?.description, after[id].type?.description)
        return old == new ? nil : .init(name: after[id].name, before: old, after: new)
      }
      if aspects.isEmpty { return nil }
      return NodeChange(
        node: node.name, operatorName: node.qualifiedOperator, kind: .changed(aspects))
    }
    return StageChanges(
      name: "shape-inference", summary: "find out types and shapes of all values",
      nodesBefore: before.nodes.count, nodesAfter: after.nodes.count, changes: changes,
      newConstants: [])
  }

  /// What planning decided for each node, and the changes of layout that it added.
  static func planning(_ graph: Graph, _ description: PlanDescription) -> StageChanges {
    let index = PlanIndex(graph, description)
    let added = description.steps.filter { $0.node == nil }.map { step in
      NodeChange(
        node: description.title(of: step), operatorName: step.algorithm, kind: .added)
    }
    let changes = graph.nodes.enumerated().compactMap { place, node -> NodeChange? in
      guard let plan = index.plan(at: place) else { return nil }
      var aspects = [NodeChange.Aspect(name: "computed by", before: nil, after: plan.label)]
      if let stage = plan.stage {
        aspects.append(.init(name: "stage", before: nil, after: "\(stage)"))
      }
      return NodeChange(
        node: node.name, operatorName: node.qualifiedOperator, kind: .changed(aspects))
    }
    return StageChanges(
      name: "planning", summary: "choose kernels, layouts, order and memory",
      nodesBefore: graph.nodes.count,
      nodesAfter: description.steps.filter { $0.work != .none }.count, changes: changes + added,
      newConstants: [])
  }
}

extension PlanDescription {
  /// What a step is called: its node's name, or what it copies.
  func title(of step: Step) -> String {
    guard step.node == nil else { return step.name }
    guard let source = step.inputs.first ?? nil, let copy = step.outputs.first ?? nil else {
      return step.algorithm
    }
    return "\(values[source].name): \(values[source].layout.text) to \(values[copy].layout.text)"
  }
}

extension Layout {
  /// `plain`, or how many channels lie side by side: `blocked 16`.
  var text: String { blocks.map { "blocked \($0.width)" } ?? "plain" }
}
