// RowKernel: kernels that make a row of scores, and perhaps a class, of each row of features.

import CLeapKernels
import LeapTensors

/// What a row of features becomes. All numbers are computed in float64.
package protocol RowFunction: Sendable {
  /// The length of the row that it makes of one of so many features. Throws `OperatorError` where it takes no such row.
  func width(features: Int) throws -> Int

  /// Makes a row; both have the lengths that `width` takes and gives.
  ///
  /// - Returns: the number of the class that the row is of, for a classifier.
  func apply(_ row: UnsafeBufferPointer<Double>, _ scores: UnsafeMutableBufferPointer<Double>)
    -> Int
}

package enum RowKernel {
  /// Rows of one block.
  private static let rowsPerBlock = 32

  /// The kernel of a function, on rows of input 0: `[N, features]`, or one row.
  ///
  /// - Parameters:
  ///   - scores: the place of the output of the rows that it makes, float32 or float64; nil where nobody reads it.
  ///   - labels: the place of the output of one int64 for each row, and what is written for each class.
  /// - Throws: `OperatorError` for a row that the function does not take, and a type that is no number.
  package static func kernel(
    _ function: any RowFunction, _ x: Operand, scores: (index: Int, type: DataType)?,
    labels: (index: Int, classes: [Int64])?
  ) throws -> Kernel {
    let features = x.shape.last ?? 1
    let width = try function.width(features: features)
    let rows = x.shape.rank > 1 ? x.shape.outer(x.shape.rank - 1) : 1
    let (type, size) = (x.dataType.rawValue, x.dataType.byteWidth)
    let wide = DataType.float64.rawValue
    try check(leap_convert_run(type, wide, nil, 1, nil, 1, 0), "numbers of \(x.dataType)")
    let length = Shape.product([saturatingSum(features, width), MemoryLayout<Double>.size])
    guard length < 1 << 40 else {
      throw OperatorError("rows of \(features) features and \(width) results are too long")
    }
    return Kernel(
      blocks: rows == 0 || width == 0 ? 0 : (rows - 1) / rowsPerBlock + 1, scratchPerWorker: length
    ) { invocation, block in
      let scratch = invocation.scratch.assumingMemoryBound(to: Double.self)
      let made = scratch + features
      for row in block * rowsPerBlock..<min((block + 1) * rowsPerBlock, rows) {
        _ = leap_convert_run(
          type, wide, invocation.input(0) + row * features * size, 1, scratch, 1, features)
        let label = function.apply(
          UnsafeBufferPointer(start: scratch, count: features),
          UnsafeMutableBufferPointer(start: made, count: width))
        if let scores {
          let target = invocation.output(scores.index) + row * width * scores.type.byteWidth
          _ = leap_convert_run(wide, scores.type.rawValue, made, 1, target, 1, width)
        }
        if let labels {
          invocation.output(labels.index).storeBytes(
            of: labels.classes[label], toByteOffset: row * 8, as: Int64.self)
        }
      }
    }
  }
}
