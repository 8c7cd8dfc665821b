// DatasetReport: the figures of a data set, as a report.

import LeapTensors
import LeapstoneImage

struct DatasetReport {
  private let settings: DatasetSettings
  private let scores: [PictureScore]
  private let summary: DatasetSummary
  private let checks: DatasetChecks
  private let labels: ClassNames
  private let steps: String
  /// Pictures that an earlier call had done.
  private let resumed: Int

  private static let shownRows = 12

  init(
    _ settings: DatasetSettings, _ scores: [PictureScore], _ summary: DatasetSummary,
    _ checks: DatasetChecks, labels: ClassNames, steps: String, resumed: Int
  ) {
    self.settings = settings
    self.scores = scores
    self.summary = summary
    self.checks = checks
    self.labels = labels
    self.steps = steps
    self.resumed = resumed
  }

  /// - Throws: `ModelError.option` where the machine lacks the instruction set.
  func report() throws -> Report {
    var report = Report(command: "dataset", model: settings.model)
    report.verdict = checks.hold ? .passed : .failed
    report.facts = [
      (
        "pictures",
        "\(scores.count)" + (resumed > 0 ? ", \(resumed) of an earlier call" : "")
      ),
      ("prepared by", steps), ("engine", try settings.engine.description()),
    ]
    report.summary = summary.isMasks ? maskSentences : classSentences
    report.summary += checks.checks.map(\.text) + checks.notes
    report.tables =
      summary.isMasks
      ? [maskPictures, maskClasses] : [pictures, classTable, confusionTable]
    if !summary.isMasks, let svg = ConfusionChart(summary, labels)?.svg {
      report.figures = [("What (down) is taken for what (across).", svg)]
    }
    report.cases = checks.checks.map {
      ReportCase(
        suite: settings.model, name: $0.metric, seconds: 0,
        verdict: $0.holds ? .passed : .failed, message: $0.holds ? "" : $0.text)
    }
    if report.cases.isEmpty {
      report.cases = [
        ReportCase(
          suite: settings.model, name: "dataset", seconds: 0, verdict: .passed, message: "")
      ]
    }
    report.result = json
    return report
  }

  // MARK: sentences

  private var classSentences: [String] {
    func share(_ right: Int) -> String {
      let interval = Chance.interval(right, of: summary.pictures)
      let all = Double(max(summary.pictures, 1))
      return "\(fixed(Double(right) / all * 100, 1)) % (\(right) of \(summary.pictures); "
        + "\(fixed(interval.lowerBound * 100, 0)) to \(fixed(interval.upperBound * 100, 0)) % with 95 % "
        + "confidence)"
    }
    return ["top-1 \(share(summary.top1))", "top-5 \(share(summary.top5))"]
  }

  private var maskSentences: [String] {
    let figures = summary.metrics.map { name, value in
      "\(name.split(separator: "_").joined(separator: " ")) \(fixed(value * 100, 2)) %"
    }
    return ["\(counted(summary.pictures, "picture")): \(figures.joined(separator: ", "))"]
  }

  // MARK: classes

  private var pictures: ReportTable {
    var table = ReportTable(
      "Wrong predictions",
      [
        .name("picture"), .name("is"), .name("taken for"),
        .init("sure", key: "probability", rank: 1), .init("rank", rank: 2),
        .init("", key: "right", .left, rank: 3),
      ])
    table.shownRows = DatasetReport.shownRows
    for score in scores {
      guard case .classes(let truth, let best, let probability) = score.result else { continue }
      let rank = best.firstIndex(of: truth).map { $0 + 1 }
      table.rows.append([
        .file(score.file), ReportCell(labels.name(of: truth), raw: "\(truth)"),
        ReportCell(labels.name(of: best[0]), raw: "\(best[0])"),
        ReportCell(probability) { fixed($0, 3) },
        ReportCell(rank.map(String.init) ?? ">5", raw: rank.map(String.init) ?? ""),
        ReportCell(rank == 1 ? "right" : "wrong"),
      ])
    }
    let wrong = table.rows.filter { $0[5].text == "wrong" }
    table.relevantRows = wrong.count
    table.rows = wrong + table.rows.filter { $0[5].text == "right" }
    return table
  }

