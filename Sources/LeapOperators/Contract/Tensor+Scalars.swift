// Tensor+Scalars: single numbers of inputs whose values are known when planning.

import LeapTensors

extension Tensor {
  /// The first element of a float tensor.
  var firstFloat: Double? {
    elements(as: Float.self)?.first.map(Double.init) ?? elements(as: Double.self)?.first
  }

  /// The first element of a tensor of numbers, cut towards zero; nil where it is beyond the range of `Int`.
  var firstInteger: Int? {
    integers?.first ?? firstFloat.flatMap { Int(exactly: $0.rounded(.towardZero)) }
  }
}
