// TypeText: types as ONNX writes them: tensor(float), seq(tensor(int64)).

import LeapGraph
import LeapTensors

extension DataType {
  /// The name that ONNX's operator descriptions use.
  var onnxName: String {
    switch self {
    case .float32: "float"
    case .float64: "double"
    default: description
    }
  }
}

extension ValueType {
  /// The type without shapes.
  var onnxName: String {
    switch self {
    case .tensor(let type, _): "tensor(\(type.onnxName))"
    case .sparseTensor(let type, _): "sparse_tensor(\(type.onnxName))"
    case .sequence(let element): "seq(\(element.onnxName))"
    case .optional(let element): "optional(\(element.onnxName))"
    case .map(let key, let value): "map(\(key.onnxName),\(value.onnxName))"
    }
  }

  /// Element type and shape of the tensor, or of the tensors in a sequence or optional.
  var innermostTensor: (type: DataType, shape: [Dimension]?)? {
    switch self {
    case .tensor(let type, let shape), .sparseTensor(let type, let shape): (type, shape)
    case .sequence(let element), .optional(let element): element.innermostTensor
    case .map: nil
    }
  }
}
