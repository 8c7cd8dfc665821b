// Elementwise+Request: what the element-wise families ask of a kernel request alike.

import LeapGraph
import LeapKernels
import LeapTensors

extension KernelRequest {
  /// The operands of an operator of one input and one output.
  func onlyInputAndOutput() throws -> (Operand, Operand) {
    (try requiredInput(0), try requiredOutput(0))
  }
}

/// The inputs that output 0 may overwrite: those of its shape and element width.
func inPlacePairs(_ request: KernelRequest, inputs: Range<Int>? = nil) -> [InPlacePair] {
  guard let output = request.outputs.first ?? nil else { return [] }
  return (inputs ?? request.inputs.indices).compactMap { index in
    guard let input = request.inputs[index], input.shape == output.shape,
      input.dataType.byteWidth == output.dataType.byteWidth
    else { return nil }
    return InPlacePair(input: index, output: 0)
  }
}

/// The cost of computing each output element with so many operations, at the speed of unpacked vectors.
func elementwiseCost(_ request: KernelRequest, operations: Double) -> Cost {
  let count = Double(request.outputs.first??.shape.elementCount ?? 0)
  return Cost(operations: count * operations, bytes: request.variableBytes)
}
