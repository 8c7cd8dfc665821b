// Execution: one run of a program from its inputs to its outputs, segment by segment.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors
import LeapWorkers

/// What a stage took, for profiles. Times in nanoseconds of the monotonic clock.
package struct StageTiming: Sendable {
  package let segment: Segment
  package let stage: Int
  package let start: UInt64
  package let end: UInt64
  private let team: Team

  init(_ segment: Segment, stage: Int, start: UInt64, end: UInt64, team: Team) {
    self.segment = segment
    self.stage = stage
    self.start = start
    self.end = end
    self.team = team
  }

  /// How many blocks each worker has executed since the segment began.
  package var blocksPerWorker: [Int] { team.blocksPerWorker }

  /// The steps of the stage, which may have overlapped.
  package var steps: [Step] { segment.steps.filter { $0.stage == stage } }
}

/// How one run goes about it.
package struct ExecutionOptions: Sendable {
  package var width: Int
  package var interrupt: Interrupt
  /// Fill memory with NaN as soon as it is dead.
  package var poison = false
  /// Take denormal floats for zero.
  package var flushesDenormals = false
  /// Called on the caller's thread after every stage. Observing allocates nothing.
  package var observe: (@Sendable (StageTiming) -> Void)?

  package init(width: Int, interrupt: Interrupt) {
    self.width = width
    self.interrupt = interrupt
  }
}

struct Execution {
  private let planned: PlannedProgram
  let memory: WorkingMemory
  let options: ExecutionOptions
  /// Values that exist: inputs, and what segments left.
  var values: [ValueID: RunValue]
  /// Tensors whose memory is to hold results.
  let destinations: [ValueID: Tensor]

  var program: Program { planned.program }

  init(
    _ planned: PlannedProgram, memory: WorkingMemory, options: ExecutionOptions,
    inputs: consuming [ValueID: RunValue], destinations: [ValueID: Tensor]
  ) {
    self.planned = planned
    self.memory = memory
    self.options = options
    values = inputs
    self.destinations = destinations
  }

  /// Runs a segment's kernels, then its hosts. Returns what they left, by value.
  ///
  /// - Throws: `RunError`, `ModelError.outOfMemory`.
  mutating func run(_ segment: Segment) throws -> [ValueID: RunValue] {
    var made: [ValueID: RunValue] = [:]
    for (id, tensor) in segment.known { values[id] = .tensor(tensor) }
    let (results, overwritten) = try emptyTensors(for: segment)
    if !segment.steps.isEmpty {
      let given = try segment.given.map { try tensor($0) }
      let run = try SegmentRun(
        segment, given: given, results: results, memory: memory, width: options.width,
        flushesDenormals: options.flushesDenormals)
      try execute(run, segment)
    }
    for id in overwritten { values[id] = nil }
    for (result, tensor) in zip(segment.results, results) { made[result.value] = .tensor(tensor) }
    values.merge(made) { $1 }
    for position in segment.hostNodes {
      let outputs = try runHost(position)
      made.merge(outputs) { $1 }
      values.merge(outputs) { $1 }
    }
    return made
  }

  /// A tensor that exists, or a constant.
  func tensor(_ id: ValueID) throws -> Tensor {
    let value = try value(id)
    guard let tensor = value.tensor else {
      throw ModelError.planning(
        nil, reason: "'\(program.graph[id].name)' is \(value), which no kernel reads")
    }
    return tensor
  }

  /// A value that exists, or a constant.
  func value(_ id: ValueID) throws -> RunValue {
    if let value = values[id] { return value }
    guard let constant = program.graph.constants[id] else {
      throw ModelError.planning(
        nil, reason: "nothing has computed '\(program.graph[id].name)'")
    }
    return .tensor(try constant.tensor())
  }

  private func execute(_ run: SegmentRun, _ segment: Segment) throws {
    let team = Team.enlist(
      width: options.width, program: run, interrupt: options.interrupt,
      estimatedNanoseconds: segment.nanoseconds)
    defer { team.finish() }
    do {
      BLASThreads.enter()
      defer { BLASThreads.leave() }
      try runRegions(segment, run, team)
    } catch let failure as StepFailure {
      let step = segment.steps[failure.step]
      guard let node = step.node else {
        throw ModelError.planning(nil, reason: "\(step.algorithm): \(failure.reason)")
      }
      throw RunError.node(
        program.graph.nodes[node].description(in: program.graph), reason: failure.reason)
    }
  }

