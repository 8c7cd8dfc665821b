// CompareTool: one call of `onnx-verify compare`: both models on every set, output by output.

import LeapFormat
import LeapGraph
import LeapTensors
import Leapstone
import LeapstoneImage

struct CompareTool: Sendable {
  private let settings: CompareSettings
  private let console: Console

  init(_ settings: CompareSettings, _ console: Console) {
    self.settings = settings
    self.console = console
  }

  /// What the old side gives for a set, by the names of its outputs.
  private protocol OldSide {
    var outputs: [String] { get }
    mutating func results(for set: InputSet) throws -> [String: Tensor]
  }

  /// - Throws: `ModelError`, `RunError`, `ToolError`, and what reading inputs throws.
  func run() throws -> Report {
    let source = try ModelSource(settings.model, read: console.environment.read)
    let loaded = try LoadedModel(
      source.open(settings.engine.session), settings.engine.shapes, console)
    let labels = ClassNames(try settings.image.labels())
    var old = try oldSide(loaded)
    let pairs = try pairs(loaded.session.outputs.map(\.name), old.outputs)
    try settings.tolerances.check(outputs: pairs.map(\.new))
    var totals = pairs.map { OutputTotals(new: $0.new, old: $0.old) }
    var sets = try InputSets(
      data: settings.data, settings.inputs, settings.image, loaded, console)
    let truth = try settings.truth.map { text in
      try Truth(text, labels: labels.names, files: settings.inputs.images)
    }
    var predictions: [PredictionPair] = []
    var progress = Progress(console, total: sets.count, unit: "sets")
    defer { progress.finish() }
    var done = 0
    while let set = try sets.next() {
      progress.update(done)
      let new = try run(loaded.session, set)
      let before = try old.results(for: set)
      let rows = set.pictures.isEmpty ? nil : set.pictures.count
      for index in totals.indices {
        guard let got = new[totals[index].new], let expected = before[totals[index].old] else {
          continue
        }
        totals[index].add(
          set.name, got: got, expected: expected, rows: rows,
          tolerance: settings.tolerances.isGiven ? settings.tolerances : nil)
      }
      predictions += try self.predictions(
        set, new, before, totals, truth: truth, from: predictions.count)
      done += 1
    }
    return try CompareReport(
      settings, totals, predictions, sets: done, labels: labels, hasTruth: truth != nil
    ).report()
  }

  private func run(_ session: InferenceSession, _ set: InputSet) throws -> [String: Tensor] {
    try console.environment.interruption.during { cancellation in
      try session.run(values: set.inputs, options: RunOptions(cancellation: cancellation))
        .compactMapValues(\.tensor)
    }
  }

  // MARK: pairs of outputs

  /// Which outputs to compare: as the options say; those of the same name; otherwise by place.
  private func pairs(
    _ new: [String], _ old: [String]
  ) throws -> [(new: String, old: String)] {
    if !settings.map.isEmpty {
      for (side, names, known) in [
        ("new", settings.map.map(\.new), new), ("old", settings.map.map(\.old), old),
      ] {
        for name in names where !known.contains(name) {
          throw ToolError.usage(
            "--map: the \(side) model has no output '\(escaped(name))'; it has \(quoted(known))"
              + suggestion(for: name, among: known))
        }
      }
      return settings.map
    }
    let common = new.filter(old.contains)
    if !common.isEmpty { return common.map { ($0, $0) } }
    guard new.count == old.count else {
      throw ToolError.usage(
        "no output has the same name: the new model has \(quoted(new)), the old one \(quoted(old)); say "
          + "which to compare: --map NEW=OLD")
    }
    return Array(zip(new, old).map { (new: $0, old: $1) })
  }

  // MARK: the old side

  private func oldSide(_ loaded: LoadedModel) throws -> any OldSide {
    if settings.against.hasSuffix(".npz") {
      return try OldArchive(settings.against, inputs: loaded.inputs.map(\.name))
    }
    var options = settings.engine.session
    options.dimensions = [:]
    let session = try ModelSource.file(settings.against).open(options)
    return OldModel(
      session: session, inputs: loaded.inputs, settings: settings, console: console)
  }

