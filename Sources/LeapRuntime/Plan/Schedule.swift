// Schedule: the order of a draft's steps, for a low peak of live memory, and which of them may overlap in time.

import LeapGraph
import LeapKernels
import LeapTensors

/// The steps of a draft in order, cut into stages.
struct Schedule: Sendable {
  /// Indices of the draft's steps, in the order in which they run.
  var order: [Int]
  /// The stage of each step, by its index in the draft. Steps of one stage may overlap.
  var stage: [Int]
  var stageCount: Int

  /// Chooses between the model's own order and one that greedily keeps the live set small, whichever has the lower peak.
  init(_ draft: Draft, _ dependencies: DraftDependencies, width: Int) {
    let own = Array(draft.steps.indices)
    let greedy = Schedule.greedyOrder(dependencies)
    let ownPeak = Schedule.livePeak(own, dependencies)
    order = Schedule.livePeak(greedy, dependencies) < ownPeak ? greedy : own
    stage = Array(repeating: 0, count: draft.steps.count)
    stageCount = 0
    assignStages(draft, dependencies, width: width)
  }

  /// Estimated time, in nanoseconds, below which a step is too short to be worth a stage of its own.
  private static let shortStep = 20_000.0
  private static let stageLimit = 8

  private mutating func assignStages(_ draft: Draft, _ dependencies: DraftDependencies, width: Int)
  {
    var members: [Int] = []
    func isShort(_ step: Int) -> Bool {
      draft.steps[step].candidate.cost.nanoseconds < Schedule.shortStep
    }
    for step in order {
      let joins =
        width > 1 && !members.isEmpty && members.count < Schedule.stageLimit
        && isShort(step) && members.allSatisfy(isShort)
        && !dependencies.producersOf[step].contains(where: members.contains)
      if !joins {
        stageCount += members.isEmpty ? 0 : 1
        members = []
      }
      members.append(step)
      stage[step] = stageCount
    }
    stageCount += members.isEmpty ? 0 : 1
  }

  /// The largest sum of live values over an order, not counting what sharing would save.
  private static func livePeak(_ order: [Int], _ dependencies: DraftDependencies) -> Int {
    var pending = dependencies.readers.map { $0.count }
    var live = 0
    var peak = 0
    for step in order {
      for output in dependencies.writes[step] {
        live = live.addingReportingOverflow(dependencies.byteCount[output]).partialValue
      }
      peak = max(peak, live)
      for input in dependencies.reads[step] {
        pending[input] -= 1
        if pending[input] == 0, !dependencies.isLasting[input] {
          live -= dependencies.byteCount[input]
        }
      }
    }
    return peak
  }

  /// List scheduling: among the steps that are ready, the one that lets the live set grow least; in doubt the one that
  /// comes first in the model. O(steps x ready steps).
  private static func greedyOrder(_ dependencies: DraftDependencies) -> [Int] {
    let steps = dependencies.reads.indices
    var missing = dependencies.producersOf.map { $0.count }
    var pending = dependencies.readers.map { $0.count }
    var ready = steps.filter { missing[$0] == 0 }
    var order: [Int] = []
    order.reserveCapacity(steps.count)
    func growth(_ step: Int) -> Int {
      var growth = 0
      for output in dependencies.writes[step] { growth &+= dependencies.byteCount[output] }
      for input in dependencies.reads[step]
      where pending[input] == 1 && !dependencies.isLasting[input] {
        growth &-= dependencies.byteCount[input]
      }
      return growth
    }
    while !ready.isEmpty {
      var best = 0
      var least = growth(ready[0])
      for index in 1..<ready.count {
        let own = growth(ready[index])
        if (own, ready[index]) < (least, ready[best]) { (best, least) = (index, own) }
      }
      let step = ready.remove(at: best)
      order.append(step)
      for input in dependencies.reads[step] { pending[input] -= 1 }
      for consumer in dependencies.consumers(of: step) {
        missing[consumer] -= 1
        if missing[consumer] == 0 { ready.append(consumer) }
      }
    }
    return order
  }
}
