// OutputComparison: one output of a run beside what is expected of it, and whether it is near enough.

import LeapGraph
import LeapTensors
import LeapstoneImage

/// An output, or an item of one that is a sequence, beside what is expected.
struct OutputComparison: Sendable {
  /// The output's name; `name[2]` for an item.
  let name: String
  /// Type and shape of what was expected.
  let expected: String
  /// nil where there are no figures: strings, complex numbers, other shapes.
  private(set) var difference: TensorDifference?
  private(set) var tolerance: Tolerance?
  /// Elements beyond the tolerance.
  private(set) var outside = 0
  private(set) var firstOutside: TensorDifference.Element?
  private(set) var agreement: TopAgreement?
  private(set) var verdict = Verdict.passed
  /// Why it failed, in one line or more; empty where it did not.
  private(set) var message = ""

  /// - Parameter tolerance: of the type and the largest magnitude expected.
  init(
    name: String, got: Tensor, expected: Tensor,
    tolerance: (DataType, _ largest: Double) -> Tolerance
  ) {
    self.name = name
    self.expected = "\(expected)"
    guard got.shape == expected.shape, got.dataType == expected.dataType else {
      fail("is \(got); expected \(expected)")
      return
    }
    guard let ours = got.numbers, let theirs = expected.numbers else {
      if !got.isIdentical(to: expected) { fail(OutputComparison.inequality(got, expected)) }
      return
    }
    let isIdentical = got.isIdentical(to: expected)
    var difference = TensorDifference(
      ours, theirs, shape: got.shape, got.dataType, identical: isIdentical)
    let wide = isIdentical ? nil : WideIntegers.difference(got, expected)
    if let wide { difference.add(wide) }
    let limit = tolerance(got.dataType, difference.largest)
    self.difference = difference
    self.tolerance = limit
    agreement = TopAgreement(got, expected)
    if isIdentical { return }
    count(ours, theirs, limit)
    if let wide, limit.isExact, outside < wide.count {
      outside = wide.count
      fail(
        "\(wide.count) of \(counted(ours.count, "element")) differ\nfirst at "
          + "\(difference.place(wide.index)): got \(wide.got), expected \(wide.expected)")
      return
    }
    judge(difference, limit)
  }

  /// - Parameter reason: why there is nothing to compare.
  init(name: String, expected: String, failing reason: String) {
    self.name = name
    self.expected = expected
    fail(reason)
  }

  private mutating func fail(_ reason: String) {
    verdict = .failed
    message = reason
  }

  private mutating func count(_ ours: [Double], _ theirs: [Double], _ limit: Tolerance) {
    for index in ours.indices {
      let (got, expected) = (ours[index], theirs[index])
      if got == expected || got.isNaN && expected.isNaN { continue }
      let isNear =
        got.isFinite && expected.isFinite
        && abs(got - expected) <= limit.absolute + limit.relative * abs(expected)
      if isNear { continue }
      outside += 1
      if firstOutside == nil { firstOutside = .init(index: index, got: got, expected: expected) }
    }
  }

  private mutating func judge(
    _ difference: TensorDifference, _ limit: Tolerance
  ) {
    if outside <= limit.exceptions { return }
    let elements = counted(difference.shape.elementCount, "element")
    var lines = [
      "\(outside) of \(elements) differ" + (limit.isExact ? "" : " by more than \(limit.text)")
    ]
    if difference.misplaced > 0, let first = difference.firstMisplaced {
      let got = (difference.gotNaN, difference.gotInfinite)
      let wanted = (difference.expectedNaN, difference.expectedInfinite)
      lines.append(
        "NaN \(got.0), infinite \(got.1); expected NaN \(wanted.0), infinite \(wanted.1); first at "
          + "\(difference.place(first.index)): got \(first.got), expected \(first.expected)")
    }
    if let worst = difference.worst {
      lines.append(
        "largest error \(significant(worst.error)) at \(difference.place(worst.index)): got "
          + "\(significant(worst.got)), expected \(significant(worst.expected))")
    }
    if let first = firstOutside, first.index != difference.worst?.index,
      first.index != difference.firstMisplaced?.index
    {
      lines.append(
        "first at \(difference.place(first.index)): got \(significant(first.got)), expected "
          + "\(significant(first.expected))")
    }
    fail(lines.joined(separator: "\n"))
  }

