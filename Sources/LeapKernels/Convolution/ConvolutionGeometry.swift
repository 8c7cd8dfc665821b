// ConvolutionGeometry: extents, strides and paddings of one convolution, all known and checked.

import CLeapKernels
import LeapTensors

/// What a convolution or a transposed convolution computes, for up to three spatial dimensions.
package struct ConvolutionGeometry: Sendable {
  package let batch: Int
  package let inputChannels: Int
  package let outputChannels: Int
  package let groups: Int
  /// Spatial extents, outermost first, all lists equally long.
  package let input: [Int]
  package let output: [Int]
  package let kernel: [Int]
  package let strides: [Int]
  package let dilations: [Int]
  /// Padding before the first pixel; what lies behind the last follows from `output`. For a transposed convolution,
  /// what is cut off (or, where negative, added) before the first output pixel.
  package let pads: [Int]

  /// - Throws: `OperatorError` where there are more than three spatial dimensions or an extent is beyond 2^31.
  package init(
    batch: Int, inputChannels: Int, outputChannels: Int, groups: Int, input: [Int], output: [Int],
    kernel: [Int], strides: [Int], dilations: [Int], pads: [Int]
  ) throws {
    guard (1...3).contains(input.count) else {
      throw OperatorError("\(input.count) spatial dimensions; 1 to 3 are supported")
    }
    let limit = Int(Int32.max)
    for extent in [batch, inputChannels, outputChannels] + input + output + kernel + strides
      + dilations + pads.map(\.magnitude).map({ Int(clamping: $0) })
    where extent > limit {
      throw OperatorError("an extent of \(extent) exceeds the limit of \(limit)")
    }
    self.batch = batch
    self.inputChannels = inputChannels
    self.outputChannels = outputChannels
    self.groups = groups
    self.input = input
    self.output = output
    self.kernel = kernel
    self.strides = strides
    self.dilations = dilations
    self.pads = pads
    try BLASProduct.check(inputPixels, outputPixels, depth, Shape.product([outputChannels, taps]))
    guard Shape.product([taps, inputPixels]) < 1 << 40 else {
      throw OperatorError("\(taps) kernel taps over \(inputPixels) pixels are too many")
    }
  }

  package var inputPixels: Int { Shape.product(input[...]) }
  package var outputPixels: Int { Shape.product(output[...]) }
  package var taps: Int { Shape.product(kernel[...]) }
  package var groupInputs: Int { inputChannels / groups }
  package var groupOutputs: Int { outputChannels / groups }
  /// Length of each sum.
  package var depth: Int { Shape.product([groupInputs, taps]) }

  /// Whether each output pixel reads just the input pixel at the same place.
  package var isPointwise: Bool {
    taps == 1 && strides.allSatisfy { $0 == 1 } && pads.allSatisfy { $0 == 0 } && input == output
  }

  /// Multiply-adds, counted as two operations each.
  package var operations: Double {
    2 * Double(batch) * Double(outputChannels) * Double(outputPixels) * Double(depth)
  }

  /// The geometry for C: missing dimensions come first, with an extent of 1.
  var cValue: leap_convolution {
    func padded(_ values: [Int], _ fill: Int) -> (Int, Int, Int) {
      let all = Array(repeating: fill, count: 3 - values.count) + values
      return (all[0], all[1], all[2])
    }
    return leap_convolution(
      input: padded(input, 1), output: padded(output, 1), kernel: padded(kernel, 1),
      stride: padded(strides, 1), dilation: padded(dilations, 1), pad: padded(pads, 0))
  }
}
