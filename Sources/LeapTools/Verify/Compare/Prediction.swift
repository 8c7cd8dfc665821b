// Prediction: what a model says that a picture shows, and how sure it is.

import LeapRuntime
import LeapTensors
import LeapstoneImage

/// The best class of one row of scores.
struct Prediction: Sendable, Equatable {
  /// Classes, best first; five at most.
  let classes: [Int]
  let probability: Double
  /// How much more probable it is than the second best.
  let margin: Double

  var best: Int { classes[0] }

  /// The predictions of a batch's rows; nil where the tensor holds no scores of classes.
  ///
  /// - Parameter rows: those that count.
  static func all(_ tensor: Tensor, rows: Int?) -> [Prediction]? {
    guard let scores = ScoreRows(tensor), let wide = try? DoublePrecision.widened(tensor) else {
      return nil
    }
    return (0..<min(rows ?? scores.count, scores.count)).compactMap { row in
      guard let top = try? wide.topK(5, row: row), let first = top.first else { return nil }
      return Prediction(
        classes: top.map(\.index), probability: first.probability,
        margin: first.probability - (top.count > 1 ? top[1].probability : 0))
    }
  }
}

/// One row, as both models see it.
struct PredictionPair: Sendable {
  /// The picture's file; a set with its row where tensors were given.
  let name: String
  let new: Prediction
  let old: Prediction
  let truth: Int?

  var isChanged: Bool { new.best != old.best }

  /// By `docs/schema/verify-1.schema.json`.
  func json(_ labels: ClassNames) -> JSON {
    func side(_ prediction: Prediction) -> JSON {
      [
        "class": .integer(prediction.best),
        "label": labels.names.indices.contains(prediction.best)
          ? .string(labels.names[prediction.best]) : .null,
        "probability": .number(prediction.probability), "margin": .number(prediction.margin),
      ]
    }
    var members: [JSON.Member] = [
      .init("name", .string(name)), .init("new", side(new)), .init("old", side(old)),
    ]
    if let truth { members.append(.init("truth", .integer(truth))) }
    return .object(members)
  }
}
