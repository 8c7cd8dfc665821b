// BenchTool: one call of onnx-bench: load the model, run it until the figures are there, report.

import LeapKernels
import LeapTensors
import LeapWorkers
import Leapstone
import LeapstoneImage

struct BenchTool: Sendable {
  private let settings: BenchSettings
  private let console: Console

  /// Observed runs, which follow the measured ones: observing takes a little time itself.
  private static let observedRuns = 10

  init(_ settings: BenchSettings, _ console: Console) {
    self.settings = settings
    self.console = console
  }

  /// - Throws: `ModelError`, `RunError`, `ToolError`, and what reading inputs throws.
  func run() throws {
    let source = try ModelSource(settings.model, read: console.environment.read)
    var report = BenchReport(
      model: settings.model,
      instructionSet: try instructionSet().rawValue,
      threads: settings.session.threads ?? ProcessorCount.available(),
      concurrency: settings.concurrency, warmup: settings.warmup)
    let memory = ResidentMemory()
    if settings.loadsOnly {
      try measureLoading(source, &report)
      report.measuredPeak = memory.growth
      return try write(report)
    }
    let (session, loading) = try Repetition.timed { try source.open(settings.session) }
    report.loading = loading
    let model = try LoadedModel(session, settings.shapes, console)
    let tensors = try RunInputs(options: settings.inputs, image: settings.image)
      .tensors(for: model, console).tensors
    report.inputs = model.inputs.map { ($0.name, tensors[$0.name].map { "\($0)" } ?? "") }
    report.firstRun = try console.environment.interruption.during { cancellation in
      let options = RunOptions(cancellation: cancellation)
      return try Repetition.milliseconds { _ = try session.run(tensors, options: options) }
    }
    report.predicted = try session.memory.predicted(
      for: tensors.mapValues { ($0.dataType, $0.shape) })
    try measureRuns(session, tensors, &report)
    report.measuredPeak = memory.growth
    let trace = settings.profile.map { _ in ChromeTrace() }
    try observe(session, tensors, trace, &report)
    if let trace, let path = settings.profile {
      try FileBytes.write(Array((trace.json().text() + "\n").utf8), to: path)
    }
    try write(report)
  }

  private func instructionSet() throws -> InstructionSet {
    guard let asked = settings.session.instructionSet else { return try .current() }
    return try .select(asked.rawValue, option: "isa")
  }

  // MARK: measuring

  private func measureLoading(_ source: ModelSource, _ report: inout BenchReport) throws {
    let session = settings.session
    let interruption = console.environment.interruption
    let load: @Sendable (Int) throws -> Void = { _ in
      try interruption.check()
      _ = try source.open(session)
    }
    report.loading = try Repetition.milliseconds { try load(0) }
    for _ in 0..<settings.warmup { try load(0) }
    var progress = Progress(console, total: total, unit: "loads")
    defer { progress.finish() }
    report.repetitions = try Repetition(
      length: settings.length, concurrency: settings.concurrency
    ).measure(progress: { progress.update($0) }, load)
  }

  private func measureRuns(
    _ session: InferenceSession, _ tensors: [String: Tensor], _ report: inout BenchReport
  ) throws {
    var progress = Progress(console, total: total, unit: "runs")
    defer { progress.finish() }
    report.repetitions = try console.environment.interruption.during { cancellation in
      let options = RunOptions(cancellation: cancellation)
      let work: @Sendable (Int) throws -> Void = { _ in
        _ = try session.run(tensors, options: options)
      }
      for _ in 0..<settings.warmup { try work(0) }
      return try Repetition(length: settings.length, concurrency: settings.concurrency)
        .measure(progress: { progress.update($0) }, work)
    }
  }

  /// How many repetitions there will be; nil where time decides.
  private var total: Int? {
    if case .iterations(let count) = settings.length { count } else { nil }
  }

  private func observe(
    _ session: InferenceSession, _ tensors: [String: Tensor], _ trace: ChromeTrace?,
    _ report: inout BenchReport
  ) throws {
    let times = OperatorTimes()
    let runs = min(BenchTool.observedRuns, report.repetitions.milliseconds.count)
    let milliseconds = try console.environment.interruption.during { cancellation in
      try (0..<runs).map { run in
        var options = RunOptions(cancellation: cancellation)
        let record = trace?.observer(run: run, slot: 0)
        options.observe = { steps in
          times.add(steps)
          record?(steps)
        }
        return try Repetition.milliseconds { _ = try session.run(tensors, options: options) }
      }
    }
    report.observed = .init(
      runs: runs, milliseconds: milliseconds.reduce(0, +) / Double(runs),
      operators: times.perRun(runs))
  }

  // MARK: reports

  private func write(_ report: BenchReport) throws {
    switch settings.common.format {
    case "json": try console.line(report.json.text())
    case "csv": try console.environment.writeOutput(Array(report.csv.utf8))
    default: for line in report.text(console) { try console.line(line) }
    }
    for (path, kind) in settings.common.reports {
      let text = kind == "csv" ? report.csv : report.json.text(indented: true) + "\n"
      try FileBytes.write(Array(text.utf8), to: path)
    }
  }
}
