// Suspicion: which step of a measured run to look at.

import LeapRuntime
import LeapTensors

struct Suspicion: Sendable {
  private let measurement: Measurement
  /// The decibels of the worst value that each step read, by the step's own value.
  private let levels: [String: Double]
  /// The values of steps that read what the reference does not have.
  private let unplaced: Set<String>

  /// Decibels that are taken for exact.
  static let exact = 140.0

  /// One pass over the steps, in the order of the plan: what a step read is known when its turn comes. A value that the reference
  /// does not have is as good as what it was made of.
  init(_ measurement: Measurement) {
    self.measurement = measurement
    var (before, known): ([String: Double], [String: Double]) = ([:], [:])
    var (unplaced, open): (Set<String>, Set<String>) = ([], [])
    for step in measurement.steps {
      if !open.isDisjoint(with: step.reads) { unplaced.insert(step.value) }
      if step.total == nil { open.insert(step.value) }
      let level = min(step.reads.compactMap { known[$0] }.min() ?? Self.exact, Self.exact)
      before[step.value] = level
      known[step.value] = step.total?.snr ?? level
    }
    levels = before
    self.unplaced = unplaced
  }

  /// Whether what a step lost was lost by itself: it was measured by itself, or all that it read was compared.
  func isPlaced(_ step: MeasuredStep) -> Bool { step.own != nil || !unplaced.contains(step.value) }

  /// A step that is not run in other ways: one in a graph of a node; or one before which values were not compared, so that what is
  /// wrong with its own may come from there.
  func culprit(_ step: MeasuredStep, isOwn: Bool) -> Culprit {
    Culprit(
      kind: isPlaced(step) ? .step : .stretch, node: step.name, operatorType: step.operatorType,
      algorithm: step.algorithm, value: step.value, before: before(step),
      after: step.total?.snr ?? step.own?.snr ?? .nan, isOwn: isOwn)
  }

  /// The step that loses most, where one loses more than rounding does. By its own drift where that is known; otherwise by what
  /// its value lost beyond what it read.
  var worst: MeasuredStep? {
    let byOwn = measurement.steps.filter { step in
      step.own.map { DriftLimit.isExceeded(by: $0, of: step) } ?? false
    }
    if let worst = byOwn.min(by: { ($0.own?.snr ?? 0, $0.number) < ($1.own?.snr ?? 0, $1.number) })
    {
      return worst
    }
    guard measurement.steps.allSatisfy({ $0.own == nil }) else { return nil }
    let byTotal = measurement.steps.filter { step in
      step.total.map { DriftLimit.isExceeded(byTotal: $0, step.dataType) } ?? false
    }
    return byTotal.max { loss($0) < loss($1) }
  }

  private func loss(_ step: MeasuredStep) -> Double {
    let level = before(step)
    // What is lost already cannot be lost again.
    return level == -.infinity ? 0 : level - (step.total?.snr ?? .infinity)
  }

  /// The decibels of the worst value that a step read.
  func before(_ step: MeasuredStep) -> Double { levels[step.value] ?? Self.exact }

  /// A copy that is not what it copies.
  func culprit(_ copy: BoundStep) -> Culprit {
    let value = copy.inputValues.compactMap { $0 }.first ?? ""
    let producer = measurement.steps.first { $0.value == value }
    return Culprit(
      kind: .copy, node: producer?.name ?? "", operatorType: producer?.operatorType ?? "",
      algorithm: copy.algorithm, value: value, before: producer?.total?.snr ?? Self.exact,
      after: -.infinity)
  }
}
