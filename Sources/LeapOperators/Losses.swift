// Losses: NegativeLogLikelihoodLoss. SoftmaxCrossEntropyLoss is made of it and LogSoftmax.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Losses: OperatorFamily {
  package static var operators: [any Operator.Type] { [NegativeLogLikelihoodLoss.self] }
}

/// NegativeLogLikelihoodLoss, ONNX opsets 12 to 22.
package struct NegativeLogLikelihoodLoss: Operator {
  package static var declarations: [OperatorDeclaration] {
    [
      OperatorDeclaration("NegativeLogLikelihoodLoss", opsets: 12...OperatorTable.latestOpset)
    ]
  }
  private let reduction: LossReduction
  private let ignored: Int?

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...3)
    reduction = try node.choice("reduction", default: .mean)
    ignored = try node.int("ignore_index")
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: [.float32, .float64])
    _ = try context.dataType(1, among: [.int32, .int64])
    if context.hasInput(2) { _ = try context.dataType(2, among: [type]) }
    let x = try context.shape(0, ranks: 2...64)
    let target = context.shape(1)
    if let x, let target {
      let wanted = [x[0]] + x[2...]
      guard target.count == wanted.count,
        zip(target, wanted).allSatisfy({ ($0.value ?? $1.value) == ($1.value ?? $0.value) })
      else {
        throw OperatorError(
          "the classes have shape \(describe(target)); expected \(describe(wanted))")
      }
    }
    if let x, let weights = try context.shape(2, ranks: 1...1) {
      try check(weights[0], equals: x[1], "weights", "classes")
    }
    guard reduction == .none else { return context.setOutput(0, type, []) }
    context.setOutput(0, type, target ?? x.map { [$0[0]] + $0[2...] })
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (reduction, ignored) = (reduction, ignored)
    return [
      try rowMajorCandidate(
        .loss, request, cost: Cost(operations: 0, bytes: request.variableBytes)
      ) { try LikelihoodLoss.kernel($0, reduction: reduction, ignored: ignored) }
    ]
  }
}
