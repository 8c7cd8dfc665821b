// ModelLoading: a session from the path that MODEL names, or from stdin.

import LeapTensors
import Leapstone
import LeapstoneImage

package enum ModelLoading {
  /// The longest model that is taken from stdin, in bytes.
  static let streamLimit = 4 << 30

  /// - Parameters:
  ///   - path: a file; `-` for stdin.
  ///   - read: reads from stdin.
  /// - Throws: `ModelError`, `FileError`, `ToolError` where stdin has no end in sight.
  package static func session(
    _ path: String, options: SessionOptions, read: (Int) throws -> [UInt8]
  ) throws -> InferenceSession {
    guard path == "-" else { return try InferenceSession(path: path, options: options) }
    var bytes: [UInt8] = []
    while true {
      let more = try read(1 << 20)
      if more.isEmpty { break }
      bytes += more
      guard bytes.count <= streamLimit else {
        throw ToolError("stdin: more than \(readableSize(streamLimit)), the limit for a model")
      }
    }
    return try bytes.withUnsafeBytes { try InferenceSession(bytes: $0, options: options) }
  }
}
