// OutputTotals: one output of two models, over all sets.

import LeapTensors
import LeapstoneImage

struct OutputTotals: Sendable {
  let new: String
  let old: String
  private(set) var sets = 0
  private(set) var identical = 0
  private(set) var largest = 0.0
  private(set) var misplaced = 0
  private(set) var sums = TensorDifference.Sums()
  private(set) var agreement = TopAgreement()
  private(set) var masks = MaskCounts()
  /// Sets whose outputs cannot be compared, or are beyond the tolerance, with why.
  private(set) var failures: [(set: String, message: String)] = []

  init(new: String, old: String) {
    self.new = new
    self.old = old
  }

  /// Adds a set.
  ///
  /// - Parameters:
  ///   - rows: pictures that count, where the last ones only fill up the batch.
  ///   - tolerance: nil where none was asked for.
  mutating func add(
    _ set: String, got: Tensor, expected: Tensor, rows: Int?, tolerance: Tolerances?
  ) {
    sets += 1
    let (got, expected) = (OutputTotals.part(got, rows), OutputTotals.part(expected, rows))
    guard got.shape == expected.shape, let difference = TensorDifference(got, expected) else {
      if got.isIdentical(to: expected) {
        identical += 1
      } else {
        failures.append(
          (
            set,
            got.shape == expected.shape && got.dataType == expected.dataType
              ? "other elements" : "is \(got); the old one is \(expected)"
          ))
      }
      return
    }
    if difference.isIdentical || difference.differing == 0 { identical += 1 }
    largest = max(largest, difference.maximalError)
    misplaced += difference.misplaced
    sums = sums + difference.sums
    if let found = TopAgreement(got, expected) { agreement = agreement + found }
    addMasks(got, expected)
    guard let tolerance else { return }
    let comparison = OutputComparison(name: new, got: got, expected: expected) {
      tolerance.tolerance(of: new, $0, largest: $1)
    }
    if comparison.verdict != .passed { failures.append((set, comparison.message)) }
  }

  private mutating func addMasks(_ got: Tensor, _ expected: Tensor) {
    guard MaskCounts.isMask(got), MaskCounts.isMask(expected) else { return }
    for row in 0..<got.shape[0] {
      guard let ours = got.rows(row..<row + 1), let theirs = expected.rows(row..<row + 1),
        let a = try? Mask(scores: ours), let b = try? Mask(scores: theirs)
      else { continue }
      masks.add(a.classes, b.classes)
    }
  }

  /// The rows of pictures, without those that fill up the batch.
  private static func part(_ tensor: Tensor, _ rows: Int?) -> Tensor {
    guard let rows, let first = tensor.shape.first, first > rows else { return tensor }
    return tensor.rows(0..<rows) ?? tensor
  }

  /// By `docs/schema/verify-1.schema.json`.
  var json: JSON {
    func number(_ value: Double?) -> JSON { value.map { .number($0) } ?? .null }
    let mean = sums.meanError
    var members: [JSON.Member] = [
      .init("new", .string(new)), .init("old", .string(old)), .init("sets", .integer(sets)),
      .init("identical_sets", .integer(identical)), .init("max", .number(largest)),
      .init("mean", number(mean)), .init("snr_db", number(sums.snr)),
      .init("cosine", number(sums.cosine)), .init("misplaced", .integer(misplaced)),
    ]
    if agreement.rows > 0 {
      members.append(
        .init(
          "agreement",
          [
            "rows": .integer(agreement.rows), "top1": .integer(agreement.top1),
            "top5": .integer(agreement.top5),
          ]))
    }
    if let iou = masks.meanIoU { members.append(.init("mean_iou", .number(iou))) }
    members.append(
      .init(
        "failures",
        .array(failures.map { ["set": .string($0.set), "message": .string($0.message)] })))
    return .object(members)
  }
}
