// The elements of tensors as numbers, whatever their type.

import LeapTensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

extension Tensor {
  /// The elements as doubles; nil for strings and complex numbers. Integers beyond 2^53 are rounded.
  package var numbers: [Double]? {
    switch dataType {
    case .float32: return elements(as: Float.self)?.map(Double.init)
    case .float64: return elements(as: Double.self)
    case .uint64: return elements(as: UInt64.self)?.map { Double($0) }
    case let type where ElementCodec.handles(type):
      var floats = [Float](repeating: 0, count: elementCount)
      withUnsafeBytes { ElementCodec.decode(type, $0, count: floats.count, to: &floats) }
      return floats.map(Double.init)
    default: return integers?.map(Double.init)
    }
  }

  /// A tensor of some type from numbers, each rounded to nearest; integers saturate.
  ///
  /// - Returns: nil for strings and complex numbers.
  /// - Throws: `ModelError.outOfMemory`.
  package static func rounded(_ numbers: [Double], to type: DataType, shape: Shape) throws
    -> Tensor?
  {
    switch type {
    case .float64: return try Tensor(numbers, shape: shape)
    case .float32: return try Tensor(numbers.map { Float($0) }, shape: shape)
    case let type where ElementCodec.handles(type):
      return try Tensor(dataType: type, shape: shape) { bytes in
        let floats = numbers.map { Float($0) }
        ElementCodec.encode(type, floats, count: floats.count, to: bytes)
      }
    case .bool: return try Tensor(numbers.map { $0 != 0 }, shape: shape)
    case .int8: return try integers(numbers, Int8.self, shape)
    case .int16: return try integers(numbers, Int16.self, shape)
    case .int32: return try integers(numbers, Int32.self, shape)
    case .int64: return try integers(numbers, Int64.self, shape)
    case .uint8: return try integers(numbers, UInt8.self, shape)
    case .uint16: return try integers(numbers, UInt16.self, shape)
    case .uint32: return try integers(numbers, UInt32.self, shape)
    case .uint64: return try integers(numbers, UInt64.self, shape)
    default: return nil
    }
  }

  private static func integers<Element: TensorElement & FixedWidthInteger>(
    _ numbers: [Double], _ type: Element.Type, _ shape: Shape
  ) throws -> Tensor {
    try Tensor(
      numbers.map { number -> Element in
        let nearest = number.rounded(.toNearestOrEven)
        if nearest.isNaN { return 0 }
        if nearest <= Double(Element.min) { return .min }
        return nearest >= Double(Element.max) ? .max : Element(nearest)
      }, shape: shape)
  }

  /// Whether two tensors hold the same bytes, or the same strings.
  package func isIdentical(to other: Tensor) -> Bool {
    guard dataType == other.dataType, shape == other.shape else { return false }
    if let strings { return strings == other.strings }
    return withUnsafeBytes { a in
      other.withUnsafeBytes { b in
        a.count == b.count && (a.isEmpty || memcmp(a.baseAddress!, b.baseAddress!, a.count) == 0)
      }
    }
  }
}