  private var classTable: ReportTable {
    var table = ReportTable(
      "Classes that are not always right, the worst first",
      [
        .name("class"), .init("pictures"), .init("top-1"), .init("top-5", rank: 1),
        .init("wrongly", rank: 1),
      ])
    table.shownRows = DatasetReport.shownRows
    let known = summary.classes.filter { $0.value.pictures > 0 }.sorted { a, b in
      let (x, y) = (
        Double(a.value.top1) / Double(a.value.pictures),
        Double(b.value.top1) / Double(b.value.pictures)
      )
      return x == y ? a.key < b.key : x < y
    }
    table.relevantRows = known.count { $0.value.top1 < $0.value.pictures }
    table.rows = known.map { number, own in
      func share(_ count: Int) -> ReportCell {
        let value = Double(count) / Double(own.pictures)
        return ReportCell("\(fixed(value * 100, 1)) %", raw: "\(value)")
      }
      return [
        ReportCell(labels.name(of: number), raw: "\(number)"), ReportCell(own.pictures),
        share(own.top1), share(own.top5), ReportCell(own.wrongly),
      ]
    }
    return table
  }

  private var confused: [(key: DatasetSummary.Confusion, count: Int)] {
    summary.confusions.filter { $0.key.truth != $0.key.predicted }
      .sorted { a, b in
        a.value == b.value
          ? (a.key.truth, a.key.predicted) < (b.key.truth, b.key.predicted) : a.value > b.value
      }.map { ($0.key, $0.value) }
  }

  private var confusionTable: ReportTable {
    var table = ReportTable(
      "What is taken for what", [.name("is"), .name("taken for"), .init("pictures")])
    table.shownRows = DatasetReport.shownRows
    table.rows = confused.map { key, count in
      [
        ReportCell(labels.name(of: key.truth)), ReportCell(labels.name(of: key.predicted)),
        ReportCell(count),
      ]
    }
    return table
  }

  // MARK: masks

  private func percent(_ value: Double?) -> ReportCell {
    value.map { ReportCell("\(fixed($0 * 100, 2)) %", raw: "\($0)") } ?? ReportCell("-", raw: "")
  }

  private var maskPictures: ReportTable {
    var table = ReportTable(
      "Pictures, the worst first",
      [
        .name("picture"), .init("mean IoU"), .init("mean Dice", rank: 1),
        .init("pixels right", key: "pixel_accuracy", rank: 1),
      ])
    table.shownRows = DatasetReport.shownRows
    let counted = scores.compactMap { score -> (String, MaskCounts)? in
      if case .mask(let counts) = score.result { (score.file, counts) } else { nil }
    }.sorted { ($0.1.meanIoU ?? 1) < ($1.1.meanIoU ?? 1) }
    table.rows = counted.map { file, counts in
      [
        .file(file), percent(counts.meanIoU), percent(counts.meanDice),
        percent(counts.pixelAccuracy),
      ]
    }
    return table
  }

  private var maskClasses: ReportTable {
    var table = ReportTable(
      "Classes",
      [
        .name("class"), .init("IoU"), .init("Dice"),
        .init("pixels expected", key: "expected", rank: 1),
        .init("pixels found", key: "found", rank: 1),
      ])
    let seen = summary.masks.classes.enumerated().filter {
      $0.element.found + $0.element.expected > 0
    }
    table.rows = seen.map { number, own in
      [
        ReportCell(labels.name(of: number), raw: "\(number)"), percent(own.iou), percent(own.dice),
        ReportCell(own.expected), ReportCell(own.found),
      ]
    }
    return table
  }

  // MARK: JSON

