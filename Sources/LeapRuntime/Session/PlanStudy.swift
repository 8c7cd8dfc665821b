// PlanStudy: the plan of a run that is never made, for tools that say what it would do: here, or on another machine.
//
// 1. It is the plan that a session of the same options makes: nothing here decides anything.
// 2. No weight is read but those that decide shapes, so that it costs no more than planning.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors

/// A plan to look at.
package struct PlanStudy: Sendable {
  package let program: Program
  /// What is planned before anything runs. It cannot be run: its weights have no bytes.
  package let segment: Segment
  /// What was decided.
  package let description: PlanDescription
  package let memory: PredictedMemory

  /// - Parameters:
  ///   - graph: the optimised graph.
  ///   - configuration: of the session; its plan's instruction set may be one that this machine does not have.
  ///   - inputs: the type of each input without a default, by its place in the graph, all extents known.
  /// - Throws: `ModelError`.
  package init(
    _ graph: Graph, _ configuration: SessionConfiguration, inputs: [ValueID: ValueType]
  ) throws {
    try configuration.plan.checkAlgorithms()
    var options = configuration.plan
    options.width = try configuration.workers()
    program = try Program(graph: graph, table: configuration.table)
    let planner = Planner(
      program: program, weights: WeightStore(counting: graph, policy: configuration.weights),
      options: options, outputs: graph.outputs)
    let start = PlanningState(program: program, inputs: inputs)
    (segment, description) = try planner.described(from: start)
    memory = try PredictedMemory(
      segment.memory, rest: planner.rest(from: start), width: options.width)
  }
}
