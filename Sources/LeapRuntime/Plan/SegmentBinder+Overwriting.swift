// SegmentBinder+Overwriting: results that may be written over inputs of their segment. The plan says where that is possible; it
// happens where the run alone holds the input, as it does what a loop carries from run to run.

import LeapGraph
import LeapKernels
import LeapTensors

extension SegmentBinder {
  /// For each result the input whose memory may become its own, which no step reads once the result's memory is written; nil
  /// where there is none. No input is there twice.
  ///
  /// - Parameter needed: the values that somebody reads after the segment's steps.
  func overwrittenInputs(_ needed: Set<ValueID>) -> [ValueID?] {
    var taken = needed
    return results.map { result in
      guard planner.options.reuse == .full, let value = draft.plainValue[result.value],
        let place = placement.places[value], place.byteOffset == 0,
        placement.bufferBytes[place.buffer] == result.operand.byteCount
      else { return nil }
      let writers = placement.membersOfBuffers[place.buffer]
        .compactMap { dependencies.producer[$0] }.filter { !placement.elided[$0] }
      guard let stage = writers.map({ schedule.stage[$0] }).min() else { return nil }
      let first = Set(writers.filter { schedule.stage[$0] == stage })
      let input = given.first { id in
        guard !taken.contains(id), let source = givenValue(id) else { return false }
        return draft.values[source].operand.byteCount == result.operand.byteCount
          && isDead(source, before: stage, unlessOverwrittenBy: first, in: place.buffer)
      }
      if let input { taken.insert(input) }
      return input
    }
  }

  private func givenValue(_ id: ValueID) -> Int? {
    draft.values.firstIndex { $0.kind == .given(id) }
  }

  /// Whether all steps that read a given value come before a stage, but for one that writes to a buffer in it, and may do so in
  /// the value's place.
  private func isDead(
    _ source: Int, before stage: Int, unlessOverwrittenBy writers: Set<Int>, in buffer: Int
  ) -> Bool {
    let views = draft.values.indices.filter {
      $0 == source || placement.externalAlias[$0] == source
    }
    let late = Set(views.flatMap { dependencies.readers[$0] })
      .filter { !placement.elided[$0] && schedule.stage[$0] >= stage }
    guard let step = late.first else { return true }
    return late.count == 1 && writers == late && overwrites(step, Set(views), in: buffer)
  }

  /// Whether a step may compute what it makes in a buffer in the place of the one input that is among some values.
  private func overwrites(_ index: Int, _ values: Set<Int>, in buffer: Int) -> Bool {
    let step = draft.steps[index]
    let reads = step.inputs.indices.filter { step.inputs[$0].map(values.contains) ?? false }
    guard placement.partialCopies[index] == nil, reads.count == 1 else { return false }
    let written = step.outputs.indices.filter { output in
      step.outputs[output].flatMap { placement.places[$0] }?.buffer == buffer
    }
    guard written.count == 1, let value = step.outputs[written[0]],
      let place = placement.places[value], place.byteOffset == 0,
      draft.values[value].operand.hasLayout(.contiguous)
    else { return false }
    let operand = Operand(
      draft.values[value].operand.dataType, draft.values[value].operand.shape, layout: place.layout)
    return operand.hasLayout(.contiguous)
      && step.candidate.inPlace.contains(InPlacePair(input: reads[0], output: written[0]))
  }
}
