// TimeSummary: many times in a few figures.

struct TimeSummary: Sendable {
  /// In ascending order.
  private let sorted: [Double]
  let mean: Double

  /// The percentiles that are reported.
  static let percentiles = [50, 90, 95, 99]

  /// - Parameter times: one at least.
  init(_ times: [Double]) {
    precondition(!times.isEmpty, "no time was measured")
    sorted = times.sorted()
    mean = times.reduce(0, +) / Double(times.count)
  }

  var count: Int { sorted.count }
  var minimum: Double { sorted[0] }
  var maximum: Double { sorted[sorted.count - 1] }

  /// The smallest time that so many of a hundred do not exceed: one that was measured (nearest rank).
  func percentile(_ percent: Int) -> Double {
    let rank = (percent * sorted.count + 99) / 100
    return sorted[max(rank, 1) - 1]
  }

  /// The figures by name, in the order in which they are shown.
  var figures: [(name: String, value: Double)] {
    [("min", minimum), ("mean", mean)]
      + TimeSummary.percentiles.map { ("p\($0)", percentile($0)) } + [("max", maximum)]
  }
}
