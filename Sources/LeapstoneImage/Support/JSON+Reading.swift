// Reading JSON: a recursive-descent parser of RFC 8259 with a bounded depth.

/// Why a text is no JSON, and where.
package struct JSONError: Error, CustomStringConvertible, Equatable {
  /// The place in bytes from the start.
  package let offset: Int
  package let reason: String
  package var description: String { "invalid JSON at byte \(offset): \(reason)" }
}

extension JSON {
  /// How deep arrays and objects may nest.
  package static let depthLimit = 64

  /// Reads a text that holds one value and nothing else, in UTF-8.
  ///
  /// - Throws: `JSONError` where it breaks the grammar, nests deeper than `depthLimit`, or names a member twice.
  package init(parsing bytes: [UInt8]) throws {
    var parser = JSONParser(bytes: bytes)
    self = try parser.document()
  }
}

private struct JSONParser {
  let bytes: [UInt8]
  var position = 0

  init(bytes: [UInt8]) {
    self.bytes = bytes
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
  }

  mutating func document() throws -> JSON {
    let value = try value(depth: 0)
    skipWhitespace()
    guard position == bytes.count else { throw error("text after the value") }
    return value
  }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private func error(_ reason: String) -> JSONError {
    JSONError(offset: position, reason: reason)
  }

  private mutating func skipWhitespace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      position += 1
    }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard next == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func value(depth: Int) throws -> JSON {
    guard depth <= JSON.depthLimit else {
      throw error("nested deeper than \(JSON.depthLimit) levels")
    }
    skipWhitespace()
    switch next {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case nil: throw error("the text ends where a value is expected")
    default: return try number()
    }
  }

  private mutating func word(_ text: StaticString, _ value: JSON) throws -> JSON {
    let matches = text.withUTF8Buffer { bytes[position...].starts(with: $0) }
    guard matches else { throw error("expected a value") }
    position += text.utf8CodeUnitCount
    return value
  }

  private mutating func object(depth: Int) throws -> JSON {
    position += 1
    var members: [JSON.Member] = []
    var names: Set<String> = []
    skipWhitespace()
    if take("}") { return .object([]) }
    while true {
      skipWhitespace()
      guard next == UInt8(ascii: "\"") else { throw error("expected a member's name") }
      let name = try string()
      guard names.insert(name).inserted else { throw error("a member is named twice") }
      skipWhitespace()
      guard take(":") else { throw error("expected ':'") }
      members.append(JSON.Member(name, try value(depth: depth + 1)))
      skipWhitespace()
      if take("}") { return .object(members) }
      guard take(",") else { throw error("expected ',' or '}'") }
    }
  }

  private mutating func array(depth: Int) throws -> JSON {
    position += 1
    var elements: [JSON] = []
    skipWhitespace()
    if take("]") { return .array([]) }
    while true {
      elements.append(try value(depth: depth + 1))
      skipWhitespace()
      if take("]") { return .array(elements) }
      guard take(",") else { throw error("expected ',' or ']'") }
    }
  }

  private mutating func number() throws -> JSON {
    let start = position
    var isWhole = true
    _ = take("-")
    if !take("0") { try digits() }
    if take(".") {
      isWhole = false
      try digits()
    }
    if take("e") || take("E") {
      isWhole = false
      if !take("+") { _ = take("-") }
      try digits()
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isWhole, let value = Int(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite else {
      throw JSONError(offset: start, reason: "the number is out of range")
    }
    return .number(value)
  }

  private mutating func digits() throws {
    let start = position
    while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
    if position == start { throw error("expected a digit") }
  }

  private mutating func string() throws -> String {
    let start = position
    position += 1
    var text: [UInt8] = []
    while true {
      guard let byte = next else { throw error("the string does not end") }
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: text, as: UTF8.self) else {
          throw JSONError(offset: start, reason: "the string is not UTF-8")
        }
        return string
      case UInt8(ascii: "\\"): text += try escape()
      case ..<0x20: throw error("a control character in a string")
      default: text.append(byte)
      }
    }
  }

  private mutating func escape() throws -> [UInt8] {
    guard let byte = next else { throw error("the string does not end") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0C]
    case UInt8(ascii: "n"): return [0x0A]
    case UInt8(ascii: "r"): return [0x0D]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"): return try unicodeEscape()
    default: throw error("an unknown escape")
    }
  }

  private mutating func unicodeEscape() throws -> [UInt8] {
    var value = try fourHexDigits()
    if (0xD800..<0xDC00).contains(value) {
      guard take("\\"), take("u") else { throw error("half of a surrogate pair") }
      let low = try fourHexDigits()
      guard (0xDC00..<0xE000).contains(low) else { throw error("half of a surrogate pair") }
      value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
    }
    guard let scalar = Unicode.Scalar(value) else { throw error("half of a surrogate pair") }
    return Array(String(Character(scalar)).utf8)
  }

  private mutating func fourHexDigits() throws -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw error("expected four hexadecimal digits")
      }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }
}
