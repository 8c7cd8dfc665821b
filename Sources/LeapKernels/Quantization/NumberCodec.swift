// NumberCodec: elements of any type of numbers as floats and back, some at a time, for kernels that compute with floats.
//
// 1. A number is rounded once, from float to its type.
// 2. Nothing is allocated once a codec is made.

import CLeapKernels
import LeapTensors

/// Reads elements of float16, bfloat16, float32, float64, bool, integers, and the types of a byte and less.
package struct NumberReader: Sendable {
  private let type: DataType
  /// The number of each pattern; empty for types of more than a byte, and integers of a byte.
  private let table: [Float]

  /// - Throws: `OperatorError.unsupported` for a type that is no number.
  package init(_ type: DataType) throws {
    self.type = type
    if NarrowConversion.isNarrow(type) {
      table = NarrowConversion.table(of: type)
    } else {
      table = []
      try check(leap_single_run(type.rawValue, nil, 1, nil, 0), "reading \(type)")
    }
  }

  /// Reads `count` elements.
  ///
  /// - Parameters:
  ///   - base: the first element of the tensor.
  ///   - first: the first element to read, a multiple of 8.
  ///   - patterns: room for `count` bytes.
  package func read(
    _ base: UnsafeRawPointer, from first: Int, count: Int, to floats: UnsafeMutablePointer<Float>,
    patterns: UnsafeMutablePointer<UInt8>
  ) {
    let source = base + first * type.bitWidth / 8
    if table.isEmpty {
      _ = leap_single_run(type.rawValue, source, 1, floats, count)
      return
    }
    leap_narrow_unpack(
      Int32(type.bitWidth), source.assumingMemoryBound(to: UInt8.self), count, patterns)
    leap_narrow_decode(table, patterns, count, floats)
  }
}

/// Writes floats as elements of the types that `NumberReader` reads.
package struct NumberWriter: Sendable {
  private enum Encoder: Sendable {
    case wide
    case float(leap_narrow_format)
    case scale
    /// The low bits.
    case integer
  }
  private let type: DataType
  private let encoder: Encoder

  /// - Parameter saturate: whether what is beyond the range of a float8 becomes the end of the range.
  /// - Throws: `OperatorError.unsupported` for a type that is no number.
  package init(_ type: DataType, saturate: Bool = true) throws {
    self.type = type
    if !NarrowConversion.isNarrow(type) {
      encoder = .wide
      try check(
        leap_convert_run(DataType.float32.rawValue, type.rawValue, nil, 1, nil, 1, 0),
        "writing \(type)")
    } else if let format = FloatFormat(type) {
      encoder = .float(format.loops(saturate: saturate))
    } else {
      encoder = type == .float8e8m0 ? .scale : .integer
    }
  }

  /// Writes `count` numbers; towards integers they are cut.
  ///
  /// - Parameters: as for `NumberReader.read`. `first` is a multiple of 8, and `count` one unless it is the end.
  package func write(
    _ floats: UnsafePointer<Float>, count: Int, to base: UnsafeMutableRawPointer, from first: Int,
    patterns: UnsafeMutablePointer<UInt8>
  ) {
    let target = base + first * type.bitWidth / 8
    let float = DataType.float32.rawValue
    switch encoder {
    case .wide:
      _ = leap_convert_run(float, type.rawValue, floats, 1, target, 1, count)
      return
    case .float(var format): leap_narrow_encode(&format, floats, count, patterns)
    case .scale:
      for index in 0..<count { patterns[index] = ScaleFormat.encode(floats[index]) }
    case .integer:
      _ = leap_convert_run(float, DataType.int8.rawValue, floats, 1, patterns, 1, count)
    }
    leap_narrow_pack(
      Int32(type.bitWidth), patterns, count, target.assumingMemoryBound(to: UInt8.self))
  }
}

extension UnsafeRawPointer {
  /// An element of float32, float16, bfloat16 or an integer of 8, 16 or 32 bits as a float.
  func float(_ type: DataType, at index: Int = 0) -> Float {
    var number: Float = 0
    _ = leap_single_run(type.rawValue, self + index * type.byteWidth, 1, &number, 1)
    return number
  }
}
