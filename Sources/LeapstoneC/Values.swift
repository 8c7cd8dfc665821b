// Values: tensors, sequences and optionals, made by C and shown to C.

import CLeapstone
import LeapTensors
import Leapstone

/// Refuses a size that does not fit the elements.
private func check(_ type: DataType, _ shape: Shape, _ byteCount: Int) throws {
  guard type != .string else {
    throw CallFailure.argument("strings go into leapstone_tensor_create_strings")
  }
  guard let expected = type.byteCount(elements: shape.elementCount) else {
    throw CallFailure.argument("\(type) \(shape): no memory is as large")
  }
  guard byteCount == expected else {
    throw CallFailure.argument(
      "\(type) \(shape) takes \(expected) bytes, byte_count is \(UInt(bitPattern: byteCount))")
  }
}

@_cdecl("leapstone_tensor_borrow")
public func tensorBorrow(
  _ type: Int32, _ dimensions: UnsafePointer<Int64>?, _ rank: Int, _ data: UnsafeMutableRawPointer?,
  _ byteCount: Int, _ release: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?,
  _ context: UnsafeMutableRawPointer?, _ value: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  call {
    let place = try place(value, "value")
    let (type, shape) = (try elementType(type), try shape(dimensions, rank))
    try check(type, shape, byteCount)
    let base = try borrowedAddress(data, type, byteCount)
    let storage = TensorStorage(
      borrowing: base, byteCount: byteCount, release: releasing(release, context))
    let tensor = Tensor(dataType: type, shape: shape, storage: storage)
    place.pointee = try Handles.add(ValueObject(.tensor(tensor), isWritable: true))
  }
}

/// The address of borrowed memory. Memory without elements need not be there, but kernels are handed an address.
private func borrowedAddress(
  _ data: UnsafeMutableRawPointer?, _ type: DataType, _ byteCount: Int
) throws -> UnsafeMutableRawPointer {
  guard let base = data ?? (byteCount == 0 ? UnsafeMutableRawPointer(bitPattern: 64) : nil) else {
    throw CallFailure.argument("data is NULL")
  }
  let alignment = min(max(type.byteWidth, 1), 8)
  guard UInt(bitPattern: base) % UInt(alignment) == 0 else {
    throw CallFailure.argument("data of \(type) must lie at a multiple of \(alignment) bytes")
  }
  return base
}

private func releasing(
  _ release: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?,
  _ context: UnsafeMutableRawPointer?
) -> (@Sendable () -> Void)? {
  guard let release else { return nil }
  nonisolated(unsafe) let owner = context
  return { release(owner) }
}

@_cdecl("leapstone_tensor_create")
public func tensorCreate(
  _ type: Int32, _ dimensions: UnsafePointer<Int64>?, _ rank: Int, _ data: UnsafeRawPointer?,
  _ byteCount: Int, _ value: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  call {
    let place = try place(value, "value")
    let (type, shape) = (try elementType(type), try shape(dimensions, rank))
    try check(type, shape, byteCount)
    let tensor = try data.map { data in
      try Tensor(dataType: type, shape: shape) { bytes in
        bytes.copyMemory(from: UnsafeRawBufferPointer(start: data, count: byteCount))
      }
    }
    place.pointee = try Handles.add(
      ValueObject(.tensor(try tensor ?? Tensor(zeros: type, shape: shape)), isWritable: true))
  }
}

@_cdecl("leapstone_tensor_create_strings")
public func tensorCreateStrings(
  _ dimensions: UnsafePointer<Int64>?, _ rank: Int,
  _ strings: UnsafePointer<UnsafePointer<CChar>?>?,
  _ lengths: UnsafePointer<Int>?, _ value: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  call {
    let place = try place(value, "value")
    let shape = try shape(dimensions, rank)
    let pointers = try array(strings, shape.elementCount, "strings")
    let elements = try pointers.enumerated().map { index, pointer in
      guard let lengths else { return try text(pointer, "strings[\(index)]") }
      return try text(pointer, lengths[index], "strings[\(index)]")
    }
    place.pointee = try Handles.add(
      ValueObject(.tensor(try Tensor(strings: elements, shape: shape))))
  }
}

@_cdecl("leapstone_sequence_create")
public func sequenceCreate(
  _ items: UnsafePointer<OpaquePointer?>?, _ count: Int,
  _ value: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  call {
    let place = try place(value, "value")
    let values = try array(items, count, "items").map {
      try Handles.object($0, as: ValueObject.self).value
    }
    for (index, value) in values.enumerated() where !value.hasType(of: values[0]) {
      throw CallFailure.argument(
        "items[\(index)] is \(value), items[0] \(values[0])")
    }
    place.pointee = try Handles.add(ValueObject(try nested(.sequence(values))))
  }
}

