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
    let loop = try AxisLoop(input, output, axis: axis, flattens: flattens)
    let (type, width) = (input.dataType.rawValue, input.dataType.byteWidth)
    let isRun = flattens || axis == input.shape.rank - 1
    return loop.kernel(
      grain: 8 << 10,
      scratchPerColumn: isRun ? 0 : 2 * Int(LEAP_ACCUMULATOR_WIDTH)
    ) { invocation, place in
      let x = invocation.input(0) + place.input * width
      let y = invocation.output(0) + place.output * width
      if isRun {
        leap_softmax_run(type, function.raw, x, y, loop.rows)
      } else {
        leap_softmax_columns(
          type, function.raw, x, y, loop.rows, loop.columns, place.columns, invocation.scratch)
      }
    }
  }
}
