// ValueTrace: the tensors that the steps of a run made, and how far each is from the exact reference path: by itself, computed
// from the very inputs that the step had, and with all that went before.

import LeapGraph
import LeapRuntime
import LeapTensors
import Leapstone
import Synchronization

/// A value of a graph as a step of a run made it.
struct TracedValue: Sendable {
  /// The step's number in the order of the plan.
  let number: Int
  let step: BoundStep
  let tensor: Tensor
}

/// Records the tensors of one run, by the names of values.
final class ValueTrace: Sendable {
  private let recorded = Mutex<[String: TracedValue]>([:])
  /// Copies of the planner's that are not what they copy.
  private let badCopies = Mutex<[BoundStep]>([])

  /// What a session needs to be recorded.
  var instruments: [KernelInstrument] {
    [
      .visiting { [self] number, step, output, tensor in
        if output < step.outputValues.count, let name = step.outputValues[output] {
          recorded.withLock {
            $0[name] = TracedValue(number: number, step: step, tensor: tensor)
          }
        }
        return nil
      }, copies,
    ]
  }

  /// Looks whether a copy or reorder leaves all elements as they are.
  private var copies: KernelInstrument {
    KernelInstrument { [self] step, kernel in
      guard step.isCopy, let source = step.inputs.first ?? nil,
        let target = step.outputs.first ?? nil
      else { return kernel }
      let original = Mutex<Tensor?>(nil)
      return try kernel.followed(by: [(0, source), (step.inputs.count, target)]) {
        [self] place, tensor in
        if place == 0 {
          original.withLock { $0 = tensor }
        } else if let before = original.withLock({ $0 }), !before.isIdentical(to: tensor) {
          badCopies.withLock { $0.append(step) }
        }
        return nil
      }
    }
  }

  var values: [String: TracedValue] { recorded.withLock { $0 } }

  var wrongCopies: [BoundStep] { badCopies.withLock { $0 } }
}

/// How far the values of a run are from the exact reference path.
struct TraceErrors: Sendable {
  /// Of each step by itself: computed exactly from what the run had.
  var own: [String: Drift] = [:]
  /// With all that went before.
  var total: [String: Drift] = [:]
}

extension ValueTrace {
  /// What the reference says of a trace.
  struct Comparison: Sendable {
    var errors = TraceErrors()
    /// The reference's outputs.
    var outputs: [String: RunValue] = [:]
    var note: String?
  }

  /// Runs the reference twice: beside the trace, and along it, with each value replaced by the run's as soon as it is measured.
  ///
  /// - Parameters:
  ///   - values: of the trace.
  ///   - model: as it was read.
  ///   - inputs: of the run.
  /// - Throws: `ModelError`, `RunError`, `ToolError.interrupted`.
  static func errors(
    of values: [String: TracedValue], _ model: Model, _ options: SessionOptions,
    _ inputs: [String: RunValue], outputs: [String]? = nil, _ interruption: Interruption
  ) throws -> Comparison {
    var found = Comparison()
    for replaces in [false, true] {
      let drifts = Mutex<[String: Drift]>([:])
      let measuring = KernelInstrument.visiting { _, step, output, tensor in
        guard output < step.outputValues.count, let name = step.outputValues[output],
          let traced = values[name], let drift = Drift(traced.tensor, tensor)
        else { return nil }
        drifts.withLock { $0[name] = drift }
        // What is computed in the model's own types stays in these.
        let isNarrow = tensor.dataType == traced.tensor.dataType
        return !replaces
          ? nil : isNarrow ? traced.tensor : try DoublePrecision.widened(traced.tensor)
      }
      let reference = try ReferenceSession(model, options, instruments: [measuring])
      let results = try reference.run(inputs, outputs: outputs, interruption)
      found.note = reference.note
      if replaces {
        found.errors.own = drifts.withLock { $0 }
      } else {
        found.errors.total = drifts.withLock { $0 }
        found.outputs = results
      }
    }
    return found
  }
}