  /// What differs between tensors without numbers.
  private static func inequality(_ got: Tensor, _ expected: Tensor) -> String {
    guard let ours = got.strings, let theirs = expected.strings,
      let index = ours.indices.first(where: { ours[$0] != theirs[$0] })
    else { return "other bytes than expected" }
    let count = ours.indices.count { ours[$0] != theirs[$0] }
    return "\(count) of \(ours.count) strings differ; the first, element \(index), is "
      + "'\(escaped(ours[index], limit: 40))', expected '\(escaped(theirs[index], limit: 40))'"
  }
}

extension OutputComparison {
  /// Compares an output of any kind, item by item.
  static func compare(
    name: String, got: RunValue?, expected: RunValue,
    tolerance: (DataType, _ largest: Double) -> Tolerance
  ) -> [OutputComparison] {
    func failing(_ reason: String) -> [OutputComparison] {
      [OutputComparison(name: name, expected: "\(expected)", failing: reason)]
    }
    switch (got, expected) {
    case (nil, _): return failing("is missing")
    case (.tensor(let got)?, .tensor(let expected)):
      return [OutputComparison(name: name, got: got, expected: expected, tolerance: tolerance)]
    case (.sequence(let items, _)?, .sequence(let wanted, _)):
      guard items.count == wanted.count else {
        return failing("has \(items.count) items; expected \(wanted.count)")
      }
      return zip(items, wanted).enumerated().flatMap { index, pair in
        compare(name: "\(name)[\(index)]", got: pair.0, expected: pair.1, tolerance: tolerance)
      }
    case (.optional(nil, _)?, .optional(nil, _)): return []
    case (.optional(let item?, _)?, .optional(let wanted?, _)):
      return compare(name: name, got: item, expected: wanted, tolerance: tolerance)
    case (let got?, _): return failing("is \(got); expected \(expected)")
    }
  }

  /// By `docs/schema/verify-1.schema.json`.
  var json: JSON {
    var members: [JSON.Member] = [
      .init("output", .string(name)), .init("verdict", .string(verdict.name)),
      .init("expected", .string(expected)),
    ]
    if let tolerance { members.append(.init("tolerance", tolerance.json)) }
    if let difference { members.append(.init("error", difference.json(outside: outside))) }
    if let agreement {
      members.append(
        .init(
          "agreement",
          [
            "rows": .integer(agreement.rows), "top1": .integer(agreement.top1),
            "top5": .integer(agreement.top5),
          ]))
    }
    if !message.isEmpty { members.append(.init("message", .string(message))) }
    return .object(members)
  }
}

extension TensorDifference {
  /// By `docs/schema/verify-1.schema.json`.
  func json(outside: Int? = nil) -> JSON {
    func number(_ value: Double?) -> JSON { value.map { .number($0) } ?? .null }
    var members: [JSON.Member] = [
      .init("identical", .bool(isIdentical)), .init("elements", .integer(shape.elementCount)),
      .init("differing", .integer(differing)),
    ]
    if let outside { members.append(.init("outside", .integer(outside))) }
    members += [
      .init("max", .number(maximalError)), .init("mean", .number(meanError)),
      .init("p50", .number(medianError)), .init("p99", .number(percentile99)),
      .init("rms", .number(rms)), .init("ulp", number(ulp)), .init("cosine", number(cosine)),
      .init("snr_db", number(snr)), .init("psnr_db", number(psnr)),
      .init("nan", .integer(gotNaN)), .init("infinite", .integer(gotInfinite)),
      .init("expected_nan", .integer(expectedNaN)),
      .init("expected_infinite", .integer(expectedInfinite)),
    ]
    if let worst {
      members.append(
        .init(
          "worst",
          [
            "index": .integer(worst.index), "got": .number(worst.got),
            "expected": .number(worst.expected),
          ]))
    }
    return .object(members)
  }
}
