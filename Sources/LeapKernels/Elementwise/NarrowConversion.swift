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
    case float(FloatFormat)
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

  private static func isNarrow(_ type: DataType) -> Bool {
    ElementCodec.handles(type) && type.bitWidth <= 8
  }

  /// - Throws: `OperatorError` for a type that is no number.
  package init(_ from: DataType, _ to: DataType, _ options: ConversionOptions) throws {
    self.from = from
    self.to = to
    self.options = options
    if NarrowConversion.isNarrow(from) {
      var table = [Float](repeating: 0, count: 1 << from.bitWidth)
      for pattern in table.indices {
        withUnsafeBytes(of: UInt8(pattern)) {
          ElementCodec.decode(from, $0, count: 1, to: &table[pattern])
        }
      }
      self.table = table
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
      encoder = .float(format)
    } else {
      encoder = to == .float8e8m0 ? .scale : .integer
    }
  }

  /// A kernel for contiguous operands of `count` elements, which do not overlap.
  package func kernel(count: Int) -> Kernel {
    let block = NarrowConversion.blockElements
    let floats = block * MemoryLayout<Float>.stride
    return Kernel(
      blocks: count == 0 ? 0 : (count - 1) / block + 1,
      scratchPerWorker: floats + block * MemoryLayout<Int64>.stride
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
    let integers = (invocation.scratch + NarrowConversion.blockElements * 4)
      .assumingMemoryBound(to: Int64.self)
    let isWide = table.isEmpty
    if !isWide { decode(x, count, to: floats) }
    // What of a wide source is an integer, or cut to one, never goes through float.
    let (source, type) = isWide ? (x, from) : (UnsafeRawPointer(floats), DataType.float32)
    switch encoder {
    case .wide: _ = leap_convert_run(type.rawValue, to.rawValue, source, 1, y, 1, count)
    case .integer:
      _ = leap_convert_run(
        type.rawValue, DataType.int64.rawValue, source, 1, integers, 1, count)
      encode(count, to: y) { UInt8(truncatingIfNeeded: integers[$0]) }
    case .float(let format):
      if isWide { _ = leap_single_run(from.rawValue, x, 1, floats, count) }
      let saturate = options.saturate
      encode(count, to: y) {
        UInt8(truncatingIfNeeded: format.encode(floats[$0], saturate: saturate))
      }
    case .scale:
      if isWide { _ = leap_single_run(from.rawValue, x, 1, floats, count) }
      let (saturate, rounding) = (options.saturate, options.rounding)
      encode(count, to: y) {
        ScaleFormat.encode(floats[$0], rounding: rounding, saturate: saturate)
      }
    }
  }

  private func decode(
    _ x: UnsafeRawPointer, _ count: Int, to floats: UnsafeMutablePointer<Float>
  ) {
    let width = from.bitWidth
    let bytes = UnsafeRawBufferPointer(start: x, count: (count * width + 7) / 8)
    table.withUnsafeBufferPointer { table in
      for index in 0..<count {
        let bits = width == 8 ? bytes[index] : PackedElements.bits(bytes, at: index, width: width)
        floats[index] = table[Int(bits)]
      }
    }
  }

  @inline(__always)
  private func encode(
    _ count: Int, to y: UnsafeMutableRawPointer, _ pattern: (_ index: Int) -> UInt8
  ) {
    let width = to.bitWidth
    let bytes = UnsafeMutableRawBufferPointer(start: y, count: (count * width + 7) / 8)
    if width == 8 {
      for index in 0..<count { bytes[index] = pattern(index) }
      return
    }
    // The bits behind the last element are zero.
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
    for index in 0..<count {
      PackedElements.store(pattern(index), to: bytes, at: index, width: width)
    }
  }
}
