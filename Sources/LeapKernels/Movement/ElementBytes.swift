// ElementBytes: one element of any type of whole bytes, to fill places with.

import LeapTensors

package struct ElementBytes: Sendable {
  private var bytes = SIMD16<UInt8>(repeating: 0)

  /// A number as an element: integers are cut towards zero and saturate, NaN becomes 0; bool is whether it is not 0.
  ///
  /// - Throws: `OperatorError` for a type that cannot hold the number; zero is all zero bits in any type.
  package init(_ value: Float, as type: DataType) throws {
    switch type {
    case .float32: store(value)
    case .float64: store(Double(value))
    case .bool: store(UInt8(value != 0 ? 1 : 0))
    case .int8: store(ElementBytes.saturated(value, Int8.self))
    case .int16: store(ElementBytes.saturated(value, Int16.self))
    case .int32: store(ElementBytes.saturated(value, Int32.self))
    case .int64: store(ElementBytes.saturated(value, Int64.self))
    case .uint8: store(ElementBytes.saturated(value, UInt8.self))
    case .uint16: store(ElementBytes.saturated(value, UInt16.self))
    case .uint32: store(ElementBytes.saturated(value, UInt32.self))
    case .uint64: store(ElementBytes.saturated(value, UInt64.self))
    case _ where value == 0: break
    case _ where ElementCodec.handles(type) && type.byteWidth > 0:
      withUnsafeMutableBytes(of: &bytes) { target in
        withUnsafePointer(to: value) { ElementCodec.encode(type, $0, count: 1, to: target) }
      }
    default: throw OperatorError("\(value) cannot be an element of type \(type)")
    }
  }

  private mutating func store<Element: BitwiseCopyable>(_ element: Element) {
    withUnsafeMutableBytes(of: &bytes) { $0.storeBytes(of: element, as: Element.self) }
  }

  private static func saturated<Element: FixedWidthInteger>(
    _ value: Float, _ type: Element.Type
  ) -> Element {
    if value.isNaN { return 0 }
    return Element(exactly: value.rounded(.towardZero)) ?? (value < 0 ? .min : .max)
  }

  /// Calls `body` with the element's bytes.
  package func withBytes<Result>(_ body: (UnsafeRawPointer) throws -> Result) rethrows -> Result {
    try withUnsafePointer(to: bytes) { try body(UnsafeRawPointer($0)) }
  }
}
