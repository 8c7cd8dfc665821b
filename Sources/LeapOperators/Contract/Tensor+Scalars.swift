// Tensor+Scalars: single numbers of inputs whose values are known when planning.

import LeapTensors

extension Tensor {
  /// The first element of a tensor of float16, bfloat16, float32 or float64.
  var firstFloat: Double? {
    guard dataType == .float16 || dataType == .bfloat16, let format = FloatFormat(dataType),
      elementCount > 0
    else { return doubles?.first }
    return withUnsafeBytes { Double(format.decode(UInt32($0.loadUnaligned(as: UInt16.self)))) }
  }

  /// The first element of a tensor of numbers, cut towards zero; nil where it is beyond the range of `Int`.
  var firstInteger: Int? {
    integers?.first ?? firstFloat.flatMap { Int(exactly: $0.rounded(.towardZero)) }
  }
}
