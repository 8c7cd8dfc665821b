// ElementCodec: whole tensors of the narrow types to and from float32.

/// Converts arrays between float32 and the types that no Swift type stands for.
package enum ElementCodec {
  /// Whether a type is converted here: float16 and bfloat16, float8, 6 and 4, and integers of 4 and 2 bits.
  package static func handles(_ type: DataType) -> Bool {
    FloatFormat(type) != nil || type == .float8e8m0 || isNarrowInteger(type)
  }

  /// Decodes `count` elements. Exact.
  ///
  /// - Precondition: `handles(type)`; `bytes` holds as many elements, `floats` has room for them; they do not overlap.
  package static func decode(
    _ type: DataType, _ bytes: UnsafeRawBufferPointer, count: Int,
    to floats: UnsafeMutablePointer<Float>
  ) {
    precondition(handles(type), "ElementCodec handles \(type)")
    let width = type.bitWidth
    if width == 16, let format = FloatFormat(type) {
      for index in 0..<count {
        let bits = bytes.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)
        floats[index] = format.decode(UInt32(bits))
      }
      return
    }
    // There are at most 256 patterns: each is decoded once.
    let table = (0..<1 << width).map { value(UInt8($0), type) }
    table.withUnsafeBufferPointer { table in
      for index in 0..<count {
        let bits = width == 8 ? bytes[index] : PackedElements.bits(bytes, at: index, width: width)
        floats[index] = table[Int(bits)]
      }
    }
  }

  /// Encodes `count` numbers, to nearest, ties to even. Integers saturate, and NaN becomes 0.
  ///
  /// - Parameter saturate: see `FloatFormat.encode`.
  /// - Precondition: as `decode`.
  package static func encode(
    _ type: DataType, _ floats: UnsafePointer<Float>, count: Int,
    to bytes: UnsafeMutableRawBufferPointer, saturate: Bool = true
  ) {
    precondition(handles(type), "ElementCodec handles \(type)")
    let width = type.bitWidth
    if width < 8, count > 0, let base = bytes.baseAddress {
      base.initializeMemory(as: UInt8.self, repeating: 0, count: bytes.count)
    }
    for index in 0..<count {
      let bits = pattern(floats[index], type, saturate)
      switch width {
      case 16:
        bytes.storeBytes(
          of: UInt16(truncatingIfNeeded: bits), toByteOffset: index * 2, as: UInt16.self)
      case 8: bytes[index] = UInt8(truncatingIfNeeded: bits)
      default:
        PackedElements.store(UInt8(truncatingIfNeeded: bits), to: bytes, at: index, width: width)
      }
    }
  }

  private static func isNarrowInteger(_ type: DataType) -> Bool {
    switch type {
    case .int4, .uint4, .int2, .uint2: true
    default: false
    }
  }

  private static func value(_ bits: UInt8, _ type: DataType) -> Float {
    switch type {
    case .int4, .int2: Float(PackedElements.signed(bits, width: type.bitWidth))
    case .uint4, .uint2: Float(bits)
    case .float8e8m0: ScaleFormat.decode(bits)
    default: FloatFormat(type)?.decode(UInt32(bits)) ?? .nan
    }
  }

  private static func pattern(_ value: Float, _ type: DataType, _ saturate: Bool) -> UInt32 {
    if let format = FloatFormat(type) { return format.encode(value, saturate: saturate) }
    if type == .float8e8m0 { return UInt32(ScaleFormat.encode(value, saturate: saturate)) }
    let isSigned = type == .int4 || type == .int2
    let levels = 1 << type.bitWidth
    let lowest = isSigned ? -levels / 2 : 0
    let nearest = value.isNaN ? 0 : value.rounded(.toNearestOrEven)
    let clamped = min(max(nearest, Float(lowest)), Float(lowest + levels - 1))
    return UInt32(bitPattern: Int32(clamped)) & UInt32(levels - 1)
  }
}
