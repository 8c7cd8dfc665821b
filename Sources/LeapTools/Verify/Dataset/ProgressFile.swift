// ProgressFile: results that are kept as they come, a line each, so that an interrupted call can go on.
//
// 1. What belongs to another model, other pictures or other pre-processing is refused, not mixed in.
// 2. A line that was cut off is done again.

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
  let done: [PictureScore]
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
      (try? JSON(parsing: Array(line.utf8))).flatMap(PictureScore.init)
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
  /// - Throws: `FileError`.
  func append(_ score: PictureScore) throws { try append(score.json.text()) }

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
