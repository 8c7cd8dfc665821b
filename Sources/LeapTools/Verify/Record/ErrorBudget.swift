// ErrorBudget: how far any correct run may be from the exact result, found by running the model in every way that this machine
// has, and by rounding the exact path at random.
//
// 1. A golden holds on another processor: what is not measured here, simulated rounding covers.
// 2. It is not so wide that a fault hides in it: a small multiple of what was found.

import LeapGraph
import LeapKernels
import LeapRuntime
import LeapTensors
import Leapstone

/// One way to run a model.
struct EngineVariant: Sendable {
  let name: String
  let options: SessionOptions

  /// The ways that there are: as asked, on each instruction set, with each of Winograd's algorithms and without, without passes, and
  /// with each memory policy.
  static func all(_ asked: SessionOptions, instructionSet: String) -> [EngineVariant] {
    var variants: [EngineVariant] = []
    func add(_ name: String, _ change: (inout SessionOptions) -> Void) {
      var options = asked
      change(&options)
      variants.append(EngineVariant(name: name, options: options))
    }
    add(instructionSet) { _ in }
    for set in InstructionSet.available where set.rawValue != instructionSet {
      add(set.rawValue) { $0.instructionSet = .init(rawValue: set.rawValue) }
    }
    if asked.algorithms.isEmpty, asked.forbiddenAlgorithms.isEmpty {
      for name in ["winograd4", "winograd2", "im2col"] { add(name) { $0.algorithms[""] = name } }
      add("without winograd") { $0.forbiddenAlgorithms = ["winograd"] }
    }
    if !asked.disablesAllPasses { add("without passes") { $0.disablesAllPasses = true } }
    for policy in SessionOptions.MemoryPolicy.allCases where policy != asked.memoryPolicy {
      add("\(policy.rawValue)") { $0.memoryPolicy = policy }
    }
    return variants
  }
}

/// Collects errors over sets, and makes budgets of them.
struct ErrorBudget: Sendable {
  /// How many times the largest error that was found an element may differ. The largest of few elements may be small by
  /// luck; that of another processor is of the same kind.
  static let margin = 4.0
  /// How often the exact path is rounded at random.
  static let trials = 4

  private struct Found: Sendable {
    var type = DataType.float32
    var measured: [String: Double] = [:]
    var simulated = 0.0
    var differing = 0
    var largest = 0.0
    /// One rounding of the largest result: no output is expected to be nearer.
    var rounding = 0.0
  }

  private var found: [String: Found] = [:]
  private let variants: [EngineVariant]

  init(_ variants: [EngineVariant]) { self.variants = variants }

  /// Adds an output of a run.
  ///
  /// - Parameters:
  ///   - variant: how it was run; nil for simulated rounding.
  ///   - exact: the reference's, floats as float64.
  mutating func add(_ output: String, _ got: RunValue?, _ exact: RunValue, variant: String?) {
    for (got, exact) in zip(got?.tensors ?? [], exact.tensors) {
      guard let difference = TensorDifference(got, exact) else { continue }
      var entry = found[output] ?? Found()
      if variant != nil { entry.type = got.dataType }
      entry.largest = max(entry.largest, difference.largest)
      if exact.dataType == .float64 {
        if let variant {
          entry.measured[variant] = max(
            entry.measured[variant] ?? 0, difference.maximalError)
          entry.rounding = max(entry.rounding, difference.largest * ErrorBudget.unit(got.dataType))
        } else {
          entry.simulated = max(entry.simulated, difference.maximalError)
        }
      } else {
        entry.differing = max(entry.differing, difference.differing)
        if let variant {
          entry.measured[variant] = max(entry.measured[variant] ?? 0, difference.maximalError)
        }
      }
      found[output] = entry
    }
  }

  private static func unit(_ type: DataType) -> Double {
    switch type {
    case .float32: 0x1p-24
    case .float16: 0x1p-11
    case .bfloat16: 0x1p-8
    default: 0x1p-53
    }
  }

  /// The budget of an output.
  func budget(of output: String) -> GoldenBudget {
    let entry = found[output] ?? Found()
    let measured = variants.compactMap { variant in
      entry.measured[variant.name].map { (name: variant.name, error: $0) }
    }
    let isFloat = entry.type.isFloatingPoint
    let worst = max(measured.map(\.error).max() ?? 0, entry.simulated, entry.rounding)
    return GoldenBudget(
      output: output, type: "\(entry.type)", absolute: isFloat ? ErrorBudget.margin * worst : 0,
      differing: isFloat ? 0 : Int(ErrorBudget.margin) * entry.differing, measured: measured,
      simulated: entry.simulated, largest: entry.largest)
  }
}
