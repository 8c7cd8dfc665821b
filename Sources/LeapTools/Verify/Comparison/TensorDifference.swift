// TensorDifference: how far one tensor is from another, in figures.
//
// 1. NaN and infinities are counted and never hide in a mean: where one side alone has one, the outputs differ.
// 2. A figure that does not exist (the signal-to-noise ratio of zeros) is nil, not a made-up number.
// 3. Squares of numbers that float64 can hold but whose squares it cannot are taken of scaled numbers.

import LeapTensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// A tensor beside the one that is expected.
struct TensorDifference: Sendable {
  /// An element that differs.
  struct Element: Sendable {
    var index: Int
    var got: Double
    var expected: Double
    /// Of integers that doubles do not tell apart.
    var exactError: Double?
    var error: Double { exactError ?? min(abs(got - expected), .greatestFiniteMagnitude) }
  }

  let shape: Shape
  let dataType: DataType
  /// The same bytes.
  private(set) var isIdentical = false
  /// Elements that are not equal; NaN equals NaN.
  private(set) var differing = 0
  /// Elements where one is NaN or infinite and the other is something else.
  private(set) var misplaced = 0
  private(set) var gotNaN = 0
  private(set) var gotInfinite = 0
  private(set) var expectedNaN = 0
  private(set) var expectedInfinite = 0
  /// The first element that is misplaced.
  private(set) var firstMisplaced: Element?
  /// Where the error is largest; nil where nothing differs.
  private(set) var worst: Element?
  /// Of elements that are finite on both sides, as the figures below.
  private(set) var meanError = 0.0
  private(set) var medianError = 0.0
  /// What 99 of 100 elements do not exceed.
  private(set) var percentile99 = 0.0
  /// The root of the mean square.
  private(set) var rms = 0.0
  /// The largest error in units in the last place of the type; nil for types without.
  private(set) var ulp: Double?
  /// The cosine of the angle between the two, seen as vectors; nil where one is zero.
  private(set) var cosine: Double?
  /// 10 log10 of the expected energy over the error's; nil where there is no error, or nothing expected.
  private(set) var snr: Double?
  /// 20 log10 of the expected range over the root mean square error; nil as above.
  private(set) var psnr: Double?
  /// The largest magnitude expected.
  private(set) var largest = 0.0
  /// Sums over the elements that are finite on both sides: how many there are, the squares expected, those got, the products of
  /// both, and the squares of errors.
  private(set) var sums = Sums()

  struct Sums: Sendable {
    /// What numbers were divided by: a power of two, 1 unless their squares would over- or underflow.
    var scale = 1.0
    var count = 0
    var signal = 0.0
    var own = 0.0
    var product = 0.0
    var noise = 0.0
    var error = 0.0

    static func + (a: Sums, b: Sums) -> Sums {
      if a.count == 0 { return b }
      if b.count == 0 { return a }
      let scale = max(a.scale, b.scale)
      let (a, b) = (a.scaled(by: scale), b.scaled(by: scale))
      return Sums(
        scale: scale, count: a.count + b.count, signal: a.signal + b.signal, own: a.own + b.own,
        product: a.product + b.product, noise: a.noise + b.noise, error: a.error + b.error)
    }

    private func scaled(by other: Double) -> Sums {
      if scale == other { return self }
      let (ratio, square) = (scale / other, scale / other * (scale / other))
      return Sums(
        scale: other, count: count, signal: signal * square, own: own * square,
        product: product * square, noise: noise * square, error: error * ratio)
    }

    /// The scale for numbers of which one is the largest.
    static func scale(for largest: Double) -> Double {
      largest == 0 || (1e-100...1e100).contains(largest)
        ? 1 : Double(sign: .plus, exponent: largest.exponent, significand: 1)
    }

    /// The mean error; nil without any number.
    var meanError: Double? {
      count > 0 ? min(error / Double(count) * scale, .greatestFiniteMagnitude) : nil
    }

    /// As `TensorDifference.cosine`.
    var cosine: Double? {
      guard signal > 0, own > 0 else { return nil }
      let value = product / (signal.squareRoot() * own.squareRoot())
      return value.isFinite ? min(value, 1) : nil
    }

