// RecordTool: one call of `onnx-verify record`: exact outputs, the error budget, and the files of both.

import LeapFormat
import LeapGraph
import LeapRuntime
import LeapTensors
import Leapstone
import LeapstoneImage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

struct RecordTool: Sendable {
  private let settings: RecordSettings
  private let console: Console

  init(_ settings: RecordSettings, _ console: Console) {
    self.settings = settings
    self.console = console
  }

  /// A set, computed exactly.
  private struct ExactSet {
    let inputs: [String: RunValue]
    let outputs: [String: RunValue]
  }

  /// - Throws: `ModelError`, `RunError`, `ToolError`, and what reading and writing files throws.
  func run() throws -> Report {
    let old = try GoldenManifest.read(in: settings.directory)
    if old != nil, !settings.updates {
      throw ToolError.usage(
        "\(escaped(settings.directory)) holds goldens already: --update records them again")
    }
    if old == nil, settings.updates, settings.data == settings.directory {
      throw ToolError.usage(
        "--update: \(escaped(settings.directory)) holds no \(GoldenFile.name); give inputs to record"
      )
    }
    let source = try ModelSource(settings.model, read: console.environment.read)
    let options = settings.engine.session
    let loaded = try LoadedModel(source.open(options), settings.engine.shapes, console)
    var model = try source.read(ReadOptions(externalDataRoots: options.externalDataRoots))
    let digest = try ModelDigest.text(of: source, model)
    model = try model.withoutFunctionsAndHalves()
    let (sets, note, preset) = try exactSets(model, loaded)
    let budgets = try budgets(sets, model, loaded.session)
    let manifest = GoldenManifest(
      version: leapstoneVersion,
      model: settings.model.split(separator: "/").last.map(String.init) ?? settings.model,
      digest: digest, instructionSet: try settings.engine.instructionSet(),
      memoryPolicy: options.memoryPolicy.rawValue, preset: preset, narrowNodes: note,
      sets: sets.count, outputs: budgets)
    let before = try old == nil ? [:] : recorded(loaded, count: sets.count)
    let written = try write(sets, manifest, loaded, old)
    return RecordReport(settings, manifest, old, changes: changes(before, written)).report()
  }

  // MARK: computing

  private func exactSets(
    _ model: Model, _ loaded: LoadedModel
  ) throws -> (sets: [ExactSet], narrow: [String], preset: String?) {
    let reference = try ReferenceSession(model, settings.engine.session)
    var inputs = try InputSets(
      data: settings.data, settings.inputs, settings.image, loaded, console)
    var progress = Progress(console, total: inputs.count, unit: "exact sets")
    defer { progress.finish() }
    var sets: [ExactSet] = []
    while let set = try inputs.next() {
      progress.update(sets.count)
      let outputs = try reference.run(set.inputs, console.environment.interruption)
      sets.append(ExactSet(inputs: set.inputs, outputs: outputs))
    }
    let narrow = reference.narrowNodes.map { "\($0.operatorType) '\($0.name)'" }
    return (sets, narrow, inputs.preset)
  }

  private func budgets(
    _ sets: [ExactSet], _ model: Model, _ session: InferenceSession
  ) throws -> [GoldenBudget] {
    let options = settings.engine.uncachedSession
    let variants = EngineVariant.all(options, instructionSet: try settings.engine.instructionSet())
    var budget = ErrorBudget(variants)
    let interruption = console.environment.interruption
    var progress = Progress(
      console, total: (variants.count + ErrorBudget.trials) * sets.count, unit: "runs")
    defer { progress.finish() }
    var done = 0
    for variant in variants {
      let own = try InferenceSession(model: model, options: variant.options)
      for set in sets {
        let results = try interruption.during { cancellation in
          try own.run(values: set.inputs, options: RunOptions(cancellation: cancellation))
        }
        for (name, exact) in set.outputs {
          budget.add(name, results[name], exact, variant: variant.name)
        }
        done += 1
        progress.update(done)
      }
    }
    let noise = RoundingNoise(model.graph)
    for trial in 0..<ErrorBudget.trials {
      let disturbed = try ReferenceSession(
        model, options, instruments: [noise.instrument(seed: trial + 1)])
      for set in sets {
        let results = try disturbed.run(set.inputs, interruption)
        for (name, exact) in set.outputs { budget.add(name, results[name], exact, variant: nil) }
        done += 1
        progress.update(done)
      }
    }
    return session.outputs.map { budget.budget(of: $0.name) }
  }

