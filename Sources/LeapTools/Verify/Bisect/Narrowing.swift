// Narrowing: runs the step that drifts in other ways, and says from what helps what is to blame.
//
// 1. What is tried is what a command line can ask for: an algorithm, an instruction set, passes, threads, memory reuse.
// 2. What is to blame is what, changed alone, makes it good.

import LeapKernels
import LeapRuntime
import LeapTensors
import Leapstone
import LeapstoneImage

/// One thing changed about a run.
struct Variation: Sendable {
  enum Kind: Sendable, Equatable {
    case algorithm(String)
    case instructionSet(String)
    /// The first passes of the list alone, up to one.
    case passes(upTo: String, count: Int)
    case allPasses
    case threads(Int)
    case noReuse
  }

  let kind: Kind
  /// What came of the step: its own drift and that of its value; nil where it could not be run, or does not make the value.
  var own: Drift?
  var total: Drift?
  var helps = false
  /// Why it could not be run.
  var failure: String?

  /// What a command line says for it.
  var flags: String {
    switch kind {
    case .algorithm(let name): "--algorithm \(name)"
    case .instructionSet(let name): "--isa \(name)"
    case .passes(let name, _): "passes up to \(name)"
    case .allPasses: "--disable-pass all"
    case .threads(let count): "--threads \(count)"
    case .noReuse: "no memory reuse"
    }
  }

  /// In a sentence: `direct`, `portable`, `without passes`.
  var words: String {
    switch kind {
    case .algorithm(let name), .instructionSet(let name): name
    case .passes(let name, _): "up to \(name)"
    case .allPasses: "without passes"
    case .threads(let count): counted(count, "thread")
    case .noReuse: "without memory reuse"
    }
  }
}

/// What is to blame.
struct Culprit: Sendable {
  enum Kind: String, Sendable {
    /// The kernel: other algorithms, or other instruction sets, are good.
    case kernel
    /// An optimisation pass: without it all is good.
    case pass
    /// Running with several threads.
    case threads
    /// Values that share memory.
    case reuse = "memory-reuse"
    /// A copy or reorder that the planner added.
    case copy
    /// Nothing that can be changed helps: the operator itself, or the model.
    case step
    /// One of several steps, whose values the reference does not have.
    case stretch
  }

  var kind: Kind
  /// The node; for a copy the value's producer.
  var node: String
  var operatorType: String
  var algorithm: String
  var value: String
  /// The pass, where one is to blame or takes part.
  var pass: String?
  /// The decibels that the step's inputs had, and that its value has.
  var before: Double
  var after: Double
  /// Whether it is a node of the model's graph, and of no graph of a node.
  var isOwn = true
  var variations: [Variation] = []
}

struct Narrowing: Sendable {
  let measurer: Measurer
  let options: SessionOptions
  /// Threads of a run where the options do not say.
  let threads: Int
  /// Told before each run what is tried.
  let progress: @Sendable (String) -> Void

  /// Whether a drift is so much better that what was changed is to blame.
  private static let improvement = 20.0

  /// Finds what is to blame for a step.
  ///
  /// - Throws: `ToolError.interrupted`.
  func culprit(of step: MeasuredStep, before: Double) throws -> Culprit {
    let expected = try measurer.expected(step.value, options)
    var culprit = Culprit(
      kind: .step, node: step.name, operatorType: step.operatorType, algorithm: step.algorithm,
      value: step.value, before: before, after: step.total?.snr ?? step.own?.snr ?? .nan)
    var list = try [
      attempt(.threads(threads > 1 ? 1 : 2), step, expected),
      attempt(.noReuse, step, expected),
    ]
    var seen: Set<String> = [step.algorithm]
    for name in step.algorithms where seen.insert(name).inserted {
      list.append(try attempt(.algorithm(name), step, expected))
    }
    let current = try InstructionSet.select(
      options.instructionSet?.rawValue ?? InstructionSet.current().rawValue)
    for set in InstructionSet.available where set != current {
      list.append(try attempt(.instructionSet(set.rawValue), step, expected))
    }
    if !options.disablesAllPasses {
      let all = try attempt(.allPasses, step, expected)
      list.append(all)
      if all.helps { culprit.pass = try firstBadPass(step, expected, &list) }
    }
    culprit.variations = list
    Narrowing.judge(&culprit)
    return culprit
  }

