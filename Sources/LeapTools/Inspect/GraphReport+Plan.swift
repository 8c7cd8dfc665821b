// GraphReport+Plan: the steps of a plan as nodes, in the order in which they run.

import LeapGraph
import LeapRuntime
import LeapTensors

extension GraphReport {
  /// The steps of a plan; those that are done before and after them too.
  ///
  /// - Parameters:
  ///   - optimized: the report on the optimised graph.
  ///   - graph: that graph.
  init(_ description: PlanDescription, _ optimized: GraphReport, _ graph: Graph) {
    self = optimized
    let index = PlanIndex(graph, description)
    func node(_ place: Int) -> NodeReport {
      var node = optimized.nodes[place]
      node.plan = index.plan(at: place)
      return node
    }
    let steps = description.steps.enumerated().map { place, step -> NodeReport in
      guard let own = step.node else { return GraphReport.copy(place, step, description, index) }
      return node(own)
    }
    nodes =
      description.computedNodes.map(node) + steps + description.hostNodes.map(node)
      + description.laterNodes.map(node)
    for place in nodes.indices { nodes[place].index = "\(place)" }
  }

  /// A change of layout that the planner added.
  private static func copy(
    _ place: Int, _ step: PlanDescription.Step, _ description: PlanDescription, _ index: PlanIndex
  ) -> NodeReport {
    func operand(_ value: Int?) -> OperandReport? {
      value.map { value in
        let value = description.values[value]
        return OperandReport(
          name: value.name,
          type: .tensor(value.dataType, shape: value.shape.map(Dimension.fixed)),
          isConstant: false, isInFile: false)
      }
    }
    func bytes(_ values: [Int?]) -> Int {
      values.compactMap { $0 }.reduce(0) { saturatingSum($0, description.values[$1].byteCount) }
    }
    return NodeReport(
      index: "", graph: "main", operatorName: "(\(step.algorithm))", opset: 0,
      name: description.title(of: step), inputs: step.inputs.map(operand),
      outputs: step.outputs.map(operand), multiplyAdds: 0, parameters: 0,
      bytesRead: bytes(step.inputs), bytesWritten: bytes(step.outputs), isSupported: true,
      attributes: [], prologue: nil, epilogue: nil, origins: [], pass: "planning",
      plan: index.plan(ofStep: place), subgraphs: [])
  }
}
