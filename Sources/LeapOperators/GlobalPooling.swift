// GlobalPooling: poolings whose one window is the whole plane.

import LeapGraph
import LeapKernels
import LeapTensors

/// GlobalAveragePool, GlobalMaxPool and GlobalLpPool, ONNX opsets 1 to 22: one number for each channel of each image. Of
/// no pixels the average is NaN, the maximum -∞ and the norm 0.
package struct GlobalPool: Operator {
  package static let declarations = [
    OperatorDeclaration("GlobalAveragePool"), OperatorDeclaration("GlobalLpPool"),
    OperatorDeclaration("GlobalMaxPool"),
  ]

  private enum Function: Sendable {
    case reduction(ReductionFunction)
    case power(Double)
  }
  private let function: Function

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    switch node.operatorType {
    case "GlobalMaxPool": function = .reduction(.max)
    case "GlobalLpPool":
      switch try normExponent(node) {
      case 1: function = .reduction(.l1)
      case 2: function = .reduction(.l2)
      case let exponent: function = .power(exponent)
      }
    default: function = .reduction(.mean)
    }
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: [.float32, .float64])
    let shape = try context.shape(0, ranks: 2...64)
    context.setOutput(0, type, shape.map { $0[..<2] + $0[2...].map { _ in 1 } })
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (x, _) = try request.onlyInputAndOutput()
    switch function {
    case .reduction(let function):
      return try reductionCandidates(
        function, request, axes: x.shape.indices.map { $0 >= 2 }, keepsDimensions: true)
    case .power(let exponent):
      return [
        try WindowPooling.candidate(
          .power(exponent: exponent), try PoolingGeometry(wholePlane: x.shape), request)
      ]
    }
  }
}
