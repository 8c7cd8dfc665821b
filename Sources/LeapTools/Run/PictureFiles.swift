// PictureFiles: the files that onnx-run writes for pictures: masks, overlays, arrays.

import LeapTensors
import LeapstoneImage

struct PictureFiles {
  private let steps: ResolvedPreprocessing
  private var mask: OutputPath?
  private var overlay: OutputPath?
  /// For a file of arrays for each picture.
  private var arrays: OutputPath?
  /// For one file of all pictures' arrays.
  private let archive: String?
  private var collected: [String: [Tensor]] = [:]
  private var names: [String] = []
  private var pictureCount = 0

  /// - Parameter pictureCount: nil where it is not known.
  /// - Throws: `ToolError` with exit code 64 where pictures would overwrite one another.
  init(_ settings: RunSettings, steps: ResolvedPreprocessing, pictureCount: Int?) throws {
    self.steps = steps
    mask = settings.mask.map { OutputPath(flag: "--mask", template: $0) }
    overlay = settings.overlay.map { OutputPath(flag: "--overlay", template: $0) }
    let save = settings.save.map { OutputPath(flag: "--save", template: $0) }
    arrays = save?.distinguishes == true ? save : nil
    archive = arrays == nil ? settings.save : nil
    for (flag, path) in [("--mask", mask), ("--overlay", overlay)] {
      if let path, let pictureCount, pictureCount > 1, !path.distinguishes {
        throw ToolError.usage(
          "\(flag): \(pictureCount) pictures would be written to one file; put {name} or {index} "
            + "into the path")
      }
    }
  }

  /// Writes what was asked for of one picture.
  ///
  /// - Throws: `ToolError`, `ImageError`, `FileError`, `ArrayFileError`.
  mutating func write(_ parts: [PicturePart], of picture: NamedPicture) throws {
    if mask != nil || overlay != nil, let scores = parts.first {
      try writeMask(try own([scores], picture)[0].tensor, picture)
    }
    if arrays == nil, archive == nil { return }
    let outputs = try own(parts, picture)
    if let path = try arrays?.next(picture) { try NPZ.write(outputs, to: path) }
    if archive != nil {
      pictureCount += 1
      for output in outputs {
        if collected[output.name] == nil { names.append(output.name) }
        collected[output.name, default: []].append(output.tensor)
      }
    }
  }

  private func own(_ parts: [PicturePart], _ picture: NamedPicture) throws -> [NamedTensor] {
    try parts.map { part in
      guard part.isOwn else {
        throw ToolError(
          "\(escaped(picture.file)): output '\(escaped(part.output.name))' (\(part.output.tensor)) has "
            + "not one row for each picture; use --batch 1")
      }
      return part.output
    }
  }

  private mutating func writeMask(_ scores: Tensor, _ picture: NamedPicture) throws {
    let classes = try Mask(scores: scores)
    if let path = try mask?.next(picture) {
      try FileBytes.write(try classes.image.encodedPNG(), to: path)
    }
    if let path = try overlay?.next(picture) {
      let shown = try steps.shown(of: picture.image)
      try FileBytes.write(try classes.overlay(on: shown).encodedPNG(), to: path)
    }
  }

  /// Writes what was collected over all pictures.
  func finish() throws {
    guard let archive else { return }
    let tensors = try names.map { name in
      let parts = collected[name] ?? []
      guard parts.count == pictureCount else {
        throw ToolError(
          "--save: there is '\(escaped(name))' for \(parts.count) of \(pictureCount) pictures; "
            + "put {index} into the path, for a file for each")
      }
      return NamedTensor(name, try Tensor.joined(parts, name: name))
    }
    try NPZ.write(tensors, to: archive)
  }
}
