// DatasetTool: one call of `onnx-verify dataset`: batches of pictures, several runs in flight, results in the pictures' order.

import LeapFormat
import LeapGraph
import LeapTensors
import Leapstone
import LeapstoneImage

struct DatasetTool {
  private let settings: DatasetSettings
  private let console: Console

  init(_ settings: DatasetSettings, _ console: Console) {
    self.settings = settings
    self.console = console
  }

  /// - Throws: `ModelError`, `RunError`, `ToolError`, `ImageError`, `FileError`.
  func run() throws -> Report {
    let source = try ModelSource(settings.model, read: console.environment.read)
    let options = settings.engine.session
    let model = try LoadedModel(source.open(options), settings.engine.shapes, console)
    let labels = try settings.image.labels()
    let scorer = try PictureScorer(settings, model, labels: labels, console)
    let digest = try ModelDigest.text(
      of: source, source.read(ReadOptions(externalDataRoots: options.externalDataRoots)))
    let progress = try settings.resume.map {
      try ProgressFile($0, key: key(digest, scorer, labels))
    }
    var resumed = 0
    let scores = try scores(scorer, progress, resumed: &resumed)
    let summary = DatasetSummary(scores)
    let checks = try DatasetChecks(settings, summary)
    if let path = settings.record {
      let baseline = Baseline(model: settings.model, digest: digest, summary)
      try FileBytes.write(Array((baseline.json.text(indented: true) + "\n").utf8), to: path)
    }
    return try DatasetReport(
      settings, scores, summary, checks, labels: ClassNames(labels), steps: scorer.steps.flags,
      resumed: resumed
    ).report()
  }

  /// What decides the results of pictures beside their own files.
  private func key(
    _ digest: String, _ scorer: PictureScorer, _ labels: [String]
  ) throws -> [JSON.Member] {
    var members: [JSON.Member] = [
      .init("model_digest", .string(digest)), .init("pictures", .string(scorer.steps.flags)),
    ]
    switch settings.expected {
    case .classes(let text):
      members.append(.init("expected", .string("classes: \(text)")))
      if !["dirs", "prefix"].contains(text) {
        members.append(
          .init("truth_digest", .string(Digest.text(try FileBytes.read(text, limit: 1 << 28)))))
      }
    case .masks(let directory):
      members.append(.init("expected", .string("masks: \(directory)")))
      if let ignored = settings.ignored {
        members.append(.init("ignore", .integer(Int(ignored))))
      }
      if let threshold = scorer.threshold { members.append(.init("threshold", .number(threshold))) }
    }
    members.append(
      .init("labels_digest", .string(Digest.text(Array(labels.joined(separator: "\n").utf8)))))
    members.append(
      .init(
        "inputs",
        .object(
          scorer.others.sorted { $0.key < $1.key }.map { name, tensor in
            .init(name, .string("\(tensor) " + tensor.withUnsafeBytes { Digest.text($0) }))
          })))
    members.append(.init("engine", .string(try settings.engine.resultText())))
    return members
  }

  private func scores(
    _ scorer: PictureScorer, _ progressFile: ProgressFile?, resumed: inout Int
  ) throws -> [PictureScore] {
    var known: [String: PictureScore] = [:]
    let indices = Dictionary(
      settings.files.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    for (score, stamp) in progressFile?.done ?? [] {
      // What was made of another file of this name is done again.
      guard let index = indices[score.file], stamp == scorer.stamp(of: score.file) else { continue }
      known[score.file] = try scorer.withTruth(score, index: index)
    }
    resumed = known.count
    let open = settings.files.enumerated().filter { known[$0.element] == nil }
      .map { (index: $0.offset, file: $0.element) }
    if !known.isEmpty {
      console.note(
        "\(settings.files.count - open.count) of \(settings.files.count) pictures are done")
    }
    var progress = Progress(console, total: open.count, unit: "pictures")
    defer { progress.finish() }
    var position = 0
    let batch = scorer.batch
    while position < open.count {
      try console.environment.interruption.check()
      progress.update(position)
      var batches: [[(index: Int, file: String)]] = []
      while batches.count < settings.engine.concurrency, position < open.count {
        let end = min(position + batch, open.count)
        batches.append(Array(open[position..<end]))
        position = end
      }
      for result in InFlight.map(batches, { try scorer.scores($1) }) {
        for score in try result.get() {
          known[score.file] = score
          try progressFile?.append(score, stamp: scorer.stamp(of: score.file))
        }
      }
    }
    return settings.files.compactMap { known[$0] }
  }
}

/// Runs the model on pictures and compares with what they show.
struct PictureScorer: Sendable {
  let steps: ResolvedPreprocessing
  let batch: Int
  private let isBatchFixed: Bool
  private let input: String
  private let session: InferenceSession
  /// What the model gets beside pictures.
  let others: [String: Tensor]
  private let appliesOrientation: Bool
  private let truth: Truth?
  private let masks: MaskFiles?
  private let interruption: Interruption
  /// Where a mask of one channel is class 1: the same for all pictures.
  private(set) var threshold: Double?

