// BisectReport: a measurement and what is to blame, as a report.

import LeapTensors
import LeapstoneImage

struct BisectReport {
  private let settings: BisectSettings
  private let measurement: Measurement
  private let culprit: Culprit?

  /// Steps that a terminal shows.
  private static let shownSteps = 8

  init(_ settings: BisectSettings, _ measurement: Measurement, _ culprit: Culprit?) {
    self.settings = settings
    self.measurement = measurement
    self.culprit = culprit
  }

  /// - Throws: `ModelError.option` where the machine lacks the instruction set.
  func report() throws -> Report {
    var report = Report(command: "bisect", model: settings.model)
    report.verdict = isSound ? .passed : .failed
    report.summary = [culprit?.sentence ?? (isSound ? calm : uncomparable)]
    if let culprit { report.summary += culprit.explanation }
    report.details = measurement.mismatches.map {
      "\(Verdict.failed.word) '\($0.value)'\n  is \($0.got); the reference has \($0.expected)"
    }
    report.facts = [
      ("engine", try settings.engine.description()), ("against", against),
      ("compared", compared),
    ]
    if let note = measurement.note { report.facts.append(("note", note)) }
    for output in measurement.outputs {
      report.facts.append(
        ("output", "'\(output.name)' " + (output.drift?.text ?? "not compared")))
    }
    report.tables = [stepTable] + (culprit.map { [variationTable($0)] } ?? [])
    report.figures = [
      (
        "Decibels that each value keeps, in the order of the plan: of the step by itself (dots) and "
          + "with all that went before (line).", DriftChart(measurement, culprit?.value).svg
      )
    ]
    report.cases = [
      ReportCase(
        suite: settings.model, name: "drift", seconds: 0, verdict: report.verdict,
        message: isSound
          ? "" : (report.summary + report.details).joined(separator: "\n"))
    ]
    report.result = json
    return report
  }

  /// Outputs that no step accounts for: only of a reference that was given.
  private var drifting: [(name: String, drift: Drift)] {
    isExact || culprit != nil ? [] : measurement.driftingOutputs
  }

  private var isSound: Bool {
    culprit == nil && measurement.mismatches.isEmpty && drifting.isEmpty
  }

  /// What is wrong where no step is to blame.
  private var uncomparable: String {
    var parts: [String] = []
    if !measurement.mismatches.isEmpty {
      parts.append(
        "\(counted(measurement.mismatches.count, "value")) of another shape or type in the reference: "
          + quoted(measurement.mismatches.map(\.value)))
    }
    parts += drifting.map {
      "output '\($0.name)' drifts (\($0.drift.text)), but no step that was compared does"
    }
    return parts.joined(separator: "; ")
  }

  private var against: String {
    switch settings.reference {
    case .float64: "the model in float64, without passes"
    case .archive(let path), .model(let path): path
    }
  }

  private var isExact: Bool { if case .float64 = settings.reference { true } else { false } }

  private var compared: String {
    let count = measurement.steps.count { $0.total != nil || $0.own != nil }
    let rest = measurement.steps.count - count
    return "\(counted(count, "value")) of \(counted(measurement.steps.count, "step"))"
      + (rest == 0 || isExact ? "" : "; the rest is not in the reference")
  }

  private var ranked: [MeasuredStep] {
    measurement.steps.sorted { a, b in
      func snr(_ step: MeasuredStep) -> Double {
        (isExact ? step.own : step.total)?.snr ?? .infinity
      }
      return (snr(a), a.number) < (snr(b), b.number)
    }
  }

  private var calm: String {
    guard let worst = ranked.first, let drift = isExact ? worst.own : worst.total else {
      return "no drift: of the values that steps compute none was compared, of the outputs "
        + "\(measurement.outputs.count { $0.drift != nil })"
    }
    return
      "no drift: the worst of \(counted(measurement.steps.count, "step")) is '\(worst.name)' with "
      + "\(worst.algorithm): \(drift.text)"
  }

  // MARK: tables

  private var stepTable: ReportTable {
    var table = ReportTable(
      "Steps, the worst first",
      [
        .init("step"), .name("node"), .init("operator", .left, rank: 2),
        .init("algorithm", .left, rank: 1), .name("value", rank: 4),
        .init("own", key: "own_snr_db"), .init("total", key: "total_snr_db"),
        .init("max error", rank: 5), .init("peak", rank: 6), .init("type", .left, rank: 7),
      ])
    table.shownRows = BisectReport.shownSteps
    func cell(_ drift: Drift?) -> ReportCell {
      drift.map { ReportCell($0.text, raw: "\($0.snr)") } ?? ""
    }
    table.rows = ranked.map { step in
      let drift = step.own ?? step.total
      return [
        ReportCell(step.number), ReportCell(step.name), ReportCell(step.operatorType),
        ReportCell(step.algorithm), ReportCell(step.value), cell(step.own), cell(step.total),
        ReportCell(drift?.largest), ReportCell(drift?.peak), ReportCell("\(step.dataType)"),
      ]
    }
    return table
  }

