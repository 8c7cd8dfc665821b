// RandomTensor: tensors from a seed, the same on every machine.

import LeapTensors

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
package struct SplitMix64: Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}

package enum RandomTensor {
  /// The longest tensor that is made, in bytes.
  static let byteLimit = 1 << 36

  /// A tensor of random elements: floats `low + (high - low) · u` with u the upper 24 bits of a word in [0, 1), integers
  /// evenly from low to high, both included.
  ///
  /// - Parameters:
  ///   - seed: the sequence; `stream` gives each tensor of a set one of its own.
  ///   - range: nil for 0 to 1.
  /// - Throws: `ToolError` for a type that has no random elements or a range that does not fit it; `ModelError.outOfMemory`.
  package static func make(
    _ type: DataType, _ shape: Shape, seed: Int, stream: Int, range: ClosedRange<Double>? = nil
  ) throws -> Tensor {
    guard let bytes = type.byteCount(elements: shape.elementCount), bytes <= byteLimit else {
      throw ToolError("a random tensor of shape \(shape) is too large")
    }
    var generator = SplitMix64(seed: UInt64(seed) ^ UInt64(stream) &* 0xD1B5_4A32_D192_ED03)
    if type.isInteger || type == .bool {
      return try integers(type, shape, try limits(type, range ?? 0...1), &generator)
    }
    let range = range ?? 0...1
    let width = range.upperBound - range.lowerBound
    let values = (0..<shape.elementCount).map { _ in
      range.lowerBound + width * (Double(generator.next() >> 40) / 0x1p24)
    }
    switch type {
    case .float32: return try Tensor(values.map { Float($0) }, shape: shape)
    case .float64: return try Tensor(values, shape: shape)
    case _ where ElementCodec.handles(type):
      return try Tensor(dataType: type, shape: shape) { bytes in
        let floats = values.map { Float($0) }
        ElementCodec.encode(type, floats, count: floats.count, to: bytes)
      }
    default: throw ToolError("there are no random elements of type \(type)")
    }
  }

  /// The whole numbers of a range, as far as a type holds them.
  private static func limits(
    _ type: DataType, _ range: ClosedRange<Double>
  ) throws -> ClosedRange<Int> {
    let low = Int(exactly: range.lowerBound.rounded(.up))
    let high = Int(exactly: range.upperBound.rounded(.down))
    let bits = type == .bool ? 1 : min(type.bitWidth, 62)
    let isSigned = [.int8, .int16, .int32, .int64].contains(type)
    let smallest = isSigned ? -(1 << (bits - 1)) : 0
    let largest = isSigned ? (1 << (bits - 1)) - 1 : (1 << bits) - 1
    guard let low, let high, low <= high, low >= smallest, high <= largest else {
      throw ToolError.usage(
        "--range: \(significant(range.lowerBound)) to \(significant(range.upperBound)) holds no \(type)"
      )
    }
    return low...high
  }

  private static func integers(
    _ type: DataType, _ shape: Shape, _ range: ClosedRange<Int>, _ generator: inout SplitMix64
  ) throws -> Tensor {
    try Tensor(dataType: type, shape: shape) { bytes in
      let width = type.byteWidth
      let count = UInt64(range.upperBound - range.lowerBound) + 1
      for index in 0..<shape.elementCount {
        // The upper half of a 128-bit product spreads a word evenly over `count` numbers.
        let offset = generator.next().multipliedFullWidth(by: count).high
        let value = range.lowerBound + Int(offset)
        for byte in 0..<width {
          bytes[index * width + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte))
        }
      }
    }
  }
}
