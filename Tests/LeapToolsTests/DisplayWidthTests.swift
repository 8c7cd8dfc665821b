// How many columns texts take, and that tables with wide letters fit.

import LeapTools
import Testing

@Suite struct DisplayWidthTests {
  @Test(
    arguments: [
      ("", 0), ("abc", 3), ("é", 1), ("e\u{301}", 1), ("層", 2), ("畳み込み", 8), ("ｶ", 1), ("Ａ", 2),
      ("한", 2),
      ("🙂", 2), ("…", 1), ("─│", 2),
    ])
  func columnsOfTexts(text: String, columns: Int) {
    #expect(text.columns == columns)
  }

  @Test(arguments: 0...12) func shortenedTextsFit(limit: Int) {
    for text in ["層層層層層層層層", "conv層conv層conv", "plain text that is long"] {
      let short = shortened(text, to: limit)
      #expect(short.columns <= limit)
      #expect(short.columns >= limit - 2)
    }
  }

  @Test(arguments: [20, 40, 80]) func tablesFit(limit: Int) {
    var table = FittedTable([
      .init("name", least: 6), .init("type", .right, rank: 1), .init("what", least: 6),
    ])
    table.add(["畳み込み層/第一段/重み", "float32", "長い説明がここに続いている、とても長い説明"])
    table.add(["conv", "int8", "short"])
    for line in table.lines(limit: limit) { #expect(line.columns <= limit, "\(line)") }
  }

  @Test func linesAreBrokenByWidth() {
    for line in wrapped("層層層層層層 abc 層層層層層層層層層層層層", width: 10) { #expect(line.columns <= 10) }
  }
}
