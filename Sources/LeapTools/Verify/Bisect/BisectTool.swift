// BisectTool: one call of `onnx-verify bisect`: measure, find the step that loses most, find what is to blame, write it down.

import LeapFormat
import LeapGraph
import LeapRuntime
import LeapTensors
import Leapstone
import LeapstoneImage

struct BisectTool: Sendable {
  private let settings: BisectSettings
  private let console: Console

  init(_ settings: BisectSettings, _ console: Console) {
    self.settings = settings
    self.console = console
  }

  /// - Throws: `ModelError`, `RunError`, `ToolError`, and what reading inputs throws.
  func run() throws -> Report {
    let source = try ModelSource(settings.model, read: console.environment.read)
    let options = settings.engine.uncachedSession
    let loaded = try LoadedModel(source.open(options), settings.engine.shapes, console)
    let tensors = try RunInputs(options: settings.inputs, image: settings.image)
      .tensors(for: loaded, console).tensors
    let model = try source.read(ReadOptions(externalDataRoots: options.externalDataRoots))
    let outputs = loaded.session.outputs.map(\.name)
    let measurer = try Measurer(
      model, inputs: tensors.mapValues(RunValue.tensor), outputs: outputs,
      reference: reference(tensors, outputs), interruption: console.environment.interruption)
    console.note("running the model, and the reference beside it")
    let measurement = try measurer.measure(options)
    try checkComparison(measurement)
    var culprit: Culprit?
    let suspicion = Suspicion(measurement)
    let suspect = suspicion.worst
    if let copy = measurement.wrongCopies.first {
      culprit = suspicion.culprit(copy)
    } else if let suspect, !measurer.isOwn(suspect.value) || !suspicion.isPlaced(suspect) {
      culprit = suspicion.culprit(suspect, isOwn: measurer.isOwn(suspect.value))
    } else if let suspect {
      let narrowing = Narrowing(
        measurer: measurer, options: options, threads: settings.engine.threads
      ) { [console] in console.note("trying \($0)") }
      culprit = try narrowing.culprit(of: suspect, before: suspicion.before(suspect))
    }
    var report = try BisectReport(settings, measurement, culprit).report()
    if let directory = settings.reproducer {
      report.summary.append(
        try culprit.map {
          try reproduced($0, in: directory, measurement, measurer, options, worst: suspect)
        } ?? "--reproducer: there is nothing to write, since nothing drifts")
    }
    return report
  }

  /// Refuses a reference that says nothing of the model: an empty comparison would pass.
  ///
  /// - Throws: `ToolError`.
  private func checkComparison(_ measurement: Measurement) throws {
    if measurement.hasComparison { return }
    let known = quoted(measurement.steps.suffix(3).map(\.value))
    switch settings.reference {
    case .float64: throw ToolError("nothing was compared: the model computes no value with numbers")
    case .archive(let path), .model(let path):
      throw ToolError(
        "nothing was compared: \(escaped(path)) has none of the values that the model computes, such "
          + "as \(known)")
    }
  }

  /// Writes the culprit by itself.
  ///
  /// - Returns: what came of it, in a sentence: that it fails takes nothing from what was found out.
  /// - Throws: `ToolError.interrupted`.
  private func reproduced(
    _ culprit: Culprit, in directory: String, _ measurement: Measurement, _ measurer: Measurer,
    _ options: SessionOptions, worst: MeasuredStep?
  ) throws -> String {
    do {
      let reproducer = try Reproducer(culprit.value, measurement.values, measurer)
      return try reproducer.write(to: directory, culprit, options, worst: worst).text
    } catch {
      let failure = ToolError(describing: error)
      if failure == .interrupted { throw failure }
      let reason = failure.description
      return reason.hasPrefix("--reproducer: ") ? reason : "--reproducer: \(reason)"
    }
  }

  private func reference(
    _ tensors: [String: Tensor], _ outputs: [String]
  ) throws -> ReferenceValues {
    switch settings.reference {
    case .float64: return .exact
    case .archive(let path):
      var named: [String: Tensor] = [:]
      for entry in try NPZ.read(path) where !entry.name.hasPrefix("in:") {
        let name = entry.name.hasPrefix("out:") ? String(entry.name.dropFirst(4)) : entry.name
        named[name] = entry.tensor
      }
      return .named(named)
    case .model(let path): return .named(try values(of: path, tensors, outputs))
    }
  }

  /// What another model makes of the same inputs: its values by name, and its outputs by the names of ours.
  private func values(
    of path: String, _ tensors: [String: Tensor], _ outputs: [String]
  ) throws -> [String: Tensor] {
    let options = settings.engine.session
    let model = try ModelReader.read(
      path: path, options: ReadOptions(externalDataRoots: options.externalDataRoots))
    let trace = ValueTrace()
    var watched = SessionOptions()
    watched.threads = options.threads
    watched.memoryBudget = options.memoryBudget
    watched.instruments = trace.instruments
    // Every value of the graph is there to be compared with.
    watched.disablesAllPasses = true
    let session = try InferenceSession(model: model, options: watched)
    guard session.inputs.count == tensors.count else {
      throw ToolError(
        "\(escaped(path)) takes \(counted(session.inputs.count, "input")), the model \(tensors.count)"
      )
    }
    var inputs = tensors
    if !session.inputs.allSatisfy({ tensors[$0.name] != nil }) {
      throw ToolError(
        "\(escaped(path)) takes \(quoted(session.inputs.map(\.name))), the model "
          + quoted(tensors.keys.sorted()))
    }
    inputs = inputs.filter { input in session.inputs.contains { $0.name == input.key } }
    let results = try console.environment.interruption.during { cancellation in
      try session.run(inputs, options: RunOptions(cancellation: cancellation))
    }
    var named = trace.values.mapValues(\.tensor)
    for (ours, theirs) in zip(outputs, session.outputs.map(\.name)) {
      named[ours] = results[theirs]
    }
    return named
  }
}
