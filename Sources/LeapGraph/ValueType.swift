// ValueType: what a value of a graph can be.

import LeapTensors

/// The type of a value: a tensor with as much of its shape as is known, or one of ONNX's containers.
public indirect enum ValueType: Hashable, Sendable {
  /// A tensor; `shape` is nil where not even the rank is known.
  case tensor(DataType, shape: [Dimension]?)
  /// A sparse tensor, as an input or output of a graph.
  case sparseTensor(DataType, shape: [Dimension]?)
  case sequence(ValueType)
  case optional(ValueType)
  case map(key: DataType, value: ValueType)

  /// The element type of a tensor.
  public var dataType: DataType? {
    if case .tensor(let type, _) = self { type } else { nil }
  }

  /// The shape of a tensor, as far as it is known.
  public var shape: [Dimension]? {
    if case .tensor(_, let shape) = self { shape } else { nil }
  }

  /// Whether the value is a sequence or an optional: something that no kernel reads.
  package var isContainer: Bool {
    switch self {
    case .sequence, .optional: true
    case .tensor, .sparseTensor, .map: false
    }
  }

  /// The type without what it says of shapes.
  package var withoutShapes: ValueType {
    switch self {
    case .tensor(let type, _): .tensor(type, shape: nil)
    case .sparseTensor(let type, _): .sparseTensor(type, shape: nil)
    case .sequence(let element): .sequence(element.withoutShapes)
    case .optional(let element): .optional(element.withoutShapes)
    case .map(let key, let value): .map(key: key, value: value.withoutShapes)
    }
  }

  /// The type once the symbols in `bindings` are known.
  package func substituting(_ bindings: [String: Int]) -> ValueType {
    func bound(_ shape: [Dimension]?) -> [Dimension]? { shape?.map { $0.substituting(bindings) } }
    switch self {
    case .tensor(let type, let shape): return .tensor(type, shape: bound(shape))
    case .sparseTensor(let type, let shape): return .sparseTensor(type, shape: bound(shape))
    case .sequence(let element): return .sequence(element.substituting(bindings))
    case .optional(let element): return .optional(element.substituting(bindings))
    case .map(let key, let value): return .map(key: key, value: value.substituting(bindings))
    }
  }

  /// The shape of a tensor of which every extent is known.
  package var fixedShape: Shape? {
    guard let shape else { return nil }
    let extents = shape.compactMap(\.value)
    return extents.count == shape.count ? Shape(extents) : nil
  }
}

extension ValueType: CustomStringConvertible {
  public var description: String {
    func tensor(_ kind: String, _ type: DataType, _ shape: [Dimension]?) -> String {
      guard let shape else { return "\(kind)\(type) of unknown rank" }
      return "\(kind)\(type) "
        + (shape.isEmpty ? "scalar" : shape.map(\.description).joined(separator: "x"))
    }
    switch self {
    case .tensor(let type, let shape): return tensor("", type, shape)
    case .sparseTensor(let type, let shape): return tensor("sparse ", type, shape)
    case .sequence(let element): return "sequence(\(element))"
    case .optional(let element): return "optional(\(element))"
    case .map(let key, let value): return "map(\(key), \(value))"
    }
  }
}
