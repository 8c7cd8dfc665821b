// CompareReport: two models beside each other, as a report.

import LeapTensors
import LeapstoneImage

struct CompareReport {
  private let settings: CompareSettings
  private let totals: [OutputTotals]
  private let predictions: [PredictionPair]
  private let sets: Int
  private let labels: ClassNames
  private let hasTruth: Bool

  /// Changed predictions that a terminal shows.
  private static let shownChanges = 20
  /// What is taken for no chance any more.
  private static let significance = 0.05

  init(
    _ settings: CompareSettings, _ totals: [OutputTotals], _ predictions: [PredictionPair],
    sets: Int, labels: ClassNames, hasTruth: Bool
  ) {
    self.settings = settings
    self.totals = totals
    self.predictions = predictions
    self.sets = sets
    self.labels = labels
    self.hasTruth = hasTruth
  }

  /// - Throws: `ModelError.option` where the machine lacks the instruction set; `ToolError` where an agreement is asked for
  ///   and nothing can agree.
  func report() throws -> Report {
    var report = Report(command: "compare", model: settings.model)
    let failures = totals.flatMap(\.failures)
    let agreement = try agreementCheck()
    report.verdict = failures.isEmpty && agreement?.holds ?? true ? .passed : .failed
    report.facts = [
      ("against", settings.against), ("engine", try settings.engine.description()),
      ("sets", "\(sets)"),
    ]
    report.summary = sentences + (agreement.map { [$0.text] } ?? [])
    report.tables = [outputTable] + (changed.isEmpty ? [] : [changeTable])
    report.details = totals.flatMap { output in
      output.failures.prefix(10).map { set, message in
        "\(Verdict.failed.word) \(set), output '\(output.new)'\n  "
          + message.split(separator: "\n").joined(separator: "\n  ")
      }
    }
    report.cases = totals.map { output in
      ReportCase(
        suite: settings.model, name: output.new, seconds: 0,
        verdict: output.failures.isEmpty ? .passed : .failed,
        message: output.failures.map { "\($0.set): \($0.message)" }.joined(separator: "\n"))
    }
    if let agreement {
      report.cases.append(
        ReportCase(
          suite: settings.model, name: "agreement", seconds: 0,
          verdict: agreement.holds ? .passed : .failed, message: agreement.text))
    }
    report.result = json(agreement)
    return report
  }

  private var changed: [PredictionPair] { predictions.filter(\.isChanged) }

  private func share(_ count: Int, _ all: Int) -> String {
    "\(count) of \(all) (\(fixed(Double(count) / Double(max(all, 1)) * 100, 1)) %)"
  }

  // MARK: sentences

  private var sentences: [String] {
    var sentences = [first]
    if let judgement { sentences.append(judgement) }
    return sentences
  }

  private var first: String {
    if totals.allSatisfy({ $0.identical == $0.sets && $0.failures.isEmpty }) {
      return "identical: \(counted(totals.count, "output")) of \(counted(sets, "set"))"
    }
    if !predictions.isEmpty {
      let same = predictions.count - changed.count
      return "the best class is the same for \(share(same, predictions.count))"
    }
    let worst = totals.max { ($1.sums.snr ?? .infinity) < ($0.sums.snr ?? .infinity) }
    let iou = totals.compactMap(\.masks.meanIoU).min()
    let masks = iou.map { "; masks: mean intersection over union \(fixed($0, 4))" } ?? ""
    guard let worst else { return "nothing was compared" }
    return "largest error \(significant(worst.largest)), SNR "
      + (worst.sums.snr.map(decibels) ?? "none") + masks
  }

  /// Who is right, where the truth is known.
  private var counts: (both: Int, better: Int, worse: Int, neither: Int)? {
    guard hasTruth, !predictions.isEmpty else { return nil }
    var counts = (both: 0, better: 0, worse: 0, neither: 0)
    for pair in predictions {
      switch (pair.new.best == pair.truth, pair.old.best == pair.truth) {
      case (true, true): counts.both += 1
      case (true, false): counts.better += 1
      case (false, true): counts.worse += 1
      case (false, false): counts.neither += 1
      }
    }
    return counts
  }

  private var judgement: String? {
    guard let counts else { return nil }
    let (old, new) = (counts.both + counts.worse, counts.both + counts.better)
    let chance = Chance.mcNemar(better: counts.better, worse: counts.worse)
    let verdict =
      counts.better + counts.worse == 0
      ? "no prediction became right or wrong"
      : chance < CompareReport.significance
        ? "that exceeds chance (McNemar, p = \(significant(chance)))"
        : "no more than chance (McNemar, p = \(significant(chance)))"
    return "right were \(old), are \(new) of \(predictions.count): \(counts.better) better, "
      + "\(counts.worse) worse; \(verdict)"
  }

