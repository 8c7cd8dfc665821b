// ModelDigest: what tells a model's contents from another's: all bytes of its file, and of the weights that lie in others.

import LeapGraph
import LeapTensors
import LeapstoneImage

enum ModelDigest {
  /// `xxh64:` and 16 digits. It tells mix-ups and changes, not forgeries.
  ///
  /// - Parameter model: as it was read.
  /// - Throws: `ModelError`, `FileError`.
  static func text(of source: ModelSource, _ model: Model) throws -> String {
    var words: [UInt64] = []
    switch source {
    case .file(let path):
      let file = try PayloadFile(path: path)
      let mapped = try file.map(offset: 0, count: file.byteCount)
      words.append(
        Digest.xxh64(UnsafeRawBufferPointer(start: mapped.base, count: file.byteCount)))
      withExtendedLifetime(mapped) {}
      for (_, constant) in model.graph.constants.sorted(by: { $0.key < $1.key }) {
        if case .file(let other, _) = constant.source, other.path != path {
          words.append(try constant.tensor().withUnsafeBytes { Digest.xxh64($0) })
        }
      }
    case .bytes(let bytes): words.append(bytes.withUnsafeBytes { Digest.xxh64($0) })
    }
    return Digest.text(words.count == 1 ? words[0] : words.withUnsafeBytes { Digest.xxh64($0) })
  }
}

extension Digest {
  /// `xxh64:` and 16 digits.
  static func text(_ digest: UInt64) -> String {
    let digits = String(digest, radix: 16)
    return "xxh64:" + String(repeating: "0", count: 16 - digits.count) + digits
  }

  static func text(_ bytes: UnsafeRawBufferPointer) -> String { text(xxh64(bytes)) }

  static func text(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { text($0) } }
}
