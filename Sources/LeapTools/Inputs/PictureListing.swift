// PictureListing: the pictures below directories, for data sets that have a directory for each class.

import LeapTensors

enum PictureListing {
  /// Directories deeper than this are not entered: links may lead round in circles.
  private static let depthLimit = 16

  /// Files, with directories opened up, those inside them too.
  ///
  /// - Throws: `ToolError` for a directory without pictures; `FileError`.
  static func files(_ paths: [String]) throws -> [String] {
    try paths.flatMap { path -> [String] in
      guard try DirectoryListing.names(in: path) != nil else { return [path] }
      var found: [String] = []
      try visit(path, depth: 0, &found)
      guard !found.isEmpty else {
        throw ToolError(
          "\(escaped(path)): no .png, .jpg, .ppm or .pgm file in this directory or below")
      }
      return found
    }
  }

  private static func visit(_ path: String, depth: Int, _ found: inout [String]) throws {
    guard depth < depthLimit, let names = try DirectoryListing.names(in: path) else { return }
    let directory = path.hasSuffix("/") ? path : path + "/"
    for name in names {
      if PictureSource.isPicture(name) {
        found.append(directory + name)
      } else {
        try visit(directory + name, depth: depth + 1, &found)
      }
    }
  }
}
