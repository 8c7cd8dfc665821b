// ModelLoading: sessions from the path that MODEL names, or from stdin.

import LeapFormat
import LeapTensors
import Leapstone
import LeapstoneImage

/// Where a model comes from: it can be opened any number of times.
package enum ModelSource: Sendable {
  case file(String)
  case bytes([UInt8])

  /// The longest model that is taken from stdin, in bytes.
  static let streamLimit = 4 << 30

  /// - Parameters:
  ///   - path: a file; `-` for stdin, which is read to its end now.
  ///   - read: reads from stdin.
  /// - Throws: `FileError`, `ToolError` where stdin has no end in sight.
  package init(_ path: String, read: (Int) throws -> [UInt8]) throws {
    guard path == "-" else {
      self = .file(path)
      return
    }
    var bytes: [UInt8] = []
    while true {
      let more = try read(1 << 20)
      if more.isEmpty { break }
      bytes += more
      guard bytes.count <= ModelSource.streamLimit else {
        let limit = readableSize(ModelSource.streamLimit)
        throw ToolError("stdin: more than \(limit), the limit for a model")
      }
    }
    self = .bytes(bytes)
  }

  /// Reads the model, and makes no session of it.
  ///
  /// - Throws: `ModelError`.
  package func read(_ options: ReadOptions) throws -> Model {
    switch self {
    case .file(let path): try ModelReader.read(path: path, options: options)
    case .bytes(let bytes):
      try bytes.withUnsafeBytes { try ModelReader.read(bytes: $0, options: options) }
    }
  }

  /// Loads the model.
  ///
  /// - Throws: `ModelError`.
  package func open(_ options: SessionOptions) throws -> InferenceSession {
    switch self {
    case .file(let path): try InferenceSession(path: path, options: options)
    case .bytes(let bytes):
      try bytes.withUnsafeBytes { try InferenceSession(bytes: $0, options: options) }
    }
  }
}

/// A session, with its inputs as SHAPES options describe them.
package struct LoadedModel: Sendable {
  package let session: InferenceSession
  package let inputs: [ValueInfo]

  /// Says on the console what is odd about the model, and in detail what its inputs and outputs are.
  ///
  /// - Throws: `ToolError` with exit code 64 where SHAPES options do not fit the model.
  package init(_ session: InferenceSession, _ shapes: ShapeOptions, _ console: Console) throws {
    self.session = session
    for warning in session.warnings { console.warning(escaped(warning)) }
    let types = try shapes.apply(to: session.inputs)
    inputs = session.inputs.map { ValueInfo(name: $0.name, type: types[$0.name] ?? $0.type) }
    for (kind, values) in [("input", inputs), ("output", session.outputs)] {
      for value in values {
        console.detail("\(kind) '\(escaped(value.name))': \(escaped(value.type.description))")
      }
    }
  }
}
