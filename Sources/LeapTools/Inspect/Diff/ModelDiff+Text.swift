// ModelDiff for people.

import LeapTensors

extension ModelDiff {
  /// Rows that differ least are left out beyond this many, where weights were not asked for.
  private static let shownWeights = 5

  /// - Parameter showsWeights: whether every constant of other elements has a row.
  func text(_ console: Console, showsWeights: Bool) -> [String] {
    let page = InspectPage(console)
    let title = page.fitted("\(escaped(model)) and \(escaped(other))")
    var lines = [console.styled(title, .bold)]
    lines += summary.map { page.fitted("  \($0)") }
    lines += isSame ? [] : page.entries(entries)
    if !weights.isEmpty {
      let sorted = weights.sorted { ($0.relative ?? .infinity) > ($1.relative ?? .infinity) }
      lines += page.weights(
        showsWeights ? weights : Array(sorted.prefix(ModelDiff.shownWeights)), of: weights.count)
    }
    lines += page.section(
      "besides, which does not count",
      remarks.map {
        "\($0.name): '\(escaped($0.before ?? "", limit: 60))' -> '\(escaped($0.after ?? "", limit: 60))'"
      })
    return lines
  }

  private var summary: [String] {
    func count(_ kind: Kind, _ subject: Subject) -> Int {
      entries.filter { $0.kind == kind && $0.subject == subject }.count
    }
    func told(_ subject: Subject) -> String {
      [Kind.renamed, .added, .removed, .changed].compactMap { kind in
        let number = count(kind, subject)
        return number > 0 ? ", \(number) \(kind.rawValue)" : nil
      }.joined()
    }
    return [
      !isSame
        ? "different"
        : uncomparedConstants.isEmpty ? "the same" : "the same, as far as can be told",
      "nodes: \(matchedNodes) matched" + told(.node),
      "constants: \(comparedConstants) compared"
        + (weights.isEmpty ? "" : ", \(weights.count) with other elements")
        + (uncomparedConstants.isEmpty
          ? "" : ", \(uncomparedConstants.count) not, whose elements are missing")
        + told(.constant),
    ]
  }
}

extension InspectPage {
  fileprivate func entries(_ entries: [ModelDiff.Entry]) -> [String] {
    var table = FittedTable([
      .init("change", least: 7), .init("of", least: 5), .init("type", least: 8),
      .init("name", least: 12),
      .init("what", least: 12), .init("graph", least: 4, rank: 1),
    ])
    for entry in entries {
      let aspects = entry.aspects.isEmpty ? "" : NodeChangeText.text(entry.aspects)
      let renamed = entry.kind == .renamed ? "now \(entry.otherName ?? "")" : ""
      table.add([
        entry.kind.rawValue, entry.subject.rawValue, escaped(entry.type), escaped(entry.name),
        escaped(renamed + aspects), entry.graph == "main" ? "" : escaped(entry.graph),
      ])
    }
    return entries.isEmpty ? [] : section("differences", table, ifEmpty: "none")
  }

  fileprivate func weights(_ weights: [WeightDifference], of all: Int) -> [String] {
    var table = FittedTable([
      .init("constant", least: 12), .init("type", rank: 3), .init("shape", least: 6, rank: 2),
      .init("relative", .right), .init("largest", .right, rank: 1), .init("overall", .right),
      .init("elements", .right, rank: 4),
    ])
    func number(_ value: Double?) -> String { value.map { significant($0) } ?? "-" }
    for weight in weights {
      table.add([
        escaped(weight.name), "\(weight.dataType)", "\(weight.shape)", number(weight.relative),
        number(weight.largest), number(weight.overall),
        "\(weight.count) of \(weight.shape.elementCount)",
      ])
    }
    let rest = all - weights.count
    let title =
      "constants of other elements"
      + (rest > 0 ? ", the \(weights.count) of \(all) that changed most" : "")
    return section(title, table, ifEmpty: "none")
  }
}
