// BlockedResize: resizes height and width of a blocked image, one row of a group at a time.

import CLeapKernels
import LeapTensors

package enum BlockedResize {
  /// The candidate; nil where input 0 is not there in blocks, or another axis changes, or places lie outside of the image.
  ///
  /// - Parameter axes: one for each axis of input 0.
  /// - Throws: `OperatorError` where an axis cannot be resized so.
  package static func candidate(
    _ request: KernelRequest, axes: [ResizedAxis], interpolation: Interpolation
  ) throws -> KernelCandidate? {
    guard let x = request.inputs.first ?? nil, let y = request.outputs.first ?? nil,
      x.dataType == .float32, (3...4).contains(axes.count), !x.shape.contains(0),
      !y.shape.contains(0), let blocks = request.available.first??.blocks,
      blocks.width == request.instructionSet.blockWidth,
      axes.prefix(2).allSatisfy({ $0.source == $0.target && $0.scale == 1 })
    else { return nil }
    let rows = axes.count == 4 ? try AxisTaps(axes[2], interpolation) : AxisTaps.single
    let columns = try AxisTaps(axes[axes.count - 1], interpolation)
    guard rows.outside.isEmpty, columns.outside.isEmpty, rows.count <= tapLimit else { return nil }
    let bytes = Double(x.byteCount) + Double(y.byteCount)
    let taps = Double(rows.count * columns.count)
    return KernelCandidate(
      name: interpolation.method.algorithm,
      inputs: request.inputs.indices.map { $0 == 0 ? .blocked(width: blocks.width) : .planned },
      outputs: [.blocked(width: blocks.width)], outputBlocks: { [$0.inputs[0]?.blocks] },
      cost: Cost(
        operations: taps * Double(y.shape.elementCount), bytes: bytes, operationsPerNanosecond: 8),
      bind: { settled in
        kernel(
          try settled.requiredInput(0), try settled.requiredOutput(0), rows, columns,
          settled.instructionSet.cValue)
      })
  }

  /// Rows of the image that one row of the output is made of at most.
  private static let tapLimit = 16
  /// Vectors that a block should write at least.
  private static let blockVectors = 8192

  private static func kernel(
    _ x: Operand, _ y: Operand, _ rows: AxisTaps, _ columns: AxisTaps, _ set: leap_isa
  ) -> Kernel {
    let blocks = x.blocks ?? ChannelBlocks(width: 1, channels: x.shape[1])
    let (groups, width) = (blocks.groups, blocks.width)
    let (height, outputWidth) = (rows.first.count, columns.first.count)
    let inputWidth = x.shape[x.shape.rank - 1]
    let rowWeights = rows.weights.map { Float($0) }
    let columnWeights = columns.weights.map { Float($0) }
    let (xImage, yImage) = (x.imageStride, y.imageStride)
    let (xGroup, yGroup) = (x.shape.inner(from: 2) * width, height * outputWidth * width)
    let perBlock = max(1, min(height, blockVectors / outputWidth))
    let runs = (height + perBlock - 1) / perBlock
    let compute = Phase(blockCount: x.shape[0] * groups * runs) { invocation, block in
      let (plane, run) = block.quotientAndRemainder(dividingBy: runs)
      let (image, group) = plane.quotientAndRemainder(dividingBy: groups)
      let from =
        invocation.input(0).assumingMemoryBound(to: Float.self) + image * xImage
        + group * xGroup
      let to =
        invocation.output(0).assumingMemoryBound(to: Float.self) + image * yImage
        + group * yGroup
      withUnsafeTemporaryAllocation(of: UnsafePointer<Float>?.self, capacity: tapLimit) { source in
        for row in run * perBlock..<min((run + 1) * perBlock, height) {
          for tap in 0..<rows.count {
            source.initializeElement(
              at: tap, to: from + (Int(rows.first[row]) + tap) * inputWidth * width)
          }
          rowWeights.withUnsafeBufferPointer { rowWeights in
            columns.first.withUnsafeBufferPointer { first in
              columnWeights.withUnsafeBufferPointer { weights in
                leap_blocked_resize_row(
                  set, rows.count, source.baseAddress,
                  rowWeights.isEmpty ? nil : rowWeights.baseAddress! + row * rows.count,
                  outputWidth, first.baseAddress, columns.count,
                  weights.isEmpty ? nil : weights.baseAddress,
                  to + row * outputWidth * width)
              }
            }
          }
        }
      }
    }
    return Kernel(phases: [compute])
  }
}
