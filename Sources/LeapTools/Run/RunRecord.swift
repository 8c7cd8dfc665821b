// RunRecord: what onnx-run found out about one picture or one set of tensors, and how it is written.

import LeapTensors
import Leapstone
import LeapstoneImage

/// An output in figures.
struct OutputSummary: Sendable {
  let name: String
  let type: String
  let shape: Shape
  /// Smallest, largest and mean of the numbers; nil where there are none, or not-a-number among them.
  let figures: (minimum: Double, maximum: Double, mean: Double)?

  init(_ output: NamedTensor) {
    name = output.name
    type = output.tensor.dataType.description
    shape = output.tensor.shape
    figures = OutputSummary.figures(output.tensor)
  }

  private static func figures(_ tensor: Tensor) -> (Double, Double, Double)? {
    guard let values = tensor.doubles ?? tensor.integers?.map(Double.init), let first = values.first
    else { return nil }
    var (low, high, sum) = (first, first, 0.0)
    for value in values {
      (low, high) = (min(low, value), max(high, value))
      sum += value
    }
    return sum.isNaN ? nil : (low, high, sum / Double(values.count))
  }
}

/// One line of the result.
struct RunRecord: Sendable {
  /// The picture's path; nil where tensors were given.
  var file: String?
  /// The place of the picture, or of the row where tensors were given.
  var index: Int
  /// What the run took that this was part of.
  var milliseconds: Double
  /// How many pictures that run had.
  var batch: Int
  var outputs: [OutputSummary]
  /// The best classes; nil where the outputs are no classes.
  var top: [Classification]?

  /// By `docs/schema/run-1.schema.json`.
  func json(model: String) -> JSON {
    var members: [JSON.Member] = [
      .init("schema", "leapstone.run/1"), .init("version", .string(leapstoneVersion)),
      .init("model", .string(model)),
    ]
    if let file { members.append(.init("file", .string(file))) }
    members += [
      .init("index", .integer(index)), .init("ms", .number(milliseconds)),
      .init("batch", .integer(batch)),
      .init("outputs", .array(outputs.map(RunRecord.json))),
    ]
    if let top { members.append(.init("top", .array(top.map(RunRecord.json)))) }
    return .object(members)
  }

  private static func json(_ output: OutputSummary) -> JSON {
    var members: [JSON.Member] = [
      .init("name", .string(output.name)), .init("type", .string(output.type)),
      .init("shape", .array(output.shape.map { .integer($0) })),
    ]
    if let figures = output.figures {
      members += [
        .init("min", .number(figures.minimum)), .init("max", .number(figures.maximum)),
        .init("mean", .number(figures.mean)),
      ]
    }
    return .object(members)
  }

  private static func json(_ item: Classification) -> JSON {
    [
      "index": .integer(item.index), "label": item.label.map { .string($0) } ?? .null,
      "score": .number(item.score), "probability": .number(item.probability),
    ]
  }

  // MARK: CSV

  static let csvHeader = [
    "file", "index", "ms", "kind", "rank", "name", "class", "score", "probability", "type", "shape",
    "min", "max", "mean",
  ]

  /// A row for each class, or for each output where there are none.
  var csvRows: [[String]] {
    let head = [file ?? "", "\(index)", fixed(milliseconds, 4)]
    if let top {
      return top.enumerated().map { rank, item in
        head + ["class", "\(rank + 1)", item.label ?? "", "\(item.index)", "\(item.score)"]
          + ["\(item.probability)", "", "", "", "", ""]
      }
    }
    return outputs.map { output in
      let figures = output.figures.map { ["\($0.minimum)", "\($0.maximum)", "\($0.mean)"] }
      return head + ["output", "", output.name, "", "", "", output.type]
        + ["\(output.shape)"] + (figures ?? ["", "", ""])
    }
  }

  // MARK: text

  /// The lines for people.
  func text(_ console: Console) -> [String] {
    let time = console.styled("\(fixed(milliseconds, 2)) ms", .faint)
    let title = file.map {
      console.styled(NamedPicture.title($0, index: index), .bold) + "  " + time
    }
    guard let top else {
      return title.map { [$0] + outputLines.map { "  " + $0 } } ?? outputLines + [time]
    }
    let labels = top.contains { $0.label != nil }
    var table = Table([.right, .right] + (labels ? [.left] : []))
    for item in top {
      let cells = ["\(fixed(item.probability * 100, 2)) %"]
      table.add(cells + [labels ? "\(item.index)" : "class \(item.index)"] + label(item, labels))
    }
    let lines = table.lines.enumerated().map { rank, line in
      "  " + (rank == 0 ? console.styled(line, .green) : line)
    }
    return [title ?? "row \(index)  \(time)"] + lines
  }

  private func label(_ item: Classification, _ hasLabels: Bool) -> [String] {
    hasLabels ? [item.label.map { escaped($0) } ?? ""] : []
  }

  private var outputLines: [String] {
    var table = Table([.left, .left, .left, .left, .left])
    for output in outputs {
      let figures =
        output.figures.map {
          [
            "min \(significant($0.minimum))", "max \(significant($0.maximum))",
            "mean \(significant($0.mean))",
          ]
        } ?? []
      table.add([escaped(output.name), "\(output.type) \(output.shape)"] + figures)
    }
    return table.lines
  }
}
