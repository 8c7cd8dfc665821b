// TensorFields: which field of a TensorProto holds the elements of which type, and how they lie there.

import LeapTensors

/// The list of a TensorProto that holds a type's elements where they are not raw.
enum TypedField: String {
  case float = "float_data"
  case double = "double_data"
  case int32 = "int32_data"
  case int64 = "int64_data"
  case uint64 = "uint64_data"
  case string = "string_data"

  init(_ type: DataType) {
    switch type {
    case .float32, .complex64: self = .float
    case .float64, .complex128: self = .double
    case .int64: self = .int64
    case .uint32, .uint64: self = .uint64
    case .string: self = .string
    default: self = .int32
    }
  }

  /// The payload that the scan may have left where it is.
  var payload: TensorPayload? {
    switch self {
    case .float: .float
    case .double: .double
    case .int32: .int32
    case .int64: .int64
    case .uint64: .uint64
    case .string: nil
    }
  }

  /// Whether the packed list is, byte for byte, what the tensor is in memory.
  var isFixedWidth: Bool { self == .float || self == .double }
}

/// Entries of its typed list that a tensor needs; nil where the figure overflows.
func entryCount(_ type: DataType, elements: Int) -> Int? {
  switch type {
  case .complex64, .complex128:
    let (entries, overflow) = elements.multipliedReportingOverflow(by: 2)
    return overflow ? nil : entries
  // Two or four to an entry, as in a byte.
  case .int4, .uint4, .float4e2m1, .int2, .uint2: return type.byteCount(elements: elements)
  default: return elements
  }
}

/// Writes the entries of a typed integer list as the bytes that the tensor is in memory.
struct EntryWriter {
  private let type: DataType
  private let bytes: UnsafeMutableRawBufferPointer
  private var index = 0

  init(_ type: DataType, to bytes: UnsafeMutableRawBufferPointer) {
    self.type = type
    self.bytes = bytes
    if type.bitWidth == 6, let base = bytes.baseAddress {
      base.initializeMemory(as: UInt8.self, repeating: 0, count: bytes.count)
    }
  }

  /// Writes the next entry; false where it does not fit the type. The caller has checked the number of entries.
  mutating func append(_ entry: Int64) -> Bool {
    defer { index += 1 }
    switch type {
    case .int64, .uint64:
      bytes.storeBytes(of: entry, toByteOffset: index * 8, as: Int64.self)
      return true
    case .int32, .uint32:
      guard fits(entry, bits: 32) else { return false }
      bytes.storeBytes(
        of: UInt32(truncatingIfNeeded: entry), toByteOffset: index * 4, as: UInt32.self)
      return true
    case .int16, .uint16, .float16, .bfloat16:
      guard fits(entry, bits: 16) else { return false }
      bytes.storeBytes(
        of: UInt16(truncatingIfNeeded: entry), toByteOffset: index * 2, as: UInt16.self)
      return true
    case .float6e2m3, .float6e3m2: return appendSixBits(entry)
    case .bool:
      bytes[index] = entry == 0 ? 0 : 1
      return true
    default:
      guard fits(entry, bits: 8) else { return false }
      bytes[index] = UInt8(truncatingIfNeeded: entry)
      return true
    }
  }

  /// Producers write an unsigned pattern or a signed number: both are taken.
  private func fits(_ entry: Int64, bits: Int64) -> Bool {
    entry >= -(1 << (bits - 1)) && entry < 1 << bits
  }

  /// Six bits to an entry, four entries to three bytes from the lowest bits on.
  private func appendSixBits(_ entry: Int64) -> Bool {
    guard entry >= 0, entry < 64 else { return false }
    let bit = index * 6
    let word = UInt16(entry) << UInt16(bit % 8)
    bytes[bit / 8] |= UInt8(truncatingIfNeeded: word)
    if bit % 8 > 2 { bytes[bit / 8 + 1] |= UInt8(word >> 8) }
    return true
  }
}
