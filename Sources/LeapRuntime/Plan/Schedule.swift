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
  init(_ draft: Draft, width: Int) {
    let dependencies = Dependencies(draft)
    let own = Array(draft.steps.indices)
    let greedy = Schedule.greedyOrder(draft, dependencies)
    let ownPeak = Schedule.livePeak(own, draft, dependencies)
    order = Schedule.livePeak(greedy, draft, dependencies) < ownPeak ? greedy : own
    stage = Array(repeating: 0, count: draft.steps.count)
    stageCount = 0
    assignStages(draft, dependencies, width: width)
  }

  /// Estimated time, in nanoseconds, below which a step is too short to be worth a stage of its own.
  private static let shortStep = 20_000.0
  private static let stageLimit = 8

  private mutating func assignStages(_ draft: Draft, _ dependencies: Dependencies, width: Int) {
    var members: [Int] = []
    for step in order {
      let joins =
        width > 1 && !members.isEmpty && members.count < Schedule.stageLimit
        && (members + [step]).allSatisfy {
          draft.steps[$0].candidate.cost.nanoseconds < Schedule.shortStep
        } && dependencies.producersOf(step).isDisjoint(with: members)
      if !joins {
        stageCount += members.isEmpty ? 0 : 1
        members = []
      }
      members.append(step)
      stage[step] = stageCount
    }
    stageCount += members.isEmpty ? 0 : 1
  }

  /// Who makes and reads the values of a draft.
  struct Dependencies {
    private(set) var producer: [Int?]
    private(set) var readers: [[Int]]
    private let draft: Draft
    let lasting: Set<Int>

    init(_ draft: Draft) {
      self.draft = draft
      producer = Array(repeating: nil, count: draft.values.count)
      readers = Array(repeating: [], count: draft.values.count)
      for (index, step) in draft.steps.enumerated() {
        for output in step.outputs.compactMap({ $0 }) { producer[output] = index }
        for input in Set(step.readValues) { readers[input].append(index) }
      }
      lasting = Set(draft.results.compactMap { draft.plainValue[$0] })
    }

    func producersOf(_ step: Int) -> Set<Int> {
      Set(draft.steps[step].readValues.compactMap { producer[$0] })
    }
  }

  private static func bytes(_ value: Int, _ draft: Draft) -> Int {
    if case .computed = draft.values[value].kind {
      draft.values[value].operand.byteCount
    } else {
      0
    }
  }

  /// The largest sum of live values over an order, not counting what sharing would save.
  private static func livePeak(_ order: [Int], _ draft: Draft, _ dependencies: Dependencies) -> Int
  {
    var pending = dependencies.readers.map(\.count)
    var live = 0
    var peak = 0
    for step in order {
      for output in draft.steps[step].outputs.compactMap({ $0 }) {
        live = live.addingReportingOverflow(bytes(output, draft)).partialValue
      }
      peak = max(peak, live)
      for input in Set(draft.steps[step].readValues) {
        pending[input] -= 1
        if pending[input] == 0, !dependencies.lasting.contains(input) {
          live -= bytes(input, draft)
        }
      }
    }
    return peak
  }

  /// List scheduling: among the steps that are ready, the one that lets the live set grow least; in doubt the one that
  /// comes first in the model. O(steps x ready steps).
  private static func greedyOrder(_ draft: Draft, _ dependencies: Dependencies) -> [Int] {
    var missing = draft.steps.indices.map { dependencies.producersOf($0).count }
    var pending = dependencies.readers.map(\.count)
    var ready = draft.steps.indices.filter { missing[$0] == 0 }
    var order: [Int] = []
    while !ready.isEmpty {
      func growth(_ step: Int) -> Int {
        let made = draft.steps[step].outputs.compactMap { $0 }.reduce(0) { $0 &+ bytes($1, draft) }
        let freed = Set(draft.steps[step].readValues).reduce(0) { sum, input in
          pending[input] == 1 && !dependencies.lasting.contains(input)
            ? sum &+ bytes(input, draft) : sum
        }
        return made &- freed
      }
      let costs = ready.map(growth)
      let best = costs.indices.min { (costs[$0], ready[$0]) < (costs[$1], ready[$1]) }!
      let step = ready.remove(at: best)
      order.append(step)
      for input in Set(draft.steps[step].readValues) { pending[input] -= 1 }
      let consumers = Set(
        draft.steps[step].outputs.compactMap { $0 }.flatMap { dependencies.readers[$0] })
      for consumer in consumers {
        missing[consumer] -= 1
        if missing[consumer] == 0 { ready.append(consumer) }
      }
    }
    return order
  }
}
