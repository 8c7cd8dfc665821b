// WeightScan: one look at the elements of a tensor: how many are zero, denormal, infinite, no number at all, and how they spread.
//
// Every type is looked at through doubles, which hold all of them but integers beyond 2^53.

import LeapTensors

/// What a tensor's elements are like.
package struct WeightStatistics: Sendable, Equatable {
  package var count = 0
  package var zeros = 0
  /// Numbers so small that they have fewer digits than others of their type.
  package var denormals = 0
  package var notNumbers = 0
  package var infinities = 0
  /// Of the finite elements; nil where there is none, and where a figure is beyond what doubles hold.
  package var minimum: Double?
  package var maximum: Double?
  package var mean: Double?
  /// The square root of the mean squared distance from the mean.
  package var deviation: Double?

  /// What weights should not hold, as text: `2 NaN, 1 infinite, 3 denormal`; empty where there is nothing.
  var oddText: String {
    [(notNumbers, "NaN"), (infinities, "infinite"), (denormals, "denormal")]
      .filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
  }

  /// Elements that are numbers.
  package var finite: Int { count - notNumbers - infinities }
}

enum WeightScan {
  /// Looks at all elements; nil for strings and complex numbers. O(elements).
  static func statistics(_ tensor: Tensor) -> WeightStatistics? {
    guard let elements = Elements(tensor) else { return nil }
    var sums = Sums(smallestNormal: smallestNormal(tensor.dataType))
    elements.forEachChunk { sums.add($1) }
    return sums.statistics
  }

  /// How many elements lie in each of so many equal parts of the range from the minimum to the maximum. O(elements).
  static func histogram(_ tensor: Tensor, _ range: ClosedRange<Double>, bins: Int) -> [Int] {
    var counts = [Int](repeating: 0, count: bins)
    // Apart, since the range may be wider than any double.
    let width = range.upperBound / Double(bins) - range.lowerBound / Double(bins)
    Elements(tensor)?.forEachChunk { _, chunk in
      for value in chunk where range.contains(value) {
        let bin = width > 0 ? Int(value / width - range.lowerBound / width) : 0
        counts[min(bin, bins - 1)] += 1
      }
    }
    return counts
  }

  /// Calls `body` with the elements of two tensors of one shape as doubles, some of each at a time.
  ///
  /// - Returns: false, without any call, for strings and complex numbers.
  static func forEachPair(
    _ first: Tensor, _ second: Tensor,
    _ body: (UnsafeBufferPointer<Double>, UnsafeBufferPointer<Double>) -> Void
  ) -> Bool {
    guard let mine = Elements(first), let theirs = Elements(second) else { return false }
    mine.forEachChunk { range, chunk in
      theirs.withChunk(range) { body(chunk, $0) }
    }
    return true
  }

  /// The smallest number of a type that is not denormal; 0 for types that have none.
  private static func smallestNormal(_ type: DataType) -> Double {
    switch type {
    case .float16: 0x1p-14
    case .float32, .bfloat16: 0x1p-126
    case .float64: 0x1p-1022
    default: 0
    }
  }
}

/// What is known after some elements. Sums are taken around the first number, so that digits are not lost to a large mean.
private struct Sums {
  let smallestNormal: Double
  private var found = WeightStatistics()
  private var centre: Double?
  private var sum = 0.0
  private var squares = 0.0
  private var least = Double.infinity
  private var largest = -Double.infinity

  init(smallestNormal: Double) { self.smallestNormal = smallestNormal }

  mutating func add(_ chunk: UnsafeBufferPointer<Double>) {
    let centre = self.centre ?? chunk.first(where: \.isFinite)
    self.centre = centre
    var (zeros, denormals, notNumbers, infinities) = (0, 0, 0, 0)
    for value in chunk {
      let size = value.magnitude
      if size == 0 {
        zeros += 1
      } else if size < smallestNormal {
        denormals += 1
      } else if value.isNaN {
        notNumbers += 1
        continue
      } else if size == .infinity {
        infinities += 1
        continue
      }
      least = min(least, value)
      largest = max(largest, value)
      let distance = value - (centre ?? 0)
      sum += distance
      squares += distance * distance
    }
    found.count += chunk.count
    found.zeros += zeros
    found.denormals += denormals
    found.notNumbers += notNumbers
    found.infinities += infinities
  }

