// WireReader: walks the bytes of a protobuf message from front to back, in a file or in memory.
//
// 1. Every byte is fetched once: what was checked is what is used, though another process writes the file.
// 2. A file is read through one window, so that skipping a payload costs neither memory nor time.
// 3. Errors carry the offset at which the bytes went wrong.

import LeapTensors

/// Where the bytes of a model lie.
package enum ByteSource {
  case file(PayloadFile)
  case memory(UnsafeRawBufferPointer)

  package var count: Int {
    switch self {
    case .file(let file): file.byteCount
    case .memory(let bytes): bytes.count
    }
  }
}

/// A cursor over a `ByteSource`.
struct WireReader {
  /// Bytes that are read from a file at a time. Behind a payload that is skipped there is often little before the next.
  private static let windowSize = 32 << 10

  let source: ByteSource
  /// The name of the source, for messages.
  let name: String
  let count: Int
  private(set) var position = 0
  private var window: UnsafeRawBufferPointer
  private var windowStart = 0
  private let buffer: TensorStorage?

  /// - Throws: `ModelError.outOfMemory` where the window is refused.
  init(_ source: ByteSource, name: String) throws {
    self.source = source
    self.name = name
    count = source.count
    switch source {
    case .memory(let bytes):
      window = bytes
      buffer = nil
    case .file:
      let storage = try TensorStorage(byteCount: min(WireReader.windowSize, count))
      window = UnsafeRawBufferPointer(start: storage.base, count: 0)
      buffer = storage
    }
  }

  func malformed(at offset: Int? = nil, _ reason: String) -> ModelError {
    .malformed(file: name, offset: offset ?? position, reason: reason)
  }

  /// The next byte.
  mutating func byte() throws -> UInt8 {
    if position - windowStart >= window.count { try fill() }
    let byte = window[position - windowStart]
    position += 1
    return byte
  }

  /// A base-128 varint of at most ten bytes and 64 bits.
  mutating func varint() throws -> UInt64 {
    let start = position
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      let byte = try byte()
      if shift == 63 && byte > 1 {
        throw malformed(
          at: start, byte < 0x80 ? "a varint exceeds 64 bits" : "a varint is longer than ten bytes")
      }
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return value }
    }
    throw malformed(at: start, "a varint is longer than ten bytes")
  }

  /// Moves on without looking. `length` has been checked against what is left.
  mutating func skip(_ length: Int) {
    precondition(length >= 0 && length <= count - position, "skip stays inside the source")
    position += length
  }

  /// Appends the next `length` bytes to a skeleton. `length` has been checked against what is left.
  mutating func copy(_ length: Int, to skeleton: SkeletonBuffer) throws {
    var left = length
    while left > 0 {
      if position - windowStart >= window.count { try fill() }
      let start = position - windowStart
      let piece = min(left, window.count - start)
      try skeleton.append(UnsafeRawBufferPointer(rebasing: window[start..<start + piece]))
      position += piece
      left -= piece
    }
  }

  /// Brings the byte at `position` into the window.
  private mutating func fill() throws {
    guard position < count else { throw malformed("the bytes end inside a field: truncated") }
    guard case .file(let file) = source, let buffer else { return }
    let piece = min(buffer.byteCount, count - position)
    try file.read(into: buffer.base, offset: position, count: piece)
    window = UnsafeRawBufferPointer(start: buffer.base, count: piece)
    windowStart = position
  }
}
