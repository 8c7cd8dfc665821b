// Planner: from what is known at one point of a run to the segment that runs next: select, draft, order, place, bind.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors

package struct Planner: Sendable {
  package let program: Program
  package let weights: WeightStore
  package let options: PlanOptions
  /// The values that a run must end with.
  package let outputs: [ValueID]

  package init(
    program: Program, weights: WeightStore, options: PlanOptions, outputs: [ValueID]
  ) {
    self.program = program
    self.weights = weights
    self.options = options
    self.outputs = outputs
  }

  /// Plans the next segment.
  ///
  /// - Throws: `ModelError`.
  package func segment(from start: PlanningState) throws -> Segment {
    try planned(from: start).segment
  }

  /// Plans the next segment, and says what was decided.
  ///
  /// - Throws: `ModelError`.
  package func described(
    from start: PlanningState
  ) throws -> (segment: Segment, description: PlanDescription) {
    let (segment, describe) = try planned(from: start)
    return (segment, describe())
  }

  private func planned(
    from start: PlanningState
  ) throws -> (segment: Segment, describe: () -> PlanDescription) {
    var state = start
    let selection = try state.select()
    let draft = try draft(selection, state)
    let dependencies = DraftDependencies(draft)
    let schedule = Schedule(
      draft, dependencies, width: options.memoryPolicy == .lean ? 1 : options.width)
    let placement = Placement(draft, dependencies, schedule, reuse: options.reuse)
    // Later plans find nearly all of their weights there.
    let prepared =
      weights.wantsPreparation
      ? try weights.prepare(draft.weightRequests(program.graph), width: options.width) : []
    return try withExtendedLifetime(prepared) {
      var binder = try SegmentBinder(self, draft, dependencies, schedule, placement)
      try binder.bindSteps()
      let segment = binder.segment(selection, next: state.remaining.isEmpty ? nil : state, state)
      return (segment, { [binder, state] in binder.description(selection, state) })
    }
  }

  /// What the figures of the segment that is planned from a state leave out: what its hosts make, and all that follows it.
  /// Drafts the rest of the plan, which runs have no use for.
  ///
  /// - Throws: `ModelError`.
  package func rest(from start: PlanningState) throws -> SegmentMemory.Rest {
    var state = start
    let selection = try state.select()
    return RestEstimate.rest(after: selection, state, self)
  }

  /// A segment's steps with their candidates.
  ///
  /// - Throws: `ModelError.planning`.
  func draft(_ selection: SegmentSelection, _ state: PlanningState) throws -> Draft {
    var builder = DraftBuilder(program: program, state: state, options: options)
    return try builder.build(selection, results: results(of: selection, state))
  }

  /// The values that must outlive a segment: outputs, and what hosts, later segments and their planning read.
  private func results(of selection: SegmentSelection, _ state: PlanningState) -> [ValueID] {
    let made = Set(
      selection.kernelNodes.flatMap { program.graph.nodes[$0].outputs.compactMap { $0 } })
    var wanted = Set(outputs).union(selection.observed)
    for position in selection.hostNodes + state.remaining {
      wanted.formUnion(program.graph.nodes[position].uses)
    }
    return wanted.filter { made.contains($0) }.sorted()
  }
}

/// Turns a placed draft into a segment: arena offsets, weights, bound kernels.
struct SegmentBinder {
  let planner: Planner
  let draft: Draft
  let dependencies: DraftDependencies
  let schedule: Schedule
  let placement: Placement
  private(set) var arena: ArenaLayout
  private(set) var requests: [ArenaRequest]
  /// For each buffer: the result that lies in it.
  private(set) var resultOfBuffer: [Int: Int] = [:]
  private(set) var results: [SegmentResult] = []
  private(set) var given: [ValueID] = []
  private var weights: [Weight] = []
  private var weightIndex: [Int: Int] = [:]
  private var countedWeights: Set<ObjectIdentifier> = []
  private(set) var steps: [Step] = []
  /// For each of them the step of the draft.
  private(set) var draftSteps: [Int] = []
  private var memory = SegmentMemory()
  private var sharedInStage: [Int: Int] = [:]

  init(
    _ planner: Planner, _ draft: Draft, _ dependencies: DraftDependencies, _ schedule: Schedule,
    _ placement: Placement
  ) throws {
    self.planner = planner
    self.draft = draft
    self.dependencies = dependencies
    self.schedule = schedule
    self.placement = placement
    for id in draft.results {
      guard let value = draft.plainValue[id], let place = placement.places[value] else { continue }
      resultOfBuffer[place.buffer] = results.count
      results.append(SegmentResult(value: id, operand: draft.values[value].operand))
    }
    requests = SegmentBinder.requests(dependencies, schedule, placement)
    for buffer in resultOfBuffer.keys { requests[buffer].byteCount = 0 }
    arena = try ArenaLayout(requests)
    memory.arena = arena.byteCount
    memory.liveBound = ArenaLayout.liveBound(requests)
    memory.withoutReuse = draft.values.reduce(0) { sum, value in
      value.kind == .computed ? sum &+ value.operand.byteCount : sum
    }
    memory.results = results.reduce(0) { $0 &+ $1.operand.byteCount }
  }

