// ScaleFormat: float8e8m0, the powers of two that scale blocks of smaller numbers (OCP Microscaling Formats 1.0).

package enum ScaleFormat {
  /// What happens to a number between two powers.
  package enum Rounding: Sendable {
    case up, down, nearest
  }

  private static let nan: UInt8 = 0xff

  /// 2^(bits - 127); 0xff is NaN.
  package static func decode(_ bits: UInt8) -> Float {
    if bits == nan { return .nan }
    return Float(sign: .plus, exponent: Int(bits) - 127, significand: 1)
  }

  /// The power of two for a number, whose sign does not count.
  ///
  /// - Parameters:
  ///   - rounding: ONNX Cast's `round_mode`. Half of the way counts as up with `nearest`.
  ///   - saturate: what is beyond the range becomes its end; otherwise NaN.
  package static func encode(
    _ value: Float, rounding: Rounding = .up, saturate: Bool = true
  ) -> UInt8 {
    if value.isNaN { return nan }
    if value.isInfinite { return saturate ? nan - 1 : nan }
    let bits = value.bitPattern & 0x7fff_ffff
    let field = bits >> 23
    let mantissa = bits & 0x7f_ffff
    // Below 2^-126 the field is 0, and the power 2^-127 is half of the smallest normal number.
    let isAbove =
      switch rounding {
      case .down: false
      case .up: field == 0 ? mantissa > 0x40_0000 : mantissa > 0
      case .nearest: field == 0 ? mantissa >= 0x60_0000 : mantissa >= 0x40_0000
      }
    let power = field + (isAbove ? 1 : 0)
    return power > 0xfe ? (saturate ? nan - 1 : nan) : UInt8(power)
  }
}
