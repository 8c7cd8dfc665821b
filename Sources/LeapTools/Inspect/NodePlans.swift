// NodePlans: what becomes of each node of the model, those in graphs of nodes included.
//
// Graphs of nodes are planned when they run. Here each is planned for the shapes that are known before; where some are not, their
// nodes have no plan.

import LeapGraph
import LeapRuntime
import LeapTensors

struct NodePlans {
  let configuration: SessionConfiguration

  /// A report with the plans of its nodes.
  ///
  /// - Parameters:
  ///   - graph: what the report is on.
  ///   - optimized: what passes made of it.
  ///   - description: the plan of that; nil where there is none.
  func planned(
    _ report: GraphReport, _ graph: Graph, _ optimized: Graph, _ description: PlanDescription?
  ) -> GraphReport {
    var report = report
    let index = PlanIndex(optimized, description)
    for (place, node) in graph.nodes.enumerated() {
      report.nodes[place].plan = index.plan(ofModelNode: node)
      if node.subgraphs.isEmpty { continue }
      guard
        let heir = optimized.nodes.first(where: {
          $0.name == node.name && $0.operatorType == node.operatorType
        })
      else { continue }
      let targets = Dictionary(heir.subgraphs.map { ($0.attribute, $0.graph) }) { first, _ in first
      }
      for (slot, (attribute, body)) in node.subgraphs.enumerated() {
        guard let target = targets[attribute] else { continue }
        report.nodes[place].subgraphs[slot].graph = planned(
          report.nodes[place].subgraphs[slot].graph, body, target,
          plan(of: target, in: optimized))
      }
    }
    return report
  }

  /// The plan of a graph of a node, for the shapes that are known when nothing runs.
  private func plan(of body: Graph, in graph: Graph) -> PlanDescription? {
    var inputs: [ValueID: ValueType] = [:]
    let own = body.inputs.filter { body.constants[$0] == nil }
    for input in own { inputs[input] = body[input].type }
    for capture in body.captures { inputs[capture.inner] = graph[capture.outer].type }
    guard
      inputs.values.allSatisfy({ $0.isContainer || $0.fixedShape != nil }),
      inputs.count == own.count + body.captures.count
    else { return nil }
    return (try? PlanStudy(body, configuration, inputs: inputs))?.description
  }
}
