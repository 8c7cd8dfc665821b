// Comparison: how far a tensor is from what it should be.

import LeapTensors
import LeapTools

package enum Comparison {
  /// Says what is wrong with a tensor; nil where type and shape are right and each element is within
  /// `absolute + relative * |expected|` of what is expected. NaN equals NaN.
  package static func mismatch(
    _ got: Tensor, _ expected: Tensor, relative: Double, absolute: Double
  ) -> String? {
    guard got.dataType == expected.dataType, got.shape == expected.shape else {
      return "got \(got), expected \(expected)"
    }
    if let ours = got.strings { return ours == expected.strings ? nil : "strings differ" }
    guard let ours = numbers(got), let theirs = numbers(expected) else {
      let same = got.withUnsafeBytes { a in expected.withUnsafeBytes { a.elementsEqual($0) } }
      return same ? nil : "bytes differ"
    }
    for (index, (value, wanted)) in zip(ours, theirs).enumerated() {
      let near = abs(value - wanted) <= absolute + relative * abs(wanted)
      guard value == wanted || (value.isNaN && wanted.isNaN) || near else {
        return "element \(index) of \(got.shape) is \(value); expected \(wanted)"
      }
    }
    return nil
  }

  /// The largest difference, relative to the largest magnitude expected; infinity where types or shapes differ or one is no
  /// number.
  package static func distance(_ got: Tensor?, _ expected: Tensor?) -> Double {
    guard let got, let expected, got.shape == expected.shape, got.dataType == expected.dataType,
      let ours = numbers(got), let theirs = numbers(expected)
    else { return .infinity }
    var worst = 0.0
    var scale = 0.0
    for (value, wanted) in zip(ours, theirs) {
      let difference = abs(value - wanted)
      guard difference.isFinite else { return .infinity }
      worst = max(worst, difference)
      scale = max(scale, abs(wanted))
    }
    return scale > 0 ? worst / scale : worst
  }

  /// Whether two tensors hold the same bytes.
  package static func identical(_ a: Tensor?, _ b: Tensor?) -> Bool {
    guard let a, let b, a.dataType == b.dataType, a.shape == b.shape else { return false }
    return a.withUnsafeBytes { a in b.withUnsafeBytes { a.elementsEqual($0) } }
  }

  /// The elements as doubles; nil for strings and complex numbers, and for 64-bit integers that doubles cannot hold.
  package static func numbers(_ tensor: Tensor) -> [Double]? {
    if tensor.dataType.isInteger {
      let fits = tensor.integers?.allSatisfy { abs(Double($0)) < 0x1p53 } ?? false
      guard fits else { return nil }
    }
    return tensor.numbers
  }
}
