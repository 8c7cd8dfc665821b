// SoftmaxKernel: softmax, log-softmax and hardmax along one axis, or along all from one on.
//
// A unit of work is one run, or a tile of columns: how work is cut into blocks does not show in the result.

import CLeapKernels
import LeapTensors

/// Cases are in the order of `enum leap_softmax`.
package enum SoftmaxFunction: UInt32, Sendable, CaseIterable {
  case softmax, logSoftmax, hardmax

  var raw: leap_softmax { leap_softmax(rawValue) }
}

package enum SoftmaxKernel {
  /// Elements that one block computes at least, where there are as many.
  private static let grain = 8 << 10
  /// Columns of a tile: few enough that a tile stays in cache from one pass to the next.
  private static let widestTile = 256

  /// - Parameters:
  ///   - axis: the axis, in 0..<rank.
  ///   - flattens: whether all axes from `axis` on count as one.
  /// - Throws: `OperatorError` for a type other than float32 and float64.
  package static func kernel(
    _ function: SoftmaxFunction, _ input: Operand, _ output: Operand, axis: Int, flattens: Bool
  ) throws -> Kernel {
    guard [.float32, .float64].contains(input.dataType) else {
      throw OperatorError("elements are \(input.dataType); expected float32 or float64")
    }
    guard let from = input.strides, let to = output.strides else {
      throw OperatorError("expected plain layouts")
    }
    let shape = input.shape
    let outer = StridedIndex((0..<axis).map { (shape[$0], from[$0], to[$0]) })
    let (type, width) = (input.dataType.rawValue, input.dataType.byteWidth)
    if flattens || axis == shape.rank - 1 {
      let count = shape.inner(from: axis)
      let units = count == 0 ? 0 : outer.count
      return kernel(units: units, work: count, scratch: 0) { invocation, unit in
        let place = outer.offsets(unit)
        leap_softmax_run(
          type, function.raw, invocation.input(0) + place.input * width,
          invocation.output(0) + place.output * width, count)
      }
    }
    let rows = shape[axis]
    let columns = shape.inner(from: axis + 1)
    let tile = max(1, min(columns, widestTile))
    let tiles = columns == 0 || rows == 0 ? 0 : (columns - 1) / tile + 1
    return kernel(
      units: Shape.product([outer.count, tiles]), work: Shape.product([rows, tile]),
      scratch: 2 * tile * Int(LEAP_ACCUMULATOR_WIDTH)
    ) { invocation, unit in
      let place = outer.offsets(unit / tiles)
      let first = unit % tiles * tile
      leap_softmax_columns(
        type, function.raw, invocation.input(0) + (place.input + first) * width,
        invocation.output(0) + (place.output + first) * width, rows, columns,
        min(tile, columns - first), invocation.scratch)
    }
  }

  private static func kernel(
    units: Int, work: Int, scratch: Int,
    _ body: @escaping @Sendable (Invocation, _ unit: Int) -> Void
  ) -> Kernel {
    let perBlock = max(1, grain / max(work, 1))
    let blocks = units == 0 ? 0 : (units - 1) / perBlock + 1
    return Kernel(blocks: blocks, scratchPerWorker: scratch) { invocation, block in
      for unit in block * perBlock..<min((block + 1) * perBlock, units) { body(invocation, unit) }
    }
  }
}
