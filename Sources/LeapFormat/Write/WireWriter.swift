// WireWriter: writes protobuf messages field by field: the models that tools write, and in tests what no library would write.

/// The bytes of a message.
package struct WireWriter {
  package private(set) var bytes: [UInt8] = []

  package init(_ write: (inout WireWriter) throws -> Void = { _ in }) rethrows { try write(&self) }

  package mutating func varint(_ value: UInt64) {
    var left = value
    while left >= 0x80 {
      bytes.append(UInt8(left & 0x7f) | 0x80)
      left >>= 7
    }
    bytes.append(UInt8(left))
  }

  package mutating func raw(_ more: [UInt8]) { bytes += more }

  package mutating func int(_ field: UInt64, _ value: Int64) {
    varint(field << 3)
    varint(UInt64(bitPattern: value))
  }

  package mutating func float(_ field: UInt64, _ value: Float) {
    varint(field << 3 | 5)
    raw(bits: value)
  }

  private mutating func raw(bits value: Float) {
    for byte in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> (8 * byte))) }
  }

  package mutating func data(_ field: UInt64, _ content: [UInt8]) {
    varint(field << 3 | 2)
    varint(UInt64(content.count))
    bytes += content
  }

  package mutating func string(_ field: UInt64, _ text: String) { data(field, Array(text.utf8)) }

  package mutating func message(
    _ field: UInt64, _ write: (inout WireWriter) throws -> Void
  ) rethrows {
    data(field, try WireWriter(write).bytes)
  }

  /// A packed list of varints.
  package mutating func packed(_ field: UInt64, _ values: [Int64]) {
    data(field, WireWriter { for value in values { $0.varint(UInt64(bitPattern: value)) } }.bytes)
  }

  /// A packed list of floats.
  package mutating func packed(_ field: UInt64, floats values: [Float]) {
    data(field, WireWriter { for value in values { $0.raw(bits: value) } }.bytes)
  }
}
