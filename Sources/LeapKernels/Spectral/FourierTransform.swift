// FourierTransform: discrete Fourier transforms of any length, in double: powers of two by decimation in time, others by
// Bluestein's convolution with a chirp.

import LeapTensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A complex number as it lies in memory.
typealias Complex = SIMD2<Double>

@inline(__always)
private func times(_ a: Complex, _ b: Complex) -> Complex {
  Complex(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x)
}

/// e to the power 2πi · numerator / denominator.
private func root(_ numerator: Int, _ denominator: Int) -> Complex {
  let angle = 2 * Double.pi * Double(numerator) / Double(denominator)
  return Complex(cos(angle), sin(angle))
}

/// The tables of transforms of one length.
struct FourierTransform: Sendable {
  /// The longest transform: its tables are made when it is planned.
  static let longest = 1 << 22

  let length: Int
  /// The power of two that is transformed: the length itself, or one that holds the convolution.
  private let size: Int
  private let twiddles: [Complex]
  /// e to the power -πi k² / length, and the transform of its conjugate; empty for powers of two.
  private let chirp: [Complex]
  private let response: [Complex]

  /// - Throws: `OperatorError` where the length is not positive, or beyond the limit.
  init(_ length: Int) throws {
    guard length >= 1, length <= FourierTransform.longest else {
      throw OperatorError(
        "a transform of length \(length); expected 1 to \(FourierTransform.longest)")
    }
    self.length = length
    let isPower = length & (length - 1) == 0
    var size = 1
    while size < (isPower ? length : 2 * length - 1) { size *= 2 }
    self.size = size
    twiddles = (0..<max(size / 2, 1)).map { root(-$0, size) }
    guard !isPower else {
      (chirp, response) = ([], [])
      return
    }
    // k² modulo twice the length keeps the angle exact.
    let chirp = (0..<length).map { root(-($0 * $0 % (2 * length)), 2 * length) }
    var response = [Complex](repeating: .zero, count: size)
    for (index, value) in chirp.enumerated() {
      let conjugate = Complex(value.x, -value.y)
      response[index] = conjugate
      if index > 0 { response[size - index] = conjugate }
    }
    self.chirp = chirp
    let table = twiddles
    response.withUnsafeMutableBufferPointer {
      FourierTransform.transform($0.baseAddress!, size, table)
    }
    self.response = response
  }

  /// Complex numbers of scratch that a transform needs.
  var scratchCount: Int { size }

  /// Transforms the first `length` numbers of `values`, which has room for `scratchCount`.
  func apply(_ values: UnsafeMutablePointer<Complex>, inverse: Bool) {
    if inverse { conjugate(values) }
    forward(values)
    guard inverse else { return }
    conjugate(values)
    for index in 0..<length { values[index] /= Double(length) }
  }

  private func conjugate(_ values: UnsafeMutablePointer<Complex>) {
    for index in 0..<length { values[index].y = -values[index].y }
  }

  private func forward(_ values: UnsafeMutablePointer<Complex>) {
    guard !chirp.isEmpty else { return FourierTransform.transform(values, size, twiddles) }
    for index in 0..<length { values[index] = times(values[index], chirp[index]) }
    for index in length..<size { values[index] = .zero }
    FourierTransform.transform(values, size, twiddles)
    // The inverse transform by conjugates.
    for index in 0..<size {
      let product = times(values[index], response[index])
      values[index] = Complex(product.x, -product.y)
    }
    FourierTransform.transform(values, size, twiddles)
    for index in 0..<length {
      let sum = values[index] / Double(size)
      values[index] = times(Complex(sum.x, -sum.y), chirp[index])
    }
  }

  /// The transform of a power of two, in place.
  private static func transform(
    _ values: UnsafeMutablePointer<Complex>, _ size: Int, _ twiddles: [Complex]
  ) {
    var reversed = 0
    for index in 1..<max(size, 1) {
      var bit = size >> 1
      while reversed & bit != 0 {
        reversed ^= bit
        bit >>= 1
      }
      reversed |= bit
      if index < reversed { swap(&values[index], &values[reversed]) }
    }
    twiddles.withUnsafeBufferPointer { twiddles in
      var half = 1
      while half < size {
        let step = size / (2 * half)
        for start in stride(from: 0, to: size, by: 2 * half) {
          for index in 0..<half {
            let a = values[start + index]
            let b = times(values[start + index + half], twiddles[index * step])
            values[start + index] = a + b
            values[start + index + half] = a - b
          }
        }
        half *= 2
      }
    }
  }
}
