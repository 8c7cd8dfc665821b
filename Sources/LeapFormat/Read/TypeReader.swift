// TypeReader: TypeProto -> ValueType.

import CLeapProto
import LeapGraph
import LeapTensors

enum TypeReader {
  /// The type that a message declares; nil where it declares none.
  ///
  /// - Throws: `ModelError.invalid` where an element type is undefined or unknown, or the type is opaque.
  static func type(_ message: UnsafePointer<TypeMessage>?, label: String) throws -> ValueType? {
    guard let message else { return nil }
    switch message.pointee.value_case {
    case LEAPSTONE__ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE:
      guard let tensor = message.pointee.tensor_type?.pointee else { return nil }
      return .tensor(
        try elementType(tensor.elem_type, label: label), shape: dimensions(tensor.shape))
    case LEAPSTONE__ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE:
      guard let tensor = message.pointee.sparse_tensor_type?.pointee else { return nil }
      return .sparseTensor(
        try elementType(tensor.elem_type, label: label), shape: dimensions(tensor.shape))
    case LEAPSTONE__ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE:
      return .sequence(try inner(message.pointee.sequence_type?.pointee.elem_type, label))
    case LEAPSTONE__ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE:
      return .optional(try inner(message.pointee.optional_type?.pointee.elem_type, label))
    case LEAPSTONE__ONNX__TYPE_PROTO__VALUE_MAP_TYPE:
      guard let map = message.pointee.map_type?.pointee else { return nil }
      return .map(
        key: try elementType(map.key_type, label: label), value: try inner(map.value_type, label))
    case LEAPSTONE__ONNX__TYPE_PROTO__VALUE_OPAQUE_TYPE:
      throw ModelError.invalid(
        location: label, reason: "its type is opaque, which is not supported")
    default: return nil
    }
  }

  private static func inner(
    _ message: UnsafeMutablePointer<TypeMessage>?, _ label: String
  ) throws -> ValueType {
    guard let type = try type(message.map { UnsafePointer($0) }, label: label) else {
      throw ModelError.invalid(location: label, reason: "its container has no element type")
    }
    return type
  }

  /// The extents as far as they are declared. A negative one, which some exporters write, is unknown.
  private static func dimensions(_ shape: UnsafeMutablePointer<ShapeMessage>?) -> [Dimension]? {
    guard let shape else { return nil }
    return messages(shape.pointee.dim, shape.pointee.n_dim).map { dimension in
      switch dimension.pointee.value_case {
      case LEAPSTONE__ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE:
        let extent = dimension.pointee.dim_value
        return extent < 0 ? .unknown : .fixed(Int(extent))
      case LEAPSTONE__ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM:
        let name = string(dimension.pointee.dim_param)
        return name.isEmpty ? .unknown : .symbol(name)
      default: return .unknown
      }
    }
  }
}
