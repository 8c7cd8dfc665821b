// RestEstimate: a bound on what a plan takes beyond a segment: what hosts make, and the segments that follow them.
//
// Operators whose output shapes follow from data say how large they may become. The rest of the plan is drafted with those
// extents, and every value counted as if nothing shared memory: no run with smaller ones takes more. Of the two graphs of an If the
// larger counts, as if all of it came on top; the graph of a Loop or a Scan with what its runs leave each other, and their slices.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors

struct RestEstimate {
  private let planner: Planner
  private var bytes = 0
  private var unbounded: [Int] = []

  /// - Parameters:
  ///   - selection: what a segment runs.
  ///   - state: what is known, and left to be planned, when it is planned.
  static func rest(
    after selection: SegmentSelection, _ state: PlanningState, _ planner: Planner
  ) -> SegmentMemory.Rest {
    var estimate = RestEstimate(planner: planner)
    _ = estimate.follow(selection, state)
    if estimate.unbounded.isEmpty { return estimate.bytes > 0 ? .atMost(estimate.bytes) : .none }
    let nodes = estimate.unbounded.sorted().map { planner.program.graph.nodes[$0] }
    return .unbounded(nodes: nodes.map { $0.origin.names.first ?? $0.name })
  }

  private init(planner: Planner) { self.planner = planner }

  /// Adds all that follows. Returns what is known in the end.
  private mutating func follow(
    _ selection: SegmentSelection, _ state: PlanningState
  ) -> PlanningState {
    var (selection, state) = (selection, state)
    while true {
      for position in selection.hostNodes { addHost(position, &state) }
      if state.remaining.isEmpty { return state }
      guard let next = following(selection, &state) else {
        unbounded += state.remaining
        return state
      }
      selection = next
    }
  }

  /// Adds what a host makes, and gives its outputs the types of their largest extents.
  private mutating func addHost(_ position: Int, _ state: inout PlanningState) {
    let node = planner.program.graph.nodes[position]
    if planner.program.operators[position] is If {
      if !addChoice(node, &state) { unbounded.append(position) }
      return
    }
    if let host = planner.program.operators[position] as? any BodyOperator {
      let inputs = node.inputs.map { id in id.flatMap { state.types[$0] } }
      let known = node.inputs.map { id in id.flatMap { state.known[$0] } }
      let repetition = host.repetition(inputs, known: known)
      if repetition.map({ addRepetition($0, node, &state) }) != true { unbounded.append(position) }
      return
    }
    let operands = node.inputs.map { id -> Operand? in
      guard let id, let type = state.types[id], let dataType = type.dataType,
        let shape = type.fixedShape
      else { return nil }
      return Operand(dataType, shape)
    }
    let host = planner.program.operators[position].hostOperator(for: operands.map { $0?.dataType })
    guard let host, let bound = host.outputBound(operands),
      let outputs = host.largestOutputs(operands)
    else {
      unbounded.append(position)
      return
    }
    bytes = saturatingSum(bytes, bound)
    for (id, operand) in zip(node.outputs, outputs) {
      guard let id, state.types[id]?.isContainer != true else { continue }
      state.types[id] = .tensor(operand.dataType, shape: operand.shape.map(Dimension.fixed))
      state.available.insert(id)
    }
  }

  /// Adds what the larger of an If's graphs takes, and gives outputs that both make alike their types.
  ///
  /// - Returns: false where one of them has no bound.
  private mutating func addChoice(_ node: Node, _ state: inout PlanningState) -> Bool {
    let branches = node.bodies(If.bodyNames).compactMap { branch($0, state) }
    guard branches.count == If.bodyNames.count else { return false }
    bytes = saturatingSum(bytes, branches.map(\.bytes).max() ?? 0)
    for (index, output) in node.outputs.enumerated() {
      let types = branches.map { $0.outputs[index] }
      guard let output, let type = types[0], types.allSatisfy({ $0 == type }) else { continue }
      state.types[output] = type
      state.available.insert(output)
    }
    return true
  }

