// PictureRun: onnx-run on pictures: batches of them, several runs in flight, results in the pictures' order.

import LeapTensors
import Leapstone
import LeapstoneImage

struct PictureRun {
  private let tool: RunTool
  private let input: ValueInfo
  private let steps: ResolvedPreprocessing
  private let others: [String: Tensor]
  private let labels: [String]
  private let batch: Int
  /// Whether the model fixes the batch, so that the last one must be filled up.
  private let isBatchFixed: Bool
  private var source: PictureSource
  private var pictureFiles: PictureFiles
  private var progress: Progress

  /// One run's pictures, and what came of them.
  private struct Batch: Sendable {
    let number: Int
    let pictures: [NamedPicture]
  }
  private struct Outcome: Sendable {
    var outputs: [NamedTensor]
    var milliseconds: Double
  }

  /// - Throws: `ToolError`, `ImageError`, `FileError`, and what reading the other inputs throws.
  init(_ tool: RunTool) throws {
    self.tool = tool
    let settings = tool.settings
    let preprocessing = try tool.preprocessing()
    let target = try PictureInput(tool.inputs, settings.inputs)
    (input, batch, isBatchFixed) = (target.input, target.batch, target.isBatchFixed)
    steps = try preprocessing.resolved(for: input.type)
    tool.console.detail("pre-processing: \(steps.flags)")
    labels = try settings.image.labels()
    let reader = InputSource(
      settings.inputs, inputs: tool.inputs, defaulted: tool.session.overridableInitializers
    ) { preprocessing }
    let (tensors, notes) = try reader.tensors(except: input.name)
    others = tensors
    for note in notes { tool.console.note(note) }
    source = try PictureSource(
      settings.inputs.images, appliesOrientation: preprocessing.appliesOrientation,
      read: tool.console.environment.read)
    pictureFiles = try PictureFiles(settings, steps: steps, pictureCount: source.count)
    progress = Progress(tool.console, total: source.count, unit: "pictures")
  }

  // MARK: running

  /// Runs the model on all pictures.
  ///
  /// - Parameter report: gets what was found out, picture by picture.
  mutating func run(_ report: (RunRecord) throws -> Void) throws {
    defer { progress.finish() }
    var runs = 0
    var done = 0
    while true {
      let batches = try nextBatches(from: runs)
      if batches.isEmpty { break }
      runs += batches.count
      for (batch, outcome) in zip(batches, try outcomes(batches)) {
        try finish(batch, outcome, report)
        done += batch.pictures.count
        progress.update(done)
      }
    }
    try pictureFiles.finish()
  }

  private mutating func nextBatches(from number: Int) throws -> [Batch] {
    var batches: [Batch] = []
    while batches.count < tool.settings.concurrency {
      var pictures: [NamedPicture] = []
      while pictures.count < batch, let picture = try source.next() {
        try tool.console.environment.interruption.check()
        pictures.append(picture)
      }
      if pictures.isEmpty { break }
      batches.append(Batch(number: number + batches.count, pictures: pictures))
    }
    return batches
  }

  private func outcomes(_ batches: [Batch]) throws -> [Outcome] {
    try InFlight.map(batches) { try outcome($1, slot: $0) }.map { try $0.get() }
  }

  private func outcome(_ batch: Batch, slot: Int) throws -> Outcome {
    var images = batch.pictures.map(\.image)
    if isBatchFixed, let last = images.last {
      images += Array(repeating: last, count: self.batch - images.count)
    }
    do {
      var tensors = others
      tensors[input.name] = try steps.tensor(from: images)
      let (outputs, milliseconds) = try tool.execute(tensors, number: batch.number, slot: slot)
      return Outcome(outputs: outputs, milliseconds: milliseconds)
    } catch {
      throw PictureRun.naming(batch.pictures, error)
    }
  }

  /// The error, with the pictures that it happened with.
  private static func naming(_ pictures: [NamedPicture], _ error: any Error) -> ToolError {
    let failure = ToolError(describing: error)
    if failure == .interrupted { return failure }
    let more = pictures.count > 1 ? " and \(pictures.count - 1) more" : ""
    return ToolError("\(pictures[0].title)\(more): \(failure)", exitCode: failure.exitCode)
  }

  // MARK: results

  private mutating func finish(
    _ batch: Batch, _ outcome: Outcome, _ report: (RunRecord) throws -> Void
  ) throws {
    let size = isBatchFixed ? self.batch : batch.pictures.count
    for (row, picture) in batch.pictures.enumerated() {
      let parts = outcome.outputs.map { PicturePart($0, row: row, of: size) }
      do {
        try pictureFiles.write(parts, of: picture)
        try report(
          RunRecord(
            file: picture.file, index: picture.index, milliseconds: outcome.milliseconds,
            batch: batch.pictures.count, outputs: parts.map { OutputSummary($0.output) },
            top: try classes(parts)))
      } catch let error as ImageError {
        throw PictureRun.naming([picture], error)
      }
    }
  }

  private func classes(_ parts: [PicturePart]) throws -> [Classification]? {
    guard let part = parts.first else { return nil }
    let scores = part.output.tensor
    if let count = tool.settings.top {
      guard part.isOwn else {
        throw ImageError.mismatch("--top: \(scores) has not one row for each picture")
      }
      return try scores.topK(count, labels: labels)
    }
    // Where classes were not asked for, an output that holds none is no error.
    guard part.isOwn, scores.shape.rank >= 1, scores.shape.dimensions.last != 1 else { return nil }
    return try? scores.topK(RunTool.defaultTop, labels: labels)
  }
}

/// What of an output belongs to one picture of a batch.
struct PicturePart: Sendable {
  let output: NamedTensor
  /// Whether it is that picture's alone; otherwise the output has not one row for each picture.
  let isOwn: Bool

  /// - Parameters:
  ///   - row: the picture's place in the batch.
  ///   - size: how many pictures the run had.
  init(_ output: NamedTensor, row: Int, of size: Int) {
    let isWhole = size == 1
    let rows = output.tensor.shape.first == size ? output.tensor.rows(row..<(row + 1)) : nil
    self.output = NamedTensor(output.name, isWhole ? output.tensor : rows ?? output.tensor)
    isOwn = isWhole || rows != nil
  }
}
