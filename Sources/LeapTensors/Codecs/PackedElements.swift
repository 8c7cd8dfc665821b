// PackedElements: elements narrower than a byte, packed from the lowest bits on as ONNX packs them.

/// Reads and writes elements of 2, 4 or 6 bits.
package enum PackedElements {
  /// The pattern of one element. `bytes` holds it.
  package static func bits(_ bytes: UnsafeRawBufferPointer, at index: Int, width: Int) -> UInt8 {
    let place = index * width
    let shift = place % 8
    var word = UInt16(bytes[place / 8])
    if shift + width > 8 { word |= UInt16(bytes[place / 8 + 1]) << 8 }
    return UInt8(truncatingIfNeeded: word >> UInt16(shift)) & mask(width)
  }

  /// Writes the lowest `width` bits of `bits`; the other elements of the bytes keep theirs.
  package static func store(
    _ bits: UInt8, to bytes: UnsafeMutableRawBufferPointer, at index: Int, width: Int
  ) {
    let place = index * width
    let shift = place % 8
    let word = UInt16(bits & mask(width)) << UInt16(shift)
    let hole = ~(UInt16(mask(width)) << UInt16(shift))
    bytes[place / 8] =
      bytes[place / 8] & UInt8(truncatingIfNeeded: hole) | UInt8(truncatingIfNeeded: word)
    if shift + width > 8 {
      bytes[place / 8 + 1] = bytes[place / 8 + 1] & UInt8(hole >> 8) | UInt8(word >> 8)
    }
  }

  /// A pattern of 2 or 4 bits as a number in two's complement.
  package static func signed(_ bits: UInt8, width: Int) -> Int8 {
    let sign: UInt8 = 1 << UInt8(width - 1)
    return Int8(truncatingIfNeeded: Int(bits ^ sign) - Int(sign))
  }

  private static func mask(_ width: Int) -> UInt8 { UInt8(1 << width - 1) }
}
