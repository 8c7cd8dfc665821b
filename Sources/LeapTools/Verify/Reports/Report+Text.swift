// Report for a terminal: as many columns of each table as fit, plain where there is no terminal.

import LeapTensors

extension Report {
  /// The lines, none longer than the terminal is wide unless one word is.
  func text(_ console: Console) -> [String] {
    let width = console.environment.columns
    var lines = [console.styled(escaped(model), .bold)]
    let labels = (facts.map(\.name.count).max() ?? 0) + 4
    for fact in facts {
      let parts = wrapped(escaped(fact.text), width: width - labels)
      let blanks = String(repeating: " ", count: labels - 2 - fact.name.count)
      for (index, part) in parts.enumerated() {
        lines.append(
          index == 0
            ? "  \(fact.name)\(blanks)\(part)" : String(repeating: " ", count: labels) + part)
      }
    }
    for table in tables where (table.relevantRows ?? table.rows.count) > 0 {
      lines += [""] + table.text(width: width, console)
    }
    if !details.isEmpty { lines.append("") }
    for detail in details {
      for line in escapedLines(detail).split(separator: "\n", omittingEmptySubsequences: false) {
        let indent = String(line.prefix { $0 == " " })
        let parts = wrapped(String(line), width: width - indent.columns, indent: "  ")
        lines += parts.map { indent + $0 }
      }
    }
    lines.append("")
    for (index, sentence) in summary.enumerated() {
      let parts = wrapped(escaped(sentence), width: width)
      lines += index == 0 ? parts.map { console.styled($0, verdict.style) } : parts
    }
    return lines
  }
}

extension ReportTable {
  /// Blanks between columns.
  private static let gap = 2
  /// What names are not made shorter than while there are columns to do without.
  private static let goodName = 24
  /// What they are never made shorter than.
  private static let shortestName = 10

  /// The lines: title, heads, rows.
  func text(width: Int, _ console: Console) -> [String] {
    let relevant = relevantRows ?? rows.count
    let cells = rows.prefix(min(shownRows, relevant)).map { row in row.map { escaped($0.text) } }
    let shown = shownColumns(cells, width: width)
    let names = nameWidth(cells, shown, width: width)
    var table = Table(shown.map { columns[$0].alignment })
    func fitted(_ text: String, _ column: Int) -> String {
      columns[column].isName ? shortened(text, to: names) : text
    }
    table.add(shown.map { fitted(columns[$0].title, $0) })
    for row in cells { table.add(shown.map { $0 < row.count ? fitted(row[$0], $0) : "" }) }
    var lines = title.isEmpty ? [] : [console.styled(title, .bold)]
    for (index, line) in table.lines.enumerated() {
      let worst = index == 0 ? nil : rows[index - 1].compactMap(\.verdict).max()
      switch worst {
      case nil where index == 0: lines.append(console.styled("  " + line, .faint))
      case .failed?, .error?: lines.append(console.styled("  " + line, .red))
      default: lines.append("  " + line)
      }
    }
    if relevant > shownRows { lines.append("  and \(relevant - shownRows) more") }
    return lines
  }

  private func widths(_ cells: [[String]]) -> [Int] {
    columns.indices.map { column in
      max(
        columns[column].title.count,
        cells.map { column < $0.count ? $0[column].columns : 0 }.max() ?? 0)
    }
  }

  /// The columns that there is room for: names may shrink, then those of the highest rank go.
  private func shownColumns(_ cells: [[String]], width: Int) -> [Int] {
    let full = widths(cells)
    var shown = Array(
      columns.indices.filter { column in
        // A column without anything in it says nothing.
        cells.contains { column < $0.count && !$0[column].isEmpty }
      })
    while let highest = shown.map({ columns[$0].rank }).max(), highest > 0 {
      let needed = shown.reduce(0) { sum, column in
        let own = full[column]
        return sum + Self.gap
          + (columns[column].isName ? min(own, Self.goodName) : own)
      }
      if needed <= width { break }
      if let last = shown.lastIndex(where: { columns[$0].rank == highest }) {
        shown.remove(at: last)
      }
    }
    return shown
  }

  /// How long names may be.
  private func nameWidth(_ cells: [[String]], _ shown: [Int], width: Int) -> Int {
    let full = widths(cells)
    let names = shown.filter { columns[$0].isName }
    guard !names.isEmpty else { return width }
    let others = shown.filter { !columns[$0].isName }.reduce(0) { $0 + full[$1] + Self.gap }
    var room = width - others - names.count * Self.gap
    // Names that need less than their share leave the rest to the others.
    var open = names.sorted { full[$0] < full[$1] }
    while let first = open.first, full[first] <= room / open.count {
      room -= full[first]
      open.removeFirst()
    }
    return open.isEmpty ? full.max() ?? width : max(room / open.count, Self.shortestName)
  }
}