  /// Adds what a node takes that runs a graph again and again, and gives its outputs the types that they have at most.
  ///
  /// - Returns: false where there is no bound: of what the graph takes, of the shapes that it carries, or of how many slices come.
  private mutating func addRepetition(
    _ repetition: Repetition, _ node: Node, _ state: inout PlanningState
  ) -> Bool {
    guard let graph = node.bodies(["body"]).first,
      let run = branch(graph, given: repetition.inputs, state),
      Array(repetition.inputs[repetition.carriedInputs])
        == Array(run.outputs[repetition.carriedOutputs])
    else { return false }
    var types = Array(repetition.inputs[repetition.carriedInputs])
    // A sequence may hold something of every run.
    guard types.allSatisfy({ $0?.isContainer == false }) else { return false }
    // A run, and what those before it left: what it was handed, and as much again with all that they made, to be written over.
    let handed = (repetition.inputs + run.outputs).reduce(0) { sum, type in
      saturatingSum(sum, type.map { RestEstimate.byteCount(of: $0) ?? .max } ?? 1)
    }
    var taken = [run.bytes, run.made, handed].reduce(0, saturatingSum)
    for (slice, axis) in zip(run.outputs.suffix(repetition.sliceAxes.count), repetition.sliceAxes) {
      guard let count = repetition.count, case .tensor(let dataType, let slice?)? = slice,
        let axis = try? normalizedAxis(axis, rank: slice.count + 1)
      else { return false }
      var shape = slice
      shape.insert(.fixed(count), at: axis)
      let type = ValueType.tensor(dataType, shape: shape)
      guard let bytes = RestEstimate.byteCount(of: type) else { return false }
      // A tensor that grows is there twice when it does.
      taken = [taken, bytes, repetition.isExact ? 0 : bytes].reduce(0, saturatingSum)
      types.append(type)
    }
    if taken == .max { return false }
    bytes = saturatingSum(bytes, taken)
    for (output, type) in zip(node.outputs, types) {
      guard let output, let type else { continue }
      state.types[output] = type
      state.available.insert(output)
    }
    return true
  }

  /// Bytes of a tensor; nil where its extents are not known.
  private static func byteCount(of type: ValueType) -> Int? {
    guard let dataType = type.dataType, let shape = type.fixedShape,
      shape.span(of: dataType) != nil
    else { return nil }
    return dataType.byteCount(elements: shape.elementCount)
  }

  /// What a run of a node's graph takes, how much of that are values that it leaves, and the types of its outputs as far as
  /// planning tells them; nil where there is no bound.
  private func branch(
    _ graph: Graph, given: [ValueType?] = [], _ state: PlanningState
  ) -> (bytes: Int, made: Int, outputs: [ValueType?])? {
    var inputs: [ValueID: ValueType] = [:]
    for (input, type) in zip(graph.inputs, given) {
      guard let type, type.isContainer || type.fixedShape != nil else { return nil }
      inputs[input] = type
    }
    for capture in graph.captures {
      guard let type = state.types[capture.outer] else { return nil }
      inputs[capture.inner] = type
    }
    var options = planner.options
    options.instruments = []
    guard let program = try? Program(graph: graph, table: planner.program.table) else { return nil }
    let inner = Planner(
      program: program, weights: WeightStore(counting: graph, policy: .owned), options: options,
      outputs: graph.outputs)
    let start = PlanningState(program: program, inputs: inputs)
    var end = start
    var estimate = RestEstimate(planner: inner)
    guard let memory = try? inner.segment(from: start).memory, let first = try? end.select(),
      let taken = try? PredictedMemory(memory, rest: .none, width: options.width)
    else { return nil }
    end = estimate.follow(first, end)
    guard estimate.unbounded.isEmpty else { return nil }
    let bytes = [
      taken.ownedWeights, taken.mappedWeights, taken.arena, taken.scratch, taken.results,
      taken.blasWorkspace, estimate.bytes,
    ].reduce(0, saturatingSum)
    return (
      bytes, saturatingSum(taken.results, estimate.bytes), graph.outputs.map { end.types[$0] }
    )
  }

  /// Plans the segment that follows, and adds its values; nil where nothing more can be planned without running.
  private mutating func following(
    _ selection: SegmentSelection, _ state: inout PlanningState
  ) -> SegmentSelection? {
    // Elements that only running tells would decide the shapes.
    guard selection.observed.isEmpty else { return nil }
    var next = state
    for position in selection.kernelNodes {
      next.available.formUnion(planner.program.graph.nodes[position].outputs.compactMap { $0 })
    }
    // Extents that do not go together at their largest may do so when running tells them: then there is no bound.
    guard let following = try? next.select(),
      let draft = try? planner.draft(following, next), let taken = try? memory(of: draft)
    else { return nil }
    unbounded += taken.growing
    bytes = saturatingSum(bytes, taken.bytes)
    state = next
    return following
  }

  /// Bytes of all values, weights and scratch, and the nodes whose scratch another choice of algorithm might enlarge.
  private func memory(of draft: Draft) throws -> (bytes: Int, growing: [Int]) {
    var bytes = 0
    for value in draft.values {
      if case .given = value.kind { continue }
      bytes = saturatingSum(bytes, try TensorStorage.aligned(value.operand.byteCount))
    }
    for recipe in draft.recipes { bytes = saturatingSum(bytes, recipe.byteCount) }
    var growing: [Int] = []
    for step in draft.steps {
      let kernel = try step.candidate.bind(step.request)
      let own = saturatingSum(kernel.scratchPerWorker, kernel.blasPerWorker)
      let (all, overflow) = own.multipliedReportingOverflow(by: planner.options.width)
      let scratch = saturatingSum(overflow ? .max : all, kernel.sharedScratch)
      if scratch > 0, step.hasAlternatives, let node = step.node { growing.append(node) }
      bytes = saturatingSum(bytes, scratch)
    }
    return (bytes, growing)
  }
}
