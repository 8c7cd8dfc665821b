// FloatFormat: the binary floating-point formats of ONNX that are smaller than float32, by their parameters.
//
// 1. Exact: decoding loses nothing; encoding rounds to nearest, ties to even, once.
// 2. One algorithm for all formats; what differs between them is data.
//
// float8: "FP8 Formats for Deep Learning" (arXiv 2209.05433) and, for the fnuz variants, arXiv 2206.02915; float6, float4
// and e8m0: the OCP Microscaling Formats specification 1.0.

/// A sign bit, exponent bits, mantissa bits, and what the highest patterns mean.
package struct FloatFormat: Sendable, Hashable {
  /// What a format has beside numbers.
  package enum Specials: Sendable, Hashable {
    /// IEEE 754: the highest exponent means infinity and NaN.
    case infinityAndNaN
    /// The highest pattern of each sign is NaN; no infinity.
    case nanAtTop
    /// The pattern of minus zero is NaN; neither infinity nor minus zero.
    case nanAtMinusZero
    /// Numbers only.
    case none
  }

  package let exponentBits: Int
  package let mantissaBits: Int
  package let bias: Int
  package let specials: Specials

  package static let float16 = FloatFormat(5, 10, bias: 15, .infinityAndNaN)
  package static let bfloat16 = FloatFormat(8, 7, bias: 127, .infinityAndNaN)
  package static let float8e4m3fn = FloatFormat(4, 3, bias: 7, .nanAtTop)
  package static let float8e4m3fnuz = FloatFormat(4, 3, bias: 8, .nanAtMinusZero)
  package static let float8e5m2 = FloatFormat(5, 2, bias: 15, .infinityAndNaN)
  package static let float8e5m2fnuz = FloatFormat(5, 2, bias: 16, .nanAtMinusZero)
  package static let float6e2m3 = FloatFormat(2, 3, bias: 1, .none)
  package static let float6e3m2 = FloatFormat(3, 2, bias: 3, .none)
  package static let float4e2m1 = FloatFormat(2, 1, bias: 1, .none)

  private init(_ exponentBits: Int, _ mantissaBits: Int, bias: Int, _ specials: Specials) {
    self.exponentBits = exponentBits
    self.mantissaBits = mantissaBits
    self.bias = bias
    self.specials = specials
  }

  /// The format of an element type; nil for types that are none of these.
  package init?(_ type: DataType) {
    switch type {
    case .float16: self = .float16
    case .bfloat16: self = .bfloat16
    case .float8e4m3fn: self = .float8e4m3fn
    case .float8e4m3fnuz: self = .float8e4m3fnuz
    case .float8e5m2: self = .float8e5m2
    case .float8e5m2fnuz: self = .float8e5m2fnuz
    case .float6e2m3: self = .float6e2m3
    case .float6e3m2: self = .float6e3m2
    case .float4e2m1: self = .float4e2m1
    default: return nil
    }
  }

  private var signBit: UInt32 { 1 << UInt32(exponentBits + mantissaBits) }
  private var mantissaMask: UInt32 { 1 << UInt32(mantissaBits) - 1 }

  /// The pattern of the largest finite number.
  package var largestFinite: UInt32 {
    switch specials {
    case .infinityAndNaN: infinity - 1
    case .nanAtTop: signBit - 2
    case .nanAtMinusZero, .none: signBit - 1
    }
  }

  /// The pattern of infinity, in the formats that have one.
  private var infinity: UInt32 { (1 << UInt32(exponentBits) - 1) << UInt32(mantissaBits) }

  /// The pattern of a quiet NaN. The formats without one give minus zero, as ONNX's own cases expect (its text says the largest
  /// number).
  private func nan(sign: UInt32) -> UInt32 {
    switch specials {
    case .infinityAndNaN: sign | infinity | 1 << UInt32(mantissaBits - 1)
    case .nanAtTop: sign | (signBit - 1)
    case .nanAtMinusZero, .none: signBit
    }
  }

  /// The number that a pattern stands for.
  package func decode(_ bits: UInt32) -> Float {
    let magnitude = bits & (signBit - 1)
    let isNegative = bits & signBit != 0
    switch specials {
    case .infinityAndNaN where magnitude >= infinity:
      guard magnitude == infinity else { return isNegative ? -Float.nan : .nan }
      return isNegative ? -Float.infinity : .infinity
    case .nanAtTop where magnitude == signBit - 1: return isNegative ? -Float.nan : .nan
    case .nanAtMinusZero where bits & (signBit << 1 - 1) == signBit: return .nan
    default: break
    }
    let field = Int(magnitude >> UInt32(mantissaBits))
    let mantissa = Float(magnitude & mantissaMask)
    // All these are exact: a mantissa has at most ten bits, and a power of two only shifts it.
    let value =
      field == 0
      ? scaled(mantissa, by: 1 - bias - mantissaBits)
      : scaled(mantissa + Float(1 << mantissaBits), by: field - bias - mantissaBits)
    return isNegative ? -value : value
  }

  private func scaled(_ value: Float, by exponent: Int) -> Float {
    // bfloat16's subnormals have exponents that a float32 power of two reaches only as a subnormal itself.
    Float(sign: .plus, exponent: exponent, significand: value)
  }

  /// The pattern nearest to a number, ties to the even pattern.
  ///
  /// - Parameter saturate: what is too large, and infinity, becomes the largest number. Otherwise infinity, or NaN in
  ///   formats without it. Formats without both always saturate.
  package func encode(_ value: Float, saturate: Bool = false) -> UInt32 {
    let sign: UInt32 = value.sign == .minus ? signBit : 0
    if value.isNaN { return nan(sign: sign) }
    let magnitude = value.isInfinite ? nil : rounded(value.magnitude)
    guard let magnitude, magnitude <= largestFinite else { return overflow(sign, saturate) }
    return specials == .nanAtMinusZero && magnitude == 0 ? 0 : sign | magnitude
  }

  private func overflow(_ sign: UInt32, _ saturate: Bool) -> UInt32 {
    if saturate || specials == .none { return sign | largestFinite }
    return specials == .infinityAndNaN ? sign | infinity : nan(sign: sign)
  }

  /// The pattern of a finite, not negative number as if exponents had no upper bound.
  private func rounded(_ magnitude: Float) -> UInt32 {
    let smallest = 1 - bias
    let bits = magnitude.bitPattern
    // The number is significand * 2^power, with a significand of at most 24 bits.
    let field = Int(bits >> 23)
    let significand = field == 0 ? bits : bits & 0x7f_ffff | 0x80_0000
    let power = max(field, 1) - 150
    // In the format the last place is worth 2^unit.
    let unit = max(power + 23, smallest) - mantissaBits
    let shift = unit - power
    if shift > 24 { return 0 }
    let kept = shift <= 0 ? significand << UInt32(-shift) : roundedShift(significand, UInt32(shift))
    // A carry out of the mantissa raises the exponent by itself.
    let exponent = unit + mantissaBits - smallest
    return UInt32(exponent) << UInt32(mantissaBits) + kept
  }

  private func roundedShift(_ value: UInt32, _ shift: UInt32) -> UInt32 {
    let kept = value >> shift
    let rest = value & (1 << shift - 1)
    let half: UInt32 = 1 << (shift - 1)
    return rest > half || (rest == half && kept & 1 == 1) ? kept + 1 : kept
  }
}
