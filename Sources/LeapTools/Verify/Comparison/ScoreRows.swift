// ScoreRows: outputs that hold scores of classes, one row for each picture, and how far two agree on the best.

import LeapTensors

/// Scores of classes: `[N, classes]`, trailing dimensions of 1 taken too.
struct ScoreRows: Sendable {
  let count: Int
  let classes: Int
  private let numbers: [Double]

  /// nil for tensors that hold no such scores.
  init?(_ tensor: Tensor) {
    let shape = tensor.shape
    guard tensor.dataType.isFloatingPoint, shape.rank >= 2, shape[0] > 0, shape[1] > 1,
      shape[2...].allSatisfy({ $0 == 1 }), let numbers = tensor.numbers
    else { return nil }
    (count, classes) = (shape[0], shape[1])
    self.numbers = numbers
  }

  /// One picture's scores.
  subscript(row: Int) -> ArraySlice<Double> { numbers[row * classes..<(row + 1) * classes] }

  /// The classes with the highest scores, best first; equal scores in the order of their indices. NaN is worse than any number.
  func best(_ wanted: Int, row: Int) -> [Int] {
    let scores = self[row]
    var found: [Int] = []
    for (index, score) in scores.enumerated() {
      let score = score.isNaN ? -.infinity : score
      let place =
        found.firstIndex { value(scores, $0) < score } ?? found.count
      if place < wanted {
        found.insert(index, at: place)
        if found.count > wanted { found.removeLast() }
      }
    }
    return found
  }

  private func value(_ scores: ArraySlice<Double>, _ index: Int) -> Double {
    let score = scores[scores.startIndex + index]
    return score.isNaN ? -.infinity : score
  }
}

/// On how many rows two sets of scores agree.
struct TopAgreement: Sendable, Equatable {
  var rows = 0
  /// Rows with the same best class.
  var top1 = 0
  /// Rows where the best class expected is among the five best.
  var top5 = 0

  init() {}

  /// nil where either holds no scores, or they are of different rows or classes.
  init?(_ got: Tensor, _ expected: Tensor) {
    guard let ours = ScoreRows(got), let theirs = ScoreRows(expected), ours.count == theirs.count,
      ours.classes == theirs.classes
    else { return nil }
    for row in 0..<ours.count {
      let best = theirs.best(1, row: row)[0]
      let found = ours.best(5, row: row)
      rows += 1
      if found[0] == best { top1 += 1 }
      if found.contains(best) { top5 += 1 }
    }
  }

  static func + (a: TopAgreement, b: TopAgreement) -> TopAgreement {
    var sum = a
    sum.rows += b.rows
    sum.top1 += b.top1
    sum.top5 += b.top5
    return sum
  }
}
