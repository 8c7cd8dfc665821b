// Values of files as runs take and give them.

import LeapGraph

extension StoredValue {
  /// The value as runs take it; nil for a map, which they do not.
  package var runValue: RunValue? {
    switch self {
    case .tensor(let tensor): return .tensor(tensor)
    case .sequence(let items):
      let values = items.compactMap(\.runValue)
      return values.count == items.count ? .sequence(values) : nil
    case .optional(nil): return .optional(nil)
    case .optional(let item?): return item.runValue.map { .optional($0) }
    case .map: return nil
    }
  }

  /// What files hold of values of a type; nil for types that runs do not take.
  package static func kind(of type: ValueType) -> Kind? {
    switch type {
    case .tensor: .tensor
    case .sequence: .sequence
    case .optional: .optional
    case .sparseTensor, .map: nil
    }
  }
}
