// StringEquality: Equal where the operands are strings, which no kernel reads.

import LeapGraph
import LeapKernels
import LeapTensors

/// What Equal does with strings, ONNX opset 19 on: bools of the broadcast shape.
struct StringEquality: TensorHostOperator {
  static let declarations: [OperatorDeclaration] = []

  private let operation: BinaryOperator

  init(_ operation: BinaryOperator) { self.operation = operation }

  init(_ node: NodeReader) throws {
    throw OperatorError("'\(node.operatorType)' is made by the operator that it stands for")
  }

  func infer(_ context: inout InferenceContext) throws { try operation.infer(&context) }

  func largestOutputs(_ inputs: [Operand?]) -> [Operand]? {
    guard inputs.count == 2, let left = inputs[0]?.shape, let right = inputs[1]?.shape,
      let shape = left.broadcast(with: right)
    else { return nil }
    return [Operand(.bool, shape)]
  }

  func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    guard inputs.count == 2, let left = inputs[0], let right = inputs[1],
      let texts = left.strings, let others = right.strings
    else { throw OperatorError("expected two operands of strings") }
    guard let shape = left.shape.broadcast(with: right.shape) else {
      throw OperatorError("shapes \(left.shape) and \(right.shape) cannot be broadcast")
    }
    let places = zip(
      StringEquality.places(of: left.shape, in: shape),
      StringEquality.places(of: right.shape, in: shape))
    return [try Tensor(places.map { texts[$0] == others[$1] }, shape: shape)]
  }

  /// For each element of `shape`, in order, which of an operand's it is made of.
  static func places(of operand: Shape, in shape: Shape) -> [Int] {
    // From the innermost axis outwards: an axis repeats the places of those inside it.
    var places = shape.contains(0) ? [] : [0]
    var stride = 1
    for back in 1..<(shape.rank + 1) where !places.isEmpty {
      let own = back <= operand.rank ? operand[operand.rank - back] : 1
      let step = own == 1 ? 0 : stride
      places = (0..<shape[shape.rank - back]).flatMap { index in places.map { $0 + index * step } }
      stride *= own
    }
    return places
  }
}
