// WireTree: a protobuf message as a tree that can be changed and written again, whatever its schema.
//
// 1. What is read and not changed is written as it was, field by field.
// 2. Depth and size are bounded: the input is anything.

/// A field of a message.
struct WireField {
  enum Content {
    case number(UInt64)
    /// Four or eight bytes.
    case fixed([UInt8])
    case bytes([UInt8])
    case message([WireField])
  }

  var number: UInt64
  var content: Content
}

enum WireTree {
  static let depthLimit = 24

  /// The fields of a message; nil where the bytes are none.
  static func parse(_ bytes: ArraySlice<UInt8>, depth: Int = 0) -> [WireField]? {
    var rest = bytes
    var fields: [WireField] = []
    while !rest.isEmpty {
      guard let key = varint(&rest), key >> 3 > 0, key >> 3 < 1 << 29,
        let content = content(key & 7, &rest, depth)
      else { return nil }
      fields.append(WireField(number: key >> 3, content: content))
    }
    return fields
  }

  private static func content(
    _ wireType: UInt64, _ rest: inout ArraySlice<UInt8>, _ depth: Int
  ) -> WireField.Content? {
    switch wireType {
    case 0: return varint(&rest).map(WireField.Content.number)
    case 1: return take(8, &rest).map { .fixed(Array($0)) }
    case 5: return take(4, &rest).map { .fixed(Array($0)) }
    case 2:
      guard let length = varint(&rest), length <= UInt64(rest.count),
        let bytes = take(Int(length), &rest)
      else { return nil }
      // Names look like messages now and then; written again they are the same bytes.
      if depth < depthLimit, !bytes.isEmpty, let fields = parse(bytes, depth: depth + 1) {
        return .message(fields)
      }
      return .bytes(Array(bytes))
    default: return nil
    }
  }

  private static func take(_ count: Int, _ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    guard rest.count >= count else { return nil }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  private static func varint(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      guard let byte = rest.popFirst() else { return nil }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    return nil
  }

  /// The bytes of a message.
  static func bytes(_ fields: [WireField]) -> [UInt8] {
    var result: [UInt8] = []
    for field in fields { append(field, to: &result) }
    return result
  }

  private static func append(_ field: WireField, to result: inout [UInt8]) {
    switch field.content {
    case .number(let value):
      append(field.number << 3, to: &result)
      append(value, to: &result)
    case .fixed(let bytes):
      append(field.number << 3 | (bytes.count == 8 ? 1 : 5), to: &result)
      result += bytes
    case .bytes(let bytes): append(bytes, field.number, to: &result)
    case .message(let fields): append(WireTree.bytes(fields), field.number, to: &result)
    }
  }

  private static func append(_ bytes: [UInt8], _ number: UInt64, to result: inout [UInt8]) {
    append(number << 3 | 2, to: &result)
    append(UInt64(bytes.count), to: &result)
    result += bytes
  }

  private static func append(_ value: UInt64, to result: inout [UInt8]) {
    var value = value
    while value >= 0x80 {
      result.append(UInt8(value & 0x7F) | 0x80)
      value >>= 7
    }
    result.append(UInt8(value))
  }
}
