// ElementStore: writes single numbers into operands of any element type that conversion knows.

import CLeapKernels
import LeapTensors

package struct ElementStore: Sendable {
  private let type: DataType

  /// Throws `OperatorError` for a type that float64 is not converted to.
  package init(_ type: DataType) throws {
    try check(
      leap_convert_run(DataType.float64.rawValue, type.rawValue, nil, 1, nil, 1, 0),
      "converting float64 to \(type)")
    self.type = type
  }

  /// Writes a number as element `index`.
  package func callAsFunction(
    _ value: Double, to base: UnsafeMutableRawPointer, at index: Int
  ) {
    _ = withUnsafePointer(to: value) {
      leap_convert_run(
        DataType.float64.rawValue, type.rawValue, $0, 1, base + index * type.byteWidth, 1, 1)
    }
  }
}
