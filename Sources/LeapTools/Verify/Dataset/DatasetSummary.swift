// DatasetSummary: the figures of a data set, what they are held to, and what is recorded of them.

import LeapTensors
import Leapstone
import LeapstoneImage

struct DatasetSummary: Sendable {
  /// One class of a classifier.
  struct Class: Sendable {
    var pictures = 0
    var top1 = 0
    var top5 = 0
    /// Pictures of other classes that were taken for it.
    var wrongly = 0
  }

  let pictures: Int
  private(set) var top1 = 0
  private(set) var top5 = 0
  private(set) var classes: [Int: Class] = [:]
  /// How often one class was taken for another.
  private(set) var confusions: [Confusion: Int] = [:]
  private(set) var masks = MaskCounts()
  let isMasks: Bool

  struct Confusion: Hashable, Sendable {
    let truth: Int
    let predicted: Int
  }

  init(_ scores: [PictureScore]) {
    pictures = scores.count
    isMasks = scores.contains { if case .mask = $0.result { true } else { false } }
    for score in scores {
      switch score.result {
      case .mask(let counts): masks.add(counts)
      case .classes(let truth, let best, _):
        let isBest = best.first == truth
        classes[truth, default: Class()].pictures += 1
        if isBest {
          top1 += 1
          classes[truth, default: Class()].top1 += 1
        } else if let taken = best.first {
          classes[taken, default: Class()].wrongly += 1
        }
        if best.contains(truth) {
          top5 += 1
          classes[truth, default: Class()].top5 += 1
        }
        confusions[Confusion(truth: truth, predicted: best.first ?? -1), default: 0] += 1
      }
    }
  }

  /// The figures by name, from 0 to 1.
  var metrics: [(name: String, value: Double)] {
    guard pictures > 0 else { return [] }
    if isMasks {
      return [
        ("mean_iou", masks.meanIoU ?? 0), ("mean_dice", masks.meanDice ?? 0),
        ("pixel_accuracy", masks.pixelAccuracy ?? 0),
      ]
    }
    let all = Double(pictures)
    return [("top1", Double(top1) / all), ("top5", Double(top5) / all)]
  }
}

/// Figures that were recorded.
struct Baseline: Sendable {
  static let schema = "leapstone.baseline/1"

  let model: String
  let digest: String
  let pictures: Int
  let metrics: [(name: String, value: Double)]

  init(model: String, digest: String, _ summary: DatasetSummary) {
    self.model = model.split(separator: "/").last.map(String.init) ?? model
    self.digest = digest
    pictures = summary.pictures
    metrics = summary.metrics
  }

  /// Reads a file.
  ///
  /// - Throws: `ToolError` where it is damaged; `FileError`.
  init(_ path: String) throws {
    func damaged(_ reason: String) -> ToolError { ToolError("\(escaped(path)): \(reason)") }
    let json: JSON
    do {
      json = try JSON(parsing: try FileBytes.read(path, limit: 1 << 24))
    } catch let error as JSONError { throw damaged(error.description) }
    guard json["schema"]?.string == Baseline.schema, let members = json["metrics"]?.members else {
      throw damaged("no figures that --record wrote")
    }
    model = json["model"]?.string ?? ""
    digest = json["model_digest"]?.string ?? ""
    pictures = json["pictures"]?.int ?? 0
    metrics = members.compactMap { member in member.value.double.map { (member.name, $0) } }
  }

  var json: JSON {
    [
      "schema": .string(Baseline.schema), "version": .string(leapstoneVersion),
      "model": .string(model), "model_digest": .string(digest), "pictures": .integer(pictures),
      "metrics": .object(metrics.map { .init($0.name, .number($0.value)) }),
    ]
  }
}

/// Figures held to limits.
struct DatasetChecks: Sendable {
  struct Check: Sendable {
    let metric: String
    let value: Double
    let limit: Double
    /// What set the limit: an option, or a recorded figure.
    let origin: String
    var holds: Bool { value >= limit }

    var text: String {
      "\(metric) is \(fixed(value * 100, 2)) %, \(holds ? "at least" : "less than") the "
        + "\(fixed(limit * 100, 2)) % of \(origin)"
    }
  }

  private(set) var checks: [Check] = []
  /// What is odd about the baseline.
  private(set) var notes: [String] = []

  /// - Throws: `ToolError` where the baseline has none of the figures; `FileError`.
  init(_ settings: DatasetSettings, _ summary: DatasetSummary) throws {
    for (name, value) in summary.metrics {
      for limit in settings.limits where limit.metric == name {
        checks.append(Check(metric: name, value: value, limit: limit.value, origin: limit.flag))
      }
    }
    guard let path = settings.baseline else { return }
    let baseline = try Baseline(path)
    let common = summary.metrics.filter { metric in
      baseline.metrics.contains { $0.name == metric.name }
    }
    guard !common.isEmpty else {
      throw ToolError("\(escaped(path)) has none of the figures of this data set")
    }
    for (name, value) in common {
      let recorded = baseline.metrics.first { $0.name == name }?.value ?? 0
      checks.append(
        Check(
          metric: name, value: value, limit: settings.retained * recorded,
          origin:
            "--baseline (\(fixed(settings.retained * 100, 1)) % of \(fixed(recorded * 100, 2)) %)"))
    }
    if baseline.pictures != summary.pictures {
      notes.append(
        "the baseline was recorded on \(baseline.pictures) pictures, these are \(summary.pictures)")
    }
  }

  var hold: Bool { checks.allSatisfy(\.holds) }
}
