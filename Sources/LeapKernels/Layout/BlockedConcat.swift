// BlockedConcat: lays blocked tensors side by side along their channels, where the planner could not let them be computed
// in their places.

import LeapTensors

package enum BlockedConcat {
  /// The candidate; nil where the inputs are not all there in a blocked layout of this width.
  package static func candidate(_ request: KernelRequest) -> KernelCandidate? {
    let width = request.instructionSet.blockWidth
    guard let output = request.outputs.first ?? nil, output.dataType == .float32,
      output.shape.rank >= 3,
      request.available.contains(where: { $0?.blocks?.width == width })
    else { return nil }
    return KernelCandidate(
      name: .concatBlocked, inputs: request.inputs.map { _ in .blocked(width: width) },
      outputs: [.blocked(width: width)], outputBlocks: { [joined($0.inputs)] },
      cost: Cost(operations: 0, bytes: 2 * Double(output.byteCount)), bind: kernel)
  }

  private static func joined(_ inputs: [Operand?]) -> ChannelBlocks {
    ChannelBlocks.joined(
      inputs.compactMap { operand in
        operand.flatMap { operand in operand.blocks.map { ($0, operand.shape[1]) } }
      })
  }

  private static func kernel(_ request: KernelRequest) throws -> Kernel {
    let inputs = try request.inputs.indices.map { try request.requiredInput($0) }
    guard let output = request.outputs[0] else { throw OperatorError("output 0 is required") }
    let parts = output.parts(inputs, axis: 1)
    let phases = try inputs.indices.flatMap { index in
      let part = parts[index]
      let target = Operand(output.dataType, inputs[index].shape, layout: part.layout)
      let offset = part.offset * output.dataType.byteWidth
      return try Reorder.phases(
        from: inputs[index], to: target, input: index, outputOffset: offset)
    }
    return Kernel(phases: phases)
  }
}
