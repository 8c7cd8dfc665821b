// FittedTable: rows of cells that fit a terminal: columns that matter less are left out, long cells lose their middle.

/// A table with a header.
package struct FittedTable: Sendable {
  package struct Column: Sendable {
    let title: String
    let alignment: Table.Alignment
    /// To how many letters cells may be shortened; nil where they may not.
    let least: Int?
    /// Columns of a higher rank are left out first; those of rank 0 never.
    let rank: Int

    package init(
      _ title: String, _ alignment: Table.Alignment = .left, least: Int? = nil, rank: Int = 0
    ) {
      self.title = title
      self.alignment = alignment
      self.least = least
      self.rank = rank
    }
  }

  private let columns: [Column]
  private var rows: [[String]] = []

  package init(_ columns: [Column]) { self.columns = columns }

  package var isEmpty: Bool { rows.isEmpty }

  /// Adds a row of as many cells as there are columns.
  package mutating func add(_ cells: [String]) { rows.append(cells) }

  /// The lines, that of the titles first.
  ///
  /// - Parameter limit: letters that a line may have; nil for as many as it takes.
  package func lines(limit: Int?) -> [String] {
    let widths = columns.indices.map { column in
      rows.reduce(columns[column].title.count) { max($0, $1[column].columns) }
    }
    let (kept, fitted) = fit(widths, limit)
    var table = Table(kept.map { columns[$0].alignment })
    table.add(kept.map { columns[$0].title })
    for row in rows {
      table.add(kept.map { shortened(row[$0], to: fitted[$0]) })
    }
    return limit.map { limit in table.lines.map { shortened($0, to: limit) } } ?? table.lines
  }

  /// The columns that stay, and the width of each column.
  private func fit(_ widths: [Int], _ limit: Int?) -> (kept: [Int], widths: [Int]) {
    var kept = Array(columns.indices)
    var widths = widths
    guard let limit else { return (kept, widths) }
    func smallest(_ column: Int) -> Int {
      min(widths[column], max(columns[column].least ?? widths[column], columns[column].title.count))
    }
    func total(_ width: (Int) -> Int) -> Int {
      kept.reduce(2 * (kept.count - 1)) { $0 + width($1) }
    }
    while total(smallest) > limit,
      let last = kept.max(by: { columns[$0].rank < columns[$1].rank }), columns[last].rank > 0
    {
      kept.removeAll { $0 == last }
    }
    // The widest of those that may be shortened gives way first.
    while total({ widths[$0] }) > limit,
      let widest = kept.filter({ widths[$0] > smallest($0) && columns[$0].least != nil })
        .max(by: { widths[$0] < widths[$1] })
    {
      widths[widest] -= 1
    }
    return (kept, widths)
  }
}