  // MARK: files

  /// What was recorded before: the tensors of each output, by set.
  private func recorded(_ loaded: LoadedModel, count: Int) throws -> [String: [Tensor?]] {
    let model = ModelSignature(loaded.session)
    var found: [String: [Tensor?]] = [:]
    for number in 0..<count {
      let place = DataSetPlace.folder("\(settings.directory)/test_data_set_\(number)")
      let set = try? place.read(for: model)
      for output in model.outputs {
        found[output.name, default: []].append(set?.expected[output.name]?.tensor)
      }
    }
    return found
  }

  /// Writes all files, the manifest last. Returns the tensors of each output, by set.
  private func write(
    _ sets: [ExactSet], _ manifest: GoldenManifest, _ loaded: LoadedModel, _ old: GoldenManifest?
  ) throws -> [String: [Tensor?]] {
    try makeDirectory(settings.directory)
    var written: [String: [Tensor?]] = [:]
    for (number, set) in sets.enumerated() {
      let folder = "\(settings.directory)/test_data_set_\(number)"
      try makeDirectory(folder)
      for (index, input) in loaded.session.inputs.enumerated() {
        guard let tensor = set.inputs[input.name]?.tensor else {
          throw ToolError(
            "input '\(escaped(input.name))' is \(input.type): tensors alone are recorded")
        }
        try write(tensor, input.name, to: "\(folder)/input_\(index).pb")
      }
      for (index, output) in loaded.session.outputs.enumerated() {
        guard let exact = set.outputs[output.name]?.tensor else {
          throw ToolError(
            "output '\(escaped(output.name))' is \(output.type): tensors alone are recorded")
        }
        let tensor = try rounded(exact, to: output.type.dataType ?? exact.dataType)
        try write(tensor, output.name, to: "\(folder)/output_\(index).pb")
        written[output.name, default: []].append(tensor)
      }
    }
    for number in sets.count..<max(sets.count, old?.sets ?? 0) { try removeSet(number) }
    let path = "\(settings.directory)/\(GoldenFile.name)"
    try FileBytes.write(Array((manifest.json.text(indented: true) + "\n").utf8), to: path)
    return written
  }

  private func rounded(_ exact: Tensor, to type: DataType) throws -> Tensor {
    guard exact.dataType == .float64, type != .float64, let numbers = exact.numbers else {
      return exact
    }
    return try Tensor.rounded(numbers, to: type, shape: exact.shape) ?? exact
  }

  private func write(_ tensor: Tensor, _ name: String, to path: String) throws {
    try FileBytes.write(TensorEncoder.encode(tensor, name: name), to: path)
  }

  /// Removes what was recorded of a set that is no more; what else lies there stays.
  private func removeSet(_ number: Int) throws {
    let folder = "\(settings.directory)/test_data_set_\(number)"
    for name in try DirectoryListing.names(in: folder) ?? []
    where name.hasSuffix(".pb") && (name.hasPrefix("input_") || name.hasPrefix("output_")) {
      unlink("\(folder)/\(name)")
    }
    rmdir(folder)
  }

  /// The largest change of each output over the sets that were there before.
  private func changes(
    _ before: [String: [Tensor?]], _ after: [String: [Tensor?]]
  ) -> [String: Double] {
    var largest: [String: Double] = [:]
    for (name, tensors) in before {
      let changes = zip(tensors, after[name] ?? []).compactMap { old, new -> Double? in
        guard let old, let new else { return nil }
        if old.isIdentical(to: new) { return 0 }
        guard let difference = TensorDifference(new, old), difference.misplaced == 0 else {
          return .infinity
        }
        return difference.maximalError
      }
      largest[name] = changes.max() ?? 0
    }
    return largest
  }
}

/// Makes a directory, where there is none.
///
/// - Throws: `FileError`.
func makeDirectory(_ path: String) throws {
  if mkdir(path, 0o777) != 0, errno != EEXIST {
    throw FileError(path: path, reason: String(cString: strerror(errno)))
  }
}
