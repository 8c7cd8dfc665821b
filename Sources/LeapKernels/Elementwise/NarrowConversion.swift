// NarrowConversion: conversions from and to the element types of a byte and less: float8, 6 and 4, and the integers of 4 and
// 2 bits. All others are loops of leap_convert_run.
//
// 1. A number is rounded once, whatever type it comes from.
// 2. A block writes whole bytes: its elements are a multiple of eight.

import CLeapKernels
import LeapTensors

/// What ONNX's Cast leaves to its attributes.
package struct ConversionOptions: Sendable, Hashable {
  /// Whether what is beyond the range of a float8 becomes the end of the range.
  package var saturate: Bool
  /// How numbers become the powers of two of float8e8m0.
  package var rounding: ScaleFormat.Rounding

  package init(saturate: Bool = true, rounding: ScaleFormat.Rounding = .up) {
    self.saturate = saturate
    self.rounding = rounding
  }
}

package struct NarrowConversion: Sendable {
  /// Elements of one block.
  private static let blockElements = 4096

  /// How a number becomes a pattern.
  private enum Encoder: Sendable {
    /// Not one of the narrow types.
    case wide
    case float(leap_narrow_format)
    case scale
    /// Cut towards zero; the low bits stay.
    case integer
  }

  private let from: DataType
  private let to: DataType
  private let options: ConversionOptions
  /// The number of each pattern of the source; empty where the source is no narrow type.
  private let table: [Float]
  private let encoder: Encoder

  /// Whether one of the types is handled here.
  package static func handles(_ from: DataType, _ to: DataType) -> Bool {
    isNarrow(from) || isNarrow(to)
  }

  static func isNarrow(_ type: DataType) -> Bool {
    ElementCodec.handles(type) && type.bitWidth <= 8
  }

  /// The number that each pattern of a narrow type stands for.
  static func table(of type: DataType) -> [Float] {
    (0..<1 << type.bitWidth).map { pattern in
      var number: Float = 0
      withUnsafeBytes(of: UInt8(pattern)) {
        ElementCodec.decode(type, $0, count: 1, to: &number)
      }
      return number
    }
  }

  /// - Throws: `OperatorError` for a type that is no number.
  package init(_ from: DataType, _ to: DataType, _ options: ConversionOptions) throws {
    self.from = from
    self.to = to
    self.options = options
    if NarrowConversion.isNarrow(from) {
      table = NarrowConversion.table(of: from)
    } else {
      table = []
      try check(leap_single_run(from.rawValue, nil, 1, nil, 0), "converting \(from) to \(to)")
    }
    if !NarrowConversion.isNarrow(to) {
      encoder = .wide
      try check(
        leap_convert_run(DataType.float32.rawValue, to.rawValue, nil, 1, nil, 1, 0),
        "converting \(from) to \(to)")
    } else if let format = FloatFormat(to) {
      encoder = .float(format.loops(saturate: options.saturate))
    } else {
      encoder = to == .float8e8m0 ? .scale : .integer
    }
  }

  /// A kernel for contiguous operands of `count` elements, which do not overlap.
  package func kernel(count: Int) -> Kernel {
    let block = NarrowConversion.blockElements
    let floats = block * MemoryLayout<Float>.stride
    return Kernel(
      blocks: count == 0 ? 0 : (count - 1) / block + 1, scratchPerWorker: floats + block
    ) { invocation, index in
      convert(invocation, index * block, min(block, count - index * block))
    }
  }

  private func convert(_ invocation: Invocation, _ first: Int, _ count: Int) {
    let x = invocation.input(0) + first * from.bitWidth / 8
    let y = invocation.output(0) + first * to.bitWidth / 8
    if from == to {
      y.copyMemory(from: x, byteCount: (count * to.bitWidth + 7) / 8)
      return
    }
    let floats = invocation.scratch.assumingMemoryBound(to: Float.self)
    let patterns = (invocation.scratch + NarrowConversion.blockElements * 4)
      .assumingMemoryBound(to: UInt8.self)
    let isWide = table.isEmpty
    if !isWide {
      leap_narrow_unpack(
        Int32(from.bitWidth), x.assumingMemoryBound(to: UInt8.self), count, patterns)
      leap_narrow_decode(table, patterns, count, floats)
    }
    // What of a wide source is an integer, or cut to one, never goes through float.
    let (source, type) = isWide ? (x, from) : (UnsafeRawPointer(floats), DataType.float32)
    switch encoder {
    case .wide:
      _ = leap_convert_run(type.rawValue, to.rawValue, source, 1, y, 1, count)
      return
    case .integer:
      _ = leap_convert_run(
        type.rawValue, DataType.int8.rawValue, source, 1, patterns, 1, count)
    case .float(var format):
      if isWide { _ = leap_single_run(from.rawValue, x, 1, floats, count) }
      leap_narrow_encode(&format, floats, count, patterns)
    case .scale:
      if isWide { _ = leap_single_run(from.rawValue, x, 1, floats, count) }
      for index in 0..<count {
        patterns[index] = ScaleFormat.encode(
          floats[index], rounding: options.rounding, saturate: options.saturate)
      }
    }
    leap_narrow_pack(Int32(to.bitWidth), patterns, count, y.assumingMemoryBound(to: UInt8.self))
  }
}

extension FloatFormat {
  /// What the loops need to know of a format.
  func loops(saturate: Bool) -> leap_narrow_format {
    leap_narrow_format(
      mantissa_bits: Int32(mantissaBits), bias: Int32(bias),
      sign: 1 << UInt32(exponentBits + mantissaBits), largest: largestFinite,
      overflow: encode(.infinity, saturate: saturate), nan: encode(.nan),
      has_minus_zero: encode(-0.0) == 0 ? 0 : 1)
  }
}
