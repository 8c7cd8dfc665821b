// CheckReport: outcomes of `onnx-verify check` as a report.

import LeapTensors
import LeapstoneImage

struct CheckReport {
  private let settings: CheckSettings
  private let outcomes: [ModelOutcome]
  private let isTree: Bool
  /// How many models there are; fewer were checked where the first failure ended it.
  private let known: Int

  /// Rows that a terminal shows: those of failures come first where there are more.
  private static let shownRows = 60

  init(_ settings: CheckSettings, _ outcomes: [ModelOutcome], isTree: Bool, known: Int) {
    self.settings = settings
    self.outcomes = outcomes
    self.isTree = isTree
    self.known = known
  }

  /// - Throws: `ModelError.option` where the machine lacks the instruction set.
  func report() throws -> Report {
    var report = Report(command: "check", model: settings.model)
    report.verdict = outcomes.map(\.verdict).max() ?? .passed
    report.summary = summary
    if !isTree {
      report.facts.append(("data", settings.data ?? "beside the model"))
      if let text = outcomes.first?.goldensText { report.facts.append(("goldens", text)) }
    }
    report.facts.append(("engine", try settings.engine.description()))
    report.tables = [table]
    report.details = details
    report.cases = outcomes.flatMap(cases)
    report.result = ["models": .array(outcomes.map(\.json))]
    return report
  }

  // MARK: summary

  private var summary: [String] {
    var sentences = [isTree ? treeSummary : outputSummary]
    let skipped = outcomes.filter(\.isSkipped).map(\.model)
    if !skipped.isEmpty {
      sentences.append("no data lie beside \(quoted(skipped))")
    }
    let changed = outcomes.filter { $0.goldens?.isUnchanged == false }.map(\.model)
    if !changed.isEmpty {
      sentences.append("changed since goldens were recorded: \(quoted(changed))")
    }
    let uncompared = outcomes.flatMap(\.sets).flatMap(\.uncompared)
    if !uncompared.isEmpty {
      let names = Set(uncompared).sorted()
      sentences.append(
        "nothing to compare with: \(counted(uncompared.count, "output")) of the sets, "
          + quoted(names))
    }
    if outcomes.count < known {
      sentences.append("stopped at the first failure: \(known - outcomes.count) models are left")
    }
    return sentences
  }

  private var treeSummary: String {
    let checked = outcomes.filter { !$0.isSkipped }
    func count(_ verdict: Verdict) -> Int { checked.count { $0.verdict == verdict } }
    let passed = count(.passed)
    var parts = [
      "\(passed) of \(counted(checked.count, "model")) \(passed == 1 ? "passes" : "pass")"
    ]
    if count(.failed) > 0 {
      parts.append("\(count(.failed)) \(count(.failed) == 1 ? "gives" : "give") other outputs")
    }
    if count(.error) > 0 { parts.append("\(count(.error)) cannot be checked") }
    return parts.joined(separator: ", ")
  }

  private var outputSummary: String {
    let sets = outcomes.flatMap(\.sets)
    let outputs = sets.flatMap(\.outputs)
    let failed = outputs.count { $0.verdict != .passed }
    let errors = sets.count { $0.failure != nil }
    let what = "\(counted(outputs.count, "output")) of \(counted(sets.count, "set"))"
    if errors > 0 { return "\(counted(errors, "set")) of \(sets.count) cannot be run" }
    return failed == 0
      ? "\(what): all within tolerance"
      : "\(what): \(failed == 1 ? "one is" : "\(failed) are") beyond tolerance"
  }

  // MARK: details

  private var details: [String] {
    outcomes.flatMap { model -> [String] in
      let head = isTree ? "\(shown(model)), " : ""
      if let failure = model.failure, !model.isSkipped {
        return ["\(Verdict.error.word) \(shown(model))\n\(indented(failure))"]
      }
      return model.sets.flatMap { set -> [String] in
        if let failure = set.failure {
          return ["\(Verdict.error.word) \(head)\(set.name)\n\(indented(failure))"]
        }
        return set.outputs.filter { $0.verdict != .passed }.map { output in
          "\(output.verdict.word) \(head)\(set.name), output '\(output.name)' (\(output.expected))\n"
            + indented(output.message)
        }
      }
    }
  }

  private func indented(_ text: String) -> String {
    text.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
  }

  // MARK: table

  private var table: ReportTable {
    var columns: [ReportTable.Column] = isTree ? [.name("model")] : []
    columns += [
      .name("set"), .name("output"),
      .init("expected", .left, rank: 7), .init("max error"), .init("mean", rank: 3),
      .init("median", rank: 9), .init("99 %", key: "p99", rank: 6), .init("rms", rank: 10),
      .init("max ULP", rank: 5), .init("SNR", key: "snr_db", rank: isTree ? 0 : 1),
      .init("PSNR", key: "psnr_db", rank: 11), .init("cosine", rank: 12),
      .init("NaN", rank: 2), .init("infinite", rank: 8), .init("top-1", rank: 2),
      .init("top-5", rank: 8), .init("outside", rank: 8), .init("tolerance", .left, rank: 8),
      .init("", key: "verdict", .left),
    ]
    var table = ReportTable("", columns)
    for model in outcomes where !model.isSkipped { table.rows += rows(of: model) }
    if table.rows.count > CheckReport.shownRows {
      table.shownRows = CheckReport.shownRows
      let failed = table.rows.filter { ($0.last?.verdict ?? .passed) != .passed }
      table.rows = failed + table.rows.filter { ($0.last?.verdict ?? .passed) == .passed }
    }
    return table
  }

