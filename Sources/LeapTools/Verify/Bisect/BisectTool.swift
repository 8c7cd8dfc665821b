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
    var culprit: Culprit?
    let suspect = Suspicion.worst(measurement)
    if let copy = measurement.wrongCopies.first {
      culprit = Suspicion.culprit(copy, measurement)
    } else if let suspect {
      let narrowing = Narrowing(
        measurer: measurer, options: options, threads: settings.engine.threads
      ) { [console] in console.note("trying \($0)") }
      culprit = try narrowing.culprit(
        of: suspect, before: Suspicion.before(suspect, measurement))
    }
    var report = try BisectReport(settings, measurement, culprit).report()
    if let culprit, let directory = settings.reproducer {
      let reproducer = try Reproducer(culprit.value, measurement.values, measurer)
      let found = try reproducer.write(to: directory, culprit, options, worst: suspect)
      report.summary.append(found.text)
    }
    return report
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

/// Which step to look at.
enum Suspicion {
  /// The step that loses most, where one loses more than rounding does. By its own drift where that is known; otherwise by what
  /// its value lost beyond what it read.
  static func worst(_ measurement: Measurement) -> MeasuredStep? {
    let byOwn = measurement.steps.filter { step in
      step.own.map { DriftLimit.isExceeded(by: $0, of: step) } ?? false
    }
    if let worst = byOwn.min(by: { ($0.own?.snr ?? 0, $0.number) < ($1.own?.snr ?? 0, $1.number) })
    {
      return worst
    }
    guard measurement.steps.allSatisfy({ $0.own == nil }) else { return nil }
    let byTotal = measurement.steps.filter { step in
      step.total.map { DriftLimit.isExceeded(byTotal: $0, step.dataType) } ?? false
    }
    return byTotal.max { loss($0, measurement) < loss($1, measurement) }
  }

  private static func loss(_ step: MeasuredStep, _ measurement: Measurement) -> Double {
    before(step, measurement) - (step.total?.snr ?? .infinity)
  }

  /// Decibels that are taken for exact.
  static let exact = 140.0

  /// The decibels of the worst value that a step read.
  static func before(_ step: MeasuredStep, _ measurement: Measurement) -> Double {
    let totals = step.reads.compactMap { name in
      measurement.steps.first { $0.value == name }?.total?.snr
    }
    return min(totals.min() ?? exact, exact)
  }

  /// A copy that is not what it copies.
  static func culprit(_ copy: BoundStep, _ measurement: Measurement) -> Culprit {
    let value = copy.inputValues.compactMap { $0 }.first ?? ""
    let producer = measurement.steps.first { $0.value == value }
    return Culprit(
      kind: .copy, node: producer?.name ?? "", operatorType: producer?.operatorType ?? "",
      algorithm: copy.algorithm, value: value, before: producer?.total?.snr ?? exact,
      after: -.infinity)
  }
}
