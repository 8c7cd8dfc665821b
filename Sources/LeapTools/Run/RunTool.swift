// RunTool: one call of onnx-run: load the model, run it on each batch of pictures or on one set of tensors, report.

import LeapTensors
import Leapstone
import LeapstoneImage

struct RunTool: Sendable {
  let settings: RunSettings
  let console: Console
  let session: InferenceSession
  /// The model's inputs, with the types that SHAPES options gave them.
  let inputs: [ValueInfo]
  /// The values to return, in the order in which they are shown.
  let outputNames: [String]
  private let trace: ChromeTrace?
  private var records: [RunRecord] = []

  /// Classes that are shown where `--top` is not given.
  static let defaultTop = 5

  /// Loads the model.
  ///
  /// - Throws: `ModelError`, `ToolError`, `FileError`.
  init(_ settings: RunSettings, _ console: Console) throws {
    self.settings = settings
    self.console = console
    let source = try ModelSource(settings.model, read: console.environment.read)
    let loaded = try LoadedModel(source.open(settings.session), settings.shapes, console)
    (session, inputs) = (loaded.session, loaded.inputs)
    switch settings.outputs {
    case .model: outputNames = session.outputs.map(\.name)
    case .all: outputNames = session.valueNames
    case .named(let names): outputNames = names
    }
    trace = settings.profile.map { _ in ChromeTrace() }
  }

  mutating func run() throws {
    if settings.inputs.images.isEmpty {
      try runTensors()
    } else {
      var pictures = try PictureRun(self)
      try pictures.run { try report($0) }
    }
    try writeReports()
  }

  /// Runs the model once.
  ///
  /// - Parameters:
  ///   - number: which run of this call.
  ///   - slot: which of the runs in flight.
  /// - Returns: the outputs in order, the tensors of a sequence each by itself, and the milliseconds they took.
  /// - Throws: `RunError`, `ModelError`, `ToolError.interrupted`.
  func execute(
    _ tensors: [String: Tensor], number: Int = 0, slot: Int = 0
  ) throws -> (outputs: [NamedTensor], milliseconds: Double) {
    try console.environment.interruption.during { cancellation in
      var options = RunOptions(timeout: settings.deadline, cancellation: cancellation)
      options.observe = trace?.observer(run: number, slot: slot)
      let start = ContinuousClock.now
      let results = try session.run(
        values: tensors.mapValues(RunValue.tensor), outputs: outputNames, options: options)
      let milliseconds = (ContinuousClock.now - start) / .milliseconds(1)
      let outputs = outputNames.flatMap { name in
        results[name].map { NamedTensor.parts(of: $0, name) } ?? []
      }
      return (outputs, milliseconds)
    }
  }

  /// The pre-processing that the command line and the model's metadata ask for.
  func preprocessing() throws -> Preprocessing {
    try settings.image.preprocessing(session.metadata)
  }

  // MARK: tensors

  private mutating func runTensors() throws {
    let source = InputSource(
      settings.inputs, inputs: inputs, defaulted: session.overridableInitializers
    ) { [self] in try preprocessing() }
    let (tensors, notes) = try source.tensors()
    for note in notes { console.note(note) }
    let (outputs, milliseconds) = try execute(tensors)
    for name in outputNames
    where !outputs.contains(where: { $0.name == name || $0.name.hasPrefix("\(name)_") }) {
      console.note("output '\(escaped(name))' holds no tensor")
    }
    if let path = settings.save { try NPZ.write(outputs, to: path) }
    var record = RunRecord(
      index: 0, milliseconds: milliseconds, batch: 1, outputs: outputs.map(OutputSummary.init))
    guard let count = settings.top, let scores = outputs.first else { return try report(record) }
    let labels = try settings.image.labels()
    let rows = scores.tensor.shape.rank > 1 ? scores.tensor.shape[0] : 1
    record.batch = rows
    for row in 0..<rows {
      record.index = row
      record.top = try scores.tensor.topK(count, labels: labels, row: row)
      try report(record)
    }
  }

  // MARK: reports

  private mutating func report(_ record: RunRecord) throws {
    if !settings.common.reports.isEmpty { records.append(record) }
    if settings.common.format == "json" {
      return try console.line(record.json(model: settings.model).text())
    }
    for line in record.text(console) { try console.line(line) }
  }

  private func writeReports() throws {
    if let trace, let path = settings.profile {
      try FileBytes.write(Array((trace.json().text() + "\n").utf8), to: path)
    }
    for (path, kind) in settings.common.reports {
      try FileBytes.write(Array(contents(kind).utf8), to: path)
    }
  }

  private func contents(_ kind: String) -> String {
    let objects = records.map { $0.json(model: settings.model) }
    switch kind {
    case "csv":
      let rows = [RunRecord.csvHeader] + records.flatMap(\.csvRows)
      return rows.map { CSV.line($0) }.joined()
    case "jsonl": return objects.map { $0.text() + "\n" }.joined()
    default: return JSON.array(objects).text(indented: true) + "\n"
    }
  }
}
