// TensorReader: TensorProto -> Constant, for every way in which ONNX writes the elements down.
//
// 1. Sizes are checked against the shape before memory is asked for, by arithmetic that cannot overflow.
// 2. A large payload in a file stays there; a smaller one is read straight into its tensor.
// 3. An error names the tensor.

import CLeapProto
import LeapGraph
import LeapTensors

/// Reads the tensors of one model.
struct TensorReader {
  let source: PayloadSource
  let sourceName: String
  let external: ExternalData
  let options: ReadOptions

  /// - Throws: `ModelError.invalid` and `.externalData` naming the tensor by `label`, `.malformed` where a payload's
  ///   varints are, `.outOfMemory`.
  func constant(_ message: UnsafePointer<TensorMessage>, label: String) throws -> Constant {
    let (type, shape) = try header(message, label: label)
    if message.pointee.segment != nil {
      throw invalid(label, "it is a segment of a tensor, which is not supported")
    }
    let fields = presentFields(message)
    guard fields.count <= 1 else {
      throw invalid(label, "its elements are given twice: \(fields.joined(separator: " and "))")
    }
    guard type != .string else { return try stringTensor(message, shape, fields, label) }
    guard let byteCount = type.byteCount(elements: shape.elementCount), byteCount < Int.max / 2
    else { throw invalid(label, "\(type) \(shape) has more bytes than can be addressed") }
    if message.pointee.data_location == LEAPSTONE__ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL {
      return try externalTensor(message, type, shape, byteCount, label)
    }
    if let reference = message.pointee.leapstone_payload {
      return try referred(UnsafePointer(reference), type, shape, byteCount, label)
    }
    if fields == ["raw_data"] {
      let raw = bytes(message.pointee.raw_data)
      try check(raw.count, type, shape, byteCount, label)
      return Constant(
        try tensor(type, shape) { $0.copyMemory(from: raw) })
    }
    return try typedTensor(message, type, shape, fields, label)
  }

  private func invalid(_ label: String, _ reason: String) -> ModelError {
    .invalid(location: label, reason: reason)
  }

  /// Element type and shape.
  private func header(
    _ message: UnsafePointer<TensorMessage>, label: String
  ) throws -> (DataType, Shape) {
    let type = try elementType(message.pointee.data_type, label: label)
    let dims = UnsafeBufferPointer(start: message.pointee.dims, count: message.pointee.n_dims)
    for (axis, extent) in dims.enumerated() where extent < 0 {
      throw invalid(label, "dimension \(axis) is \(extent): extents are not negative")
    }
    let shape = Shape(dims.map { Int($0) })
    guard shape.elementCount < Int.max else {
      throw invalid(label, "the product of the dimensions \(shape) overflows")
    }
    return (type, shape)
  }

  /// The fields that hold elements, by name.
  private func presentFields(_ message: UnsafePointer<TensorMessage>) -> [String] {
    let tensor = message.pointee
    var fields: [String] = []
    if tensor.raw_data.len > 0 { fields.append("raw_data") }
    if tensor.n_float_data > 0 { fields.append("float_data") }
    if tensor.n_int32_data > 0 { fields.append("int32_data") }
    if tensor.n_string_data > 0 { fields.append("string_data") }
    if tensor.n_int64_data > 0 { fields.append("int64_data") }
    if tensor.n_double_data > 0 { fields.append("double_data") }
    if tensor.n_uint64_data > 0 { fields.append("uint64_data") }
    if let payload = tensor.leapstone_payload {
      fields.append("payload in field \(payload.pointee.field)")
    }
    if tensor.n_external_data > 0 { fields.append("external_data") }
    return fields
  }

  private func check(
    _ count: Int, _ type: DataType, _ shape: Shape, _ expected: Int, _ label: String
  ) throws {
    guard count == expected else {
      throw invalid(label, "\(type) \(shape) needs \(expected) bytes of data, \(count) are there")
    }
  }

  /// A new tensor. A bool that is neither 0 nor 1 is made 1: nothing later may meet another.
  private func tensor(
    _ type: DataType, _ shape: Shape, fill: (UnsafeMutableRawBufferPointer) throws -> Void
  ) throws -> Tensor {
    try Tensor(dataType: type, shape: shape) { bytes in
      try fill(bytes)
      if type == .bool { for index in bytes.indices where bytes[index] != 0 { bytes[index] = 1 } }
    }
  }

