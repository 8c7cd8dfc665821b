// StoredValue: a value that lies in a file of its own, as ONNX's test data sets have it: TensorProto, SequenceProto,
// OptionalProto, MapProto.

import CLeapProto
import LeapGraph
import LeapTensors

/// A value in memory: a tensor or one of ONNX's containers.
package indirect enum StoredValue: Sendable {
  case tensor(Tensor)
  case sequence([StoredValue])
  case optional(StoredValue?)
  /// Keys (a tensor of integers or strings), and the values in their order.
  case map(keys: Tensor, values: [StoredValue])
}

extension StoredValue {
  /// What a file holds.
  package enum Kind: Sendable {
    case tensor, sequence, optional, map
  }

  /// Reads a value from a file.
  ///
  /// - Parameters:
  ///   - kind: what the file holds; the wire format does not tell.
  /// - Returns: the value and the name that it carries.
  /// - Throws: `ModelError`, as `ModelReader.read(path:options:)`.
  package static func read(
    path: String, as kind: Kind, options: ReadOptions = ReadOptions()
  ) throws -> (name: String, value: StoredValue) {
    let source = PayloadSource.file(try PayloadFile(path: path))
    let external = try ExternalData(modelPath: path, extraRoots: options.externalDataRoots)
    return try read(source, name: path, as: kind, external: external, options: options)
  }

  /// Reads a value from bytes, which are copied.
  ///
  /// - Throws: `ModelError`, as `ModelReader.read(path:options:)`.
  package static func read(
    bytes: UnsafeRawBufferPointer, as kind: Kind, name: String = "<bytes>",
    options: ReadOptions = ReadOptions()
  ) throws -> (name: String, value: StoredValue) {
    let external = try ExternalData(modelPath: nil, extraRoots: options.externalDataRoots)
    return try read(
      .memory(bytes, owner: nil), name: name, as: kind, external: external, options: options)
  }

  private static func read(
    _ source: PayloadSource, name: String, as kind: Kind, external: ExternalData,
    options: ReadOptions
  ) throws -> (name: String, value: StoredValue) {
    let tensors = TensorReader(
      source: source, sourceName: name, external: external, options: options)
    let reader = StoredValueReader(tensors: tensors, label: name)
    switch kind {
    case .tensor:
      return try parse(source, .tensor, name, TensorMessage.self) {
        (string($0.pointee.name), try reader.tensor($0))
      }
    case .sequence:
      return try parse(source, .sequence, name, SequenceMessage.self) {
        (string($0.pointee.name), try reader.sequence($0))
      }
    case .optional:
      return try parse(source, .optional, name, OptionalMessage.self) {
        (string($0.pointee.name), try reader.optional($0))
      }
    case .map:
      return try parse(source, .map, name, MapMessage.self) {
        (string($0.pointee.name), try reader.map($0))
      }
    }
  }

  private static func parse<Message>(
    _ source: PayloadSource, _ kind: MessageKind, _ name: String, _ type: Message.Type,
    _ read: (UnsafePointer<Message>) throws -> (String, StoredValue)
  ) throws -> (name: String, value: StoredValue) {
    let parsed = try ParsedMessage(source.byteSource, as: kind, name: name)
    return try withExtendedLifetime(parsed) { try read(parsed.pointer(to: type)) }
  }
}

/// Reads the values of one file.
private struct StoredValueReader {
  let tensors: TensorReader
  /// The file, for errors.
  let label: String

  /// The kinds of elements, by the numbers of ONNX's SequenceProto.DataType and OptionalProto.DataType.
  private enum ElementKind: Int32 {
    case undefined = 0
    case tensor = 1
    case sparseTensor = 2
    case sequence = 3
    case map = 4
    case optional = 5
  }

  func tensor(_ message: UnsafePointer<TensorMessage>) throws -> StoredValue {
    .tensor(try tensors.constant(message, label: label).tensor())
  }

  private func sparse(_ message: UnsafePointer<SparseTensorMessage>) throws -> StoredValue {
    .tensor(try tensors.sparseConstant(message, label: label).tensor())
  }

  func sequence(_ message: UnsafePointer<SequenceMessage>) throws -> StoredValue {
    let source = message.pointee
    switch try kind(source.elem_type) {
    case .tensor:
      return .sequence(try messages(source.tensor_values, source.n_tensor_values).map(tensor))
    case .sparseTensor:
      return .sequence(
        try messages(source.sparse_tensor_values, source.n_sparse_tensor_values).map(sparse))
    case .sequence:
      return .sequence(try messages(source.sequence_values, source.n_sequence_values).map(sequence))
    case .map: return .sequence(try messages(source.map_values, source.n_map_values).map(map))
    case .optional:
      return .sequence(try messages(source.optional_values, source.n_optional_values).map(optional))
    case .undefined: return .sequence([])
    }
  }

  func optional(_ message: UnsafePointer<OptionalMessage>) throws -> StoredValue {
    let source = message.pointee
    let value: StoredValue? =
      switch try kind(source.elem_type) {
      case .tensor: try source.tensor_value.map { try tensor($0) }
      case .sparseTensor: try source.sparse_tensor_value.map { try sparse($0) }
      case .sequence: try source.sequence_value.map { try sequence($0) }
      case .map: try source.map_value.map { try map($0) }
      case .optional: try source.optional_value.map { try optional($0) }
      case .undefined: nil
      }
    return .optional(value)
  }

  func map(_ message: UnsafePointer<MapMessage>) throws -> StoredValue {
    let source = message.pointee
    let type = try elementType(source.key_type, label: label)
    guard type == .string || type.isInteger else {
      throw ModelError.invalid(location: label, reason: "its map has keys of \(type)")
    }
    let keys: Tensor
    if type == .string {
      let list = UnsafeBufferPointer(start: source.string_keys, count: source.n_string_keys)
      keys = try Tensor(strings: tensors.texts(list, label))
    } else {
      keys = try Tensor(Array(UnsafeBufferPointer(start: source.keys, count: source.n_keys)))
    }
    guard let list = source.values, case .sequence(let values) = try sequence(list),
      values.count == keys.elementCount
    else {
      throw ModelError.invalid(location: label, reason: "its map has not as many values as keys")
    }
    return .map(keys: keys, values: values)
  }

  private func kind(_ number: Int32) throws -> ElementKind {
    guard let kind = ElementKind(rawValue: number) else {
      throw ModelError.invalid(
        location: label, reason: "the kind \(number) of its elements is not one of ONNX's (0 to 5)")
    }
    return kind
  }
}
