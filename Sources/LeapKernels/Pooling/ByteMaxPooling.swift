// ByteMaxPooling: maxima of windows over quantised images whose channels are blocked.

import CLeapKernels
import LeapTensors

package enum ByteMaxPooling {
  /// The candidate; nil where input 0 is no image of bytes that is there in blocks.
  package static func candidate(
    _ geometry: PoolingGeometry, _ request: KernelRequest
  ) -> KernelCandidate? {
    guard geometry.input.count <= 2, let x = request.inputs.first ?? nil,
      let y = request.outputs.first ?? nil, [.int8, .uint8].contains(x.dataType),
      !x.shape.contains(0), !y.shape.contains(0),
      request.outputs.count == 1 || request.outputs[1] == nil,
      let blocks = request.available.first??.blocks,
      blocks.width == request.instructionSet.blockWidth
    else { return nil }
    return KernelCandidate(
      name: .window, inputs: [.blocked(width: blocks.width)],
      outputs: request.outputs.map { _ in .blocked(width: blocks.width) },
      outputBlocks: { [$0.inputs[0]?.blocks] },
      cost: Cost(
        operations: geometry.lineWork * Double(geometry.lines) * Double(x.shape.outer(2)),
        bytes: request.variableBytes, operationsPerNanosecond: 8),
      bind: { kernel(geometry, try $0.requiredInput(0), try $0.requiredOutput(0), $0) })
  }

  private static func kernel(
    _ geometry: PoolingGeometry, _ x: Operand, _ y: Operand, _ request: KernelRequest
  ) -> Kernel {
    let (set, windows) = (request.instructionSet.cValue, geometry.windows)
    let blocks = x.blocks ?? ChannelBlocks(width: 1, channels: x.shape[1])
    let (groups, width) = (blocks.groups, blocks.width)
    let (xImage, yImage) = (x.imageStride, y.imageStride)
    let (xGroup, yGroup) = (x.shape.inner(from: 2) * width, y.shape.inner(from: 2) * width)
    let isSigned: Int32 = x.dataType == .int8 ? 1 : 0
    let compute = Phase(blockCount: x.shape[0] * groups) { invocation, block in
      let (image, group) = block.quotientAndRemainder(dividingBy: groups)
      var own = windows
      leap_byte_max(
        set, isSigned, &own,
        invocation.input(0).assumingMemoryBound(to: UInt8.self) + image * xImage + group * xGroup,
        0, own.output.0,
        invocation.output(0).assumingMemoryBound(to: UInt8.self) + image * yImage + group * yGroup)
    }
    return Kernel(phases: [compute] + (UnusedSlots.clearing(y).map { [$0] } ?? []))
  }
}
