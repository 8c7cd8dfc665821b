// SegmentBinder+Description: the parts that a segment was made of, as one value for tools.

import LeapGraph
import LeapKernels
import LeapTensors

extension SegmentBinder {
  /// - Parameters:
  ///   - selection: the nodes of the segment.
  ///   - state: what was known when it was planned.
  func description(_ selection: SegmentSelection, _ state: PlanningState) -> PlanDescription {
    // Steps are told in the order in which they run, elided ones where they would.
    let order = schedule.order
    var placeOf = [Int](repeating: 0, count: draft.steps.count)
    for (place, step) in order.enumerated() { placeOf[step] = place }
    var kernels = [[Kernel]](repeating: [], count: draft.steps.count)
    for (step, bound) in zip(draftSteps, steps) { kernels[step].append(bound.kernel) }
    return PlanDescription(
      values: draft.values.indices.map { value($0, placeOf) },
      steps: order.map { step($0, kernels[$0]) }, stageCount: schedule.stageCount,
      buffers: placement.bufferBytes.indices.map(buffer),
      decisions: placement.decisions.map { decision in
        var decision = decision
        decision.step = placeOf[decision.step]
        switch decision.refusal {
        case .reader(let step): decision.refusal = .reader(step: placeOf[step])
        case .readAgain(let step): decision.refusal = .readAgain(step: placeOf[step])
        default: break
        }
        return decision
      },
      computedNodes: computedNodes(selection, state), hostNodes: selection.hostNodes,
      laterNodes: state.remaining)
  }

  private func computedNodes(
    _ selection: SegmentSelection, _ state: PlanningState
  ) -> [Int] {
    let others = Set(selection.kernelNodes + selection.hostNodes + state.remaining)
    return planner.program.graph.nodes.indices.filter { !others.contains($0) }
  }

  private func value(_ index: Int, _ placeOf: [Int]) -> PlanDescription.Value {
    let value = draft.values[index]
    let place = placement.places[index]
    let layout = place?.layout ?? value.operand.layout
    let (kind, bytes) = content(of: value)
    return PlanDescription.Value(
      name: name(of: index), isCopy: value.source == nil, kind: kind,
      dataType: value.operand.dataType, shape: value.operand.shape, layout: layout,
      byteCount: bytes, place: place.map { ($0.buffer, $0.byteOffset) },
      producer: dependencies.producer[index].map { placeOf[$0] },
      readers: dependencies.readers[index].map { placeOf[$0] }.sorted())
  }

  private func content(of value: DraftValue) -> (PlanDescription.Value.Kind, bytes: Int) {
    switch value.kind {
    case .computed: return (.computed, value.operand.byteCount)
    case .given: return (.given, value.operand.byteCount)
    case .known: return (.known, value.operand.byteCount)
    case .constant(let id, let packing):
      let recipe = packing.map { draft.recipes[$0] }
      let isMapped = planner.weights.staysMapped(id, packing: recipe)
      let bytes = recipe?.byteCount ?? value.operand.byteCount
      return (.weight(packed: recipe != nil, isMapped: isMapped), bytes)
    }
  }

  /// The graph's name for a value; for a copy that of what it was made from.
  private func name(of index: Int) -> String {
    let graph = planner.program.graph
    var value = index
    while draft.values[value].source == nil, let producer = dependencies.producer[value],
      let source = draft.steps[producer].inputs.first ?? nil
    {
      value = source
    }
    return draft.values[value].source.map { graph[$0].name } ?? ""
  }

  private func step(_ index: Int, _ kernels: [Kernel]) -> PlanDescription.Step {
    let step = draft.steps[index]
    let node = step.node.map { planner.program.graph.nodes[$0] }
    var work = PlanDescription.Step.Work.kernel
    if placement.elided[index] {
      work = .none
    } else if let copies = placement.partialCopies[index] {
      work = .copies(copies.count)
    }
    return PlanDescription.Step(
      node: step.node, name: node?.name ?? "", operatorType: node?.operatorType ?? "",
      algorithm: step.candidate.name.rawValue, stage: schedule.stage[index], work: work,
      inputs: step.inputs, outputs: step.outputs,
      nanoseconds: kernels.isEmpty ? 0 : step.candidate.cost.nanoseconds,
      scratchPerWorker: kernels.map(\.scratchPerWorker).max() ?? 0,
      sharedScratch: kernels.map(\.sharedScratch).max() ?? 0)
  }

  private func buffer(_ index: Int) -> PlanDescription.Buffer {
    let request = requests[index]
    return PlanDescription.Buffer(
      byteCount: placement.bufferBytes[index],
      offset: resultOfBuffer[index] == nil ? arena.offsets[index] : nil, first: request.first,
      last: request.last, values: placement.membersOfBuffers[index])
  }
}
