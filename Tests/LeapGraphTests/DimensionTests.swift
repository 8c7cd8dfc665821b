// Extents that are not known before a model runs: what is simplified, and how large an expression may grow.

import LeapGraph
import Testing

@Suite struct DimensionTests {
  private static let n = Dimension.symbol("n")
  private static let m = Dimension.symbol("m")

  static let simplified: [(Dimension, String)] = [
    (n + 0, "n"), (n * 1, "n"), (n * 0, "0"), (n - n, "0"), (n / n, "1"), (0 + n, "n"),
    (n + n, "(n * 2)"), (n + n + n, "(n * 3)"), (n * 2 + n, "(n * 3)"), (n + 2 + 3, "(n + 5)"),
    (n * 4 / 2, "(n * 2)"), ((n + 6) / 3, "((n / 3) + 2)"), (n * m / m, "n"), (n - 3, "(n + -3)"),
    (Dimension.fixed(.max) + 1, "?"), (n / 0, "(n / 0)"), (.unknown + n, "?"), (7 / 2, "3"),
    (-7 / 2, "-4"),
  ]

  @Test(arguments: simplified.indices) func expressionsAreSimplified(index: Int) {
    let (dimension, text) = Self.simplified[index]
    #expect(dimension.description == text)
  }

  @Test func symbolsAreReplaced() {
    let dimension = (Self.n * 3 + Self.m) / 2
    #expect(dimension.substituting(["n": 5]).description == "((m + 15) / 2)")
    #expect(dimension.substituting(["n": 5, "m": 2]) == .fixed(8))
  }

  @Test func aSumOfManyStaysSmall() {
    let sum = (0..<200_000).reduce(Dimension.fixed(0)) { sum, _ in sum + Self.n }
    #expect(sum == Self.n * 200_000)
  }

  @Test func whatGrowsTooLargeIsUnknown() {
    // Each step doubles the terms, and no step can be simplified.
    var dimension = Self.n
    for _ in 0..<64 { dimension = dimension * (dimension + 1) }
    #expect(dimension == .unknown)
    let long = (0..<200_000).reduce(Dimension.fixed(0)) { $0 + .symbol("s\($1)") }
    #expect(long == .unknown)
    // An encoder and a decoder of a dozen levels fit.
    var deep = Self.n
    for _ in 0..<12 { deep = (deep + 2 - 3) / 2 + 1 }
    for _ in 0..<12 { deep = deep * 2 + 1 }
    #expect(deep.substituting(["n": 4096]).value != nil)
    #expect(deep.description.count < 512)
  }
}