  private func runRegions(_ segment: Segment, _ run: SegmentRun, _ team: Team) throws {
    guard options.poison || options.observe != nil else {
      for (index, region) in segment.regions.enumerated() {
        try team.run(region: index, blockCount: region.blockCount)
      }
      return
    }
    var started = monotonicNanoseconds()
    for (index, region) in segment.regions.enumerated() {
      try team.run(region: index, blockCount: region.blockCount)
      guard region.isLastOfStage else { continue }
      let ended = monotonicNanoseconds()
      options.observe?(
        StageTiming(segment, stage: region.stage, start: started, end: ended, team: team))
      if options.poison { run.poison(afterStage: region.stage) }
      started = monotonicNanoseconds()
    }
  }

  private func runHost(_ position: Int) throws -> [ValueID: RunValue] {
    let node = program.graph.nodes[position]
    let inputs = try node.inputs.map { try $0.map { try value($0) } }
    let types = inputs.map { $0?.tensor?.dataType }
    guard let host = program.operators[position].hostOperator(for: types) else { return [:] }
    if let host = host as? any BodyOperator { return try runBodies(position, host, inputs) }
    let (bound, outputs): (Int?, [RunValue])
    do {
      bound = try host.memoryBound(inputs)
      if let bound { try memory.chargeResults(bound) }
      outputs = try host.run(inputs)
    } catch let error as OperatorError {
      throw RunError.node(node.description(in: program.graph), reason: error.reason)
    }
    if bound == nil {
      try memory.chargeResults(Execution.newBytes(of: outputs, madeFrom: inputs))
    }
    return named(outputs, by: node)
  }

  private func named(_ outputs: [RunValue], by node: Node) -> [ValueID: RunValue] {
    var made: [ValueID: RunValue] = [:]
    for (id, value) in zip(node.outputs, outputs) { if let id { made[id] = value } }
    return made
  }

  /// Has a node run its graphs. They work in the memory of this run: nothing lives there between its segments.
  private func runBodies(
    _ position: Int, _ host: any BodyOperator, _ inputs: [RunValue?]
  ) throws -> [ValueID: RunValue] {
    let node = program.graph.nodes[position]
    let captured = try (planned.bodies[position] ?? []).map { body in
      var captured: [ValueID: RunValue] = [:]
      for capture in body.program.graph.captures {
        captured[capture.inner] = try value(capture.outer)
      }
      return captured
    }
    let sources = Execution.storages(of: inputs + captured.flatMap { $0.values.map(Optional.some) })
    let bodies = zip(planned.bodies[position] ?? [], captured).map { body, captured in
      BoundBody(body, captured: captured, sources: sources, memory, options)
    }
    let baseline = memory.resultBytes
    memory.beginBodies()
    defer { memory.endBodies() }
    let outputs: [RunValue]
    do { outputs = try host.run(inputs, bodies: bodies) } catch let error as OperatorError {
      throw RunError.node(node.description(in: program.graph), reason: error.reason)
    }
    let made = Execution.newBytes(of: outputs, besides: sources)
    memory.settle(results: saturatingSum(baseline, made))
    return named(outputs, by: node)
  }

  /// Bytes of the tensors that a host made: those that share the memory of its inputs were there before.
  private static func newBytes(of outputs: [RunValue], madeFrom inputs: [RunValue?]) -> Int {
    newBytes(of: outputs, besides: storages(of: inputs))
  }

  /// Bytes of tensors, but for those in some memory.
  static func newBytes(of outputs: [RunValue], besides known: Set<ObjectIdentifier>) -> Int {
    var counted = known
    return outputs.flatMap(\.tensors).reduce(0) { sum, tensor in
      guard let storage = tensor.storage, counted.insert(storage).inserted else { return sum }
      return saturatingSum(sum, tensor.byteCount)
    }
  }

  /// Which memory values lie in.
  static func storages(of values: [RunValue?]) -> Set<ObjectIdentifier> {
    Set(values.flatMap { $0?.tensors ?? [] }.compactMap(\.storage))
  }
}

extension Tensor {
  /// Which memory the elements lie in; nil for strings.
  var storage: ObjectIdentifier? {
    if case .bytes(let storage, _) = contents { ObjectIdentifier(storage) } else { nil }
  }
}
