// Numbers, tables, the progress bar, comma-separated cells, random numbers.

import LeapTools
import Leapstone
import Testing

@Suite struct FormattingTests {
  @Test(arguments: [
    (1.005, 1, "1.0"), (99.95, 1, "100.0"), (-0.04, 1, "0.0"), (-2.5, 0, "-3"),
    (12.3456, 2, "12.35"),
    (0.05, 2, "0.05"), (.infinity, 2, "inf"),
  ])
  func fixedDigits(value: Double, digits: Int, text: String) {
    #expect(fixed(value, digits) == text)
  }

  @Test(arguments: [
    (0.0, "0"), (1, "1"), (0.000123, "0.00012"), (1.5e-7, "1.5000e-7"), (-2_500_000, "-2.5000e6"),
    (123.456, "123.46"), (9.87654, "9.8765"), (.nan, "nan"),
  ])
  func significantDigits(value: Double, text: String) { #expect(significant(value) == text) }

  @Test(arguments: [(0, "0 B"), (1023, "1023 B"), (1536, "1.50 KiB"), (67_108_864, "64.0 MiB")])
  func sizes(bytes: Int, text: String) { #expect(readableSize(bytes) == text) }

  @Test func tables() {
    var table = Table([.left, .right, .left])
    table.add(["a", "1", "x"])
    table.add(["bcd", "23"])
    #expect(table.lines == ["a     1  x", "bcd  23"])
  }

  @Test func cellsAreQuotedWhereTheyMustBe() {
    #expect(CSV.line(["a", "b,c", "d\"e", "f\u{7}g", ""]) == "a,\"b,c\",\"d\"\"e\",fg,\n")
  }

  /// The first words of the generator for the seed 1234567, as its authors' C code gives them.
  @Test func theGeneratorIsTheAuthors() {
    var generator = SplitMix64(seed: 1_234_567)
    #expect(generator.next() == 6_457_827_717_110_365_317)
    #expect(generator.next() == 3_203_168_211_198_807_973)
  }

  @Test func randomTensorsKeepTheirRange() throws {
    let floats = try RandomTensor.make(.float32, [1000], seed: 0, stream: 0, range: -2...3)
    let values = try #require(floats.elements(as: Float.self))
    #expect(values.allSatisfy { $0 >= -2 && $0 < 3 })
    #expect(values.min()! < -1.9 && values.max()! > 2.9)
    let integers = try RandomTensor.make(.int8, [1000], seed: 0, stream: 0, range: -3...2)
    #expect(Set(try #require(integers.elements(as: Int8.self))) == [-3, -2, -1, 0, 1, 2])
    let bits = try RandomTensor.make(.int64, [100], seed: 0, stream: 1)
    #expect(Set(try #require(bits.elements(as: Int64.self))) == [0, 1])
    let other = try RandomTensor.make(.float32, [1000], seed: 0, stream: 1, range: -2...3)
    #expect(other.elements(as: Float.self) != values)
    #expect(throws: ToolError.self) {
      try RandomTensor.make(.uint8, [1], seed: 0, stream: 0, range: 0...256)
    }
    #expect(throws: ToolError.self) { try RandomTensor.make(.string, [1], seed: 0, stream: 0) }
    #expect(throws: ToolError.self) {
      try RandomTensor.make(.float32, [1 << 40, 1 << 40], seed: 0, stream: 0)
    }
  }
}
