// SegmentRun: one execution of one segment: a table of pointers, and the blocks that the team hands out.
//
// Nothing is allocated between the first and the last region.

import LeapKernels
import LeapTensors
import LeapWorkers

final class SegmentRun: ParallelProgram, @unchecked Sendable {
  private let segment: Segment
  private let pointers: UnsafeMutableBufferPointer<UnsafeMutableRawPointer?>
  /// Where each step's operands start in `pointers`.
  private let firstPointer: UnsafeMutableBufferPointer<Int>
  private let scratch: UnsafeMutableRawPointer
  private let scratchPerWorker: Int
  private let shared: UnsafeMutableRawPointer
  private let memory: WorkingMemory
  private let keptAlive: [Tensor]
  private let flushesDenormals: Bool

  /// - Parameters:
  ///   - given: the segment's inputs, in its order.
  ///   - results: tensors whose memory its results are written into, in its order.
  ///   - memory: reserved for this segment.
  ///   - width: how many workers there may be.
  ///   - flushesDenormals: whether denormal floats are taken for zero.
  /// - Throws: `ModelError.outOfMemory`.
  init(
    _ segment: Segment, given: [Tensor], results: [Tensor], memory: WorkingMemory, width: Int,
    flushesDenormals: Bool
  ) throws {
    self.segment = segment
    self.memory = memory
    scratchPerWorker = try TensorStorage.aligned(segment.memory.scratchPerWorker)
    guard let arena = memory.arena?.base, let scratch = memory.scratch?.base else {
      throw ModelError.outOfMemory(bytes: segment.memory.arena)
    }
    self.scratch = scratch
    shared = scratch + scratchPerWorker * width
    keptAlive = given
    self.flushesDenormals = flushesDenormals
    let count = segment.steps.reduce(0) { $0 + $1.locations.count }
    pointers = .allocate(capacity: max(count, 1))
    firstPointer = .allocate(capacity: max(segment.steps.count, 1))
    pointers.initialize(repeating: nil)
    firstPointer.initialize(repeating: 0)
    var next = 0
    for (index, step) in segment.steps.enumerated() {
      firstPointer[index] = next
      for location in step.locations {
        pointers[next] = SegmentRun.pointer(location, segment, arena, given, results)
        next += 1
      }
    }
  }

  deinit {
    pointers.deallocate()
    firstPointer.deallocate()
  }

  private static func pointer(
    _ location: Location, _ segment: Segment, _ arena: UnsafeMutableRawPointer,
    _ given: [Tensor], _ results: [Tensor]
  ) -> UnsafeMutableRawPointer? {
    switch location {
    case .none: return nil
    case .arena(let offset): return arena + offset
    case .result(let index, let offset): return results[index].address.map { $0 + offset }
    case .weight(let index): return segment.weights[index].storage.base
    case .given(let index): return given[index].address
    }
  }

  func perform(region: Int, block: Int, worker: Int) throws {
    let work = segment.regions[region].work
    var index = work.count - 1
    while work[index].firstBlock > block { index -= 1 }
    let (place, step) = (work[index], work[index].step)
    let control = flushesDenormals ? Denormals.flush() : nil
    defer { control.map(Denormals.restore) }
    // Field by field: a copy of a step would count references to all that it has.
    let invocation = Invocation(
      operands: UnsafePointer(pointers.baseAddress! + firstPointer[step]),
      inputCount: segment.steps[step].inputCount, scratch: scratch + scratchPerWorker * worker,
      sharedScratch: shared + segment.steps[step].sharedOffset)
    do {
      try segment.steps[step].kernel.phases[place.phase].body(invocation, block - place.firstBlock)
    } catch let error as OperatorError {
      throw StepFailure(step: step, reason: error.reason)
    }
  }

  /// Fills what is dead after a stage with a pattern that is NaN in every float type, so that reading it shows.
  func poison(afterStage stage: Int) {
    guard let arena = memory.arena?.base else { return }
    for range in segment.deadAfterStage[stage] {
      (arena + range.lowerBound).initializeMemory(
        as: UInt8.self, repeating: 0xFF, count: range.count)
    }
  }
}

/// An operator's error while it ran, with the step that it happened in.
struct StepFailure: Error {
  let step: Int
  let reason: String
}
