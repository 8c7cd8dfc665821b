// MaskFiles: the masks that belong to pictures, and their pixels beside those that a model finds.
//
// 1. A mask belongs to one picture: names that could mean another are an error, not a guess.
// 2. A value that is no class of the model's is an error: counted, it would be a wrong answer.

import LeapTensors
import LeapstoneImage

struct MaskFiles: Sendable {
  private let directory: String
  /// Masks by the paths of pictures.
  private let files: [String: String]
  private let ignored: UInt8?

  /// Finds the masks of pictures: in the directory, or as deep in it as the picture lies in its own.
  ///
  /// - Parameter ignored: the value of pixels that do not count.
  /// - Throws: `ToolError` where it is no directory of pictures, where a picture has no mask or several, or several one;
  ///   `FileError`.
  init(_ directory: String, of pictures: [String], ignored: UInt8?) throws {
    self.directory = directory
    self.ignored = ignored
    guard try DirectoryListing.names(in: directory) != nil else {
      throw ToolError.usage("--masks: '\(escaped(directory))' is no directory")
    }
    let prefix = directory.hasSuffix("/") ? directory : directory + "/"
    let masks = Dictionary(grouping: try PictureListing.files([directory])) { path in
      MaskFiles.stem(path.dropFirst(prefix.count))
    }
    var files: [String: String] = [:]
    var owners: [String: String] = [:]
    for picture in pictures where files[picture] == nil {
      let mask = try MaskFiles.mask(of: picture, masks, directory)
      if let owner = owners[mask] {
        throw ToolError(
          "--masks: \(escaped(mask)) would be the mask of \(escaped(owner)) and of "
            + "\(escaped(picture)): put masks in directories like those of the pictures")
      }
      (files[picture], owners[mask]) = (mask, picture)
    }
    self.files = files
  }

  /// The mask whose path below its directory is the longest end of the picture's, `-mask` or `_mask` added or not.
  private static func mask(
    of picture: String, _ masks: [String: [String]], _ directory: String
  ) throws -> String {
    let parts = stem(picture[...]).split(separator: "/")
    for start in parts.indices {
      let name = parts[start...].joined(separator: "/")
      for ending in ["-mask", "_mask", ""] {
        let found = (masks[name + ending] ?? []).filter { $0 != picture }
        if found.count > 1 {
          throw ToolError(
            "--masks: \(escaped(picture)) has more than one mask: \(quoted(found))")
        }
        if let mask = found.first { return mask }
      }
    }
    throw ToolError("\(escaped(picture)): --masks: \(escaped(directory)) holds no mask for it")
  }

  /// A path without the extension of its last name.
  private static func stem(_ path: Substring) -> String {
    let start = path.lastIndex(of: "/") ?? path.startIndex
    guard let dot = path[start...].lastIndex(of: ".") else { return String(path) }
    return String(path[..<dot])
  }

  func path(of picture: String) -> String? { files[picture] }

  /// Adds the pixels of a picture's mask.
  ///
  /// - Parameters:
  ///   - found: what the model made of the picture.
  ///   - knownClasses: how many the model has; nil where it does not say.
  ///   - steps: what was done to the picture.
  /// - Throws: `ToolError` where the mask is not of the picture's size or has values that are no classes; `ImageError`.
  func count(
    _ counts: inout MaskCounts, _ picture: String, _ image: Image, _ found: Mask,
    knownClasses: Int?, _ steps: ResolvedPreprocessing
  ) throws {
    guard let path = files[picture] else {
      throw ToolError("--masks: \(escaped(directory)) holds no mask for it")
    }
    let (mask, isIndexed) = try Image.classes(path: path)
    guard mask.width == image.width, mask.height == image.height else {
      throw ToolError(
        "\(escaped(path)) is \(mask.width)x\(mask.height), its picture \(image.width)x\(image.height)"
      )
    }
    var placed = try steps.placed(mask: mask)
    if placed.width != found.width || placed.height != found.height {
      placed = try placed.resized(
        width: found.width, height: found.height, interpolation: .nearest)
    }
    let kept = placed.pixels.indices.filter { placed.pixels[$0] != ignored }
    let expected = try classes(
      kept.map { placed.pixels[$0] }, isIndexed: isIndexed, found, knownClasses, path)
    counts.add(kept.map { found.classes[$0] }, expected)
  }

  private func classes(
    _ pixels: [UInt8], isIndexed: Bool, _ found: Mask, _ known: Int?, _ path: String
  ) throws -> [UInt8] {
    guard let largest = pixels.max(), largest > 1 else { return pixels }
    // Two classes, drawn in black and white.
    let isBinary = known == 2 || known == nil && pixels.allSatisfy { $0 == 0 || $0 == 255 }
    if isBinary, !isIndexed { return pixels.map { $0 >= 128 ? 1 : 0 } }
    if let known, Int(largest) >= known {
      throw ToolError(
        "\(escaped(path)): the value \(largest) is no class: the model has \(known), 0 to \(known - 1); "
          + "--ignore \(largest) leaves such pixels out")
    }
    return pixels
  }
}