  // MARK: Payloads that the scan left where they are

  private func referred(
    _ reference: UnsafePointer<PayloadReferenceMessage>, _ type: DataType, _ shape: Shape,
    _ byteCount: Int, _ label: String
  ) throws -> Constant {
    let offset = Int(reference.pointee.offset)
    let length = Int(reference.pointee.length)
    let typed = TypedField(type)
    let isRaw = reference.pointee.field == TensorPayload.raw.rawValue
    guard isRaw || reference.pointee.field == typed.payload?.rawValue else {
      throw invalid(
        label,
        "\(type) elements belong in raw_data or \(typed.rawValue), not in field \(reference.pointee.field)"
      )
    }
    guard isRaw || typed.isFixedWidth else {
      return try packedTensor(type, shape, offset: offset, length: length, label)
    }
    try check(length, type, shape, byteCount, label)
    return try stored(type, shape, in: source, offset: offset, byteCount: byteCount)
  }

  /// A tensor whose bytes lie ready: left in the file where it is large, shared where its alignment allows, else copied.
  private func stored(
    _ type: DataType, _ shape: Shape, in source: PayloadSource, offset: Int, byteCount: Int
  ) throws -> Constant {
    switch source {
    case .file(let file) where byteCount >= options.smallestFilePayload && type != .bool:
      return Constant(dataType: type, shape: shape, file: file, offset: offset)
    case .memory(_, let owner?) where type != .bool:
      let alignment = UInt(max(min(type.byteWidth, 8), 1))
      if UInt(bitPattern: owner.base + offset) % alignment == 0 {
        return Constant(Tensor(dataType: type, shape: shape, storage: owner, byteOffset: offset))
      }
    default: break
    }
    return Constant(
      try tensor(type, shape) { bytes in
        guard let base = bytes.baseAddress else { return }
        try source.read(into: base, offset: offset, count: byteCount)
      })
  }

  /// A list of varints.
  private func packedTensor(
    _ type: DataType, _ shape: Shape, offset: Int, length: Int, _ label: String
  ) throws -> Constant {
    guard let entries = entryCount(type, elements: shape.elementCount), entries <= length else {
      throw invalid(label, "\(type) \(shape) needs more entries than its \(length) bytes hold")
    }
    return Constant(
      try tensor(type, shape) { bytes in
        var writer = EntryWriter(type, to: bytes)
        var reader = try WireReader(source.byteSource, name: sourceName)
        reader.skip(offset)
        let end = offset + length
        var count = 0
        while reader.position < end {
          let entry = try reader.varint()
          guard reader.position <= end else {
            throw reader.malformed(at: offset, "the data of \(label) ends inside a varint")
          }
          guard count < entries else {
            throw invalid(label, "\(type) \(shape) needs \(entries) entries, more are there")
          }
          try append(normalised(entry, type), to: &writer, type, label)
          count += 1
        }
        guard count == entries else {
          throw invalid(label, "\(type) \(shape) needs \(entries) entries, \(count) are there")
        }
      })
  }

  /// What protobuf makes of a varint in the list of this type: int32_data keeps the lowest 32 bits.
  private func normalised(_ entry: UInt64, _ type: DataType) -> Int64 {
    TypedField(type) == .int32
      ? Int64(Int32(truncatingIfNeeded: entry)) : Int64(truncatingIfNeeded: entry)
  }

  private func append(
    _ entry: Int64, to writer: inout EntryWriter, _ type: DataType, _ label: String
  ) throws {
    guard writer.append(entry) else {
      throw invalid(label, "\(entry) is out of the range of \(type)")
    }
  }

  // MARK: Small payloads

