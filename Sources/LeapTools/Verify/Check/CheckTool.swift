// CheckTool: one call of `onnx-verify check`: every model, every set, every output; a failure of one ends no other.

import LeapFormat
import LeapGraph
import LeapTensors
import Leapstone
import LeapstoneImage

/// What came of one set.
struct SetOutcome: Sendable {
  let name: String
  /// What the run took.
  var seconds = 0.0
  var outputs: [OutputComparison] = []
  /// The model's outputs that the set says nothing of.
  var uncompared: [String] = []
  /// Why it could not be run.
  var failure: String?

  var verdict: Verdict {
    failure == nil ? outputs.map(\.verdict).max() ?? .passed : .error
  }
}

/// What came of one model.
struct ModelOutcome: Sendable {
  let model: String
  /// What was recorded of it, and whether the model is still the same.
  var goldens: (manifest: GoldenManifest, isUnchanged: Bool)?
  var sets: [SetOutcome] = []
  /// Why it could not be loaded, or has nothing to be compared with.
  var failure: String?
  /// Whether that is no failure: there are no data.
  var isSkipped = false

  var verdict: Verdict {
    if isSkipped { return .passed }
    return failure == nil ? sets.map(\.verdict).max() ?? .passed : .error
  }
}

struct CheckTool: Sendable {
  private let settings: CheckSettings
  private let console: Console

  init(_ settings: CheckSettings, _ console: Console) {
    self.settings = settings
    self.console = console
  }

  /// - Throws: `ToolError` for wrong usage and interruption; `FileError` where a directory cannot be read. Where there is
  ///   one model alone: what loading it throws.
  func run() throws -> Report {
    let isTree = try settings.model != "-" && DirectoryListing.names(in: settings.model) != nil
    let models = try isTree ? tree() : [single()]
    var progress = Progress(
      console, total: isTree ? models.count : models[0].sets.count,
      unit: isTree ? "models" : "sets")
    defer { progress.finish() }
    var outcomes: [ModelOutcome] = []
    for model in models {
      if isTree { progress.update(outcomes.count) }
      outcomes.append(
        try check(model, isAlone: !isTree) { if !isTree { progress.update($0) } })
      if settings.stopsAtFirst, outcomes.last?.verdict != .passed { break }
    }
    return try CheckReport(settings, outcomes, isTree: isTree, known: models.count).report()
  }

  // MARK: models and their data

  private func tree() throws -> [ModelWithData] {
    guard settings.data == nil else {
      throw ToolError.usage("--data: a directory of models has its data beside the models")
    }
    let models = try ModelTree.models(in: settings.model)
    guard models.contains(where: { !$0.sets.isEmpty }) else {
      throw ToolError(
        "nothing to check: no data lie beside the \(counted(models.count, "model")) in "
          + escaped(settings.model))
    }
    return models
  }

  private func single() throws -> ModelWithData {
    if let data = settings.data {
      var found = ModelWithData(model: settings.model, sets: try DataSetPlace.all(in: data))
      if DirectoryListing.exists("\(data)/\(GoldenFile.name)") { found.goldens = data }
      return found
    }
    guard DirectoryListing.exists(settings.model) else {
      throw ModelError.unreadable(path: settings.model, reason: "there is no such file")
    }
    let found = try ModelTree.data(for: settings.model)
    guard !found.sets.isEmpty else {
      throw ToolError.usage(
        "which data? nothing lies beside \(escaped(settings.model)): add --data DIR or FILE.npz")
    }
    return found
  }

  // MARK: checking

  /// - Parameter progress: told how many sets are done.
  private func check(
    _ model: ModelWithData, isAlone: Bool, progress: (Int) -> Void
  ) throws -> ModelOutcome {
    var outcome = ModelOutcome(model: model.model)
    guard !model.sets.isEmpty else {
      (outcome.failure, outcome.isSkipped) = ("no data beside it", true)
      return outcome
    }
    do {
      let source = try ModelSource(model.model, read: console.environment.read)
      let session = try source.open(settings.engine.session)
      _ = try LoadedModel(session, settings.engine.shapes, console)
      if let goldens = try model.goldens.flatMap(GoldenManifest.read) {
        let read = try source.read(
          ReadOptions(externalDataRoots: settings.engine.session.externalDataRoots))
        let digest = try ModelDigest.text(of: source, read)
        outcome.goldens = (goldens, digest == goldens.digest)
      }
      if isAlone { try settings.tolerances.check(outputs: session.outputs.map(\.name)) }
      outcome.sets = try check(
        session, model.sets, outcome.goldens?.manifest, progress: progress)
    } catch {
      let failure = ToolError(describing: error)
      if isAlone || failure == .interrupted { throw error }
      outcome.failure = failure.description
    }
    return outcome
  }

  private func check(
    _ session: InferenceSession, _ places: [DataSetPlace], _ goldens: GoldenManifest?,
    progress: (Int) -> Void
  ) throws -> [SetOutcome] {
    let model = ModelSignature(session)
    var outcomes: [SetOutcome] = []
    while outcomes.count < places.count {
      progress(outcomes.count)
      let next = Array(places[outcomes.count...].prefix(settings.engine.concurrency))
      let found = InFlight.map(next) { try check(session, model, $1, goldens) }
      for result in found { outcomes.append(try result.get()) }
      if settings.stopsAtFirst, outcomes.contains(where: { $0.verdict != .passed }) { break }
    }
    return outcomes
  }

  /// - Throws: `ToolError.interrupted`.
  private func check(
    _ session: InferenceSession, _ model: ModelSignature, _ place: DataSetPlace,
    _ goldens: GoldenManifest?
  ) throws -> SetOutcome {
    var outcome = SetOutcome(name: place.name)
    do {
      let set = try place.read(for: model)
      guard !set.expected.isEmpty else {
        throw ToolError("it has no outputs to compare with")
      }
      let names = model.outputs.map(\.name).filter { set.expected[$0] != nil }
      let (results, milliseconds) = try Repetition.timed {
        try console.environment.interruption.during { cancellation in
          try session.run(
            values: set.inputs, outputs: names, options: RunOptions(cancellation: cancellation))
        }
      }
      outcome.seconds = milliseconds / 1000
      outcome.uncompared = model.outputs.map(\.name).filter { set.expected[$0] == nil }
      outcome.outputs = names.flatMap { name in
        OutputComparison.compare(
          name: name, got: results[name], expected: set.expected[name] ?? .sequence([])
        ) {
          settings.tolerances.tolerance(
            of: name, $0, largest: $1, budget: goldens?.budget(of: name))
        }
      }
    } catch {
      let failure = ToolError(describing: error)
      if failure == .interrupted { throw failure }
      outcome.failure = failure.description
    }
    return outcome
  }
}
