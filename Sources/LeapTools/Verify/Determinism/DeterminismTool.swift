// DeterminismTool: one call of `onnx-verify determinism`: a run to compare with, and all the ways that must not matter.

import LeapGraph
import LeapRuntime
import LeapTensors
import Leapstone
import LeapstoneImage

struct DeterminismTool: Sendable {
  private let settings: DeterminismSettings
  private let console: Console

  /// Numbers of threads that are tried beside the one that was asked for.
  private static let threadCounts = [1, 2, 3, 4, 8]
  private static let repetitions = 5
  private static let together = 4
  /// How often a difference is looked for again when steps are watched.
  private static let retries = 5

  init(_ settings: DeterminismSettings, _ console: Console) {
    self.settings = settings
    self.console = console
  }

  /// - Throws: `ModelError`, `RunError`, `ToolError`, and what reading inputs throws.
  func run() throws -> Report {
    let source = try ModelSource(settings.model, read: console.environment.read)
    var options = settings.engine.session
    options.maximalConcurrentRuns = DeterminismTool.together
    let model = try LoadedModel(source.open(options), settings.engine.shapes, console)
    let tensors = try RunInputs(options: settings.inputs, image: settings.image)
      .tensors(for: model, console).tensors
    let laboratory = Laboratory(
      source: source, options: options, session: model.session, tensors: tensors,
      interruption: console.environment.interruption)
    let expected = try laboratory.run(model.session, tensors)
    var outcomes: [ExperimentOutcome] = []
    let experiments = self.experiments(model, tensors)
    var progress = Progress(console, total: experiments.count + 1, unit: "experiments")
    defer { progress.finish() }
    for experiment in experiments {
      progress.update(outcomes.count)
      outcomes.append(
        try laboratory.outcome(of: experiment, expected, retries: DeterminismTool.retries))
    }
    progress.update(outcomes.count)
    outcomes.append(try batch(model, tensors, laboratory, expected))
    return try report(outcomes, tensors, model.inputs)
  }

  // MARK: experiments

  private func experiments(_ model: LoadedModel, _ tensors: [String: Tensor]) -> [Experiment] {
    var list = [
      Experiment(name: "again", kind: .again(times: DeterminismTool.repetitions)),
      Experiment(
        name: "\(DeterminismTool.together) at once",
        kind: .together(count: DeterminismTool.together)),
      Experiment(name: "in a new session", kind: .options { _ in }),
    ]
    for count in DeterminismTool.threadCounts where count != settings.engine.threads {
      list.append(
        Experiment(
          name: "\(counted(count, "thread"))", kind: .options { $0.threads = count }))
    }
    list += [
      Experiment(name: "no memory reuse", kind: .options { $0.reusesMemory = false }),
      Experiment(name: "freed memory poisoned", kind: .options { $0.poisonsDeadMemory = true }),
    ]
    return list
  }

  private func batch(
    _ model: LoadedModel, _ tensors: [String: Tensor], _ laboratory: Laboratory,
    _ expected: [String: RunValue]
  ) throws -> ExperimentOutcome {
    let name = "place in a batch"
    do {
      let places = try BatchPlaces(model.inputs, tensors)
      return try laboratory.outcome(
        of: Experiment(name: name, kind: .batch(places)), expected,
        retries: DeterminismTool.retries)
    } catch let error as ToolError where error != .interrupted {
      return ExperimentOutcome(name: name, runs: 0, result: .impossible(error.description))
    }
  }

  // MARK: report

  private func report(
    _ outcomes: [ExperimentOutcome], _ tensors: [String: Tensor], _ inputs: [ValueInfo]
  ) throws -> Report {
    var report = Report(command: "determinism", model: settings.model)
    let failed = outcomes.filter { $0.verdict != .passed }
    report.verdict = failed.isEmpty ? .passed : .failed
    let runs = outcomes.reduce(1) { $0 + $1.runs }
    report.summary = [
      failed.isEmpty
        ? "bit-identical in \(counted(runs, "run"))"
        : "not deterministic: \(failed.map(\.name).joined(separator: ", "))"
    ]
    for input in inputs {
      report.facts.append(
        ("input", "'\(input.name)' " + (tensors[input.name].map { "\($0)" } ?? "\(input.type)")))
    }
    report.facts.append(("compared with", "a run with \(try settings.engine.description())"))
    var table = ReportTable(
      "",
      [
        .init("run", .left), .init("runs"), .init("", key: "verdict", .left),
        .init("", key: "finding", .left, isName: true),
      ])
    for outcome in outcomes {
      let word: ReportCell =
        if case .impossible = outcome.result { ReportCell("-", raw: "skipped") } else {
          ReportCell(outcome.verdict)
        }
      table.rows.append([
        ReportCell(outcome.name), ReportCell(outcome.runs), word,
        ReportCell(outcome.verdict == .passed ? outcome.text : "", raw: outcome.text),
      ])
    }
    report.tables = [table]
    report.details = failed.map { "\(Verdict.failed.word) \($0.name)\n  \($0.text)" }
    report.cases = outcomes.map {
      ReportCase(
        suite: settings.model, name: $0.name, seconds: 0, verdict: $0.verdict,
        message: $0.verdict == .passed ? "" : $0.text)
    }
    report.result = [
      "engine": .string(try settings.engine.description()), "runs": .integer(runs),
      "experiments": .array(outcomes.map(\.json)),
    ]
    return report
  }
}

