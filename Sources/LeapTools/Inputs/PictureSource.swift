// PictureSource: the pictures that `--image` names, one after the other: files, directories, stdin.

import LeapTensors
import LeapstoneImage

/// A picture with what reports call it.
package struct NamedPicture: Sendable {
  /// The path; `-` for stdin.
  package let file: String
  /// The place among all pictures of the call, from 0.
  package let index: Int
  package let image: Image

  /// What messages and lines for people call it.
  package var title: String { NamedPicture.title(file, index: index) }

  /// A picture's path; its number where it comes from stdin, like others.
  static func title(_ file: String, index: Int) -> String {
    file == "-" ? "stdin: picture \(index + 1)" : escaped(file)
  }

  /// The file's name without directory and extension.
  package var stem: String {
    let name = file.split(separator: "/").last.map(String.init) ?? file
    guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return name }
    return String(name[..<dot])
  }
}

package struct PictureSource: Sendable {
  private static let extensions = ["png", "jpg", "jpeg", "ppm", "pgm"]

  /// Files, with directories opened up; `-` for stdin.
  package let files: [String]
  private var position = 0
  private var index = 0
  private var stream: PictureStream
  private let appliesOrientation: Bool

  /// Whether a file is a picture, by its name.
  static func isPicture(_ name: String) -> Bool {
    extensions.contains(name.split(separator: ".").last?.lowercased() ?? "")
  }

  /// - Parameters:
  ///   - paths: files, directories, `-`.
  ///   - read: reads from stdin.
  ///   - appliesOrientation: turn JPEGs as their EXIF orientation says.
  /// - Throws: `ToolError` for a directory without pictures, `FileError`.
  package init(
    _ paths: [String], appliesOrientation: Bool,
    read: @escaping @Sendable (Int) throws -> [UInt8]
  ) throws {
    files = try paths.flatMap { path -> [String] in
      guard path != "-", let names = try DirectoryListing.names(in: path) else { return [path] }
      let pictures = names.filter(PictureSource.isPicture)
      guard !pictures.isEmpty else {
        throw ToolError("\(escaped(path)): no .png, .jpg, .ppm or .pgm file in this directory")
      }
      let directory = path.hasSuffix("/") ? path : path + "/"
      return pictures.map { directory + $0 }
    }
    self.appliesOrientation = appliesOrientation
    stream = PictureStream(read)
  }

  /// How many pictures there are; nil where stdin has some of them.
  package var count: Int? { files.contains("-") ? nil : files.count }

  /// The next picture; nil behind the last one.
  ///
  /// - Throws: `ImageError`, `FileError`; `ToolError`, also where stdin is empty.
  package mutating func next() throws -> NamedPicture? {
    while position < files.count {
      let file = files[position]
      guard file == "-" else {
        position += 1
        return named(file, try Image(path: file, appliesOrientation: appliesOrientation))
      }
      guard let bytes = try stream.next() else {
        guard stream.count > 0 else {
          throw ToolError("stdin: it is empty; expected PNG, JPEG, binary PPM or PGM pictures")
        }
        position += 1
        continue
      }
      do {
        return named(file, try Image(decoding: bytes, appliesOrientation: appliesOrientation))
      } catch let error as ImageError {
        throw ToolError("\(NamedPicture.title(file, index: index)): \(error)")
      }
    }
    return nil
  }

  private mutating func named(_ file: String, _ image: Image) -> NamedPicture {
    defer { index += 1 }
    return NamedPicture(file: file, index: index, image: image)
  }
}
