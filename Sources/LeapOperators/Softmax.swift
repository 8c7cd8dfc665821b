// Softmax: operators that turn scores into probabilities, their logarithms, or a choice.

import LeapGraph
import LeapKernels
import LeapTensors

/// Softmax, LogSoftmax and Hardmax, ONNX opsets 1 to 13: up to opset 12 all axes from `axis` (by default 1) on count as
/// one; from 13 on `axis` (by default the last) stands for itself.
package struct SoftmaxOperator: Operator {
  private static let functions: [String: SoftmaxFunction] = [
    "Softmax": .softmax, "LogSoftmax": .logSoftmax, "Hardmax": .hardmax,
  ]

  package static var declarations: [OperatorDeclaration] {
    functions.keys.map { OperatorDeclaration($0) }
  }

  private let function: SoftmaxFunction
  private let axis: Int
  private let flattens: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    guard let function = SoftmaxOperator.functions[node.operatorType] else {
      throw OperatorError("the operator is not known")
    }
    self.function = function
    flattens = node.opset < 13
    axis = try node.int("axis", default: flattens ? 1 : -1)
  }

  private func axis(rank: Int) throws -> Int {
    guard rank > 0 else { throw OperatorError("input 0 is a scalar; expected a rank of 1 or more") }
    return try normalizedAxis(axis, rank: rank)
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: [.float32, .float64])
    if let shape = context.shape(0) { _ = try axis(rank: shape.count) }
    context.setOutput(0, type, context.shape(0))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let axis = try axis(rank: try request.requiredInput(0).shape.rank)
    let (function, flattens) = (function, flattens)
    let bind: @Sendable (KernelRequest) throws -> Kernel = { request in
      let (input, output) = try request.onlyInputAndOutput()
      return try SoftmaxKernel.kernel(function, input, output, axis: axis, flattens: flattens)
    }
    _ = try bind(request)
    return [
      KernelCandidate(
        name: .softmax, inputs: [.innerContiguous(from: axis)],
        outputs: [.innerContiguous(from: axis)],
        inPlace: [InPlacePair(input: 0, output: 0)],
        cost: elementwiseCost(request, operations: 12), bind: bind)
    ]
  }
}
