// PoolingGeometry: how windows lie on the planes of an image, all extents known and checked.

import CLeapKernels
import LeapTensors

/// What windows a pooling computes, for up to three spatial dimensions.
package struct PoolingGeometry: Sendable {
  /// Spatial extents, outermost first, all lists equally long.
  package let input: [Int]
  package let output: [Int]
  package let kernel: [Int]
  package let strides: [Int]
  package let dilations: [Int]
  /// Padding before the first and behind the last pixel of each dimension.
  package let pads: [(begin: Int, end: Int)]

  /// - Throws: `OperatorError` where there are more than three spatial dimensions or an extent is beyond 2^31.
  package init(
    input: [Int], output: [Int], kernel: [Int], strides: [Int], dilations: [Int],
    pads: [(begin: Int, end: Int)]
  ) throws {
    guard (1...3).contains(input.count) else {
      throw OperatorError("\(input.count) spatial dimensions; 1 to 3 are supported")
    }
    let limit = Int(Int32.max)
    let extents = input + output + kernel + strides + dilations + pads.flatMap { [$0.0, $0.1] }
    for extent in extents where !(0...limit).contains(extent) {
      throw OperatorError("an extent of \(extent) exceeds the limit of \(limit)")
    }
    self.input = input
    self.output = output
    self.kernel = kernel
    self.strides = strides
    self.dilations = dilations
    self.pads = pads
  }

  /// One window on all pixels of each plane of [N, C, spatial...].
  ///
  /// - Throws: `OperatorError` where an extent is beyond 2^31.
  package init(wholePlane shape: Shape) throws {
    // Leading dimensions count as one: windows of rows over rows that lie one behind the other.
    let last = shape.rank > 2 ? shape[shape.rank - 1] : 1
    let rows = shape.rank > 2 ? Shape.product(shape.dimensions[2..<(shape.rank - 1)]) : 1
    try self.init(
      input: [rows, last], output: [1, 1], kernel: [rows, last], strides: [1, 1],
      dilations: [1, 1], pads: [(0, 0), (0, 0)])
  }

  package var inputPixels: Int { Shape.product(input[...]) }
  package var outputPixels: Int { Shape.product(output[...]) }

  /// Rows of output in one plane.
  package var lines: Int { Shape.product(output.dropLast()) }
  /// Output pixels in one row.
  package var columns: Int { output[output.count - 1] }

  /// An estimate of the pixels that computing one line reads: all rows in its windows once, then each window's columns.
  package var lineWork: Double {
    let taps = zip(kernel, input).map { Double(min($0, $1)) }
    let last = taps.count - 1
    let rows = taps[..<last].reduce(1, *)
    return rows * Double(input[last]) + taps[last] * Double(columns)
  }

  /// The geometry for C: missing dimensions come first, with an extent of 1.
  ///
  /// - Parameters:
  ///   - countsPadding: whether an average divides by the taps on the padding too.
  ///   - exponent: of a power pooling.
  func cValue(countsPadding: Bool = false, exponent: Double = 0) -> leap_pooling {
    func filled(_ values: [Int], _ fill: Int) -> (Int, Int, Int) {
      let all = Array(repeating: fill, count: 3 - values.count) + values
      return (all[0], all[1], all[2])
    }
    return leap_pooling(
      input: filled(input, 1), output: filled(output, 1), kernel: filled(kernel, 1),
      stride: filled(strides, 1), dilation: filled(dilations, 1),
      pad: filled(pads.map(\.begin), 0),
      padded: filled(zip(input, pads).map { $0 + $1.end }, 1),
      counts_padding: countsPadding ? 1 : 0, exponent: exponent)
  }
}
