// InputSets: the inputs of several runs, one after the other: sets of a folder, one set from options, or a picture each.

import LeapGraph
import LeapTensors
import Leapstone
import LeapstoneImage

/// Inputs of one run.
struct InputSet: Sendable {
  /// What reports call it: a set's name, or a picture's file.
  let name: String
  let inputs: [String: RunValue]
  /// The pictures among them, in the order of rows; none where tensors were given.
  var pictures: [NamedPicture] = []
}

/// Where inputs come from: `--data`, or INPUTS with IMAGE.
struct InputSets {
  private enum Source {
    case places([DataSetPlace], ModelSignature)
    case once([String: Tensor])
    case pictures(PictureSource, PictureInput, ResolvedPreprocessing, others: [String: Tensor])
  }

  private var source: Source
  private var position = 0
  /// The pre-processing of pictures, as flags.
  let preset: String?
  /// How many sets there are; nil where nobody knows.
  let count: Int?

  /// - Parameters:
  ///   - data: what `--data` names.
  ///   - model: whose inputs are to be filled.
  /// - Throws: `ToolError`, and what reading inputs throws.
  init(
    data: String?, _ options: InputOptions, _ image: ImageOptions, _ model: LoadedModel,
    _ console: Console
  ) throws {
    if let data {
      let places = try DataSetPlace.all(in: data)
      source = .places(places, ModelSignature(model.session))
      (preset, count) = (nil, places.count)
      return
    }
    let run = RunInputs(options: options, image: image)
    guard !options.images.isEmpty else {
      source = .once(try run.tensors(for: model, console).tensors)
      (preset, count) = (nil, 1)
      return
    }
    let target = try PictureInput(model.inputs, options)
    let preprocessing = try image.preprocessing(model.session.metadata)
    let steps = try preprocessing.resolved(for: target.input.type)
    console.detail("pre-processing: \(steps.flags)")
    let reader = InputSource(
      options, inputs: model.inputs, defaulted: model.session.overridableInitializers
    ) { preprocessing }
    let (others, notes) = try reader.tensors(except: target.input.name)
    for note in notes { console.note(note) }
    let pictures = try PictureSource(
      options.images, appliesOrientation: preprocessing.appliesOrientation,
      read: console.environment.read)
    count = pictures.count.map { ($0 + target.batch - 1) / target.batch }
    preset = steps.flags
    source = .pictures(pictures, target, steps, others: others)
  }

  /// The next set; nil behind the last one.
  ///
  /// - Throws: what reading it throws.
  mutating func next() throws -> InputSet? {
    switch source {
    case .places(let places, let model):
      guard position < places.count else { return nil }
      defer { position += 1 }
      let set = try places[position].read(for: model)
      return InputSet(name: set.name, inputs: set.inputs)
    case .once(let tensors):
      if position > 0 { return nil }
      position += 1
      return InputSet(name: "inputs", inputs: tensors.mapValues(RunValue.tensor))
    case .pictures(var pictures, let target, let steps, let others):
      defer { source = .pictures(pictures, target, steps, others: others) }
      var batch: [NamedPicture] = []
      while batch.count < target.batch, let picture = try pictures.next() { batch.append(picture) }
      guard let last = batch.last else { return nil }
      var images = batch.map(\.image)
      if target.isBatchFixed {
        images += Array(repeating: last.image, count: target.batch - images.count)
      }
      var tensors = others
      tensors[target.input.name] = try steps.tensor(from: images)
      return InputSet(
        name: batch[0].file, inputs: tensors.mapValues(RunValue.tensor), pictures: batch)
    }
  }
}
