// Chance: how likely counts are by chance alone.

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

enum Chance {
  /// The exact McNemar test (McNemar, 1947): how likely a difference of at least this size is where both are as good. Twice the
  /// binomial tail of the smaller count; 1 where nothing differs.
  ///
  /// - Parameters:
  ///   - better: cases that only one gets right.
  ///   - worse: cases that only the other gets right.
  static func mcNemar(better: Int, worse: Int) -> Double {
    let count = better + worse
    if count == 0 { return 1 }
    var tail = 0.0
    for chosen in 0...min(better, worse) {
      tail += exp(lnChoose(count, chosen) - Double(count) * log(2))
    }
    return min(1, 2 * tail)
  }

  private static func lnChoose(_ count: Int, _ chosen: Int) -> Double {
    lgamma(Double(count + 1)) - lgamma(Double(chosen + 1)) - lgamma(Double(count - chosen + 1))
  }

  /// What a share may be in truth, with 95 % confidence (Wilson, 1927).
  static func interval(_ right: Int, of count: Int) -> ClosedRange<Double> {
    if count == 0 { return 0...1 }
    let (n, p, z) = (Double(count), Double(right) / Double(count), 1.959964)
    let middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    let half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
    return max(0, middle - half)...min(1, middle + half)
  }
}
