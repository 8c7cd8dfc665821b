// RecurrentActivation: the functions that ONNX's recurrent operators may be given for their gates.

import CLeapKernels
import LeapTensors

/// Element-wise functions on vectors of float32 or float64 that lie side by side.
struct VectorMath: Sendable {
  let type: Int32
  let width: Int

  init(_ dataType: DataType) {
    type = dataType.rawValue
    width = dataType.byteWidth
  }

  func apply(
    _ function: UnaryFunction, _ x: UnsafeMutableRawPointer, _ count: Int, a: Double = 0,
    b: Double = 0
  ) {
    _ = leap_unary_run(type, function.raw, x, 1, x, 1, count, a, b)
  }

  /// y = f(a, b); y may be either.
  func combine(
    _ function: BinaryFunction, _ a: UnsafeRawPointer, _ b: UnsafeRawPointer,
    into y: UnsafeMutableRawPointer, _ count: Int
  ) {
    _ = leap_binary_run(type, function.raw, a, 1, b, 1, y, 1, count)
  }

  /// x = x + number.
  func shift(_ x: UnsafeMutableRawPointer, by number: Double, _ count: Int) {
    // A number of either type, repeated.
    withUnsafeTemporaryAllocation(byteCount: 8, alignment: 8) { place in
      if width == 8 {
        place.storeBytes(of: number, as: Double.self)
      } else {
        place.storeBytes(of: Float(number), as: Float.self)
      }
      _ = leap_binary_run(
        type, BinaryFunction.add.raw, x, 1, place.baseAddress, 0, x, 1, count)
    }
  }
}

package struct RecurrentActivation: Sendable, Hashable {
  /// ONNX's names in lower case.
  private enum Function: String, CaseIterable {
    case relu, tanh, sigmoid, softsign, softplus, affine, leakyrelu, thresholdedrelu, scaledtanh
    case hardsigmoid, elu

    /// The defaults of the parameters that it takes.
    var parameters: (alpha: Double?, beta: Double?) {
      switch self {
      case .affine: (1, 0)
      case .leakyrelu: (0.01, nil)
      case .thresholdedrelu, .elu: (1, nil)
      case .scaledtanh: (1, 1)
      case .hardsigmoid: (0.2, 0.5)
      default: (nil, nil)
      }
    }
  }

  private let function: Function
  private let alpha: Double
  private let beta: Double

  /// - Parameters:
  ///   - alphas: what is left of the attribute `activation_alpha`; what the function takes is removed.
  ///   - betas: likewise.
  /// - Throws: `OperatorError` for a function that is not known.
  package init(
    _ name: String, alphas: inout ArraySlice<Float>, betas: inout ArraySlice<Float>
  ) throws {
    guard let function = Function(rawValue: name.lowercased()) else {
      let known = Function.allCases.map(\.rawValue).joined(separator: ", ")
      throw OperatorError("activation '\(name)' is not known; expected one of \(known)")
    }
    self.function = function
    let defaults = function.parameters
    alpha = defaults.alpha.map { value in alphas.popFirst().map(Double.init) ?? value } ?? 0
    beta = defaults.beta.map { value in betas.popFirst().map(Double.init) ?? value } ?? 0
  }

  func apply(_ math: VectorMath, _ x: UnsafeMutableRawPointer, _ count: Int) {
    switch function {
    case .relu: math.apply(.relu, x, count)
    case .sigmoid: math.apply(.sigmoid, x, count)
    case .softsign: math.apply(.softsign, x, count)
    case .softplus: math.apply(.softplus, x, count)
    case .affine:
      math.apply(.scale, x, count, a: alpha)
      math.shift(x, by: beta, count)
    case .leakyrelu: math.apply(.leakyRelu, x, count, a: alpha)
    case .thresholdedrelu: math.apply(.thresholdedRelu, x, count, a: alpha)
    case .scaledtanh:
      math.apply(.scale, x, count, a: beta)
      math.apply(.tanh, x, count)
      math.apply(.scale, x, count, a: alpha)
    case .hardsigmoid: math.apply(.hardSigmoid, x, count, a: alpha, b: beta)
    case .elu: math.apply(.elu, x, count, a: alpha)
    case .tanh: math.apply(.tanh, x, count)
    }
  }
}
