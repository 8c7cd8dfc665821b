// MemoryReport: where the memory of a run goes: what is live when, what shares memory with what, and why not.

import LeapGraph
import LeapKernels
import LeapRuntime
import LeapTensors

/// The plan of a run as to memory. Figures are those of one run.
package struct MemoryReport: Sendable {
  package struct Arena: Sendable, Equatable {
    package var byteCount: Int
    /// The largest sum of what is live in one stage: no placement of these buffers, in this order, takes less.
    package var largestLiveSet: Int
    /// What it would take if buffers were overlaid in time, but nothing were computed in place.
    package var withoutSharing: Int
    /// What it would take if every value had memory of its own.
    package var withoutReuse: Int
  }

  package struct Stage: Sendable, Equatable {
    package var index: Int
    /// Bytes of the arena that are in use.
    package var live: Int
    /// What runs in it.
    package var steps: [String]
    /// Bytes that its kernels work in, all workers together.
    package var scratch: Int
  }

  /// Memory in use in the fullest stage.
  package struct LiveBuffer: Sendable, Equatable {
    package var byteCount: Int
    package var offset: Int
    /// The values that are needed then; the first that is to come where there is only room for them yet.
    package var values: [String]
    package var type: String
    package var layout: String
    /// The first and the last stage in which it is used, with a step of each.
    package var first: Int
    package var last: Int
    package var from: String
    package var until: String
  }

  /// Memory of the arena that one value lies in, or several that share it.
  package struct Buffer: Sendable, Equatable {
    package struct Value: Sendable, Equatable {
      package var name: String
      /// The step that makes it; nil for what is there before the first.
      package var maker: String?
      /// The stages in which it is made, and last read.
      package var first: Int
      package var last: Int
    }

    package var byteCount: Int
    /// Bytes from the start of the arena.
    package var offset: Int
    /// The first and the last stage in which it is used.
    package var first: Int
    package var last: Int
    package var values: [Value]
  }

  package struct Weight: Sendable, Equatable {
    package var name: String
    /// As the model, or a pass, has it.
    package var original: Int
    package var byteCount: Int
    package var isPacked: Bool
    package var isMapped: Bool
    /// What reads it, and how.
    package var readers: [String]
    package var algorithms: [String]
  }

  /// One chance to share memory.
  package struct Sharing: Sendable, Equatable {
    package var step: String
    package var operatorType: String
    package var kind: SharingDecision.Kind
    /// The value whose memory it is about.
    package var value: String
    /// Which part of a concat.
    package var part: Int?
    /// Why not; nil where the memory is shared.
    package var refusal: String?
  }

  package var arena: Arena
  /// Bytes of the inputs: memory of the caller's, which is no part of a run's.
  package var inputs: Int
  package var stages: [Stage]
  /// The first of the fullest stages.
  package var peakStage: Int
  /// What is live in it, the largest first.
  package var live: [LiveBuffer]
  /// All buffers of the arena, by the stage in which they are first used.
  package var buffers: [Buffer]
  /// The largest first.
  package var weights: [Weight]
  package var scratchPerWorker: Int
  package var sharedScratch: Int
  /// The step that takes most scratch.
  package var scratchStep: String?
  package var workers: Int
  package var sharing: [Sharing]
  /// Nodes that are planned when running has told what they need: what they take is no part of these figures.
  package var laterNodes: [String]
}