/// Runs experiments.
private struct Laboratory: Sendable {
  let source: ModelSource
  let options: SessionOptions
  let session: InferenceSession
  let tensors: [String: Tensor]
  let interruption: Interruption

  func run(
    _ session: InferenceSession, _ tensors: [String: Tensor]
  ) throws -> [String: RunValue] {
    try interruption.during { cancellation in
      try session.run(
        values: tensors.mapValues(RunValue.tensor),
        options: RunOptions(cancellation: cancellation))
    }
  }

  func outcome(
    of experiment: Experiment, _ expected: [String: RunValue], retries: Int
  ) throws -> ExperimentOutcome {
    var outcome = ExperimentOutcome(name: experiment.name, runs: 0, result: .identical)
    switch experiment.kind {
    case .again(let times):
      for _ in 0..<times {
        outcome.runs += 1
        let differing = Laboratory.differing(try run(session, tensors), expected)
        if !differing.isEmpty {
          outcome.result = .differs(
            outputs: differing, first: try firstDifference(retries, options))
          break
        }
      }
    case .together(let count):
      let results = InFlight.map(Array(0..<count)) { _, _ in try run(session, tensors) }
      outcome.runs = count
      for result in results {
        let differing = Laboratory.differing(try result.get(), expected)
        if !differing.isEmpty {
          outcome.result = .differs(
            outputs: differing, first: try firstDifference(retries, options))
          break
        }
      }
    case .options(let change):
      var changed = options
      change(&changed)
      outcome.runs = 1
      let differing = Laboratory.differing(try run(source.open(changed), tensors), expected)
      if !differing.isEmpty {
        outcome.result = .differs(outputs: differing, first: try firstDifference(retries, changed))
      }
    case .batch(let places): try runBatch(places, expected, &outcome, retries)
    }
    return outcome
  }

  private func runBatch(
    _ places: BatchPlaces, _ expected: [String: RunValue], _ outcome: inout ExperimentOutcome,
    _ retries: Int
  ) throws {
    for (place, batch) in places.batches.enumerated() {
      let results: [String: RunValue]
      do { results = try run(session, batch) } catch let error as ToolError { throw error } catch {
        outcome.result = .impossible("\(error)")
        return
      }
      outcome.runs += 1
      var differing: [String] = []
      var compared = 0
      for (name, value) in expected {
        guard let alone = value.tensor, let whole = results[name]?.tensor,
          places.hasRows(whole, alone: alone)
        else { continue }
        compared += 1
        if !places.part(whole, place: place).isIdentical(to: alone) { differing.append(name) }
      }
      if compared == 0 {
        outcome.result = .impossible("no output has a row for each of the inputs'")
        return
      }
      if !differing.isEmpty {
        let first = try firstDifference(retries, options, batch) {
          places.part($0, place: place)
        }
        outcome.result = .differs(outputs: differing.sorted(), first: first)
        return
      }
    }
  }

  private static func differing(
    _ results: [String: RunValue], _ expected: [String: RunValue]
  ) -> [String] {
    expected.keys.sorted().filter { name in
      guard let a = results[name]?.tensors, let b = expected[name]?.tensors, a.count == b.count
      else { return true }
      return !zip(a, b).allSatisfy { $0.isIdentical(to: $1) }
    }
  }

  /// The first value that a run with other options, or with a batch, makes otherwise. Both are run anew, with all steps watched,
  /// until it happens again.
  private func firstDifference(
    _ retries: Int, _ changed: SessionOptions, _ batch: [String: Tensor]? = nil,
    _ part: @escaping @Sendable (Tensor) -> Tensor = { $0 }
  ) throws -> StepDifference? {
    for _ in 0..<retries {
      let usual = try digests(options, tensors) { $0 }
      let other = try digests(changed, batch ?? tensors, part)
      if let found = usual.firstDifference(from: other) { return found }
    }
    return nil
  }

  private func digests(
    _ options: SessionOptions, _ tensors: [String: Tensor],
    _ part: @escaping @Sendable (Tensor) -> Tensor
  ) throws -> StepDigests {
    let digests = StepDigests(part)
    var watched = options
    watched.instruments.append(digests.instrument)
    _ = try run(source.open(watched), tensors)
    return digests
  }
}
