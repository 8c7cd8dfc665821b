// WeightDifference: how far the elements of one tensor are from those of another.

import LeapGraph
import LeapTensors

/// Two constants of one shape with other elements.
package struct WeightDifference: Sendable, Equatable {
  package var graph: String
  package var name: String
  /// What the other model calls it.
  package var otherName: String
  package var dataType: DataType
  package var shape: Shape
  /// Elements that differ.
  package var count: Int
  /// The largest difference; infinite where one is no number.
  package var largest: Double?
  /// That over the largest magnitude of the first.
  package var relative: Double?
  /// The length of the difference over the length of the first.
  package var overall: Double?
}

enum WeightComparison {
  /// How two tensors of one shape, of one type or of floats, differ; nil where they do not.
  ///
  /// - Parameter tolerance: differences of up to so much of the first one's largest magnitude are none.
  static func difference(
    _ first: Tensor, _ second: Tensor, tolerance: Double
  ) -> (count: Int, largest: Double?, relative: Double?, overall: Double?)? {
    if let mine = first.strings, let theirs = second.strings {
      let count = zip(mine, theirs).reduce(0) { $0 + ($1.0 == $1.1 ? 0 : 1) }
      return count == 0 ? nil : (count, nil, nil, nil)
    }
    let hasSameBytes = first.withUnsafeBytes { a in
      second.withUnsafeBytes { b in a.elementsEqual(b) }
    }
    if hasSameBytes, first.dataType == second.dataType { return nil }
    var (count, largest, magnitude, squares, length) = (0, 0.0, 0.0, 0.0, 0.0)
    let areNumbers = WeightScan.forEachPair(first, second) { mine, theirs in
      for (a, b) in zip(mine, theirs) {
        if a.isFinite {
          magnitude = max(magnitude, a.magnitude)
          length += a * a
        }
        if a == b || (a.isNaN && b.isNaN) { continue }
        count += 1
        let difference = (b - a).magnitude
        largest = max(largest, difference.isNaN ? .infinity : difference)
        squares += difference * difference
      }
    }
    guard areNumbers else { return (first.elementCount, nil, nil, nil) }
    let relative = magnitude > 0 ? largest / magnitude : largest > 0 ? .infinity : 0
    guard count > 0, relative > tolerance else { return nil }
    let overall = length > 0 ? (squares / length).squareRoot() : .infinity
    return (count, largest, relative, overall.isNaN ? .infinity : overall)
  }
}