  private func rows(of model: ModelOutcome) -> [[ReportCell]] {
    let head = isTree ? [ReportCell(shown(model), raw: model.model)] : []
    let blanks = [ReportCell](repeating: "", count: 16)
    if model.failure != nil { return [head + ["", ""] + blanks + [ReportCell(model.verdict)]] }
    return model.sets.flatMap { set -> [[ReportCell]] in
      let place = head + [ReportCell(set.name)]
      if set.failure != nil { return [place + [""] + blanks + [ReportCell(set.verdict)]] }
      return set.outputs.map { place + $0.cells }
    }
  }

  /// A model's path from the directory on.
  private func shown(_ model: ModelOutcome) -> String {
    let root = settings.model.hasSuffix("/") ? settings.model : settings.model + "/"
    return model.model.hasPrefix(root)
      ? String(model.model.dropFirst(root.count)) : model.model
  }

  private func cases(of model: ModelOutcome) -> [ReportCase] {
    if model.isSkipped { return [] }
    if let failure = model.failure {
      return [
        ReportCase(
          suite: model.model, name: "load", seconds: 0, verdict: .error, message: failure)
      ]
    }
    return model.sets.flatMap { set -> [ReportCase] in
      if let failure = set.failure {
        return [
          ReportCase(
            suite: model.model, name: set.name, seconds: 0, verdict: .error, message: failure)
        ]
      }
      return set.outputs.map {
        ReportCase(
          suite: model.model, name: "\(set.name): \($0.name)",
          seconds: set.seconds / Double(set.outputs.count), verdict: $0.verdict, message: $0.message
        )
      }
    }
  }
}

/// Decibels for people.
func decibels(_ value: Double) -> String { "\(fixed(value, 1)) dB" }

extension OutputComparison {
  /// A row's cells from the output's name on.
  fileprivate var cells: [ReportCell] {
    let error = difference
    func share(_ count: Int?) -> ReportCell {
      guard let agreement, let count else { return "" }
      return ReportCell("\(count)/\(agreement.rows)")
    }
    func some(_ count: Int?) -> ReportCell {
      ReportCell((count ?? 0) > 0 ? "\(count ?? 0)" : "", raw: count.map(String.init) ?? "")
    }
    let snr =
      error.map { $0.differing == 0 ? ReportCell("exact", raw: "") : ReportCell($0.snr, decibels) }
    return [
      ReportCell(name), ReportCell(expected), ReportCell(error?.maximalError),
      ReportCell(error?.meanError), ReportCell(error?.medianError), ReportCell(error?.percentile99),
      ReportCell(error?.rms), ReportCell(error?.ulp), snr ?? "",
      ReportCell(error?.psnr, decibels), ReportCell(error?.cosine) { fixed($0, 8) },
      some(error?.gotNaN), some(error?.gotInfinite), share(agreement?.top1),
      share(agreement?.top5), some(error == nil ? nil : outside), ReportCell(tolerance?.text ?? ""),
      ReportCell(verdict),
    ]
  }
}

extension ModelOutcome {
  /// What was recorded, for people.
  fileprivate var goldensText: String? {
    goldens.map { manifest, isUnchanged in
      "by Leapstone \(manifest.version) on \(manifest.instructionSet); the model "
        + (isUnchanged ? "is the same" : "is another: it had \(manifest.digest)")
    }
  }

  /// By `docs/schema/verify-1.schema.json`.
  fileprivate var json: JSON {
    var members: [JSON.Member] = [
      .init("model", .string(model)),
      .init("verdict", .string(isSkipped ? "skipped" : verdict.name)),
      .init("sets", .array(sets.map(\.json))),
    ]
    if let (manifest, isUnchanged) = goldens {
      members.append(
        .init(
          "goldens",
          [
            "version": .string(manifest.version),
            "instruction_set": .string(manifest.instructionSet),
            "model_digest": .string(manifest.digest), "unchanged": .bool(isUnchanged),
          ]))
    }
    if let failure { members.append(.init("message", .string(failure))) }
    return .object(members)
  }
}

extension SetOutcome {
  fileprivate var json: JSON {
    var members: [JSON.Member] = [
      .init("set", .string(name)), .init("verdict", .string(verdict.name)),
      .init("ms", .number(seconds * 1000)), .init("outputs", .array(outputs.map(\.json))),
    ]
    if !uncompared.isEmpty {
      members.append(.init("without_expectation", .array(uncompared.map { .string($0) })))
    }
    if let failure { members.append(.init("message", .string(failure))) }
    return .object(members)
  }
}
