// Arguments: what C passes, checked before it is used.

import LeapTensors

/// A place for a result: there, and empty until the call succeeds.
func place<Value>(
  _ pointer: UnsafeMutablePointer<Value>?, _ name: String, empty: Value
) throws -> UnsafeMutablePointer<Value> {
  guard let pointer else { throw CallFailure.argument("\(name) is NULL") }
  pointer.pointee = empty
  return pointer
}

/// A place for a pointer or a handle.
func place<Value>(
  _ pointer: UnsafeMutablePointer<Value?>?, _ name: String
) throws -> UnsafeMutablePointer<Value?> {
  try place(pointer, name, empty: nil)
}

/// Text that must be there.
func text(_ pointer: UnsafePointer<CChar>?, _ name: String) throws -> String {
  guard let pointer else { throw CallFailure.argument("\(name) is NULL") }
  guard let text = String(validatingCString: pointer) else { throw notUTF8(name) }
  return text
}

/// Text of `length` bytes, NULs among them.
func text(_ pointer: UnsafePointer<CChar>?, _ length: Int, _ name: String) throws -> String {
  let bytes = UnsafeRawBufferPointer(try array(pointer, length, name))
  guard let text = String(validating: bytes, as: UTF8.self) else { throw notUTF8(name) }
  return text
}

private func notUTF8(_ name: String) -> CallFailure {
  .argument("\(name) is not UTF-8, as texts of ONNX are")
}

/// An array of `count` entries. NULL stands for one without entries.
func array<Element>(
  _ pointer: UnsafePointer<Element>?, _ count: Int, _ name: String
) throws -> UnsafeBufferPointer<Element> {
  guard count >= 0, count <= Int.max / max(MemoryLayout<Element>.stride, 1) else {
    throw CallFailure.argument("\(name): no array has \(UInt(bitPattern: count)) entries")
  }
  guard pointer != nil || count == 0 else { throw CallFailure.argument("\(name) is NULL") }
  return UnsafeBufferPointer(start: pointer, count: count)
}

/// Texts, none of them NULL.
func texts(
  _ pointer: UnsafePointer<UnsafePointer<CChar>?>?, _ count: Int, _ name: String
) throws -> [String] {
  try array(pointer, count, name).enumerated().map { try text($1, "\(name)[\($0)]") }
}

/// More dimensions than any tensor has: what a mistaken rank is told by.
private let rankLimit = 1024

/// Extents of a tensor.
func shape(_ dimensions: UnsafePointer<Int64>?, _ rank: Int) throws -> Shape {
  guard (0...rankLimit).contains(rank) else {
    throw CallFailure.argument("no tensor has \(UInt(bitPattern: rank)) dimensions")
  }
  let shape = Shape(try array(dimensions, rank, "dimensions").map(Int.init))
  // Strings are counted as a byte each.
  guard shape.span(of: .uint8) != nil else {
    throw CallFailure.argument(
      "dimensions \(shape) are negative, or their product does not fit 64 bits")
  }
  return shape
}

/// The type of a tensor's elements.
func elementType(_ number: Int32) throws -> DataType {
  guard let type = DataType(rawValue: number) else {
    throw CallFailure.argument("\(number) is no element type")
  }
  return type
}