  /// A model that is run on the same inputs.
  private struct OldModel: OldSide {
    let session: InferenceSession
    /// Those of the new model.
    let inputs: [ValueInfo]
    let settings: CompareSettings
    let console: Console

    var outputs: [String] { session.outputs.map(\.name) }

    func results(for set: InputSet) throws -> [String: Tensor] {
      let own = try values(for: set)
      return try console.environment.interruption.during { cancellation in
        try session.run(values: own, options: RunOptions(cancellation: cancellation))
          .compactMapValues(\.tensor)
      }
    }

    /// The inputs of the set, by the names of this model's inputs: the same, or by place. Pictures are prepared for it anew,
    /// since it may want another size.
    private func values(for set: InputSet) throws -> [String: RunValue] {
      var values: [String: RunValue] = [:]
      for (index, input) in session.inputs.enumerated() {
        if let value = set.inputs[input.name] {
          values[input.name] = value
        } else if inputs.count == session.inputs.count, let value = set.inputs[inputs[index].name] {
          values[input.name] = value
        }
      }
      guard !set.pictures.isEmpty else { return values }
      let target = try PictureInput(session.inputs, settings.inputs)
      let steps = try settings.image.preprocessing(session.metadata)
        .resolved(for: target.input.type)
      var images = set.pictures.map(\.image)
      if target.isBatchFixed, let last = images.last {
        guard images.count <= target.batch else {
          throw ToolError.usage(
            "\(escaped(settings.against)) takes \(target.batch) pictures at a time: add --batch "
              + "\(target.batch)")
        }
        images += Array(repeating: last, count: target.batch - images.count)
      }
      values[target.input.name] = .tensor(try steps.tensor(from: images))
      return values
    }
  }

  /// Outputs in an archive: of one set, or one behind the other along the first dimension.
  private struct OldArchive: OldSide {
    private let tensors: [String: Tensor]
    private let path: String
    private var rows = 0
    let outputs: [String]

    init(_ path: String, inputs: [String]) throws {
      self.path = path
      var tensors: [String: Tensor] = [:]
      var names: [String] = []
      for entry in try NPZ.read(path) where !entry.name.hasPrefix("in:") {
        let name = entry.name.hasPrefix("out:") ? String(entry.name.dropFirst(4)) : entry.name
        if inputs.contains(name) { continue }
        tensors[name] = entry.tensor
        names.append(name)
      }
      guard !names.isEmpty else { throw ToolError("\(escaped(path)) holds no outputs") }
      self.tensors = tensors
      outputs = names
    }

    mutating func results(for set: InputSet) throws -> [String: Tensor] {
      guard !set.pictures.isEmpty else {
        guard rows == 0 else {
          throw ToolError("\(escaped(path)) holds the outputs of one set; there are more")
        }
        rows = 1
        return tensors
      }
      let range = rows..<rows + set.pictures.count
      rows = range.upperBound
      return try tensors.mapValues { tensor in
        guard let part = tensor.rows(range) else {
          throw ToolError(
            "\(escaped(path)) has no row for \(escaped(set.name)): it holds \(tensor)")
        }
        return part
      }
    }
  }

  // MARK: predictions

  private func predictions(
    _ set: InputSet, _ new: [String: Tensor], _ old: [String: Tensor], _ totals: [OutputTotals],
    truth: Truth?, from first: Int
  ) throws -> [PredictionPair] {
    let rows = set.pictures.isEmpty ? nil : set.pictures.count
    for output in totals {
      guard let ours = new[output.new].flatMap({ Prediction.all($0, rows: rows) }),
        let theirs = old[output.old].flatMap({ Prediction.all($0, rows: rows) }),
        ours.count == theirs.count
      else { continue }
      return try ours.indices.map { row in
        let name =
          set.pictures.indices.contains(row)
          ? set.pictures[row].file : ours.count > 1 ? "\(set.name)[\(row)]" : set.name
        return PredictionPair(
          name: name, new: ours[row], old: theirs[row],
          truth: try truth?.label(of: name, index: first + row))
      }
    }
    return []
  }
}
