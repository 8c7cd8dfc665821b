// ProgressFile: results that are kept as they come, a line each, so that an interrupted call can go on.
//
// 1. What belongs to another model, other truths or another way to run is refused, not mixed in.
// 2. A line that was cut off, or is of a file that was changed, is done again.

import LeapTensors
import LeapstoneImage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

final class ProgressFile {
  private static let schema = "leapstone.progress/1"

  /// What was there already.
  let done: [(score: PictureScore, stamp: String)]
  private let descriptor: Int32
  private let path: String

  /// Opens a file, or makes it.
  ///
  /// - Parameter key: what decides the results.
  /// - Throws: `ToolError` where it was made for something else; `FileError`.
  init(_ path: String, key: [JSON.Member]) throws {
    self.path = path
    let head = JSON.object([.init("schema", .string(ProgressFile.schema))] + key)
    var lines: [Substring] = []
    var isWhole = true
    if DirectoryListing.exists(path) {
      let text = String(decoding: try FileBytes.read(path, limit: 1 << 32), as: UTF8.self)
      isWhole = text.isEmpty || text.hasSuffix("\n")
      lines = text.split(separator: "\n")
    }
    if let first = lines.first {
      guard (try? JSON(parsing: Array(first.utf8))) == head else {
        throw ToolError.usage(
          "--resume: \(escaped(path)) holds results of another model, of other options, or something "
            + "else; remove it, or name another file")
      }
    }
    done = lines.dropFirst().compactMap { line in
      guard let json = try? JSON(parsing: Array(line.utf8)), let score = PictureScore(json) else {
        return nil
      }
      return (score, json["files"]?.string ?? "")
    }
    descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw FileError(path: path, reason: String(cString: strerror(errno)))
    }
    if lines.isEmpty { try append(head.text()) } else if !isWhole { try append("") }
  }

  deinit { close(descriptor) }

  /// Adds a result.
  ///
  /// - Parameter stamp: of the files that it was made of.
  /// - Throws: `FileError`.
  func append(_ score: PictureScore, stamp: String) throws {
    let members = score.json.members ?? []
    try append(JSON.object(members + [.init("files", .string(stamp))]).text())
  }

  private func append(_ line: String) throws {
    let bytes = Array((line + "\n").utf8)
    var start = 0
    while start < bytes.count {
      let written = bytes[start...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if written < 0, errno == EINTR { continue }
      guard written >= 0 else {
        throw FileError(path: path, reason: String(cString: strerror(errno)))
      }
      start += written
    }
  }
}