    /// As `TensorDifference.snr`.
    var snr: Double? {
      guard noise > 0, signal > 0 else { return nil }
      let value = 10 * log10(signal / noise)
      return value.isFinite ? value : nil
    }
  }

  var maximalError: Double { worst?.error ?? 0 }

  /// - Returns: nil where types have no numbers (strings, complex) or shapes differ.
  init?(_ got: Tensor, _ expected: Tensor) {
    guard got.shape == expected.shape, let ours = got.numbers, let theirs = expected.numbers,
      ours.count == theirs.count
    else { return nil }
    self.init(
      ours, theirs, shape: expected.shape, got.dataType, identical: got.isIdentical(to: expected))
  }

  /// - Parameters:
  ///   - type: of the elements as they were computed, whose last place is the unit of `ulp`.
  ///   - identical: whether the bytes are the same; nil where the numbers tell.
  init(
    _ ours: [Double], _ theirs: [Double], shape: Shape, _ type: DataType, identical: Bool? = nil
  ) {
    self.shape = shape
    dataType = type
    var errors: [Double] = []
    errors.reserveCapacity(ours.count)
    var sums = Sums(scale: TensorDifference.scale(ours, theirs))
    let scale = sums.scale
    var (low, high) = (Double.infinity, -Double.infinity)
    for index in ours.indices {
      let (got, expected) = (ours[index], theirs[index])
      if expected.isFinite {
        largest = max(largest, abs(expected))
        (low, high) = (min(low, expected), max(high, expected))
      }
      guard got.isFinite, expected.isFinite else {
        count(Element(index: index, got: got, expected: expected))
        continue
      }
      let error = min(abs(got - expected), .greatestFiniteMagnitude)
      errors.append(error)
      let (own, signal) = (got / scale, expected / scale)
      let noise = abs(own - signal)
      sums.signal += signal * signal
      sums.own += own * own
      sums.product += own * signal
      sums.noise += noise * noise
      sums.error += noise
      if error > 0 {
        differing += 1
        if error > worst?.error ?? 0 {
          worst = Element(index: index, got: got, expected: expected)
        }
      }
    }
    isIdentical = identical ?? (differing == 0 && misplaced == 0)
    sums.count = errors.count
    self.sums = sums
    guard !errors.isEmpty else { return }
    let scaledRMS = (sums.noise / Double(errors.count)).squareRoot()
    rms = min(scaledRMS * scale, .greatestFiniteMagnitude)
    meanError = sums.meanError ?? 0
    (cosine, snr) = (sums.cosine, sums.snr)
    if scaledRMS > 0, high > low {
      let value = 20 * log10((high / scale - low / scale) / scaledRMS)
      psnr = value.isFinite ? value : nil
    }
    if differing > 0 {
      errors.sort()
      medianError = TensorDifference.percentile(50, of: errors)
      percentile99 = TensorDifference.percentile(99, of: errors)
      ulp = UnitsInLastPlace.largest(ours, theirs, type)
    } else {
      ulp = UnitsInLastPlace.exists(for: type) ? 0 : nil
    }
  }

  private static func scale(_ ours: [Double], _ theirs: [Double]) -> Double {
    var largest = 0.0
    for index in ours.indices where ours[index].isFinite && theirs[index].isFinite {
      largest = max(largest, max(abs(ours[index]), abs(theirs[index])))
    }
    return Sums.scale(for: largest)
  }

  /// Takes in what integers beyond 2^53 differ by, which doubles do not tell.
  mutating func add(_ found: WideIntegers.Difference) {
    differing = max(differing, found.count)
    if worst == nil {
      worst = Element(
        index: found.index, got: Double(found.got) ?? 0, expected: Double(found.expected) ?? 0,
        exactError: found.error)
    }
  }

  /// Of ascending numbers: the one that so many of a hundred do not exceed (nearest rank).
  private static func percentile(_ percent: Int, of sorted: [Double]) -> Double {
    sorted[max((percent * sorted.count + 99) / 100, 1) - 1]
  }

