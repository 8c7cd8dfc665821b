// ElementwiseFunctions: the functions that the element-wise loops know, by the numbers of leap_elementwise.h.

import CLeapKernels
import LeapTensors

/// Functions of one element. Cases are in the order of `enum leap_unary`.
package enum UnaryFunction: UInt32, Sendable, CaseIterable {
  case abs, neg, sign, sqrt, reciprocal, exp, log, sin, cos, tan
  case asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh, erf
  case floor, ceil, round
  case bitwiseNot, not, isNaN, isInf
  case relu, leakyRelu, elu, selu, celu, thresholdedRelu
  case sigmoid, hardSigmoid, hardSwish, swish, softplus, softsign, mish, gelu, geluTanh
  case shrink, clip, scale

  var raw: leap_unary { leap_unary(rawValue) }

  /// Throws `OperatorError.unsupported` where there is no loop for elements of this type.
  package func require(_ type: DataType) throws {
    try check(leap_unary_run(type.rawValue, raw, nil, 1, nil, 1, 0, 0, 0), "\(self) of \(type)")
  }
}

/// Functions of two elements. Cases are in the order of `enum leap_binary`.
package enum BinaryFunction: UInt32, Sendable, CaseIterable {
  case add, sub, mul, div, min, max, pow, mod, fmod, prelu
  case bitwiseAnd, bitwiseOr, bitwiseXor, shiftLeft, shiftRight
  case equal, greater, less, greaterOrEqual, lessOrEqual
  case and, or, xor

  var raw: leap_binary { leap_binary(rawValue) }

  /// Throws `OperatorError.unsupported` where there is no loop for operands of these types.
  package func require(_ left: DataType, _ right: DataType) throws {
    if left != right, self == .pow {
      return try check(
        leap_pow_mixed_run(left.rawValue, right.rawValue, nil, 1, nil, 1, nil, 1, 0),
        "powers of \(left) with \(right) exponents")
    }
    try check(
      leap_binary_run(left.rawValue, raw, nil, 1, nil, 1, nil, 1, 0), "\(self) of \(left)")
  }

  /// Whether the result is a bool whatever the operands are.
  package var isPredicate: Bool { rawValue >= BinaryFunction.equal.rawValue }
}

/// Turns what a loop reports into an error; `what` says what was computed, for the message.
@inline(__always)
func check(_ status: leap_status, _ what: @autoclosure () -> String) throws {
  if status == LEAP_OK { return }
  if status == LEAP_DIVISION_BY_ZERO { throw OperatorError("integer division by zero") }
  throw OperatorError.unsupported("there is no kernel for \(what())")
}