  /// The pass behind which the step is bad: passes before it alone are good. Halves the list again and again.
  private func firstBadPass(
    _ step: MeasuredStep, _ expected: Tensor?, _ list: inout [Variation]
  ) throws -> String? {
    let passes = options.passes.filter { !options.disabledPasses.contains($0.name) }
    // The first `good` passes are good, the first `bad` are not.
    var (good, bad) = (0, passes.count)
    while bad - good > 1 {
      let middle = (good + bad) / 2
      let variation = try attempt(
        .passes(upTo: passes[middle - 1].name, count: middle), step, expected)
      list.append(variation)
      if variation.helps { good = middle } else { bad = middle }
    }
    return passes.isEmpty ? nil : passes[good].name
  }

  // MARK: one variation

  private func attempt(
    _ kind: Variation.Kind, _ step: MeasuredStep, _ expected: Tensor?
  ) throws -> Variation {
    var variation = Variation(kind: kind)
    progress(variation.flags)
    var changed = options
    switch kind {
    case .algorithm(let name): changed.algorithms[step.name] = name
    case .instructionSet(let name): changed.instructionSet = .init(rawValue: name)
    case .passes(_, let count):
      let kept = options.passes.filter { !options.disabledPasses.contains($0.name) }
      changed.passes = Array(kept.prefix(count))
      changed.disabledPasses = []
    case .allPasses: changed.disablesAllPasses = true
    case .threads(let count): changed.threads = count
    case .noReuse: changed.reusesMemory = false
    }
    do {
      let traced = try measurer.trace(changed)
      // Passes decide which of the model's nodes one step computes: all steps with a part of them count.
      let related = try measurer.related(to: step, in: traced, changed)
      variation.own = related.compactMap(\.own).min { $0.snr < $1.snr }
      if let expected, let got = traced.values[step.value]?.tensor {
        variation.total = Drift(got, expected)
      }
      if related.isEmpty { variation.failure = "no step computes it" }
      variation.helps = !related.isEmpty && isGood(variation, step, related)
    } catch let error as ToolError where error == .interrupted {
      throw error
    } catch {
      variation.failure = "\(ToolError(describing: error))"
    }
    return variation
  }

  private func isGood(
    _ variation: Variation, _ step: MeasuredStep, _ related: [MeasuredStep]
  ) -> Bool {
    if step.own != nil {
      return related.allSatisfy { related in
        related.own.map { !DriftLimit.isExceeded(by: $0, of: related) } ?? true
      }
    }
    guard let base = step.total, let total = variation.total else { return false }
    return !DriftLimit.isExceeded(byTotal: total, step.dataType)
      || total.snr > base.snr + Narrowing.improvement
  }

  // MARK: judging

  /// Says from what helps what is to blame.
  static func judge(_ culprit: inout Culprit) {
    let helping = culprit.variations.filter(\.helps).map(\.kind)
    let hasAlgorithm = helping.contains { if case .algorithm = $0 { true } else { false } }
    let hasSet = helping.contains { if case .instructionSet = $0 { true } else { false } }
    let hasThreads = helping.contains { if case .threads = $0 { true } else { false } }
    if hasThreads {
      culprit.kind = .threads
    } else if helping.contains(.noReuse) {
      culprit.kind = .reuse
    } else if hasAlgorithm || hasSet {
      culprit.kind = .kernel
    } else if helping.contains(.allPasses) {
      culprit.kind = .pass
    }
  }
}
