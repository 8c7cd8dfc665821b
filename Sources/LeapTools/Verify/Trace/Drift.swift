// Drift: how far a value of a graph is from what it should be, in one pass over its elements.

import LeapTensors
import LeapstoneImage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

struct Drift: Sendable, Equatable {
  var count = 0
  /// Sums of squares, of elements that are finite on both sides.
  var signal = 0.0
  var noise = 0.0
  /// The largest error.
  var largest = 0.0
  /// Elements where one side alone is NaN or infinite, or both differ in that.
  var misplaced = 0
  /// Elements that are NaN on both sides.
  var notNumbers = 0

  /// nil where types have no numbers, or shapes differ.
  init?(_ got: Tensor, _ expected: Tensor) {
    guard got.shape == expected.shape else { return nil }
    count = got.elementCount
    if got.dataType == .float32, expected.dataType == .float64 {
      got.withUnsafeBytes { ours in
        expected.withUnsafeBytes { theirs in
          add(ours.bindMemory(to: Float.self), theirs.bindMemory(to: Double.self)) { Double($0) }
        }
      }
      return
    }
    guard let ours = got.numbers, let theirs = expected.numbers, ours.count == theirs.count else {
      return nil
    }
    ours.withUnsafeBufferPointer { ours in
      theirs.withUnsafeBufferPointer { theirs in add(ours, theirs) { $0 } }
    }
  }

  @inline(__always)
  private mutating func add<Element>(
    _ ours: UnsafeBufferPointer<Element>, _ theirs: UnsafeBufferPointer<Double>,
    _ number: (Element) -> Double
  ) {
    for index in 0..<count {
      let (got, expected) = (number(ours[index]), theirs[index])
      let error = abs(got - expected)
      if error < .infinity {
        signal += expected * expected
        noise += error * error
        largest = max(largest, error)
      } else if got.isNaN && expected.isNaN {
        notNumbers += 1
      } else if got != expected {
        misplaced += 1
      }
    }
  }

  /// Decibels of the signal over the noise: infinite where there is no error; minus infinity where an element is misplaced,
  /// or nothing was expected.
  var snr: Double {
    if misplaced > 0 { return -.infinity }
    if noise == 0 { return .infinity }
    return signal > 0 ? 10 * log10(signal / noise) : -.infinity
  }

  /// The largest error in proportion to the root mean square of what is expected; infinite as `snr` is minus infinity.
  var peak: Double {
    if misplaced > 0 { return .infinity }
    if largest == 0 { return 0 }
    return signal > 0 ? largest / (signal / Double(count)).squareRoot() : .infinity
  }

  /// For people: `128.3 dB`, `exact`.
  var text: String {
    if misplaced > 0 { return "\(misplaced) NaN or infinite" }
    let level = noise == 0 ? "exact" : signal > 0 ? decibels(snr) : "not 0"
    return notNumbers > 0 ? "\(level), \(notNumbers) NaN" : level
  }

  /// By `docs/schema/verify-1.schema.json`.
  var json: JSON {
    [
      "snr_db": snr.isFinite ? .number(snr) : .null, "exact": .bool(noise == 0 && misplaced == 0),
      "max": .number(largest), "peak": peak.isFinite ? .number(peak) : .null,
      "misplaced": .integer(misplaced), "nan": .integer(notNumbers),
    ]
  }
}
