// CSV: rows of cells as RFC 4180 has them.

package enum CSV {
  /// A line of cells, with its line feed. Cells with a comma, a quote or a line break are quoted; control characters
  /// but those are dropped.
  package static func line(_ cells: [String]) -> String {
    cells.map(cell).joined(separator: ",") + "\n"
  }

  private static func cell(_ text: String) -> String {
    var result = ""
    var needsQuotes = false
    for scalar in text.unicodeScalars {
      if scalar == "\"" { result += "\"" }
      if scalar == "\"" || scalar == "," || scalar == "\n" || scalar == "\r" { needsQuotes = true }
      let isControl = scalar.properties.generalCategory == .control
      if !isControl || scalar == "\n" || scalar == "\r" { result.unicodeScalars.append(scalar) }
    }
    return needsQuotes ? "\"\(result)\"" : result
  }
}
