// Decomposition+FlexAttention: attention whose scores and probabilities graphs of its attributes change.

import LeapGraph
import LeapOperators
import LeapTensors

extension Decomposition {
  /// Scores, a graph on them, a softmax, a graph on that, and the product with the values. Keys and values are shared by
  /// groups of query heads: an axis of one that is broadcast.
  mutating func flexAttention(_ node: NodeReader) throws {
    try node.requireInputs(3...3)
    let (q, k, v) = (try requiredInput(0), try requiredInput(1), try requiredInput(2))
    let precision = try softmaxType(node, q)
    let queryRows = try extents(of: q, 2, 4)
    let grouped = try add(
      "Reshape", opset: 14,
      [
        q,
        add(
          "Concat", opset: 13,
          [extents(of: q, 0, 1), extents(of: k, 1, 2), constant(Tensor([Int64(-1)])), queryRows],
          ["axis": .int(0)]),
      ])
    let keys = try add(
      "Transpose", opset: 13, [sharing(k)], ["perm": .ints([0, 1, 2, 4, 3])])
    let root = try scaleRoot(node, q)
    let products = try add(
      "MatMul", opset: 13,
      [
        add("Mul", opset: 14, [grouped, add("CastLike", opset: 15, [root, q])]),
        add("Mul", opset: 14, [keys, add("CastLike", opset: 15, [root, k])]),
      ])
    let shape = try add(
      "Concat", opset: 13, [extents(of: q, 0, 3), extents(of: k, 2, 3)], ["axis": .int(0)])
    var scores = try cast(add("Reshape", opset: 14, [products, shape]), precision)
    if let graph = try node.graph("score_mod") { scores = try inline(graph, scores) }
    var weights = try add("Softmax", opset: 13, [scores], ["axis": .int(-1)])
    if let graph = try node.graph("prob_mod") { weights = try inline(graph, weights) }
    let parts = try add("Shape", opset: 15, [products])
    let result = try add(
      "MatMul", opset: 13,
      [add("Reshape", opset: 14, [weights, parts]), cast(sharing(v), precision)])
    let resultShape = try add(
      "Concat", opset: 13, [extents(of: q, 0, 3), extents(of: v, 3, 4)], ["axis": .int(0)])
    let flat = try add("Reshape", opset: 14, [result, resultShape])
    try finish("CastLike", opset: 15, [flat, v])
  }

  /// The element type that the softmax computes in; nil for that of the operands.
  private func softmaxType(_ node: NodeReader, _ q: ValueID) throws -> DataType? {
    if let number = try node.int("softmax_precision") {
      guard let type = Int32(exactly: number).flatMap(DataType.init), type.isFloatingPoint else {
        throw OperatorError(
          "attribute 'softmax_precision' is \(number); expected the number of a type of floats")
      }
      return type
    }
    return target.graph[q].type?.dataType?.isHalf == true ? .float32 : nil
  }

  private mutating func cast(_ value: ValueID, _ type: DataType?) throws -> ValueID {
    guard let type else { return value }
    return try add("Cast", opset: 13, [value], ["to": .int(Int64(type.rawValue))])
  }

  /// Keys or values with an axis for the query heads that share each.
  private mutating func sharing(_ value: ValueID) throws -> ValueID {
    try add("Unsqueeze", opset: 13, [value, constant(Tensor([Int64(2)]))])
  }

  private mutating func extents(of value: ValueID, _ start: Int64, _ end: Int64) throws -> ValueID {
    try add("Shape", opset: 15, [value], ["start": .int(start), "end": .int(end)])
  }

  /// The root of the factor of the scores, float32: both operands are multiplied with it.
  private mutating func scaleRoot(_ node: NodeReader, _ q: ValueID) throws -> ValueID {
    if let scale = try node.float("scale") {
      return try constant(Tensor(scalar: scale.squareRoot()))
    }
    let size = try add(
      "Cast", opset: 13, [extents(of: q, 3, 4)],
      ["to": .int(Int64(DataType.float32.rawValue))])
    return try add("Pow", opset: 15, [size, constant(Tensor(scalar: Float(-0.25)))])
  }
}
