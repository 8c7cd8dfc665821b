// AxisTaps: which elements of an axis make each place of its resized one, and with what weights: a table made when a
// kernel is planned.
//
// 1. Every tap lies inside of the source: what falls outside is added to the element at the border, which it repeats.
// 2. All places of an axis have the same number of taps, side by side.

import LeapTensors

/// How resizing interpolates.
package struct Interpolation: Sendable, Hashable {
  package enum Method: String, CaseIterable, Sendable {
    case nearest, linear, cubic

    var algorithm: Algorithm {
      switch self {
      case .nearest: .resizeNearest
      case .linear: .resizeLinear
      case .cubic: .resizeCubic
      }
    }
  }
  package var method: Method
  package var transformation: CoordinateTransformation
  package var rounding: NearestRounding
  /// `ceiling` where an axis shrinks: how the first versions of Resize and Upsample took the nearest element.
  package var roundsUpWhenShrinking: Bool
  /// The cubic's coefficient a (Keys 1981, equation 4).
  package var cubicCoefficient: Double
  /// Whether elements outside of the source weigh nothing, instead of repeating those at the border.
  package var excludesOutside: Bool
  /// Whether a shrinking axis stretches the filter over all the elements that a place covers.
  package var antialias: Bool

  package init(
    method: Method, transformation: CoordinateTransformation = .halfPixel,
    rounding: NearestRounding = .preferFloor, roundsUpWhenShrinking: Bool = false,
    cubicCoefficient: Double = -0.75, excludesOutside: Bool = false, antialias: Bool = false
  ) {
    self.method = method
    self.transformation = transformation
    self.rounding = rounding
    self.roundsUpWhenShrinking = roundsUpWhenShrinking
    self.cubicCoefficient = cubicCoefficient
    self.excludesOutside = excludesOutside
    self.antialias = antialias
  }

  /// The distance from which on an element weighs nothing.
  fileprivate var support: Double { method == .cubic ? 2 : 1 }

  /// The weight of an element at a distance.
  fileprivate func weight(_ distance: Double) -> Double {
    let x = abs(distance)
    guard method == .cubic else { return max(1 - x, 0) }
    let a = cubicCoefficient
    if x <= 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0
  }
}

/// The taps of one axis.
struct AxisTaps: Sendable {
  /// Taps of each place; 1 for "nearest" and for an axis that stays as it is.
  private(set) var count: Int
  /// The first element that each place reads.
  private(set) var first: [Int32]
  /// `count` weights for each place; empty where they are all 1.
  private(set) var weights: [Double]
  /// The places that lie outside of the source, as ranges in ascending order.
  private(set) var outside: [Range<Int>] = []

  /// - Throws: `OperatorError` for an axis too long for the table, or an empty one that is to grow.
  init(_ axis: ResizedAxis, _ interpolation: Interpolation) throws {
    guard axis.source < Int(Int32.max), axis.target < Int(Int32.max) else {
      throw OperatorError("extents \(axis.source) and \(axis.target) are too long to be resized")
    }
    guard axis.source > 0 || axis.target == 0 else {
      throw OperatorError("an empty axis cannot be resized to \(axis.target)")
    }
    count = 1
    weights = []
    if axis.isIdentity {
      first = (0..<Int32(axis.target)).map { $0 }
      return
    }
    let coordinates = (0..<axis.target).map { axis.coordinate($0, interpolation.transformation) }
    first = []
    if interpolation.method == .nearest {
      let rounding =
        interpolation.roundsUpWhenShrinking && axis.scale < 1 ? .ceiling : interpolation.rounding
      first = coordinates.map {
        AxisTaps.clamped(Double(rounding.apply($0)), below: axis.source)
      }
    } else {
      weigh(coordinates, axis, interpolation)
    }
    for (place, coordinate) in coordinates.enumerated()
    where axis.isOutside(coordinate, interpolation.transformation) {
      if let last = outside.last, last.upperBound == place {
        outside[outside.count - 1] = last.lowerBound..<place + 1
      } else {
        outside.append(place..<place + 1)
      }
    }
  }

  /// An axis of one element, kept as it is.
  static let single = AxisTaps()

  private init() {
    count = 1
    first = [0]
    weights = []
  }

  /// A coordinate as an index; NaN is 0.
  private static func clamped(_ coordinate: Double, below extent: Int) -> Int32 {
    Int32(min(max(coordinate.isNaN ? 0 : coordinate, 0), Double(extent - 1)))
  }

  /// Fills the table for an interpolation with weights.
  private mutating func weigh(
    _ coordinates: [Float], _ axis: ResizedAxis, _ interpolation: Interpolation
  ) {
    let shrink = interpolation.antialias ? min(Double(axis.scale), 1) : 1
    let reach = interpolation.support / shrink
    // Elements closer than `reach` on either side; bounded, whatever the scale.
    let width = Int(min((2 * reach).rounded(.up), 8 * Double(axis.source) + 8))
    count = min(width, axis.source)
    weights = [Double](repeating: 0, count: coordinates.count * count)
    first = [Int32](repeating: 0, count: coordinates.count)
    let last = axis.source - 1
    for (place, coordinate) in coordinates.enumerated() {
      // Far outside there is nothing but the border, whatever the distance.
      let limit = Double(axis.source) + reach + 1
      let x = coordinate.isNaN ? 0 : min(max(Double(coordinate), -limit), limit)
      let lowest = Int((x - reach).rounded(.down)) + 1
      let start = min(max(lowest, 0), axis.source - count)
      first[place] = Int32(start)
      var sum = 0.0
      for element in lowest..<lowest + width {
        let isOutside = element < 0 || element > last
        if isOutside && interpolation.excludesOutside { continue }
        let weight = interpolation.weight((Double(element) - x) * shrink)
        weights[place * count + min(max(element, 0), last) - start] += weight
        sum += weight
      }
      guard sum != 0, interpolation.antialias || interpolation.excludesOutside else { continue }
      for slot in place * count..<(place + 1) * count { weights[slot] /= sum }
    }
  }

  /// The weight of one tap of a place.
  func weight(_ place: Int, _ tap: Int) -> Double {
    weights.isEmpty ? 1 : weights[place * count + tap]
  }

  /// Whether a place lies outside of the source.
  func isOutside(_ place: Int) -> Bool { outside.contains { $0.contains(place) } }
}
