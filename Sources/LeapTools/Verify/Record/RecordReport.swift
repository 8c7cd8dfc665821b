// RecordReport: what was recorded, and what of it is new.

import LeapTensors
import LeapstoneImage

struct RecordReport {
  private let settings: RecordSettings
  private let manifest: GoldenManifest
  private let old: GoldenManifest?
  /// How far each output is from what was recorded before.
  private let changes: [String: Double]

  /// A budget beyond this share of the largest result says that the model is ill-conditioned.
  private static let unsure = 0.1

  init(
    _ settings: RecordSettings, _ manifest: GoldenManifest, _ old: GoldenManifest?,
    changes: [String: Double]
  ) {
    self.settings = settings
    self.manifest = manifest
    self.old = old
    self.changes = changes
  }

  func report() -> Report {
    var report = Report(command: "record", model: settings.model)
    report.summary = [
      "recorded \(counted(manifest.sets, "set")) in \(settings.directory)"
        + (old.map { $0.sets == manifest.sets ? "" : "; there were \($0.sets)" } ?? "")
    ]
    report.facts = [
      ("digest", digest), ("engine", manifest.instructionSet + ", \(manifest.memoryPolicy)"),
    ]
    if let preset = manifest.preset { report.facts.append(("pictures", preset)) }
    if !manifest.narrowNodes.isEmpty {
      report.facts.append(("not exact", manifest.narrowNodes.joined(separator: ", ")))
    }
    let unstable = manifest.outputs.filter { $0.differing > 0 }.map(\.output)
    if !unstable.isEmpty {
      report.summary.append(
        "rounding decides elements of \(quoted(unstable)): as many may differ as the budget says")
    }
    let unsure = manifest.outputs.filter { $0.absolute > RecordReport.unsure * $0.largest }
    if !unsure.isEmpty {
      report.summary.append(
        "rounding alone may change \(quoted(unsure.map(\.output))) by more than a tenth: little can be "
          + "checked there")
    }
    if let old, old.digest != manifest.digest {
      report.summary.append("the model is another than the one that was recorded before")
    }
    report.tables = [budgetTable, measuredTable]
    report.cases = [
      ReportCase(
        suite: settings.model, name: "record", seconds: 0, verdict: .passed, message: "")
    ]
    report.result = json
    return report
  }

  private var digest: String {
    guard let old, old.digest != manifest.digest else { return manifest.digest }
    return "\(old.digest) -> \(manifest.digest)"
  }

  private var budgetTable: ReportTable {
    var columns: [ReportTable.Column] = [
      .name("output"), .init("type", .left, rank: 2), .init("largest", rank: 1),
      .init("worst run", key: "measured"), .init("simulated"),
    ]
    if old != nil { columns += [.init("was", key: "old_budget")] }
    columns += [.init("budget")]
    if old != nil { columns += [.init("changed by", key: "change")] }
    var table = ReportTable("How far outputs may be from what is recorded", columns)
    table.rows = manifest.outputs.map { budget in
      var row = [
        ReportCell(budget.output), ReportCell(budget.type), ReportCell(budget.largest),
        ReportCell(budget.measured.map(\.error).max()), ReportCell(budget.simulated),
      ]
      if let old { row.append(cell(old.budget(of: budget.output))) }
      row.append(cell(budget))
      if old != nil {
        row.append(changes[budget.output].map { $0 == 0 ? "0" : ReportCell($0) } ?? "new")
      }
      return row
    }
    return table
  }

  private func cell(_ budget: GoldenBudget?) -> ReportCell {
    guard let budget else { return "-" }
    return budget.differing > 0
      ? ReportCell("\(budget.differing) elements", raw: "\(budget.differing)")
      : ReportCell(budget.absolute)
  }

  private var measuredTable: ReportTable {
    var table = ReportTable(
      "Largest errors by how the model was run",
      [.name("run")] + manifest.outputs.map { .init($0.output, isName: true) })
    let names = manifest.outputs.first?.measured.map(\.name) ?? []
    table.rows = names.map { name in
      [ReportCell(name)]
        + manifest.outputs.map { budget in
          ReportCell(budget.measured.first { $0.name == name }?.error)
        }
    }
    return table
  }

  /// By `docs/schema/verify-1.schema.json`.
  private var json: JSON {
    var members: [JSON.Member] = [
      .init("directory", .string(settings.directory)), .init("goldens", manifest.json),
    ]
    if let old {
      members += [
        .init("old_digest", .string(old.digest)),
        .init(
          "changes",
          .array(
            manifest.outputs.map { budget in
              [
                "output": .string(budget.output),
                "old_atol": old.budget(of: budget.output).map { .number($0.absolute) } ?? .null,
                "atol": .number(budget.absolute),
                "change": changes[budget.output].map { .number($0) } ?? .null,
              ]
            })),
      ]
    }
    return .object(members)
  }
}
