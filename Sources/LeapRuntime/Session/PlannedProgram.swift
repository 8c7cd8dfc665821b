// PlannedProgram: a program with its weights and the plans for the shapes that it has met; and so has each graph that one of its
// nodes runs.

import LeapGraph
import LeapOperators
import LeapTensors
import LeapWorkers

package final class PlannedProgram: Sendable {
  let program: Program
  let weights: WeightStore
  private let options: PlanOptions
  private let roots: SingleFlightCache<RootKey, PlannedSegment>
  /// The graphs of the nodes that run some, by the nodes' places and in the order of `BodyOperator.bodyNames`.
  let bodies: [Int: [PlannedProgram]]

  /// What decides the first segment of a run.
  private struct RootKey: Hashable, Sendable {
    var inputs: [ValueID: InputSignature]
    var outputs: [ValueID]
  }

  /// How many shapes of inputs plans are kept for.
  static let planLimit = 16

  /// - Parameters:
  ///   - graph: optimised.
  ///   - table: the operators that nodes may have.
  ///   - path: which of the program's graphs it is: the places of the nodes that it is in, and the attributes. Empty for the
  ///     outermost.
  ///   - weights: makes the store of a graph's constants; from the graph and its path.
  /// - Throws: `ModelError`.
  init(
    _ graph: Graph, _ options: PlanOptions, table: OperatorTable, path: String = "",
    weights: (_ graph: Graph, _ path: String) -> WeightStore
  ) throws {
    program = try Program(graph: graph, table: table)
    self.options = options
    self.weights = weights(graph, path)
    roots = SingleFlightCache(capacity: PlannedProgram.planLimit)
    var bodies: [Int: [PlannedProgram]] = [:]
    for (position, operation) in program.operators.enumerated() {
      guard let operation = operation as? any BodyOperator else { continue }
      let names = type(of: operation).bodyNames
      bodies[position] = try zip(names, graph.nodes[position].bodies(names)).map { name, body in
        try PlannedProgram(
          body, options, table: table, path: "\(path)/\(position)/\(name)", weights: weights)
      }
    }
    self.bodies = bodies
  }

  func planner(_ outputs: [ValueID]) -> Planner {
    Planner(program: program, weights: weights, options: options, outputs: outputs)
  }

  /// The plan's first segment for inputs of these types and shapes, kept for the runs that follow.
  ///
  /// - Throws: `ModelError`, `RunError`.
  func root(
    _ given: [ValueID: InputSignature], _ outputs: [ValueID], _ interrupt: Interrupt
  ) throws -> PlannedSegment {
    try roots.value(for: RootKey(inputs: given, outputs: outputs), interrupt: interrupt) {
      let state = PlanningState(program: program, inputs: given.mapValues(\.type))
      return try PlannedSegment(state, planner(outputs))
    }
  }

  /// Runs the program. As a graph of a node it writes over values that it is given where nobody else holds them.
  ///
  /// - Parameters:
  ///   - outputs: the values that are wanted.
  ///   - destinations: tensors whose memory is to hold some of them.
  /// - Returns: the values, in the order of `outputs`.
  /// - Throws: `RunError`, `ModelError`.
  func run(
    _ given: consuming GivenInputs, _ outputs: [ValueID],
    into destinations: [ValueID: Tensor] = [:],
    _ memory: WorkingMemory, _ options: ExecutionOptions
  ) throws -> [RunValue] {
    var planned = try root(given.signatures, outputs, options.interrupt)
    var execution = Execution(
      self, memory: memory, options: options, inputs: given.takeValues(),
      destinations: destinations)
    var known: [ValueID: Tensor] = [:]
    while true {
      let made = try execution.run(planned.segment)
      known.merge(planned.segment.known) { $1 }
      guard planned.segment.next != nil else { break }
      planned = try planned.following(made, execution, planner(outputs))
    }
    let results = try outputs.map { try known[$0].map(RunValue.tensor) ?? execution.value($0) }
    if memory.depth > 0 { execution.recycle() }
    return results
  }

  /// The weights that plans hold and a cache keeps, those of the graphs that nodes run among them, by their names there.
  var keptWeights: [(name: [UInt8], weight: Weight)] {
    bodies.values.joined().reduce(weights.keptWeights) { $0 + $1.keptWeights }
  }

  /// Bytes of weights that plans hold, those of the graphs that nodes run among them: mapped from files, and in memory of the
  /// session's own.
  package var weightBytes: (mapped: Int, owned: Int) {
    bodies.values.joined().reduce(weights.byteCounts) { sum, body in
      let more = body.weightBytes
      return (sum.mapped + more.mapped, sum.owned + more.owned)
    }
  }
}

extension Node {
  /// The graphs of some attributes.
  func bodies(_ names: [String]) -> [Graph] {
    names.compactMap { if case .graph(let graph)? = attributes[$0] { graph } else { nil } }
  }
}

/// A graph that a node runs, with what it reads from outside.
struct BoundBody: Body {
  private let planned: PlannedProgram
  private let captured: GivenInputs
  /// The memory of what was there before the node began.
  private let sources: Set<ObjectIdentifier>
  private let memory: WorkingMemory
  private let options: ExecutionOptions
  /// What the run had made before the node began.
  private let baseline: Int

  init(
    _ planned: PlannedProgram, captured: [ValueID: RunValue], sources: Set<ObjectIdentifier>,
    _ memory: WorkingMemory, _ options: ExecutionOptions
  ) {
    self.planned = planned
    self.captured = GivenInputs(captured)
    self.sources = sources
    self.memory = memory
    self.options = options
    baseline = memory.resultBytes
  }

  var outputTypes: [ValueType?] {
    planned.program.graph.outputs.map { planned.program.graph[$0].type }
  }

  func run(
    _ inputs: consuming [RunValue], keeping kept: Int, into places: [Int: Tensor]
  ) throws -> [RunValue] {
    try options.interrupt.poll()
    let graph = planned.program.graph
    var given = captured
    for (index, id) in graph.inputs.enumerated() where index < inputs.count {
      given.set(id, inputs[index])
    }
    inputs = []
    let destinations = Dictionary(places.map { (graph.outputs[$0], $1) }) { first, _ in first }
    let number = memory.beginRun()
    let outputs = try planned.run(
      consume given, graph.outputs, into: destinations, memory, options)
    let known = sources.union(places.values.compactMap(\.storage))
    let made = Execution.newBytes(of: outputs, besides: known)
    memory.endRun(number)
    memory.settle(results: saturatingSum(baseline, saturatingSum(kept, made)))
    return outputs
  }

  func charge(_ bytes: Int) throws { try memory.chargeResults(bytes) }
}