  init(
    _ settings: DatasetSettings, _ model: LoadedModel, labels: [String], _ console: Console
  ) throws {
    let preprocessing = try settings.image.preprocessing(model.session.metadata)
    let target = try PictureInput(model.inputs, settings.inputs)
    (input, batch, isBatchFixed) = (target.input.name, target.batch, target.isBatchFixed)
    steps = try preprocessing.resolved(for: target.input.type)
    console.detail("pre-processing: \(steps.flags)")
    let reader = InputSource(
      settings.inputs, inputs: model.inputs, defaulted: model.session.overridableInitializers
    ) { preprocessing }
    let (tensors, notes) = try reader.tensors(except: input)
    for note in notes { console.note(note) }
    others = tensors
    session = model.session
    appliesOrientation = preprocessing.appliesOrientation
    interruption = console.environment.interruption
    switch settings.expected {
    case .classes(let text):
      truth = try Truth(text, labels: labels, files: settings.files)
      masks = nil
    case .masks(let directory):
      truth = nil
      masks = try MaskFiles(directory, of: settings.files, ignored: settings.ignored)
      threshold = try settings.files.first.flatMap(likelyThreshold)
    }
  }

  /// 1/2 where the first picture's output of one channel looks like probabilities, 0 where it looks like logits: one picture's
  /// values may lie between 0 and 1 by chance, or a little beyond.
  private func likelyThreshold(_ file: String) throws -> Double? {
    let (outputs, size) = try run([Image(path: file, appliesOrientation: appliesOrientation)])
    for output in outputs where output.shape.first == size && output.shape.rank >= 3 {
      guard let numbers = output.doubles, (try? Mask(scores: output)) != nil else { continue }
      return numbers.allSatisfy { (-0.5...1.5).contains($0) } ? 0.5 : 0
    }
    return nil
  }

  /// The outputs of a batch, and how many rows it had.
  private func run(_ images: [Image]) throws -> (outputs: [Tensor], size: Int) {
    var batch = images
    if isBatchFixed, let last = images.last {
      batch += Array(repeating: last, count: self.batch - images.count)
    }
    var tensors = others
    tensors[input] = try steps.tensor(from: batch)
    let inputs = tensors
    let results = try interruption.during { cancellation in
      try session.run(inputs, options: RunOptions(cancellation: cancellation))
    }
    return (session.outputs.compactMap { results[$0.name] }, batch.count)
  }

  /// The scores of one batch.
  ///
  /// - Throws: `ToolError` that names the picture.
  func scores(_ pictures: [(index: Int, file: String)]) throws -> [PictureScore] {
    do {
      let images = try pictures.map {
        try Image(path: $0.file, appliesOrientation: appliesOrientation)
      }
      let (outputs, size) = try run(images)
      return try zip(pictures, images).enumerated().map { row, pair in
        PictureScore(
          file: pair.0.file,
          result: try result(outputs, row: row, of: size, pair.0, pair.1))
      }
    } catch {
      let failure = ToolError(describing: error)
      if failure == .interrupted || pictures.isEmpty { throw failure }
      let more = pictures.count > 1 ? " and \(pictures.count - 1) more" : ""
      let prefix =
        failure.description.hasPrefix(escaped(pictures[0].file))
        ? "" : "\(escaped(pictures[0].file))\(more): "
      throw ToolError(prefix + failure.description, exitCode: failure.exitCode)
    }
  }

  /// What tells a picture and its mask from other files of their names.
  func stamp(of file: String) -> String {
    ([file] + (masks?.path(of: file).map { [$0] } ?? [])).map { DirectoryListing.stamp(of: $0) }
      .joined(separator: "; ")
  }

  /// A score that was kept, with the truth as it is known.
  ///
  /// - Throws: `ToolError` where it is not known any more.
  func withTruth(_ score: PictureScore, index: Int) throws -> PictureScore {
    guard let truth, case .classes(_, let best, let probability) = score.result else {
      return score
    }
    let expected = try truth.label(of: score.file, index: index)
    return PictureScore(
      file: score.file, result: .classes(truth: expected, best: best, probability: probability))
  }

  private func result(
    _ outputs: [Tensor], row: Int, of size: Int, _ picture: (index: Int, file: String),
    _ image: Image
  ) throws -> PictureScore.Result {
    if let truth {
      let expected = try truth.label(of: picture.file, index: picture.index)
      for output in outputs where output.shape.first == size {
        guard let own = output.rows(row..<row + 1), let found = Prediction.all(own, rows: 1)?.first
        else { continue }
        guard let scores = ScoreRows(own), expected < scores.classes else {
          throw ToolError(
            "its class is \(expected), but the model knows \(ScoreRows(own)?.classes ?? 0)")
        }
        return .classes(truth: expected, best: found.classes, probability: found.probability)
      }
      throw ToolError(
        "the model has no output of class scores for each picture; it has "
          + outputs.map { "\($0)" }.joined(separator: ", "))
    }
    for output in outputs where output.shape.first == size && output.shape.rank >= 3 {
      guard let own = output.rows(row..<row + 1),
        let found = try? Mask(scores: own, threshold: threshold)
      else { continue }
      // Integers are classes already: how many the model knows is not in its output.
      let known = own.dataType.isFloatingPoint ? found.classCount : nil
      var counts = MaskCounts()
      try masks?.count(&counts, picture.file, image, found, knownClasses: known, steps)
      return .mask(counts)
    }
    throw ToolError(
      "the model has no output of masks; it has "
        + outputs.map { "\($0)" }.joined(separator: ", "))
  }
}
