// ForeignFormat: names a file that is no ONNX model for what it is. Asked only after the scan has failed, so that no
// model is ever mistaken.

import LeapTensors

enum ForeignFormat {
  /// What the bytes are, with a hint on what to do; nil where they look like nothing known.
  static func identify(_ source: ByteSource) -> String? {
    let size = source.count
    if size == 0 { return "the file is empty" }
    let head = beginning(of: source, atMost: 512)
    for (magic, offset, name) in magics where head.dropFirst(offset).starts(with: magic) {
      return name
    }
    if isSafetensors(head, size: size) {
      return "a safetensors file: weights without a graph; export the model to ONNX"
    }
    let text = String(decoding: head, as: UTF8.self)
    if text.hasPrefix("version https://git-lfs") {
      return "a Git LFS pointer: fetch the file itself with `git lfs pull`"
    }
    let start = text.drop { $0.isWhitespace || $0 == "\u{feff}" }.prefix(15).lowercased()
    if start.hasPrefix("<!doctype html") || start.hasPrefix("<html") {
      return "an HTML page: the download brought a web page in place of the model"
    }
    if start.hasPrefix("<?xml") { return "an XML file (OpenVINO's IR begins so)" }
    if start.hasPrefix("{") { return "a JSON file" }
    return nil
  }

  private static let magics: [(bytes: [UInt8], offset: Int, name: String)] = [
    (
      Array("PK\u{3}\u{4}".utf8), 0,
      "a zip archive (PyTorch's .pt and .pth are such): export it to ONNX"
    ),
    ([0x1f, 0x8b], 0, "a gzip archive: unpack it first"),
    ([0x80, 0x02], 0, "a Python pickle (an old PyTorch file): export it to ONNX"),
    (Array("TFL3".utf8), 4, "a TensorFlow Lite model: convert it to ONNX"),
    (
      Array("ORTM".utf8), 4,
      "a model in ONNX Runtime's own format: use the .onnx file it was made from"
    ),
    (Array("GGUF".utf8), 0, "a GGUF file"),
    ([0xfd, 0x37, 0x7a, 0x58, 0x5a], 0, "an xz archive: unpack it first"),
    ([0x89, 0x48, 0x44, 0x46], 0, "an HDF5 file (Keras): convert it to ONNX"),
    ([0x89, 0x50, 0x4e, 0x47], 0, "a PNG picture"),
    ([0xff, 0xd8, 0xff], 0, "a JPEG picture"),
  ]

  /// A little-endian length of the header, then the header, which is JSON.
  private static func isSafetensors(_ head: [UInt8], size: Int) -> Bool {
    guard head.count > 9, head[8] == UInt8(ascii: "{") else { return false }
    let length = head[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return length < UInt64(size)
  }

  private static func beginning(of source: ByteSource, atMost limit: Int) -> [UInt8] {
    let count = min(source.count, limit)
    switch source {
    case .memory(let bytes): return Array(bytes[..<count])
    case .file(let file):
      var head = [UInt8](repeating: 0, count: count)
      // A file that cannot be read any more keeps the error that the scan met.
      let read: Void? = head.withUnsafeMutableBytes { head in
        guard let base = head.baseAddress else { return nil }
        return try? file.read(into: base, offset: 0, count: count)
      }
      return read == nil ? [] : head
    }
  }
}