  /// The size and lifetime, in stages, of each buffer.
  private static func requests(
    _ dependencies: DraftDependencies, _ schedule: Schedule, _ placement: Placement
  ) -> [ArenaRequest] {
    placement.bufferBytes.indices.map { buffer in
      var request = ArenaRequest(
        byteCount: placement.bufferBytes[buffer], first: .max, last: 0)
      for value in placement.membersOfBuffers[buffer] {
        let touching =
          dependencies.readers[value] + [dependencies.producer[value]].compactMap { $0 }
        for step in touching where !placement.elided[step] {
          request.first = min(request.first, schedule.stage[step])
          request.last = max(request.last, schedule.stage[step])
        }
      }
      if request.first == .max { request.first = 0 }
      return request
    }
  }

  mutating func bindSteps() throws {
    for index in schedule.order where !placement.elided[index] {
      let step = draft.steps[index]
      if let parts = placement.partialCopies[index] {
        for part in parts { try bindPart(part, of: step, index) }
      } else {
        try bind(step, index)
      }
    }
  }

  private mutating func bind(_ step: DraftStep, _ index: Int) throws {
    var request = step.request
    for (operand, value) in step.inputs.enumerated() {
      if let value, let place = placement.places[value] {
        request.inputs[operand]?.layout = place.layout
      }
    }
    for (operand, value) in step.outputs.enumerated() {
      if let value, let place = placement.places[value] {
        request.outputs[operand]?.layout = place.layout
      }
    }
    let kernel: Kernel
    do { kernel = try step.candidate.bind(request) } catch let error as OperatorError {
      throw ModelError.planning(description(step), reason: error.reason)
    }
    let inputs = try zip(step.inputs, step.candidate.inputs).map { value, requirement in
      requirement == .planned ? Location.none : try location(value)
    }
    try append(
      step, request, index, kernel, inputs + (try step.outputs.map { try location($0) }))
  }

  /// Copies one part of a concat into its place.
  private mutating func bindPart(_ part: Int, of step: DraftStep, _ index: Int) throws {
    guard case .concat(let axis) = step.role, let output = step.outputs[0],
      let home = placement.places[output]
    else { return }
    let parts = step.inputs.compactMap { $0 }
    let whole = Operand(
      draft.values[output].operand.dataType, draft.values[output].operand.shape,
      layout: home.layout)
    let place = whole.parts(parts.map { draft.values[$0].operand }, axis: axis)[part]
    var source = draft.values[parts[part]].operand
    if let place = placement.places[parts[part]] { source.layout = place.layout }
    let target = Operand(source.dataType, source.shape, layout: place.layout)
    let copy = Draft.copyStep(from: parts[part], source, to: output, target)
    var named = copy
    named.node = step.node
    let offset = place.offset * source.dataType.byteWidth
    let kernel = try copy.candidate.bind(copy.request)
    let destination = shifted(try location(output), by: offset)
    try append(named, named.request, index, kernel, [try location(parts[part]), destination])
  }

  private func shifted(_ location: Location, by offset: Int) -> Location {
    switch location {
    case .arena(let start): .arena(start + offset)
    case .result(let index, let start): .result(index, offset: start + offset)
    default: location
    }
  }

  /// - Parameter request: the step's, with settled layouts.
  private mutating func append(
    _ step: DraftStep, _ request: KernelRequest, _ index: Int, _ kernel: Kernel,
    _ locations: [Location]
  ) throws {
    let kernel =
      planner.options.instruments.isEmpty ? kernel : try instrumented(kernel, step, request)
    let stage = schedule.stage[index]
    let shared = sharedInStage[stage, default: 0]
    let (end, overflow) = shared.addingReportingOverflow(
      try TensorStorage.aligned(kernel.sharedScratch))
    if overflow { throw ModelError.outOfMemory(bytes: .max) }
    sharedInStage[stage] = end
    memory.scratchPerWorker = max(memory.scratchPerWorker, kernel.scratchPerWorker)
    memory.sharedScratch = max(memory.sharedScratch, end)
    memory.blasPerWorker = max(memory.blasPerWorker, kernel.blasPerWorker)
    let node = step.node.map { planner.program.graph.nodes[$0] }
    draftSteps.append(index)
    steps.append(
      Step(
        node: step.node, name: node?.origin.names.first ?? node?.name ?? "",
        operatorType: node?.operatorType ?? "", algorithm: step.candidate.name.rawValue,
        stage: stage,
        cost: step.candidate.cost, kernel: kernel, locations: locations,
        inputCount: step.inputs.count, sharedOffset: shared))
  }

