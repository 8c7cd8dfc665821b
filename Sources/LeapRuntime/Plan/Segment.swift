// Segment: a part of a plan whose shapes are all known: bound kernels in stages, and an offset for every operand.
// Immutable; many runs may execute one at once.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors

/// Where an operand lies when its step runs.
enum Location: Sendable, Hashable {
  case none
  /// Bytes from the start of the arena.
  case arena(Int)
  /// An input of the segment, by its index.
  case given(Int)
  /// A result of the segment, by its index, and bytes from its start.
  case result(Int, offset: Int)
  /// A weight, by its index.
  case weight(Int)
}

/// One bound step.
package struct Step: Sendable {
  /// The node's place in the program's graph; nil for a copy or reorder that the planner added.
  package let node: Int?
  /// The node's name in the model.
  package let name: String
  package let operatorType: String
  package let algorithm: String
  package let stage: Int
  package let cost: Cost
  let kernel: Kernel
  let locations: [Location]
  let inputCount: Int
  /// Bytes from the start of the stage's shared scratch.
  let sharedOffset: Int
}

/// Blocks between two barriers: the phases of the same number of all steps of a stage.
struct Region: Sendable {
  struct Work: Sendable {
    let step: Int
    let phase: Int
    let firstBlock: Int
  }
  let work: [Work]
  let blockCount: Int
  /// Stages whose steps all lie in place already have no region, so this is not a running number.
  let stage: Int
  let isLastOfStage: Bool
}

/// A value that a segment leaves behind.
struct SegmentResult: Sendable {
  let value: ValueID
  let operand: Operand
}

/// Memory of one segment, in bytes: exact, but for what `Planner.rest` says.
package struct SegmentMemory: Sendable, Hashable {
  /// What the other figures leave out, because it depends on the elements of values.
  package enum Rest: Sendable, Hashable {
    case none
    /// At most this many bytes, which hosts make.
    case atMost(Int)
    /// No bound is known for what these nodes, of this segment and of those that follow, take.
    case unbounded(nodes: [String])
  }

  package var arena = 0
  package var scratchPerWorker = 0
  package var sharedScratch = 0
  package var results = 0
  /// Weights that it reads, mapped from files and in memory of the session's own.
  package var mappedWeights = 0
  package var ownedWeights = 0
  /// A bound on what BLAS packs of one worker's operands, in memory of its own.
  package var blasPerWorker = 0
  /// The arena that the same order would need if nothing shared memory.
  package var withoutReuse = 0
  /// The largest sum of live buffers in any stage: no placement needs less.
  package var liveBound = 0

  /// Scratch of all workers and of what they share.
  ///
  /// - Throws: `ModelError.outOfMemory` where the figure overflows.
  package func scratch(width: Int) throws -> Int {
    let own = try TensorStorage.aligned(scratchPerWorker)
    let (all, overflow) = own.multipliedReportingOverflow(by: width)
    let (sum, overflowOfSum) = all.addingReportingOverflow(sharedScratch)
    if overflow || overflowOfSum { throw ModelError.outOfMemory(bytes: .max) }
    return sum
  }
}

package final class Segment: Sendable {
  package let steps: [Step]
  package let stageCount: Int
  package let memory: SegmentMemory
  let regions: [Region]
  /// Values that must exist, in the order of `Location.given`.
  let given: [ValueID]
  /// Values in memory of their own, in the order of `Location.result`.
  let results: [SegmentResult]
  /// For each result the input whose memory may become its own, where the run alone holds it; nil where there is none.
  let overwritten: [ValueID?]
  /// Elements of outputs, and of what hosts read, that planning computed itself: no step makes them.
  let known: [ValueID: Tensor]
  let weights: [Weight]
  /// Byte ranges of the arena that are dead after each stage, for the debugging run that poisons them.
  let deadAfterStage: [[Range<Int>]]
  /// Estimated time on one core.
  let nanoseconds: Double
  /// Nodes that make their own outputs, in order, after the steps.
  let hostNodes: [Int]
  /// Values whose elements the next segment must know.
  let observed: Set<ValueID>
  /// What the next segment starts from, before it learns what this one left; nil in the last.
  let next: PlanningState?

  init(
    steps: [Step], stageCount: Int, memory: SegmentMemory,
    given: [ValueID], results: [SegmentResult], overwritten: [ValueID?],
    known: [ValueID: Tensor], weights: [Weight], deadAfterStage: [[Range<Int>]],
    selection: SegmentSelection, next: PlanningState?
  ) {
    self.steps = steps
    self.stageCount = stageCount
    self.memory = memory
    self.given = given
    self.results = results
    self.overwritten = overwritten
    self.known = known
    self.weights = weights
    self.deadAfterStage = deadAfterStage
    regions = Segment.regions(of: steps, stageCount)
    nanoseconds = steps.reduce(0) { $0 + $1.cost.nanoseconds }
    hostNodes = selection.hostNodes
    observed = selection.observed
    self.next = next
  }

  private static func regions(of steps: [Step], _ stageCount: Int) -> [Region] {
    var members = [[Int]](repeating: [], count: stageCount)
    for (index, step) in steps.enumerated() { members[step.stage].append(index) }
    return members.enumerated().flatMap { stage, members -> [Region] in
      let phases = members.map { steps[$0].kernel.phases.count }.max() ?? 0
      return (0..<phases).map { phase in
        var count = 0
        var work: [Region.Work] = []
        for step in members where phase < steps[step].kernel.phases.count {
          work.append(Region.Work(step: step, phase: phase, firstBlock: count))
          count += steps[step].kernel.phases[phase].blockCount
        }
        return Region(
          work: work, blockCount: count, stage: stage, isLastOfStage: phase == phases - 1)
      }
    }
  }
}
