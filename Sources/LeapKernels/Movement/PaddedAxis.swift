// PaddedAxis: one axis of a padded tensor: which element of the source each place of the target shows.

import LeapTensors

/// What stands in the places that padding adds.
package enum PaddingMode: String, CaseIterable, Sendable {
  /// One value.
  case constant
  /// The elements mirrored at the first and last one, which are not repeated.
  case reflect
  /// The first and the last element.
  case edge
  /// The elements over and over, as if the axis were a ring.
  case wrap
}

/// An axis that was first cropped, then padded. Counts elements.
package struct PaddedAxis: Sendable, Hashable {
  /// Where the kept elements start in the source.
  private(set) var skipped: Int
  /// How many elements of the source are kept.
  private(set) var kept: Int
  /// Places before and after them.
  private(set) var before: Int
  private(set) var after: Int
  let mode: PaddingMode

  /// Places whose elements lie at even distances in the source.
  struct Run {
    /// Where the first lies in the source; nil where they all hold the constant.
    var source: Int?
    /// The distance from one to the next.
    var step: Int
    var count: Int
  }

  /// - Parameters:
  ///   - extent: the source's extent.
  ///   - before: places to add at the start; elements to drop where negative.
  ///   - after: the same for the end.
  /// - Throws: `OperatorError` where less than nothing remains, nothing is there to repeat, or a reflection is longer than
  ///   what it reflects.
  package init(extent: Int, before: Int, after: Int, mode: PaddingMode) throws {
    let (grown, overflow) = extent.addingReportingOverflow(before)
    let (whole, overflows) = grown.addingReportingOverflow(after)
    // Bounds each term: what follows cannot overflow.
    let limit = Int.max / 4
    guard !overflow, !overflows, whole >= 0, extent <= limit, before.magnitude <= limit,
      after.magnitude <= limit
    else {
      throw OperatorError("pads \(before) and \(after) do not go with an extent of \(extent)")
    }
    self.mode = mode
    skipped = max(-before, 0)
    kept = extent - skipped - max(-after, 0)
    self.before = max(before, 0)
    self.after = max(after, 0)
    if kept <= 0 {
      // More is cropped than there is: what remains is padding alone.
      skipped = 0
      kept = 0
      self.before = whole
      self.after = 0
    }
    try checkSource()
  }

  /// An axis of one element, kept as it is.
  static let single = PaddedAxis(single: .constant)

  private init(single mode: PaddingMode) {
    skipped = 0
    kept = 1
    before = 0
    after = 0
    self.mode = mode
  }

  private func checkSource() throws {
    guard mode != .constant, before > 0 || after > 0 else { return }
    guard kept > 0 else {
      throw OperatorError("mode \(mode.rawValue) has no element to repeat")
    }
    if mode == .reflect, max(before, after) >= kept {
      throw OperatorError(
        "mode reflect cannot add \(max(before, after)) places to an extent of \(kept);"
          + " at most \(kept - 1)")
    }
  }

  /// The target's extent.
  package var extent: Int { before + kept + after }

  var isPadded: Bool { before > 0 || after > 0 }

  /// The same axis where each element is a run of `count` elements. Only for constant padding, or for none.
  func scaled(by count: Int) -> PaddedAxis {
    precondition(mode == .constant || !isPadded, "an element keeps its place within its run")
    var result = self
    result.skipped *= count
    result.kept *= count
    result.before *= count
    result.after *= count
    return result
  }

  /// The places from `place` on that one run covers.
  func run(at place: Int) -> Run {
    let end = before + kept
    if place >= before && place < end {
      return Run(source: skipped + place - before, step: 1, count: end - place)
    }
    let isBefore = place < before
    let count = isBefore ? before - place : extent - place
    switch mode {
    case .constant:
      return Run(source: nil, step: 0, count: count)
    case .edge:
      return Run(source: skipped + (isBefore ? 0 : kept - 1), step: 0, count: count)
    case .reflect:
      let source = isBefore ? before - place : kept - 2 - (place - end)
      return Run(source: skipped + source, step: -1, count: count)
    case .wrap:
      let distance = (place - before) % kept
      let source = distance < 0 ? distance + kept : distance
      return Run(source: skipped + source, step: 1, count: min(count, kept - source))
    }
  }
}
