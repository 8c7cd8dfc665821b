// TensorDifference: how far one tensor is from another, in figures.
//
// 1. NaN and infinities are counted and never hide in a mean: where one side alone has one, the outputs differ.
// 2. A figure that does not exist (the signal-to-noise ratio of zeros) is nil, not a made-up number.

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
    var error: Double { abs(got - expected) }
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
    var count = 0
    var signal = 0.0
    var own = 0.0
    var product = 0.0
    var noise = 0.0
    var error = 0.0

    static func + (a: Sums, b: Sums) -> Sums {
      Sums(
        count: a.count + b.count, signal: a.signal + b.signal, own: a.own + b.own,
        product: a.product + b.product, noise: a.noise + b.noise, error: a.error + b.error)
    }

    /// As `TensorDifference.cosine`.
    var cosine: Double? {
      signal > 0 && own > 0 ? min(product / (signal * own).squareRoot(), 1) : nil
    }

    /// As `TensorDifference.snr`.
    var snr: Double? { noise > 0 && signal > 0 ? 10 * log10(signal / noise) : nil }
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
    var sums = Sums()
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
      let error = abs(got - expected)
      errors.append(error)
      sums.signal += expected * expected
      sums.own += got * got
      sums.product += got * expected
      sums.noise += error * error
      sums.error += error
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
    let count = Double(errors.count)
    rms = (sums.noise / count).squareRoot()
    meanError = sums.error / count
    (cosine, snr) = (sums.cosine, sums.snr)
    if rms > 0, high > low { psnr = 20 * log10((high - low) / rms) }
    if differing > 0 {
      errors.sort()
      medianError = TensorDifference.percentile(50, of: errors)
      percentile99 = TensorDifference.percentile(99, of: errors)
      ulp = UnitsInLastPlace.largest(ours, theirs, type)
    } else {
      ulp = UnitsInLastPlace.exists(for: type) ? 0 : nil
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
