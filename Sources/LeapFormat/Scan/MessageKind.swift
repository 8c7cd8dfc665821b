// MessageKind: the kinds of messages that stand at the beginning of a file, and names for the generated C types.

import CLeapProto

typealias MessageDescriptor = UnsafePointer<ProtobufCMessageDescriptor>
typealias FieldDescriptor = UnsafePointer<ProtobufCFieldDescriptor>

typealias ModelMessage = Leapstone__Onnx__ModelProto
typealias GraphMessage = Leapstone__Onnx__GraphProto
typealias NodeMessage = Leapstone__Onnx__NodeProto
typealias FunctionMessage = Leapstone__Onnx__FunctionProto
typealias AttributeMessage = Leapstone__Onnx__AttributeProto
typealias TensorMessage = Leapstone__Onnx__TensorProto
typealias SparseTensorMessage = Leapstone__Onnx__SparseTensorProto
typealias PayloadReferenceMessage = Leapstone__Onnx__TensorProto__PayloadReference
typealias ValueInfoMessage = Leapstone__Onnx__ValueInfoProto
typealias TypeMessage = Leapstone__Onnx__TypeProto
typealias ShapeMessage = Leapstone__Onnx__TensorShapeProto
typealias OpsetMessage = Leapstone__Onnx__OperatorSetIdProto
typealias EntryMessage = Leapstone__Onnx__StringStringEntryProto
typealias SequenceMessage = Leapstone__Onnx__SequenceProto
typealias OptionalMessage = Leapstone__Onnx__OptionalProto
typealias MapMessage = Leapstone__Onnx__MapProto

/// What a file holds as a whole.
enum MessageKind {
  case model, tensor, sequence, optional, map

  /// The generated description of the message. It is reached through an initialised message, since the address of a C
  /// constant is not to be had in Swift.
  var descriptor: MessageDescriptor {
    switch self {
    case .model:
      var message = ModelMessage()
      leapstone__onnx__model_proto__init(&message)
      return message.base.descriptor
    case .tensor:
      var message = TensorMessage()
      leapstone__onnx__tensor_proto__init(&message)
      return message.base.descriptor
    case .sequence:
      var message = SequenceMessage()
      leapstone__onnx__sequence_proto__init(&message)
      return message.base.descriptor
    case .optional:
      var message = OptionalMessage()
      leapstone__onnx__optional_proto__init(&message)
      return message.base.descriptor
    case .map:
      var message = MapMessage()
      leapstone__onnx__map_proto__init(&message)
      return message.base.descriptor
    }
  }
}

/// The fields of a TensorProto that may hold a large payload, by their numbers.
enum TensorPayload: UInt32 {
  case float = 4
  case int32 = 5
  case int64 = 7
  case raw = 9
  case double = 10
  case uint64 = 11
}

extension UnsafePointer<ProtobufCFieldDescriptor> {
  /// The description of the sub-messages that the field holds; nil for any other type.
  var subMessage: MessageDescriptor? {
    guard pointee.type == PROTOBUF_C_TYPE_MESSAGE, let descriptor = pointee.descriptor else {
      return nil
    }
    return descriptor.assumingMemoryBound(to: ProtobufCMessageDescriptor.self)
  }
}
