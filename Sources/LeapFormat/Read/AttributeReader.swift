// AttributeReader: AttributeProto -> Attribute. Subgraphs are read by the graph reader that is handed in.

import CLeapProto
import LeapGraph
import LeapTensors

struct AttributeReader {
  let tensors: TensorReader
  /// Whether the attribute stands in the body of a function, where it may refer to the caller's.
  let allowsReferences: Bool
  let readGraph: (UnsafePointer<GraphMessage>, String) throws -> Graph

  /// - Parameter label: the node or function, for errors.
  /// - Throws: `ModelError.invalid` where it has no name, no or another type than its content; what reading its
  ///   tensors and graphs throws.
  func attribute(
    _ message: UnsafePointer<AttributeMessage>, of label: String
  ) throws -> (name: String, value: Attribute) {
    let name = string(message.pointee.name)
    guard !name.isEmpty else {
      throw ModelError.invalid(location: label, reason: "an attribute has no name")
    }
    let here = "attribute '\(name)' of \(label)"
    let reference = string(message.pointee.ref_attr_name)
    if !reference.isEmpty {
      guard allowsReferences else {
        throw ModelError.invalid(
          location: here,
          reason: "it refers to '\(reference)' of a caller, but stands in no function")
      }
      return (name, .reference(reference))
    }
    return (name, try value(message.pointee, here))
  }

  private func value(_ message: AttributeMessage, _ label: String) throws -> Attribute {
    let present = AttributeField.present(in: message)
    let field = try declared(message, present, label)
    if present.contains(where: { $0 != field }) && !present.contains(field) {
      throw ModelError.invalid(
        location: label,
        reason: "it is declared \(field), but holds \(present[0])")
    }
    switch field {
    case .float: return .float(message.f)
    case .int: return .int(message.i)
    case .string: return .string(Array(bytes(message.s)))
    case .floats:
      return .floats(Array(UnsafeBufferPointer(start: message.floats, count: message.n_floats)))
    case .ints:
      return .ints(Array(UnsafeBufferPointer(start: message.ints, count: message.n_ints)))
    case .strings:
      return .strings(
        UnsafeBufferPointer(start: message.strings, count: message.n_strings).map {
          Array(bytes($0))
        })
    case .tensor: return .tensor(try tensors.constant(some(message.t, field, label), label: label))
    case .tensors:
      return .tensors(
        try messages(message.tensors, message.n_tensors).map {
          try tensors.constant($0, label: label)
        })
    case .sparseTensor:
      return .sparseTensor(
        try tensors.sparseConstant(some(message.sparse_tensor, field, label), label: label))
    case .sparseTensors:
      return .tensors(
        try messages(message.sparse_tensors, message.n_sparse_tensors)
          .map { try tensors.sparseConstant($0, label: label) })
    case .graph: return .graph(try readGraph(some(message.g, field, label), label))
    case .graphs:
      return .graphs(
        try messages(message.graphs, message.n_graphs).map { try readGraph($0, label) })
    case .type: return .type(try type(some(message.tp, field, label), label))
    case .types:
      return .types(
        try messages(message.type_protos, message.n_type_protos).map { try type($0, label) })
    }
  }

  /// The field that counts. Models before IR version 2 do not declare it: there it is the one that is present.
  private func declared(
    _ message: AttributeMessage, _ present: [AttributeField], _ label: String
  ) throws -> AttributeField {
    let number = message.has_type != 0 ? message.type.rawValue : 0
    if let field = AttributeField(rawValue: number) { return field }
    guard number == 0 else {
      throw ModelError.invalid(
        location: label, reason: "its type \(number) is not one of ONNX's (1 to 14)")
    }
    guard present.count == 1 else {
      throw ModelError.invalid(
        location: label,
        reason: present.isEmpty
          ? "it has neither type nor value" : "it has no type, but several values")
    }
    return present[0]
  }

  private func some<Message>(
    _ message: UnsafeMutablePointer<Message>?, _ field: AttributeField, _ label: String
  ) throws -> UnsafePointer<Message> {
    guard let message else {
      throw ModelError.invalid(location: label, reason: "it is declared \(field), but holds none")
    }
    return UnsafePointer(message)
  }

  private func type(_ message: UnsafePointer<TypeMessage>, _ label: String) throws -> ValueType {
    guard let type = try TypeReader.type(message, label: label) else {
      throw ModelError.invalid(location: label, reason: "its type is empty")
    }
    return type
  }
}

/// The kinds of attributes, by the numbers of ONNX's AttributeType.
private enum AttributeField: UInt32 {
  case float = 1
  case int = 2
  case string = 3
  case tensor = 4
  case graph = 5
  case floats = 6
  case ints = 7
  case strings = 8
  case tensors = 9
  case graphs = 10
  case sparseTensor = 11
  case sparseTensors = 12
  case type = 13
  case types = 14

  /// The kinds of which a message holds a value.
  static func present(in message: AttributeMessage) -> [AttributeField] {
    var fields: [AttributeField] = []
    if message.has_f != 0 { fields.append(.float) }
    if message.has_i != 0 { fields.append(.int) }
    if message.has_s != 0 { fields.append(.string) }
    if message.t != nil { fields.append(.tensor) }
    if message.g != nil { fields.append(.graph) }
    if message.n_floats > 0 { fields.append(.floats) }
    if message.n_ints > 0 { fields.append(.ints) }
    if message.n_strings > 0 { fields.append(.strings) }
    if message.n_tensors > 0 { fields.append(.tensors) }
    if message.n_graphs > 0 { fields.append(.graphs) }
    if message.sparse_tensor != nil { fields.append(.sparseTensor) }
    if message.n_sparse_tensors > 0 { fields.append(.sparseTensors) }
    if message.tp != nil { fields.append(.type) }
    if message.n_type_protos > 0 { fields.append(.types) }
    return fields
  }
}
