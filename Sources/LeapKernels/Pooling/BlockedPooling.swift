// BlockedPooling: windows over blocked images, and means of whole ones.
//
// A block is some rows of one group.

import CLeapKernels
import LeapTensors

package enum BlockedPooling {
  /// The candidate for maxima and averages of windows; nil where there is none, or input 0 is not there in blocks.
  package static func candidate(
    _ kind: PoolingKind, _ geometry: PoolingGeometry, _ request: KernelRequest
  ) -> KernelCandidate? {
    if case .power = kind { return nil }
    guard geometry.input.count <= 2, let blocks = blocks(request),
      request.outputs.count == 1 || request.outputs[1] == nil
    else { return nil }
    var counted = geometry.windows
    if case .average(let countsPadding) = kind { counted.counts_padding = countsPadding ? 1 : 0 }
    let shape = counted
    let work =
      geometry.lineWork * Double(geometry.lines) * Double(request.inputs[0]!.shape.outer(2))
    return candidate(.window, request, blocks, operations: work) { set in
      { x, y, rows in
        var windows = shape
        if kind == .max {
          leap_blocked_max(set, &windows, x, rows.lowerBound, rows.count, y)
        } else {
          leap_blocked_average(set, &windows, x, rows.lowerBound, rows.count, y)
        }
      }
    }
  }

  /// The candidate for the mean of each channel's pixels; nil where input 0 is not there in blocks.
  package static func mean(_ request: KernelRequest) -> KernelCandidate? {
    guard let blocks = blocks(request), let x = request.inputs[0], x.shape.rank >= 3 else {
      return nil
    }
    let columns = x.shape[x.shape.rank - 1]
    let rows = x.shape.inner(from: 2) / max(1, columns)
    return candidate(
      .mean, request, blocks, operations: Double(x.shape.elementCount)
    ) { set in
      { x, y, _ in leap_blocked_mean(set, rows, columns, x, y) }
    }
  }

  /// The blocks of input 0 where it is float32 and there in the layout of the kernels, and nothing is empty.
  private static func blocks(_ request: KernelRequest) -> ChannelBlocks? {
    guard let x = request.inputs.first ?? nil, let y = request.outputs.first ?? nil,
      x.dataType == .float32, y.dataType == .float32, !x.shape.contains(0), !y.shape.contains(0),
      let blocks = request.available.first??.blocks,
      blocks.width == request.instructionSet.blockWidth
    else { return nil }
    return blocks
  }

  /// Writes rows of one group of the output.
  private typealias RowBody =
    @Sendable (UnsafePointer<Float>, UnsafeMutablePointer<Float>, _ rows: Range<Int>) -> Void

  /// Operations that a block should have at least.
  private static let blockWork = 1e5

  private static func candidate(
    _ name: Algorithm, _ request: KernelRequest, _ blocks: ChannelBlocks, operations: Double,
    _ body: @escaping @Sendable (leap_isa) -> RowBody
  ) -> KernelCandidate {
    let bytes = (request.inputs + request.outputs).reduce(0.0) { $0 + Double($1?.byteCount ?? 0) }
    return KernelCandidate(
      name: name,
      inputs: request.inputs.indices.map { $0 == 0 ? .blocked(width: blocks.width) : .planned },
      outputs: request.outputs.map { _ in .blocked(width: blocks.width) },
      outputBlocks: { [$0.inputs[0]?.blocks] },
      cost: Cost(operations: operations, bytes: bytes, operationsPerNanosecond: 8),
      bind: { settled in
        kernel(
          try settled.requiredInput(0), try settled.requiredOutput(0), operations: operations,
          body(settled.instructionSet.cValue))
      })
  }

  private static func kernel(
    _ x: Operand, _ y: Operand, operations: Double, _ body: @escaping RowBody
  ) -> Kernel {
    let blocks = x.blocks ?? ChannelBlocks(width: 1, channels: x.shape[1])
    let (groups, width) = (blocks.groups, blocks.width)
    let columns = y.shape.rank > 2 ? y.shape[y.shape.rank - 1] : 1
    let height = y.shape.inner(from: 2) / max(1, columns)
    let planes = x.shape[0] * groups
    let rowWork = operations / Double(max(1, height * x.shape[0] * x.shape[1])) * Double(width)
    let rows = max(1, min(height, Int(blockWork / max(1, rowWork))))
    let runs = (height + rows - 1) / rows
    let (xImage, yImage) = (x.imageStride, y.imageStride)
    let (xGroup, yGroup) = (x.shape.inner(from: 2) * width, y.shape.inner(from: 2) * width)
    let compute = Phase(blockCount: planes * runs) { invocation, block in
      let (plane, run) = block.quotientAndRemainder(dividingBy: runs)
      let (image, group) = plane.quotientAndRemainder(dividingBy: groups)
      body(
        invocation.input(0).assumingMemoryBound(to: Float.self) + image * xImage + group * xGroup,
        invocation.output(0).assumingMemoryBound(to: Float.self) + image * yImage
          + group * yGroup, run * rows..<min((run + 1) * rows, height))
    }
    return Kernel(phases: [compute] + (UnusedSlots.clearing(y).map { [$0] } ?? []))
  }
}

extension PoolingGeometry {
  /// The windows for C, where there are two dimensions at most.
  var windows: leap_blocked_windows {
    func pair(_ values: [Int], _ fill: Int) -> (Int, Int) {
      values.count == 1 ? (fill, values[0]) : (values[0], values[1])
    }
    return leap_blocked_windows(
      input: pair(input, 1), output: pair(output, 1), kernel: pair(kernel, 1),
      stride: pair(strides, 1), dilation: pair(dilations, 1), pad: pair(pads.map(\.begin), 0),
      padded: pair(zip(input, pads).map { $0 + $1.end }, 1), counts_padding: 0)
  }
}
