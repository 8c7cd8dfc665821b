// Normalization: operators that rescale channels.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Normalization: OperatorFamily {
  package static var operators: [any Operator.Type] {
    [BatchNormalization.self]
  }
}

/// BatchNormalization in inference, ONNX opsets 1 to 15. Training mode is refused.
package struct BatchNormalization: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("BatchNormalization")]
  }
  private let epsilon: Double

  package init(_ node: NodeReader) throws {
    try node.requireInputs(5...5)
    epsilon = Double(try node.float("epsilon", default: 1e-5))
    if try node.opset < 7 && !node.flag("is_test", default: false) && node.outputCount > 1 {
      throw OperatorError(
        "is_test is 0; normalising by the batch's own statistics is not supported")
    }
    if try node.flag("training_mode", default: false) {
      throw OperatorError("training_mode is 1; expected 0")
    }
    if try node.opset < 9 && !node.flag("spatial", default: true) {
      throw OperatorError("spatial is 0; expected 1: statistics for each channel")
    }
    for index in 1..<max(node.outputCount, 1) where node.hasOutput(index) {
      throw OperatorError("output \(index) exists in training alone")
    }
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    let shape = try context.shape(0, ranks: 2...64)
    for index in 1...4 {
      guard let parameter = try context.shape(index, ranks: 1...1)?[0].value,
        let channels = shape?[1].value
      else { continue }
      guard parameter == channels else {
        throw OperatorError(
          "input \(index) has \(parameter) elements; expected \(channels), one for each channel")
      }
    }
    context.setOutput(0, type, shape)
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    [try Channelwise.batchNormalization(request, epsilon: epsilon)]
  }
}
