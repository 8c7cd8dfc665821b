// Formatting: numbers and tables for people.

/// A number with so many digits behind the point.
package func fixed(_ value: Double, _ digits: Int) -> String {
  guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
  let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
  let scaled = (abs(value) * scale).rounded()
  let whole = (scaled / scale).rounded(.down)
  let sign = value < 0 && scaled > 0 ? "-" : ""
  if digits == 0 { return "\(sign)\(Int(whole))" }
  let fraction = String(Int(scaled - whole * scale))
  let zeros = String(repeating: "0", count: max(0, digits - fraction.count))
  return "\(sign)\(Int(whole)).\(zeros)\(fraction)"
}

/// A number with about five significant digits: `0.48213`, `123.46`, `1.5e-07`.
package func significant(_ value: Double) -> String {
  guard value.isFinite, value != 0 else { return value == 0 ? "0" : "\(value)" }
  let size = abs(value)
  if size >= 1e6 || size < 1e-4 {
    var exponent = 0
    var rest = size
    while rest >= 10 { (rest, exponent) = (rest / 10, exponent + 1) }
    while rest < 1 { (rest, exponent) = (rest * 10, exponent - 1) }
    return "\(value < 0 ? "-" : "")\(fixed(rest, 4))e\(exponent)"
  }
  let digits = size >= 10_000 ? 0 : size >= 1000 ? 1 : size >= 100 ? 2 : size >= 10 ? 3 : 4
  let text = fixed(value, size < 1 ? 5 : digits)
  guard text.contains(".") else { return text }
  var trimmed = text[...]
  while trimmed.hasSuffix("0") { trimmed = trimmed.dropLast() }
  return String(trimmed.hasSuffix(".") ? trimmed.dropLast() : trimmed)
}

/// Bytes with a binary unit: `512 B`, `1.5 MiB`.
package func readableSize(_ bytes: Int) -> String {
  let units = ["B", "KiB", "MiB", "GiB", "TiB"]
  var value = Double(bytes)
  var unit = 0
  while value >= 1024, unit + 1 < units.count { (value, unit) = (value / 1024, unit + 1) }
  return unit == 0 ? "\(bytes) B" : "\(fixed(value, value < 10 ? 2 : 1)) \(units[unit])"
}

/// Rows of cells, aligned in columns.
package struct Table {
  package enum Alignment: Sendable { case left, right }

  private let alignments: [Alignment]
  private var rows: [[String]] = []

  package init(_ alignments: [Alignment]) { self.alignments = alignments }

  /// Adds a row of as many cells as there are columns, or fewer.
  package mutating func add(_ cells: [String]) { rows.append(cells) }

  /// The lines, columns two blanks apart, nothing behind the last cell.
  package var lines: [String] {
    let widths = alignments.indices.map { column in
      rows.map { $0.indices.contains(column) ? $0[column].columns : 0 }.max() ?? 0
    }
    return rows.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        let blanks = String(repeating: " ", count: max(0, widths[column] - cell.columns))
        line += column == 0 ? "" : "  "
        line += alignments[column] == .left ? cell + blanks : blanks + cell
      }
      return String(line.reversed().drop { $0 == " " }.reversed())
    }
  }
}

/// A count with a decimal unit: `950`, `4.09 G`. The largest integer stands for all beyond it.
package func readableCount(_ count: Int) -> String {
  if count == .max { return "> 9.22 E" }
  let units = ["", " k", " M", " G", " T", " P", " E"]
  var value = Double(count)
  var unit = 0
  while value >= 999.5, unit + 1 < units.count { (value, unit) = (value / 1000, unit + 1) }
  if unit == 0 { return "\(count)" }
  return fixed(value, value < 10 ? 2 : value < 100 ? 1 : 0) + units[unit]
}

/// A text of so many columns of a terminal at most, with its middle left out where it is longer.
package func shortened(_ text: String, to limit: Int) -> String {
  if text.columns <= limit { return text }
  guard limit > 1 else { return String(text.prefix(columns: max(limit, 0))) }
  let head = (limit - 1) / 2
  return text.prefix(columns: head) + "…" + text.suffix(columns: limit - 1 - head)
}

/// Lines of so many columns of a terminal at most, broken at blanks; those after the first begin with `indent`. A word that is longer than
/// a line is cut.
package func wrapped(_ text: String, width: Int, indent: String = "") -> [String] {
  var lines = [""]
  for word in text.split(separator: " ") {
    var word = Substring(word)
    let line = lines[lines.count - 1]
    let isFresh = line.isEmpty || line == indent
    if !isFresh, line.columns + 1 + word.columns <= width {
      lines[lines.count - 1] += " " + word
      continue
    }
    if !isFresh { lines.append(indent) }
    let room = max(width - indent.columns, 2)
    while word.columns > room {
      let part = word.prefix(columns: room)
      lines[lines.count - 1] += part
      word = word.dropFirst(part.count)
      lines.append(indent)
    }
    lines[lines.count - 1] += word
  }
  return lines
}

/// `1 set`, `3 sets`.
func counted(_ count: Int, _ what: String) -> String { "\(count) \(what)\(count == 1 ? "" : "s")" }