extension MemoryReport {
  /// - Parameters:
  ///   - study: the plan.
  ///   - apart: the same without values that share memory.
  ///   - workers: of a run.
  init(_ study: PlanStudy, apart: PlanStudy, workers: Int) {
    let (description, memory) = (study.description, study.segment.memory)
    let live = description.liveBytes
    let peak = live.indices.max { live[$0] < live[$1] } ?? 0
    // The first of equals.
    peakStage = live.firstIndex(of: live[peak]) ?? peak
    self.workers = workers
    arena = Arena(
      byteCount: memory.arena, largestLiveSet: memory.liveBound,
      withoutSharing: apart.segment.memory.arena,
      withoutReuse: max(memory.withoutReuse - memory.results, 0))
    inputs = description.values.reduce(0) {
      $1.kind == .given ? saturatingSum($0, $1.byteCount) : $0
    }
    stages = description.stages(live: live, workers: workers)
    self.live = description.buffers(liveIn: peakStage)
    buffers = description.arenaBuffers
    weights = description.weights(study.program.graph)
    scratchPerWorker = memory.scratchPerWorker
    sharedScratch = memory.sharedScratch
    scratchStep =
      description.steps.max {
        $0.scratch(workers) < $1.scratch(workers)
      }.flatMap { $0.scratch(workers) > 0 ? description.label(of: $0) : nil }
    sharing = description.decisions.map(description.sharing)
    laterNodes = description.laterNodes.map { study.program.graph.nodes[$0].name }
  }
}

extension PlanDescription.Step {
  /// Bytes that the kernel works in, all workers together.
  fileprivate func scratch(_ workers: Int) -> Int {
    let (all, overflow) = scratchPerWorker.multipliedReportingOverflow(by: workers)
    return saturatingSum(overflow ? .max : all, sharedScratch)
  }
}

extension PlanDescription {
  /// The step, with its algorithm where it has work.
  fileprivate func label(of step: Step) -> String { "\(title(of: step)) (\(step.algorithm))" }

  fileprivate func stages(live: [Int], workers: Int) -> [MemoryReport.Stage] {
    var stages = live.enumerated().map { index, bytes in
      MemoryReport.Stage(index: index, live: bytes, steps: [], scratch: 0)
    }
    // Steps of a stage may overlap: what each worker has serves all of them, what a kernel shares is its own.
    var own = [Int](repeating: 0, count: stages.count)
    for step in steps where step.work != .none {
      stages[step.stage].steps.append(title(of: step))
      own[step.stage] = max(own[step.stage], step.scratchPerWorker)
      stages[step.stage].scratch = saturatingSum(stages[step.stage].scratch, step.sharedScratch)
    }
    for stage in stages.indices {
      let (all, overflow) = own[stage].multipliedReportingOverflow(by: workers)
      stages[stage].scratch = saturatingSum(stages[stage].scratch, overflow ? .max : all)
    }
    return stages
  }

  // MARK: what is live

  fileprivate func buffers(liveIn stage: Int) -> [MemoryReport.LiveBuffer] {
    buffers.compactMap { buffer -> MemoryReport.LiveBuffer? in
      guard let offset = buffer.offset, buffer.byteCount > 0,
        buffer.first <= stage, stage <= buffer.last
      else { return nil }
      let needed = buffer.values.filter { isLive($0, in: stage) }
      let shown = needed.isEmpty ? Array(buffer.values.prefix(1)) : needed
      // Views and parts of a whole are told by the largest.
      let main = shown.max { values[$0].byteCount < values[$1].byteCount }
      return MemoryReport.LiveBuffer(
        byteCount: buffer.byteCount, offset: offset, values: shown.map { values[$0].name },
        type: main.map { "\(values[$0].dataType) \(values[$0].shape)" } ?? "",
        layout: main.map { values[$0].layout.text } ?? "", first: buffer.first, last: buffer.last,
        from: step(touching: buffer.values, in: buffer.first),
        until: step(touching: buffer.values, in: buffer.last))
    }.sorted { ($1.byteCount, $0.offset) < ($0.byteCount, $1.offset) }
  }

