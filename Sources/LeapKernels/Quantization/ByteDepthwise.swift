// ByteDepthwise: depthwise convolutions of quantised images whose channels are blocked.
//
// A block is a band of output rows of some groups.

import CLeapKernels
import LeapTensors

struct ByteDepthwise: Sendable {
  private let operands: ByteOperands
  private let filters: ByteFilters
  private let batch: Int
  private let rows: Int
  private let bands: Int
  private let shares: Int

  /// Multiply-adds that a block should have at least.
  private static let blockWork = 1e5
  /// Bytes of a panel: about a first-level cache.
  private static let panelLimit = 32 << 10

  init(
    _ places: IntegerConvolution, _ planar: PlanarGeometry, _ request: KernelRequest
  ) throws {
    operands = try ByteOperands(places, planar, request)
    filters = ByteFilters(depthwise: places.geometry, planar, width: operands.width)
    batch = places.geometry.batch
    let rowBytes = planar.covered.width * operands.width * 4
    let affordable =
      (ByteDepthwise.panelLimit / max(1, rowBytes) - planar.reach.height) / planar.stride.height
    let height = planar.output.height
    let largest = max(1, min(height, affordable + 1))
    bands = (height + largest - 1) / largest
    rows = (height + bands - 1) / bands
    let work = Double(rows * planar.output.width * planar.taps * operands.width)
    let perShare = max(1, Int(ByteDepthwise.blockWork / max(1, work)))
    shares = (operands.groups + perShare - 1) / perShare
  }

  func kernel() -> Kernel {
    let (planar, width, groups) = (operands.planar, operands.width, operands.groups)
    let columns = planar.covered.width
    let panelBytes = (planar.rows(of: rows) * columns * width * 4 + 63) / 64 * 64
    let (rowTaps, apart) = (planar.kernel.width, planar.dilation.width)
    let filterBytes = planar.kernel.height * ((rowTaps + 1) / 2) * 4 * width
    let perShare = (groups + shares - 1) / shares
    let height = planar.output.height
    let planeBytes = planar.inputPixels * width
    return operands.kernel(
      blocks: batch * bands * shares,
      scratch: panelBytes + filterBytes + operands.parameterBytes(perShare)
    ) { invocation, block in
      let (part, share) = block.quotientAndRemainder(dividingBy: shares)
      let (image, band) = part.quotientAndRemainder(dividingBy: bands)
      let own = share * groups / shares..<(share + 1) * groups / shares
      let results = operands.results(
        invocation, of: own, into: invocation.scratch + panelBytes + filterBytes)
      let panel = invocation.scratch.assumingMemoryBound(to: Int16.self)
      let pairs = (invocation.scratch + panelBytes).assumingMemoryBound(to: Int16.self)
      let (first, end) = (band * height / bands, (band + 1) * height / bands)
      var window = leap_blocked_window(
        height: planar.input.height, width: planar.input.width,
        first_row: first * planar.stride.height - planar.pad.top, first_column: -planar.pad.left,
        rows: planar.rows(of: end - first), columns: columns, row_step: 1, column_step: 1)
      var windows = planar.windows
      let packed = invocation.input(operands.places.filters).assumingMemoryBound(to: Int8.self)
      for group in own {
        leap_byte_pairs(
          operands.set, operands.sign, &window, operands.zeroPoint(invocation),
          operands.x(invocation, image: image) + group * planeBytes, apart, panel)
        var result = results.from((group - own.lowerBound) * width)
        leap_byte_depthwise(
          operands.set, &windows, columns, panel, packed + group * filters.groupBytes, &result,
          end - first, pairs,
          operands.y(invocation, image: image, group: group)
            + first * planar.output.width * width)
      }
    }
  }
}