  // MARK: checks

  private struct AgreementCheck {
    let value: Double
    let limit: Double
    let text: String
    var holds: Bool { value >= limit }
  }

  private func agreementCheck() throws -> AgreementCheck? {
    guard let limit = settings.minimalAgreement else { return nil }
    let (value, what): (Double, String)
    if !predictions.isEmpty {
      value = Double(predictions.count - changed.count) / Double(predictions.count)
      what = "same best classes"
    } else if let iou = totals.compactMap(\.masks.meanIoU).min() {
      (value, what) = (iou, "mean intersection over union")
    } else {
      throw ToolError.usage("--min-agreement: no output holds classes or masks that could agree")
    }
    let percent = { (share: Double) in "\(fixed(share * 100, 2)) %" }
    return AgreementCheck(
      value: value, limit: limit,
      text: "\(what): \(percent(value)), \(value >= limit ? "at least" : "less than") the "
        + "\(percent(limit)) asked for")
  }

  // MARK: tables

  private var outputTable: ReportTable {
    var table = ReportTable(
      "",
      [
        .name("output"), .name("old output", rank: 4), .init("identical", rank: 3),
        .init("max error"), .init("mean", rank: 2), .init("SNR", key: "snr_db"),
        .init("cosine", rank: 5), .init("top-1"), .init("top-5", rank: 1),
        .init("mean IoU", key: "mean_iou"), .init("", key: "verdict", .left),
      ])
    table.rows = totals.map { output in
      let top = output.agreement
      func share(_ count: Int) -> ReportCell {
        top.rows > 0
          ? ReportCell(
            "\(fixed(Double(count) / Double(top.rows) * 100, 1)) %",
            raw: "\(Double(count) / Double(top.rows))")
          : ""
      }
      return [
        ReportCell(output.new),
        ReportCell(output.old == output.new ? "" : output.old, raw: output.old),
        ReportCell("\(output.identical)/\(output.sets)"), ReportCell(output.largest),
        ReportCell(output.sums.meanError),
        output.sums.noise == 0 && output.sums.count > 0
          ? ReportCell("exact", raw: "") : ReportCell(output.sums.snr, decibels),
        ReportCell(output.sums.cosine) { fixed($0, 8) }, share(top.top1), share(top.top5),
        ReportCell(output.masks.meanIoU) { fixed($0, 4) },
        ReportCell(output.failures.isEmpty ? .passed : .failed),
      ]
    }
    return table
  }

  private var changeTable: ReportTable {
    var columns: [ReportTable.Column] = [.name("picture")]
    if hasTruth {
      columns += [.init("truth", .left, rank: 1, isName: true), .init("", key: "judgement", .left)]
    }
    columns += [
      .name("was"), .init("margin", key: "old_margin"), .name("is"),
      .init("margin", key: "new_margin"),
    ]
    var table = ReportTable("Changed predictions, those first that were surest", columns)
    table.shownRows = CompareReport.shownChanges
    // Where the old model was surest, first.
    for pair in changed.sorted(by: { $0.old.margin > $1.old.margin }) {
      var row = [ReportCell.file(pair.name)]
      if hasTruth {
        let word =
          pair.new.best == pair.truth ? "better" : pair.old.best == pair.truth ? "worse" : "other"
        row += [ReportCell(pair.truth.map(labels.name) ?? ""), ReportCell(word)]
      }
      row += [
        ReportCell(labels.name(of: pair.old.best)), ReportCell(pair.old.margin) { fixed($0, 3) },
        ReportCell(labels.name(of: pair.new.best)), ReportCell(pair.new.margin) { fixed($0, 3) },
      ]
      table.rows.append(row)
    }
    return table
  }

  // MARK: JSON

  /// By `docs/schema/verify-1.schema.json`.
  private func json(_ agreement: AgreementCheck?) -> JSON {
    var members: [JSON.Member] = [
      .init("against", .string(settings.against)), .init("sets", .integer(sets)),
      .init("outputs", .array(totals.map(\.json))),
      .init("predictions", .integer(predictions.count)),
      .init("changed", .array(changed.map { $0.json(labels) })),
    ]
    if let counts {
      members.append(
        .init(
          "truth",
          [
            "both_right": .integer(counts.both), "better": .integer(counts.better),
            "worse": .integer(counts.worse), "both_wrong": .integer(counts.neither),
            "p": .number(Chance.mcNemar(better: counts.better, worse: counts.worse)),
          ]))
    }
    if let agreement {
      members.append(
        .init(
          "agreement_check",
          [
            "value": .number(agreement.value), "limit": .number(agreement.limit),
            "verdict": .string(agreement.holds ? "passed" : "failed"),
          ]))
    }
    return .object(members)
  }
}