  fileprivate var arenaBuffers: [MemoryReport.Buffer] {
    buffers.compactMap { buffer -> MemoryReport.Buffer? in
      guard let offset = buffer.offset, buffer.byteCount > 0 else { return nil }
      let found = buffer.values.compactMap { value -> MemoryReport.Buffer.Value? in
        guard let span = span(of: value) else { return nil }
        return MemoryReport.Buffer.Value(
          name: values[value].name, maker: values[value].producer.map { title(of: steps[$0]) },
          first: span.lowerBound, last: span.upperBound)
      }
      return MemoryReport.Buffer(
        byteCount: buffer.byteCount, offset: offset, first: buffer.first, last: buffer.last,
        values: found)
    }.sorted { ($0.first, $0.offset) < ($1.first, $1.offset) }
  }

  /// The stages from that which makes a value to that which reads it last.
  private func span(of value: Int) -> ClosedRange<Int>? {
    let touching = ([values[value].producer].compactMap { $0 } + values[value].readers)
      .map { steps[$0].stage }
    guard let first = touching.min(), let last = touching.max() else { return nil }
    return first...last
  }

  /// Whether a value was made by a stage, and is still to be read.
  private func isLive(_ value: Int, in stage: Int) -> Bool {
    span(of: value)?.contains(stage) ?? false
  }

  /// The name of a step of a stage that makes or reads one of some values.
  private func step(touching some: [Int], in stage: Int) -> String {
    let touching = some.flatMap { [values[$0].producer].compactMap { $0 } + values[$0].readers }
    return touching.first { steps[$0].stage == stage && steps[$0].work != .none }
      .map { title(of: steps[$0]) } ?? ""
  }

  // MARK: weights

  fileprivate func weights(_ graph: Graph) -> [MemoryReport.Weight] {
    let constants = Dictionary(
      graph.constants.map { (graph[$0].name, $1.byteCount) }
    ) { first, _ in first }
    var found: [String: MemoryReport.Weight] = [:]
    for value in values where !value.readers.isEmpty {
      guard case .weight(let isPacked, let isMapped) = value.kind else { continue }
      // Steps that want the same packing share it.
      let key = "\(value.name)\u{0}\(isPacked) \(value.byteCount) \(value.layout)"
      let readers = value.readers.map { title(of: steps[$0]) }
      let algorithms = value.readers.map { steps[$0].algorithm }
      var weight =
        found[key]
        ?? MemoryReport.Weight(
          name: value.name, original: constants[value.name] ?? value.byteCount,
          byteCount: value.byteCount, isPacked: isPacked, isMapped: isMapped, readers: [],
          algorithms: [])
      weight.readers += readers
      for name in algorithms where !weight.algorithms.contains(name) {
        weight.algorithms.append(name)
      }
      found[key] = weight
    }
    return found.values.sorted { ($1.byteCount, $0.name) < ($0.byteCount, $1.name) }
  }

  // MARK: sharing

  fileprivate func sharing(_ decision: SharingDecision) -> MemoryReport.Sharing {
    let step = steps[decision.step]
    let isPart = decision.kind == .part
    let inputs = isPart ? step.inputs.filter { $0 != nil } : step.inputs
    let value = decision.input < inputs.count ? inputs[decision.input] : nil
    return MemoryReport.Sharing(
      step: title(of: step), operatorType: step.operatorType, kind: decision.kind,
      value: value.map { values[$0].name } ?? "", part: isPart ? decision.input : nil,
      refusal: decision.refusal.map(text))
  }

  private func text(_ refusal: SharingRefusal) -> String {
    switch refusal {
    case .givenOrConstant: "it belongs to the caller or to the model"
    case .isResult: "it is an output"
    case .occursTwice: "it is read twice by this node"
    case .liesElsewhere: "it lies elsewhere already"
    case .isPacked: "its elements take less than a byte"
    case .layout: "its elements are ordered in another way"
    case .otherShape: "it is read under another shape"
    case .producer: "its kernel writes without gaps"
    case .reader(let step): "\(title(of: steps[step])) reads it without gaps"
    case .size: "it takes another number of bytes"
    case .readAgain(let step): "read again by \(title(of: steps[step]))"
    case .sharesBuffer: "other values in its buffer are needed longer"
    }
  }
}
