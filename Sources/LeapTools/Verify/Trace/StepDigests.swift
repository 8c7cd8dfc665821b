// StepDigests: what every step of a run made, as digests, so that two runs can be compared value by value.

import LeapRuntime
import LeapTensors
import Leapstone
import Synchronization

/// A step that made something else in another run.
struct StepDifference: Sendable {
  /// The value, as the model calls it.
  let value: String
  let node: String
  let operatorType: String
  let algorithm: String

  /// For people: `'conv1' by Conv 'Conv_0' (winograd4)`.
  var text: String { "'\(value)' by \(operatorType) '\(node)' (\(algorithm))" }
}

/// Records the digests of all tensors that the steps of one run make.
final class StepDigests: Sendable {
  private struct Entry: Sendable {
    let number: Int
    let step: BoundStep
    let digest: UInt64
  }
  private let entries = Mutex<[String: Entry]>([:])
  private let part: @Sendable (Tensor) -> Tensor

  /// - Parameter part: what of a tensor counts.
  init(_ part: @escaping @Sendable (Tensor) -> Tensor = { $0 }) { self.part = part }

  /// What a session needs to be recorded.
  var instrument: KernelInstrument {
    .visiting { [self] number, step, output, tensor in
      guard output < step.outputValues.count, let name = step.outputValues[output] else {
        return nil
      }
      let digest = part(tensor).withUnsafeBytes { Digest.xxh64($0) }
      entries.withLock { $0[name] = Entry(number: number, step: step, digest: digest) }
      return nil
    }
  }

  /// The first value, in the order of this run's steps, that another run made otherwise; nil where there is none.
  func firstDifference(from other: StepDigests) -> StepDifference? {
    let theirs = other.entries.withLock { $0 }
    let ours = entries.withLock { $0 }.sorted { $0.value.number < $1.value.number }
    let found = ours.first { name, entry in
      theirs[name].map { $0.digest != entry.digest } ?? false
    }
    return found.map { name, entry in
      StepDifference(
        value: name, node: entry.step.name, operatorType: entry.step.operatorType,
        algorithm: entry.step.algorithm)
    }
  }
}
