// RunValue: what goes into a run and comes out of it: a tensor, or one of ONNX's containers of them.
//
// 1. An empty container knows what it is empty of, as far as anybody said.
// 2. Containers share the memory of the tensors that they hold.

import LeapTensors

/// A value of a model while it runs: a tensor, a sequence of values, or an optional value.
public enum RunValue: Sendable {
  case tensor(Tensor)
  /// Values of one kind and element type, whatever their shapes. `of` is the type of each; nil where the items tell, and for
  /// an empty sequence that stands for one of any type.
  case sequence([RunValue], of: ValueType? = nil)
  /// A value or none. `of` is the type of the value that may be there; nil as in a sequence.
  indirect case optional(RunValue?, of: ValueType? = nil)

  /// The type; nil for what is empty and does not say of what.
  public var valueType: ValueType? {
    switch self {
    case .tensor(let tensor):
      .tensor(tensor.dataType, shape: tensor.shape.map(Dimension.fixed))
    case .sequence(let items, let type):
      (type ?? items.lazy.compactMap(\.valueType).first?.withoutShapes).map(ValueType.sequence)
    case .optional(let item, let type):
      (type ?? item?.valueType?.withoutShapes).map(ValueType.optional)
    }
  }

  /// The tensor, where the value is one.
  public var tensor: Tensor? {
    if case .tensor(let tensor) = self { tensor } else { nil }
  }

  /// All tensors in the value, in order.
  package var tensors: [Tensor] {
    switch self {
    case .tensor(let tensor): [tensor]
    case .sequence(let items, _): items.flatMap(\.tensors)
    case .optional(let item, _): item?.tensors ?? []
    }
  }

  /// Whether the value is of a type: its kind and element type. Shapes inside containers are not compared: what a model
  /// declares of them binds nobody, as in ONNX Runtime.
  package func isOf(_ type: ValueType) -> Bool {
    switch (self, type) {
    case (.tensor(let tensor), .tensor(let element, _)): tensor.dataType == element
    case (.sequence(let items, let mine), .sequence(let element)):
      (mine.map { $0.withoutShapes == element.withoutShapes } ?? true)
        && items.allSatisfy { $0.isOf(element) }
    case (.optional(let item, let mine), .optional(let element)):
      (mine.map { $0.withoutShapes == element.withoutShapes } ?? true)
        && item?.isOf(element) ?? true
    default: false
    }
  }

  /// The value with types in all its containers. It must be of the type.
  package func typed(as type: ValueType) -> RunValue {
    switch (self, type) {
    case (.sequence(let items, _), .sequence(let element)):
      .sequence(items.map { $0.typed(as: element) }, of: element.withoutShapes)
    case (.optional(let item, _), .optional(let element)):
      .optional(item?.typed(as: element), of: element.withoutShapes)
    default: self
    }
  }

  /// Gives the value memory that nobody else holds: copies of tensors, where it is not so already.
  ///
  /// - Throws: `ModelError.outOfMemory`.
  package mutating func unshare() throws {
    // Each is taken out of the value, whose own reference would count as another's.
    if case .tensor(var tensor) = self {
      self = .sequence([])
      try tensor.unshare()
      self = .tensor(tensor)
    } else if case .sequence(var items, let type) = self {
      self = .sequence([])
      for index in items.indices { try items[index].unshare() }
      self = .sequence(items, of: type)
    } else if case .optional(var item, let type) = self {
      self = .sequence([])
      try item?.unshare()
      self = .optional(item, of: type)
    }
  }
}

extension RunValue {
  /// Takes the memory of a tensor that is not needed any more, where nobody else holds it and it may be written; nil where it is
  /// not so, and then nothing changes.
  package mutating func releaseStorage() -> TensorStorage? {
    guard case .tensor(var tensor) = self else { return nil }
    // The value's own reference would count as another's.
    self = .sequence([])
    let storage = tensor.releaseStorage()
    if storage == nil { self = .tensor(tensor) }
    return storage
  }
}

extension RunValue: CustomStringConvertible {
  /// What it is, for messages: `a sequence of 2: float32 3, float32 5`.
  public var description: String {
    switch self {
    case .tensor(let tensor): return tensor.description
    case .sequence(let items, let type):
      guard !items.isEmpty else { return "an empty sequence\(type.map { " of \($0)" } ?? "")" }
      let shown = items.prefix(RunValue.shownItems).map(\.description).joined(separator: ", ")
      let rest = items.count > RunValue.shownItems ? ", …" : ""
      return "a sequence of \(items.count): \(shown)\(rest)"
    case .optional(let item, let type):
      guard let item else { return "an optional\(type.map { " \($0)" } ?? "") without value" }
      return "an optional with \(item)"
    }
  }

  private static let shownItems = 3
}