  /// A step's kernel as the instruments have it.
  private func instrumented(
    _ kernel: Kernel, _ step: DraftStep, _ request: KernelRequest
  ) throws -> Kernel {
    let graph = planner.program.graph
    let node = step.node.map { graph.nodes[$0] }
    // A copy holds what its source holds, however often that was copied.
    func held(_ value: Int?) -> String? {
      guard var value else { return nil }
      while draft.values[value].source == nil {
        let maker = draft.steps.first { $0.isCopy && $0.outputs == [value] }
        guard let source = maker?.inputs.first ?? nil else { return nil }
        value = source
      }
      return draft.values[value].source.map { graph[$0].name }
    }
    let origins = node?.origin.names ?? []
    // A node that others were merged into keeps its name.
    let name = node.map { origins.contains($0.name) ? $0.name : origins.first ?? $0.name }
    let bound = BoundStep(
      node: step.node, name: name ?? "", origins: origins, operatorType: node?.operatorType ?? "",
      algorithm: step.candidate.name.rawValue, algorithms: step.algorithms.map(\.rawValue),
      isCopy: step.isCopy, inputs: request.inputs, outputs: request.outputs,
      inputValues: step.inputs.map(held), outputValues: step.outputs.map(held),
      options: planner.options)
    do {
      return try planner.options.instruments.reduce(kernel) { try $1.wrapped($0, of: bound) }
    } catch let error as OperatorError {
      throw ModelError.planning(description(step), reason: error.reason)
    }
  }

  private mutating func location(_ value: Int?) throws -> Location {
    guard let value else { return .none }
    if let place = placement.places[value] {
      if let result = resultOfBuffer[place.buffer] {
        return .result(result, offset: place.byteOffset)
      }
      return .arena(arena.offsets[place.buffer] + place.byteOffset)
    }
    let source = placement.externalAlias[value] ?? value
    switch draft.values[source].kind {
    case .given(let id):
      if let index = given.firstIndex(of: id) { return .given(index) }
      given.append(id)
      return .given(given.count - 1)
    case .constant(let id, let packing):
      if let index = weightIndex[source] { return .weight(index) }
      let weight = try planner.weights.weight(id, packing: packing.map { draft.recipes[$0] })
      // Steps that read one constant in one packing share it.
      if countedWeights.insert(ObjectIdentifier(weight)).inserted {
        if weight.isMapped {
          memory.mappedWeights += weight.byteCount
        } else {
          memory.ownedWeights += weight.byteCount
        }
      }
      weights.append(weight)
      weightIndex[source] = weights.count - 1
      return .weight(weights.count - 1)
    case .known(let id):
      if let index = weightIndex[source] { return .weight(index) }
      guard let tensor = draft.known[id] else {
        throw ModelError.planning(
          nil, reason: "nothing computes '\(planner.program.graph[id].name)'")
      }
      let storage = try WeightStore.alignedStorage(of: tensor)
      weights.append(
        Weight(storage, isMapped: false, byteCount: tensor.byteCount, account: nil))
      weightIndex[source] = weights.count - 1
      return .weight(weights.count - 1)
    case .computed:
      throw ModelError.planning(nil, reason: "a computed value has no place")
    }
  }

  private func description(_ step: DraftStep) -> NodeDescription? {
    step.node.map { planner.program.graph.nodes[$0].description(in: planner.program.graph) }
  }

  func segment(
    _ selection: SegmentSelection, next: PlanningState?, _ state: PlanningState
  ) -> Segment {
    let nodes = planner.program.graph.nodes
    let wanted = Set(planner.outputs).union(selection.hostNodes.flatMap { nodes[$0].uses })
    let needed = wanted.union(selection.observed).union(state.remaining.flatMap { nodes[$0].uses })
    var known: [ValueID: Tensor] = [:]
    for id in wanted where !state.isConstant(id) { known[id] = state.known[id] }
    return Segment(
      steps: steps, stageCount: schedule.stageCount, memory: memory, given: given,
      results: results, overwritten: overwrittenInputs(needed), known: known,
      weights: weights, deadAfterStage: deadAfterStage(), selection: selection, next: next)
  }

  private func deadAfterStage() -> [[Range<Int>]] {
    var dead = [[Range<Int>]](repeating: [], count: schedule.stageCount)
    for (buffer, request) in requests.enumerated() where request.byteCount > 0 {
      let start = arena.offsets[buffer]
      dead[request.last].append(start..<(start + request.byteCount))
    }
    return dead
  }
}