  /// By `docs/schema/verify-1.schema.json`.
  private var json: JSON {
    var members: [JSON.Member] = [
      .init("pictures", .integer(summary.pictures)), .init("prepared_by", .string(steps)),
      .init("metrics", .object(summary.metrics.map { .init($0.name, .number($0.value)) })),
      .init(
        "checks",
        .array(
          checks.checks.map {
            [
              "metric": .string($0.metric), "value": .number($0.value), "limit": .number($0.limit),
              "origin": .string($0.origin), "verdict": .string($0.holds ? "passed" : "failed"),
            ]
          })),
    ]
    if summary.isMasks {
      members.append(
        .init(
          "mask_classes",
          .array(
            summary.masks.classes.enumerated().map { number, own in
              [
                "class": .integer(number), "label": label(number),
                "iou": own.iou.map { .number($0) } ?? .null,
                "dice": own.dice.map { .number($0) } ?? .null,
                "expected": .integer(own.expected), "found": .integer(own.found),
                "both": .integer(own.both),
              ]
            })))
    } else {
      members += [
        .init(
          "classes",
          .array(
            summary.classes.sorted { $0.key < $1.key }.map { number, own in
              [
                "class": .integer(number), "label": label(number),
                "pictures": .integer(own.pictures), "top1": .integer(own.top1),
                "top5": .integer(own.top5), "wrongly": .integer(own.wrongly),
              ]
            })),
        .init(
          "confusion",
          .array(
            summary.confusions.sorted {
              ($0.key.truth, $0.key.predicted) < ($1.key.truth, $1.key.predicted)
            }.map { key, count in
              [
                "truth": .integer(key.truth), "predicted": .integer(key.predicted),
                "pictures": .integer(count),
              ]
            })),
      ]
    }
    members.append(.init("scores", .array(scores.map(\.json))))
    return .object(members)
  }

  private func label(_ number: Int) -> JSON {
    labels.names.indices.contains(number) ? .string(labels.names[number]) : .null
  }
}

/// The confusion matrix, as an SVG for pages.
struct ConfusionChart {
  private let numbers: [Int]
  private let summary: DatasetSummary
  private let labels: ClassNames

  /// More classes than this make no picture.
  private static let limit = 100

  /// nil where there are too many classes.
  init?(_ summary: DatasetSummary, _ labels: ClassNames) {
    var numbers: Set<Int> = []
    for key in summary.confusions.keys { numbers.formUnion([key.truth, key.predicted]) }
    guard (1...ConfusionChart.limit).contains(numbers.count) else { return nil }
    self.numbers = numbers.sorted()
    self.summary = summary
    self.labels = labels
  }

  var svg: String {
    let side = max(8, min(28, 640 / numbers.count))
    let (left, size) = (64, side * numbers.count)
    var text =
      "<svg viewBox=\"0 0 \(left + size + 4) \(size + 24)\" width=\"\(left + size + 4)\" role=\"img\">\n"
    var places: [Int: Int] = [:]
    for (place, number) in numbers.enumerated() { places[number] = place }
    for (key, count) in summary.confusions.sorted(by: {
      ($0.key.truth, $0.key.predicted) < ($1.key.truth, $1.key.predicted)
    }) {
      guard let row = places[key.truth], let column = places[key.predicted] else { continue }
      let all = summary.classes[key.truth]?.pictures ?? 1
      let share = Double(count) / Double(max(all, 1))
      let color = key.truth == key.predicted ? "#2da44e" : "#cf222e"
      text += "<rect x=\"\(left + column * side)\" y=\"\(20 + row * side)\" width=\"\(side - 1)\" "
      text +=
        "height=\"\(side - 1)\" fill=\"\(color)\" fill-opacity=\"\(fixed(0.2 + 0.8 * share, 2))\">"
      text += "<title>\(markup(labels.name(of: key.truth))) as "
      text += "\(markup(labels.name(of: key.predicted))): \(count)</title></rect>\n"
    }
    if side >= 12 {
      for (place, number) in numbers.enumerated() {
        text +=
          "<text x=\"\(left - 6)\" y=\"\(20 + place * side + side / 2 + 4)\" text-anchor=\"end\">"
        text += "\(number)</text>\n"
        text += "<text x=\"\(left + place * side + side / 2)\" y=\"14\" text-anchor=\"middle\">"
        text += "\(number)</text>\n"
      }
    }
    return text + "</svg>"
  }
}