  var statistics: WeightStatistics {
    var result = found
    guard result.finite > 0, let centre else { return result }
    let offset = sum / Double(result.finite)
    result.minimum = least
    result.maximum = largest
    // Doubles may be larger than their sums and squares can be.
    let mean = centre + offset
    let variance = squares / Double(result.finite) - offset * offset
    result.mean = mean.isFinite ? mean : nil
    result.deviation = variance.isFinite ? max(0, variance).squareRoot() : nil
    return result
  }
}

/// The elements of a tensor as doubles, some at a time.
private struct Elements {
  private let tensor: Tensor
  private static let chunk = 4096

  /// nil for types without an order.
  init?(_ tensor: Tensor) {
    switch tensor.dataType {
    case .string, .complex64, .complex128: return nil
    default: self.tensor = tensor
    }
  }

  func forEachChunk(_ body: (Range<Int>, UnsafeBufferPointer<Double>) -> Void) {
    for first in stride(from: 0, to: tensor.elementCount, by: Elements.chunk) {
      let range = first..<min(first + Elements.chunk, tensor.elementCount)
      withChunk(range) { body(range, $0) }
    }
  }

  /// Elements of these places, the first a multiple of the length of a chunk.
  func withChunk(_ range: Range<Int>, _ body: (UnsafeBufferPointer<Double>) -> Void) {
    tensor.withUnsafeBytes { bytes in
      withUnsafeTemporaryAllocation(of: Double.self, capacity: range.count) { chunk in
        decode(bytes, range, to: chunk)
        body(UnsafeBufferPointer(chunk))
      }
    }
  }

  private func decode(
    _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>,
    to target: UnsafeMutableBufferPointer<Double>
  ) {
    switch tensor.dataType {
    case .float32: read(bytes, range, Float.self, target) { Double($0) }
    case .float64: read(bytes, range, Double.self, target) { $0 }
    case .int8: read(bytes, range, Int8.self, target) { Double($0) }
    case .uint8, .bool: read(bytes, range, UInt8.self, target) { Double($0) }
    case .int16: read(bytes, range, Int16.self, target) { Double($0) }
    case .uint16: read(bytes, range, UInt16.self, target) { Double($0) }
    case .int32: read(bytes, range, Int32.self, target) { Double($0) }
    case .uint32: read(bytes, range, UInt32.self, target) { Double($0) }
    case .int64: read(bytes, range, Int64.self, target) { Double($0) }
    case .uint64: read(bytes, range, UInt64.self, target) { Double($0) }
    default: decodeNarrow(bytes, range, to: target)
    }
  }

  private func read<Element: BitwiseCopyable>(
    _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ type: Element.Type,
    _ target: UnsafeMutableBufferPointer<Double>, _ number: (Element) -> Double
  ) {
    let width = MemoryLayout<Element>.stride
    for (place, index) in range.enumerated() {
      target.initializeElement(
        at: place, to: number(bytes.loadUnaligned(fromByteOffset: index * width, as: type)))
    }
  }

  /// Types that no Swift type stands for. Chunks begin at whole bytes.
  private func decodeNarrow(
    _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>,
    to target: UnsafeMutableBufferPointer<Double>
  ) {
    let start = range.lowerBound * tensor.dataType.bitWidth / 8
    withUnsafeTemporaryAllocation(of: Float.self, capacity: range.count) { floats in
      guard let base = floats.baseAddress else { return }
      ElementCodec.decode(
        tensor.dataType, UnsafeRawBufferPointer(rebasing: bytes[start...]), count: range.count,
        to: base)
      for place in 0..<range.count {
        target.initializeElement(at: place, to: Double(floats[place]))
      }
    }
  }
}