/// As many containers in one another as the types of a model may have.
private let depthLimit = 64

/// The value. Throws `CallFailure` where it nests so deep that whoever walks through it may run out of stack.
private func nested(_ value: RunValue) throws -> RunValue {
  guard value.depth <= depthLimit else {
    throw CallFailure.argument("more than \(depthLimit) sequences and optionals in one another")
  }
  return value
}

@_cdecl("leapstone_optional_create")
public func optionalCreate(
  _ item: OpaquePointer?, _ value: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  call {
    let place = try place(value, "value")
    let held = try item.map { try Handles.object($0, as: ValueObject.self).value }
    place.pointee = try Handles.add(ValueObject(try nested(.optional(held))))
  }
}

@_cdecl("leapstone_value_free")
public func valueFree(_ value: OpaquePointer?) -> Int32 {
  call { try Handles.remove(value, of: ValueObject.self) }
}

@_cdecl("leapstone_value_kind")
public func valueKind(_ value: OpaquePointer?, _ kind: UnsafeMutablePointer<Int32>?) -> Int32 {
  call {
    let place = try place(kind, "kind", empty: 0)
    place.pointee = Int32(try Handles.object(value, as: ValueObject.self).value.kind)
  }
}

@_cdecl("leapstone_tensor_info")
public func tensorInfo(
  _ value: OpaquePointer?, _ type: UnsafeMutablePointer<Int32>?,
  _ dimensions: UnsafeMutablePointer<UnsafePointer<Int64>?>?, _ rank: UnsafeMutablePointer<Int>?
) -> Int32 {
  type?.pointee = 0
  dimensions?.pointee = nil
  rank?.pointee = 0
  return call {
    let object = try Handles.object(value, as: ValueObject.self)
    let tensor = try object.tensor
    type?.pointee = tensor.dataType.rawValue
    dimensions?.pointee = object.dimensions(of: tensor)
    rank?.pointee = tensor.shape.rank
  }
}

@_cdecl("leapstone_tensor_data")
public func tensorData(
  _ value: OpaquePointer?, _ data: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
  _ byteCount: UnsafeMutablePointer<Int>?
) -> Int32 {
  call {
    let (data, count) = (try place(data, "data"), try place(byteCount, "byte_count", empty: 0))
    let tensor = try Handles.object(value, as: ValueObject.self).tensor
    guard let address = tensor.address else {
      throw CallFailure.argument("strings are read by leapstone_tensor_strings")
    }
    data.pointee = address
    count.pointee = tensor.byteCount
  }
}

@_cdecl("leapstone_tensor_strings")
public func tensorStrings(
  _ value: OpaquePointer?,
  _ strings: UnsafeMutablePointer<UnsafePointer<UnsafePointer<CChar>?>?>?,
  _ lengths: UnsafeMutablePointer<UnsafePointer<Int>?>?, _ count: UnsafeMutablePointer<Int>?
) -> Int32 {
  call {
    let (strings, lengths) = (try place(strings, "strings"), try place(lengths, "lengths"))
    let count = try place(count, "count", empty: 0)
    let object = try Handles.object(value, as: ValueObject.self)
    let tensor = try object.tensor
    guard let elements = tensor.strings else {
      throw CallFailure.argument("the value is \(tensor), it has no strings")
    }
    let view = object.view(of: elements)
    strings.pointee = view.strings
    lengths.pointee = view.lengths
    count.pointee = view.count
  }
}

@_cdecl("leapstone_value_count")
public func valueCount(_ value: OpaquePointer?, _ count: UnsafeMutablePointer<Int>?) -> Int32 {
  call {
    let place = try place(count, "count", empty: 0)
    place.pointee = try Handles.object(value, as: ValueObject.self).value.items.count
  }
}

@_cdecl("leapstone_value_item")
public func valueItem(
  _ value: OpaquePointer?, _ index: Int, _ item: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  call {
    let place = try place(item, "item")
    let items = try Handles.object(value, as: ValueObject.self).value.items
    guard items.indices.contains(index) else {
      throw CallFailure.argument("index \(UInt(bitPattern: index)): there are \(items.count) items")
    }
    place.pointee = try Handles.add(ValueObject(items[index]))
  }
}
