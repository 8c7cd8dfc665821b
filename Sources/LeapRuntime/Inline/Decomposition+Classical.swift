// Decomposition+Classical: operators of ai.onnx.ml that are element-wise.

import LeapGraph
import LeapOperators
import LeapTensors

extension Decomposition {
  /// (x - offset) scale, as float32; a number for all features, or one for each.
  mutating func scaler(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    let offset = try node.floats("offset") ?? []
    let scale = try node.floats("scale") ?? []
    guard !scale.isEmpty, offset.count == scale.count else {
      throw OperatorError(
        "there are \(offset.count) offsets and \(scale.count) scales; expected as many")
    }
    let single: [String: Attribute] = ["to": .int(Int64(DataType.float32.rawValue))]
    let x = try add("Cast", opset: 13, [input(0)], single)
    let moved = try add("Sub", opset: 14, [x, constant(Tensor(offset))])
    try finish("Mul", opset: 14, [moved, constant(Tensor(scale))])
  }

  /// x with other values where it is a certain one, or no number; a value for all features, or one for each.
  mutating func imputer(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    let x = try requiredInput(0)
    let floats = try node.floats("imputed_value_floats") ?? []
    let integers = try node.ints("imputed_value_int64s") ?? []
    guard floats.isEmpty != integers.isEmpty else {
      throw OperatorError("one of 'imputed_value_floats' and 'imputed_value_int64s' is required")
    }
    let isMissing: ValueID
    if integers.isEmpty {
      let replaced = try node.float("replaced_value_float", default: 0)
      isMissing =
        replaced.isNaN
        ? try add("IsNaN", opset: 13, [x])
        : try add("Equal", opset: 13, [x, number(replaced, like: x)])
    } else {
      let replaced = try constant(
        Tensor(scalar: Int64(try node.int("replaced_value_int64", default: 0))))
      isMissing = try add(
        "Equal", opset: 13, [x, add("CastLike", opset: 15, [replaced, x])])
    }
    let values = try constant(
      integers.isEmpty ? Tensor(floats) : Tensor(integers.map(Int64.init)))
    try finish("Where", opset: 16, [isMissing, add("CastLike", opset: 15, [values, x]), x])
  }
}
