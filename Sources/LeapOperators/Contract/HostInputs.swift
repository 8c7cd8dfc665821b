// HostInputs: what hosts read: tensors, sequences, and positions in them, checked.

import LeapGraph
import LeapTensors

extension [RunValue?] {
  /// An input of any kind. Throws `OperatorError` where it is left out.
  func value(_ index: Int) throws -> RunValue {
    guard index < count, let value = self[index] else {
      throw OperatorError("input \(index) is required")
    }
    return value
  }

  /// Throws `OperatorError` where the input is no tensor.
  func tensor(_ index: Int) throws -> Tensor {
    let value = try value(index)
    guard let tensor = value.tensor else {
      throw OperatorError("input \(index) is \(value); expected a tensor")
    }
    return tensor
  }

  /// The tensors of a sequence and the type of each. Throws `OperatorError` where the input is something else.
  func sequence(_ index: Int) throws -> (items: [RunValue], type: ValueType) {
    let value = try value(index)
    guard case .sequence(let items, _) = value, case .sequence(let type)? = value.valueType else {
      throw OperatorError("input \(index) is \(value); expected a sequence")
    }
    return (items, type)
  }

  /// A position that an input gives as an integer, counted from the back where it is negative; nil where it is left out.
  ///
  /// - Parameters:
  ///   - count: positions run from `-count` to `end`.
  /// - Throws: `OperatorError` where it is out of range, or no single integer.
  func position(_ index: Int, count: Int, end: Int) throws -> Int? {
    guard index < self.count, self[index] != nil else { return nil }
    let tensor = try tensor(index)
    guard tensor.dataType == .int32 || tensor.dataType == .int64, let positions = tensor.integers,
      positions.count == 1
    else {
      throw OperatorError("input \(index), the position, is \(tensor); expected one int32 or int64")
    }
    let position = positions[0]
    guard position >= -count, position <= end else {
      throw OperatorError(
        "position \(position) is out of range for a sequence of \(count): "
          + (end < -count ? "it has none" : "expected \(-count) to \(end)"))
    }
    return position < 0 ? position + count : position
  }
}