  private func variationTable(_ culprit: Culprit) -> ReportTable {
    var table = ReportTable(
      "'\(culprit.node)' run in other ways",
      [
        .init("changed", .left), .init("own"), .init("total"), .init("", key: "helps", .left),
        .init("note", .left, rank: 1, isName: true),
      ])
    table.rows = culprit.variations.map { variation in
      [
        ReportCell(variation.flags), ReportCell(variation.own?.text ?? ""),
        ReportCell(variation.total?.text ?? ""),
        ReportCell(variation.helps ? "good" : variation.failure == nil ? "as bad" : "-"),
        ReportCell(variation.failure ?? ""),
      ]
    }
    return table
  }

  // MARK: JSON

  /// By `docs/schema/verify-1.schema.json`.
  private var json: JSON {
    func drift(_ drift: Drift?) -> JSON { drift?.json ?? .null }
    var members: [JSON.Member] = [
      .init("against", .string(against)),
      .init(
        "outputs",
        .array(
          measurement.outputs.map { ["output": .string($0.name), "drift": drift($0.drift)] })),
      .init(
        "steps",
        .array(
          measurement.steps.map { step in
            [
              "step": .integer(step.number), "node": .string(step.name),
              "operator": .string(step.operatorType), "algorithm": .string(step.algorithm),
              "value": .string(step.value), "own": drift(step.own), "total": drift(step.total),
            ]
          })),
    ]
    if !measurement.mismatches.isEmpty {
      members.append(
        .init(
          "mismatches",
          .array(
            measurement.mismatches.map {
              [
                "value": .string($0.value), "got": .string($0.got),
                "expected": .string($0.expected),
              ]
            })))
    }
    if let note = measurement.note { members.append(.init("note", .string(note))) }
    if let culprit { members.append(.init("culprit", culprit.json)) }
    return .object(members)
  }
}

extension Culprit {
  private func level(_ snr: Double) -> String {
    snr >= Suspicion.exact ? "exact" : snr == -.infinity ? "nothing" : decibels(snr)
  }

  /// `Conv_41 with winograd4: SNR falls from 128 dB to 62 dB; direct: 127 dB`.
  var sentence: String {
    if kind == .copy {
      return "the \(algorithm) of '\(value)', which '\(node)' makes: not what it copies"
    }
    let isExact = before >= Suspicion.exact
    let fall =
      isExact ? "SNR is \(level(after))" : "SNR falls from \(level(before)) to \(level(after))"
    let better = variations.filter(\.helps).sorted { rank($0) < rank($1) }.prefix(2).map {
      "\($0.words): \($0.total?.text ?? $0.own?.text ?? "good")"
    }
    return (["'\(node)' with \(algorithm): \(fall)"] + better).joined(separator: "; ")
  }

  /// What to say first of what helps.
  private func rank(_ variation: Variation) -> Int {
    switch (variation.kind, kind) {
    case (.threads, .threads), (.noReuse, .reuse), (.allPasses, .pass): 0
    case (.algorithm, .kernel): 1
    case (.instructionSet, .kernel): 2
    case (.allPasses, _): 5
    default: 4
    }
  }

  /// What is to blame, in sentences.
  var explanation: [String] {
    switch kind {
    case .kernel:
      let sets = variations.contains {
        if case .instructionSet = $0.kind { $0.helps } else { false }
      }
      let others = variations.contains { if case .algorithm = $0.kind { $0.helps } else { false } }
      let tried = variations.contains { if case .algorithm = $0.kind { true } else { false } }
      if sets, tried, !others {
        return [
          "to blame: the arithmetic of this instruction set in \(operatorType), whose every algorithm is as "
            + "bad; or a sum that any rounding changes much"
        ]
      }
      var text = "to blame: the kernel \(algorithm) of \(operatorType)"
      if sets { text += others ? ", on this instruction set" : ": other instruction sets are good" }
      return [text]
    case .pass:
      return ["to blame: the pass \(pass ?? ""), which changed '\(node)'"]
    case .threads: return ["to blame: the number of threads, in \(algorithm) of \(operatorType)"]
    case .reuse: return ["to blame: memory that is reused, at '\(node)'"]
    case .copy: return ["to blame: the \(algorithm) between layouts"]
    case .stretch:
      return [
        "to blame: this step, or one of those before it whose values the reference does not have"
      ]
    case .step where !isOwn:
      return ["to blame: \(operatorType), in the graph of a node, where nothing else is tried"]
    case .step:
      return [
        "to blame: \(operatorType) itself, in every way it can be run; or what the model asks of it"
      ]
    }
  }

  /// By `docs/schema/verify-1.schema.json`.
  var json: JSON {
    [
      "kind": .string(kind.rawValue), "node": .string(node), "operator": .string(operatorType),
      "algorithm": .string(algorithm), "value": .string(value),
      "pass": pass.map { .string($0) } ?? .null,
      "before_snr_db": before.isFinite ? .number(before) : .null,
      "after_snr_db": after.isFinite ? .number(after) : .null,
      "variations": .array(
        variations.map { variation in
          var members: [JSON.Member] = [
            .init("changed", .string(variation.flags)), .init("helps", .bool(variation.helps)),
            .init("own", variation.own?.json ?? .null),
            .init("total", variation.total?.json ?? .null),
          ]
          if let failure = variation.failure { members.append(.init("message", .string(failure))) }
          return .object(members)
        }),
    ]
  }
}
