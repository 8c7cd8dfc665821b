// SpaceDepth: operators that move blocks of pixels into channels, and back.

import LeapGraph
import LeapKernels
import LeapTensors

package enum SpaceDepth: OperatorFamily {
  package static var operators: [any Operator.Type] { [DepthToSpace.self, Col2Im.self] }
}

/// DepthToSpace (ONNX opsets 1 to 28; `mode` from 11) and SpaceToDepth (1 to 28; `mode` from 28): [N, C b b, H, W] to
/// [N, C, H b, W b], and back.
package struct DepthToSpace: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("DepthToSpace"), OperatorDeclaration("SpaceToDepth")]
  }

  /// How channels are counted: row and column within the block first, or the channel.
  private enum Order: String, CaseIterable, Sendable {
    case blockFirst = "DCR"
    case channelFirst = "CRD"
  }

  private let toSpace: Bool
  private let order: Order
  private let block: Int

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    toSpace = node.operatorType == "DepthToSpace"
    order = try node.choice("mode", default: .blockFirst)
    block = try node.required("blocksize", node.int("blocksize"))
    guard (1...32_768).contains(block) else {
      throw OperatorError("blocksize is \(block); expected 1 to 32768")
    }
  }

  package var movedOutputs: Int { 1 }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    guard let shape = try context.shape(0, ranks: 4...4) else {
      return context.setOutput(0, type, [.unknown, .unknown, .unknown, .unknown])
    }
    let side = Dimension.fixed(block)
    let area = side * side
    if toSpace {
      try check(shape[1], block * block, "channels")
      context.setOutput(0, type, [shape[0], shape[1] / area, shape[2] * side, shape[3] * side])
    } else {
      try check(shape[2], block, "rows")
      try check(shape[3], block, "columns")
      context.setOutput(0, type, [shape[0], shape[1] * area, shape[2] / side, shape[3] / side])
    }
  }

  private func check(_ extent: Dimension, _ divisor: Int, _ name: String) throws {
    guard let extent = extent.value, extent % divisor != 0 else { return }
    throw OperatorError("\(extent) \(name) are no multiple of \(divisor)")
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (input, output) = try request.onlyInputAndOutput()
    let shape = toSpace ? input.shape : output.shape
    let channels = toSpace ? output.shape[1] : input.shape[1]
    return [
      try Movement.candidate(request, reading: [0]) { settled in
        let source = try Movement.strides(settled.inputs[0])
        let target = try Movement.strides(settled.outputs[0])
        // Pixels innermost: the longest runs.
        let extents = [shape[0], channels, block, block, shape[2], shape[3]]
        return [
          (
            0,
            CopyBox(
              extents: extents, sourceStrides: toSpace ? deep(source, channels) : wide(source),
              targetStrides: toSpace ? wide(target) : deep(target, channels))
          )
        ]
      }
    ]
  }

  /// Strides of image, channel, row and column within a block, row and column of blocks, where blocks lie in channels.
  private func deep(_ strides: [Int], _ channels: Int) -> [Int] {
    let channel = strides[1]
    switch order {
    case .blockFirst:
      return [
        strides[0], channel, block * channels * channel, channels * channel, strides[2], strides[3],
      ]
    case .channelFirst:
      return [
        strides[0], block * block * channel, block * channel, channel, strides[2], strides[3],
      ]
    }
  }

  /// The same where they lie side by side.
  private func wide(_ strides: [Int]) -> [Int] {
    [strides[0], strides[1], strides[2], strides[3], block * strides[2], block * strides[3]]
  }
}
