// RunInputs: the tensors of one run, pictures among them, from INPUTS and IMAGE options.

import LeapTensors
import Leapstone
import LeapstoneImage

/// Finds the tensors of one run; pictures fill one batch.
struct RunInputs {
  let options: InputOptions
  let image: ImageOptions

  /// The tensors by input, and the pre-processing where there are pictures.
  ///
  /// - Throws: as `InputSource.tensors`, `PictureInput`, `PictureSource`.
  func tensors(
    for model: LoadedModel, _ console: Console
  ) throws -> (tensors: [String: Tensor], steps: ResolvedPreprocessing?) {
    let metadata = model.session.metadata
    let source = InputSource(
      options, inputs: model.inputs, defaulted: model.session.overridableInitializers
    ) {
      try image.preprocessing(metadata)
    }
    func told(_ found: (tensors: [String: Tensor], notes: [String])) -> [String: Tensor] {
      for note in found.notes { console.note(note) }
      return found.tensors
    }
    if options.images.isEmpty { return (told(try source.tensors()), nil) }
    let target = try PictureInput(model.inputs, options)
    let preprocessing = try image.preprocessing(metadata)
    let steps = try preprocessing.resolved(for: target.input.type)
    console.detail("pre-processing: \(steps.flags)")
    var tensors = told(try source.tensors(except: target.input.name))
    let pictures = try pictures(target.batch, preprocessing.appliesOrientation, console)
    tensors[target.input.name] = try steps.tensor(from: pictures)
    return (tensors, steps)
  }

  /// So many pictures, from the first again where there are fewer.
  private func pictures(
    _ count: Int, _ appliesOrientation: Bool, _ console: Console
  ) throws -> [Image] {
    var source = try PictureSource(
      options.images, appliesOrientation: appliesOrientation, read: console.environment.read)
    var images: [Image] = []
    while images.count < count, let picture = try source.next() { images.append(picture.image) }
    if let all = source.count, all > count {
      console.note("--image: the first \(counted(count, "picture")) of \(all) are used")
    }
    return (0..<count).map { images[$0 % images.count] }
  }
}