  /// Counts an element of which one side is NaN or infinite.
  private mutating func count(_ element: Element) {
    if element.got.isNaN { gotNaN += 1 }
    if element.expected.isNaN { expectedNaN += 1 }
    if element.got.isInfinite { gotInfinite += 1 }
    if element.expected.isInfinite { expectedInfinite += 1 }
    let isSame =
      element.got == element.expected || element.got.isNaN && element.expected.isNaN
    if isSame { return }
    differing += 1
    misplaced += 1
    if firstMisplaced == nil { firstMisplaced = element }
  }

  /// The place of an element: `[0, 281]`.
  func place(_ index: Int) -> String {
    var rest = index
    var place: [Int] = []
    for extent in shape.reversed() {
      place.append(extent > 0 ? rest % extent : 0)
      rest = extent > 0 ? rest / extent : 0
    }
    return "[\(place.reversed().map(String.init).joined(separator: ", "))]"
  }
}

/// Distances between numbers, counted in numbers of a type.
enum UnitsInLastPlace {
  static func exists(for type: DataType) -> Bool {
    switch type {
    case .float32, .float64, .float16, .bfloat16: true
    default: false
    }
  }

  /// The largest distance between finite numbers of two lists; nil for types without.
  static func largest(_ ours: [Double], _ theirs: [Double], _ type: DataType) -> Double? {
    guard exists(for: type) else { return nil }
    var largest = 0.0
    for index in ours.indices where ours[index].isFinite && theirs[index].isFinite {
      if ours[index] == theirs[index] { continue }
      largest = max(largest, distance(ours[index], theirs[index], type))
    }
    return largest
  }

  /// How many steps from one number of the type to the next lie between two, both rounded to it.
  static func distance(_ a: Double, _ b: Double, _ type: DataType) -> Double {
    switch type {
    case .float64: return abs(Double(ordinal(a)) - Double(ordinal(b)))
    case .float32: return Double(abs(ordinal(Float(a)) - ordinal(Float(b))))
    default:
      // Half of the width: the ordinals of its numbers are those of float32 without their last bits.
      guard let format = FloatFormat(type) else { return 0 }
      func bits(_ x: Double) -> Int {
        let pattern = Int(format.encode(Float(x), saturate: false))
        return pattern & 0x8000 == 0 ? pattern : -(pattern & 0x7FFF)
      }
      return Double(abs(bits(a) - bits(b)))
    }
  }

  /// Where a number stands among all of its type, zero at 0.
  private static func ordinal(_ x: Float) -> Int {
    let bits = Int(x.bitPattern & 0x7FFF_FFFF)
    return x.sign == .minus ? -bits : bits
  }

  private static func ordinal(_ x: Double) -> Int64 {
    let bits = Int64(x.bitPattern & 0x7FFF_FFFF_FFFF_FFFF)
    return x.sign == .minus ? -bits : bits
  }
}

/// Integers of 64 bits, some of which doubles do not tell apart.
enum WideIntegers {
  struct Difference: Sendable {
    /// Elements that differ.
    var count: Int
    /// The first, as it is written.
    var index: Int
    var got: String
    var expected: String
    /// The largest error.
    var error: Double
  }

  /// What differs; nil for other types, and where nothing does.
  static func difference(_ got: Tensor, _ expected: Tensor) -> Difference? {
    difference(got.elements(as: Int64.self), expected.elements(as: Int64.self))
      ?? difference(got.elements(as: UInt64.self), expected.elements(as: UInt64.self))
  }

  private static func difference<Number: FixedWidthInteger>(
    _ ours: [Number]?, _ theirs: [Number]?
  ) -> Difference? {
    guard let ours, let theirs else { return nil }
    var found = Difference(count: 0, index: 0, got: "", expected: "", error: 0)
    for (index, (a, b)) in zip(ours, theirs).enumerated() where a != b {
      if found.count == 0 {
        (found.index, found.got, found.expected) = (index, "\(a)", "\(b)")
      }
      found.count += 1
      let distance = Number.Magnitude(truncatingIfNeeded: max(a, b) &- min(a, b))
      found.error = max(found.error, Double(distance))
    }
    return found.count > 0 ? found : nil
  }
}
