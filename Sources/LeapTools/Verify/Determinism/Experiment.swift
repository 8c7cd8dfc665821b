// Experiment: one way of running a model that must not change a bit.

import LeapGraph
import LeapRuntime
import LeapTensors
import Leapstone
import LeapstoneImage

struct Experiment: Sendable {
  enum Kind: Sendable {
    /// Runs of the same session, one after the other.
    case again(times: Int)
    /// Runs of the same session at the same time.
    case together(count: Int)
    /// A session of its own, with other options.
    case options(@Sendable (inout SessionOptions) -> Void)
    /// A row in a batch, at each of several places.
    case batch(BatchPlaces)
  }

  let name: String
  let kind: Kind
}

/// What came of an experiment.
struct ExperimentOutcome: Sendable {
  enum Result: Sendable {
    case identical
    /// Outputs that differ, and the first value of the graph that does, where it happened again.
    case differs(outputs: [String], first: StepDifference?)
    /// The model cannot be run that way.
    case impossible(String)
  }

  let name: String
  var runs: Int
  var result: Result

  var verdict: Verdict {
    if case .differs = result { .failed } else { .passed }
  }

  /// What to say of it.
  var text: String {
    switch result {
    case .identical: "identical"
    case .impossible(let reason): "not possible: \(reason)"
    case .differs(let outputs, let first):
      "\(outputs.map { "'\($0)'" }.joined(separator: ", ")) differ\(outputs.count == 1 ? "s" : ""); "
        + (first.map { "first \($0.text)" } ?? "it did not happen again when steps were watched")
    }
  }

  /// By `docs/schema/verify-1.schema.json`.
  var json: JSON {
    var members: [JSON.Member] = [
      .init("name", .string(name)), .init("runs", .integer(runs)),
    ]
    switch result {
    case .identical: members.append(.init("verdict", "passed"))
    case .impossible(let reason):
      members += [.init("verdict", "skipped"), .init("message", .string(reason))]
    case .differs(let outputs, let first):
      members += [
        .init("verdict", "failed"), .init("outputs", .array(outputs.map { .string($0) })),
        .init("message", .string(text)),
      ]
      if let first {
        members.append(
          .init(
            "first",
            [
              "value": .string(first.value), "node": .string(first.node),
              "operator": .string(first.operatorType), "algorithm": .string(first.algorithm),
            ]))
      }
    }
    return .object(members)
  }
}

/// A batch in which the inputs stand at different places, among rows that are not theirs.
struct BatchPlaces: Sendable {
  /// How many times as many rows the batch has.
  static let count = 3

  /// The inputs, by place.
  let batches: [[String: Tensor]]
  /// Rows of the inputs alone.
  let rows: Int

  /// - Parameters:
  ///   - inputs: of the model.
  ///   - tensors: what was run alone.
  /// - Throws: `ToolError` that says why there is no batch; `ModelError.outOfMemory`.
  init(_ inputs: [ValueInfo], _ tensors: [String: Tensor]) throws {
    let batched = inputs.filter { input in
      guard let first = input.type.shape?.first else { return false }
      return first.value == nil
    }
    let symbols = Set(batched.compactMap { $0.type.shape?.first })
    guard !batched.isEmpty else {
      throw ToolError("the model fixes the first dimension of its inputs")
    }
    let extents = Set(batched.compactMap { tensors[$0.name]?.shape.first })
    guard symbols.count == 1, let rows = extents.first, extents.count == 1, rows > 0,
      batched.count == 1 || symbols.first != .unknown
    else { throw ToolError("its inputs have first dimensions of their own") }
    self.rows = rows
    batches = try (0..<BatchPlaces.count).map { place in
      var batch = tensors
      for input in batched {
        guard let own = tensors[input.name] else { continue }
        let other = try BatchPlaces.other(own)
        let parts = (0..<BatchPlaces.count).map { $0 == place ? own : other }
        batch[input.name] = try Tensor.joined(parts, name: input.name)
      }
      return batch
    }
  }

  /// A tensor like another that is not the same: half of its floats; other elements stay, as they may be indices.
  private static func other(_ tensor: Tensor) throws -> Tensor {
    guard tensor.dataType.isFloatingPoint, let numbers = tensor.numbers else { return tensor }
    return try Tensor.rounded(numbers.map { $0 / 2 }, to: tensor.dataType, shape: tensor.shape)
      ?? tensor
  }

  /// What of a batch's tensor belongs to the rows at a place; the tensor itself where it has no rows.
  func part(_ tensor: Tensor, place: Int) -> Tensor {
    guard tensor.shape.first == rows * BatchPlaces.count else { return tensor }
    return tensor.rows(place * rows..<(place + 1) * rows) ?? tensor
  }

  /// Whether an output of a batch has rows.
  func hasRows(_ tensor: Tensor, alone: Tensor) -> Bool {
    tensor.shape.first == rows * BatchPlaces.count && alone.shape.first == rows
      && tensor.shape.dropFirst().elementsEqual(alone.shape.dropFirst())
  }
}
