// LocalResponseKernel: local response normalisation over neighbouring channels.
//
// A unit of work is a tile of pixels of one image, with all its channels.

import CLeapKernels
import LeapTensors

package enum LocalResponseKernel {
  /// y = x / (bias + alpha / size * sum of the squares of `size` neighbours)^beta.
  package struct Settings: Sendable {
    package var size: Int
    package var alpha: Double
    package var beta: Double
    package var bias: Double

    package init(size: Int, alpha: Double, beta: Double, bias: Double) {
      self.size = size
      self.alpha = alpha
      self.beta = beta
      self.bias = bias
    }
  }

  /// - Parameters:
  ///   - input, output: images x channels x pixels, the last two contiguous. They do not overlap.
  /// - Throws: `OperatorError` for a type other than float32 and float64.
  package static func kernel(
    _ settings: Settings, _ input: Operand, _ output: Operand
  ) throws -> Kernel {
    guard [.float32, .float64].contains(input.dataType) else {
      throw OperatorError("elements are \(input.dataType); expected float32 or float64")
    }
    let loop = try AxisLoop(input, output, axis: 1)
    let (type, width) = (input.dataType.rawValue, input.dataType.byteWidth)
    return loop.kernel(grain: 8 << 10, scratchPerColumn: 0) { invocation, place in
      leap_response_columns(
        type, invocation.input(0) + place.input * width,
        invocation.output(0) + place.output * width, loop.rows, loop.columns,
        place.columns, settings.size, settings.alpha, settings.beta, settings.bias)
    }
  }
}
