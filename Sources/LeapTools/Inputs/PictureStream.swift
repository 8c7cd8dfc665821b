// PictureStream: pictures that follow one another without gaps on a pipe, as ffmpeg's image2pipe writes them. Each
// format tells where a picture ends.
//
// 1. Bytes that are no picture are an error that names the picture's number.
// 2. No more is read than the picture takes: the next one may come much later.

import LeapTensors
import LeapstoneImage

/// Cuts a stream of PNG, JPEG, binary PPM and PGM files into pictures.
package struct PictureStream: Sendable {
  private let source: @Sendable (Int) throws -> [UInt8]
  private var buffer: [UInt8] = []
  private var isAtEnd = false
  /// How many pictures have begun.
  private(set) var count = 0

  /// The most bytes of one picture.
  static let pictureLimit = 1 << 28
  private static let chunk = 1 << 16

  /// - Parameter source: up to so many bytes, as soon as there are some; none at the end.
  package init(_ source: @escaping @Sendable (Int) throws -> [UInt8]) { self.source = source }

  /// The bytes of the next picture; nil at the end of the stream.
  ///
  /// - Throws: `ToolError` where the stream breaks off or holds something else; what the source throws.
  package mutating func next() throws -> [UInt8]? {
    guard try has(1) else { return nil }
    count += 1
    let length: Int
    if try startsWith([0x89, 0x50, 0x4E, 0x47]) {
      length = try pngLength()
    } else if try startsWith([0xFF, 0xD8]) {
      length = try jpegLength()
    } else if try startsWith(Array("P6".utf8)) || startsWith(Array("P5".utf8)) {
      length = try netpbmLength()
    } else {
      throw fail("no PNG, JPEG, binary PPM or PGM begins here")
    }
    try need(length)
    defer { buffer.removeFirst(length) }
    return Array(buffer[..<length])
  }

  private func fail(_ reason: String) -> ToolError {
    ToolError("stdin: picture \(count): \(reason)")
  }

  /// Whether the buffer holds so many bytes, after reading as far as needed.
  private mutating func has(_ length: Int) throws -> Bool {
    while buffer.count < length, !isAtEnd {
      let more = try source(PictureStream.chunk)
      if more.isEmpty { isAtEnd = true }
      buffer += more
    }
    return buffer.count >= length
  }

  private mutating func need(_ length: Int) throws {
    guard length <= PictureStream.pictureLimit else {
      throw fail("longer than the limit of \(PictureStream.pictureLimit) bytes")
    }
    guard try has(length) else { throw fail("the stream ends inside it") }
  }

  private mutating func startsWith(_ bytes: [UInt8]) throws -> Bool {
    try has(bytes.count) && buffer.starts(with: bytes)
  }

  /// A PNG is a signature of 8 bytes and chunks of length, type, data and checksum, the last of them IEND.
  private mutating func pngLength() throws -> Int {
    var position = 8
    while true {
      try need(position + 8)
      let length = buffer[position..<(position + 4)].reduce(0) { $0 << 8 | Int($1) }
      let isLast = buffer[(position + 4)..<(position + 8)].elementsEqual("IEND".utf8)
      position += 12 + length
      try need(position)
      if isLast { return position }
    }
  }

  /// A JPEG is a series of markers, most with a length; the entropy-coded data behind SOS runs to the next marker that
  /// is neither a stuffed zero nor a restart.
  private mutating func jpegLength() throws -> Int {
    var position = 2
    while true {
      try need(position + 2)
      guard buffer[position] == 0xFF else { throw fail("damaged JPEG: a marker is expected") }
      let marker = buffer[position + 1]
      if marker == 0xD9 { return position + 2 }
      if marker == 0xFF {
        position += 1
        continue
      }
      if marker == 0x01 || (0xD0...0xD8).contains(marker) {
        position += 2
        continue
      }
      try need(position + 4)
      position += 2 + Int(buffer[position + 2]) << 8 + Int(buffer[position + 3])
      if marker == 0xDA { position = try endOfScan(from: position) }
    }
  }

  private mutating func endOfScan(from start: Int) throws -> Int {
    var position = start
    while true {
      try need(position + 2)
      let next = buffer[position + 1]
      if buffer[position] == 0xFF, next != 0, !(0xD0...0xD7).contains(next) { return position }
      position += 1
    }
  }

  /// The header tells the length; it is looked for in more and more bytes.
  private mutating func netpbmLength() throws -> Int {
    while true {
      if let end = try? Image.netpbmLength(buffer) { return end }
      guard buffer.count < PictureStream.chunk, try has(buffer.count + 1) else {
        throw fail("damaged PPM header")
      }
    }
  }
}