  private func typedTensor(
    _ message: UnsafePointer<TensorMessage>, _ type: DataType, _ shape: Shape, _ fields: [String],
    _ label: String
  ) throws -> Constant {
    let typed = TypedField(type)
    guard fields.isEmpty || fields == [typed.rawValue] else {
      throw invalid(
        label, "\(type) elements belong in raw_data or \(typed.rawValue), not in \(fields[0])")
    }
    let tensorMessage = message.pointee
    let count =
      switch typed {
      case .float: tensorMessage.n_float_data
      case .double: tensorMessage.n_double_data
      case .int32: tensorMessage.n_int32_data
      case .int64: tensorMessage.n_int64_data
      case .uint64: tensorMessage.n_uint64_data
      case .string: tensorMessage.n_string_data
      }
    guard let expected = entryCount(type, elements: shape.elementCount), count == expected else {
      throw invalid(
        label,
        "\(type) \(shape) needs another number of entries than the \(count) in \(typed.rawValue)")
    }
    return Constant(
      try tensor(type, shape) { bytes in
        var writer = EntryWriter(type, to: bytes)
        switch typed {
        case .float: copy(tensorMessage.float_data, count * 4, to: bytes)
        case .double: copy(tensorMessage.double_data, count * 8, to: bytes)
        case .int64: copy(tensorMessage.int64_data, count * 8, to: bytes)
        case .int32:
          for index in 0..<count {
            try append(Int64(tensorMessage.int32_data[index]), to: &writer, type, label)
          }
        case .uint64:
          for index in 0..<count {
            let entry = Int64(truncatingIfNeeded: tensorMessage.uint64_data[index])
            try append(entry, to: &writer, type, label)
          }
        case .string: break
        }
      })
  }

  private func copy(
    _ elements: UnsafeRawPointer?, _ count: Int, to bytes: UnsafeMutableRawBufferPointer
  ) {
    bytes.copyMemory(
      from: UnsafeRawBufferPointer(start: elements, count: elements == nil ? 0 : count))
  }

  private func stringTensor(
    _ message: UnsafePointer<TensorMessage>, _ shape: Shape, _ fields: [String], _ label: String
  ) throws -> Constant {
    guard fields.isEmpty || fields == ["string_data"] else {
      throw invalid(label, "string elements belong in string_data, not in \(fields[0])")
    }
    let list = UnsafeBufferPointer(
      start: message.pointee.string_data, count: message.pointee.n_string_data)
    guard list.count == shape.elementCount else {
      throw invalid(
        label, "string \(shape) needs \(shape.elementCount) strings, \(list.count) are there")
    }
    return Constant(try Tensor(strings: texts(list, label), shape: shape))
  }

  /// Texts as strings.
  ///
  /// - Throws: `ModelError` where one is not UTF-8: replaced characters would silently be other texts.
  func texts(
    _ list: UnsafeBufferPointer<ProtobufCBinaryData>, _ label: String
  ) throws -> [String] {
    try list.enumerated().map { index, data in
      guard let text = String(validating: bytes(data), as: UTF8.self) else {
        throw invalid(label, "string \(index) is not UTF-8")
      }
      return text
    }
  }

  // MARK: External data

  private func externalTensor(
    _ message: UnsafePointer<TensorMessage>, _ type: DataType, _ shape: Shape, _ byteCount: Int,
    _ label: String
  ) throws -> Constant {
    let entries = messages(message.pointee.external_data, message.pointee.n_external_data)
      .map { (key: string($0.pointee.key), value: string($0.pointee.value)) }
    let given = string(message.pointee.name)
    let name = given.isEmpty ? label : given
    do {
      let place = try external.place(entries, initializer: name, byteCount: byteCount)
      return try stored(
        type, shape, in: .file(place.file), offset: place.offset, byteCount: byteCount)
    } catch let error as ModelError where options.goesOnWithoutPayloads {
      external.note(error, entries, initializer: name, byteCount: byteCount)
      return Constant(dataType: type, shape: shape, source: .absent(error))
    }
  }
}

/// An element type by its number in ONNX.
///
/// - Throws: `ModelError.invalid` where it is undefined or unknown.
func elementType(_ number: Int32, label: String) throws -> DataType {
  if let type = DataType(rawValue: number) { return type }
  throw ModelError.invalid(
    location: label,
    reason: number == 0
      ? "its element type is undefined"
      : "its element type \(number) is not one of ONNX's (1 to 28)")
}
