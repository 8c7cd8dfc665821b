// CacheBytes: numbers and texts as the cache writes them: 64-bit words of this machine's byte order, each list and each text
// with its length before it, so that no two sequences of fields have the same bytes.

import LeapTensors

/// Fields, one behind the other.
struct CacheBytes: Hashable, Sendable {
  private(set) var bytes: [UInt8] = []

  mutating func append(_ word: UInt64) {
    withUnsafeBytes(of: word) { bytes.append(contentsOf: $0) }
  }

  mutating func append(_ number: Int) { append(UInt64(bitPattern: Int64(number))) }

  mutating func append(_ numbers: [Int]) {
    append(numbers.count)
    for number in numbers { append(number) }
  }

  mutating func append(_ text: String) { append(Array(text.utf8)) }

  mutating func append(_ texts: [String]) {
    append(texts.count)
    for text in texts { append(text) }
  }

  mutating func append(_ content: [UInt8]) {
    append(content.count)
    bytes += content
  }

  mutating func append(_ layout: Layout) {
    switch layout {
    case .contiguous: append(0)
    case .strided(let strides):
      append(1)
      append(strides)
    case .blocked(let blocks, let imageSlots):
      append(2)
      append([blocks.width, blocks.slots, imageSlots])
      if case .slots(let slots) = blocks.map { append(slots) } else { append(-1) }
    }
  }

  mutating func append(_ file: FileIdentity) {
    // Not the device: the system numbers some anew at every start.
    append(file.inode)
    append(Int(file.size))
    for moment in [file.modified, file.changed] {
      append([moment.seconds, moment.nanoseconds])
    }
  }
}

/// Reads fields back. Whatever the bytes hold, nothing is read beyond their end.
struct CacheFields {
  private var rest: UnsafeRawBufferPointer

  init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

  var isAtEnd: Bool { rest.isEmpty }

  /// The next word; nil at the end.
  mutating func word() -> UInt64? {
    guard rest.count >= 8 else { return nil }
    defer { rest = UnsafeRawBufferPointer(rebasing: rest[8...]) }
    return rest.loadUnaligned(as: UInt64.self)
  }

  /// The next word as a number of bytes; nil at the end, and where it is none.
  mutating func count() -> Int? { word().flatMap { Int(exactly: $0) } }

  /// The next list of bytes; nil where it would end behind the end.
  mutating func content() -> [UInt8]? {
    guard let count = count(), count <= rest.count else { return nil }
    defer { rest = UnsafeRawBufferPointer(rebasing: rest[count...]) }
    return Array(rest[..<count])
  }
}
