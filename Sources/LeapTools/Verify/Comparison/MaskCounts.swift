// MaskCounts: pixels of masks beside pixels of others, class by class.

import LeapTensors
import LeapstoneImage

struct MaskCounts: Sendable, Equatable {
  /// Pixels of one class.
  struct Class: Sendable, Equatable {
    var both = 0
    /// Those that the mask has, and those that are expected; both included.
    var found = 0
    var expected = 0

    /// Intersection over union; nil where neither has the class.
    var iou: Double? {
      let union = found + expected - both
      return union > 0 ? Double(both) / Double(union) : nil
    }

    /// Twice the intersection over both; nil where neither has the class.
    var dice: Double? {
      found + expected > 0 ? 2 * Double(both) / Double(found + expected) : nil
    }
  }

  private(set) var classes: [Class] = []
  private(set) var pixels = 0
  private(set) var right = 0

  init() {}

  init(classes: [Class], pixels: Int, right: Int) {
    self.classes = classes
    self.pixels = pixels
    self.right = right
  }

  /// Adds a mask.
  ///
  /// - Parameters:
  ///   - found: a class for each pixel.
  ///   - expected: the same, of as many pixels.
  mutating func add(_ found: [UInt8], _ expected: [UInt8]) {
    let highest = Int(max(found.max() ?? 0, expected.max() ?? 0))
    while classes.count <= highest { classes.append(Class()) }
    for (a, b) in zip(found, expected) {
      classes[Int(a)].found += 1
      classes[Int(b)].expected += 1
      if a == b {
        classes[Int(a)].both += 1
        right += 1
      }
    }
    pixels += min(found.count, expected.count)
  }

  mutating func add(_ other: MaskCounts) {
    while classes.count < other.classes.count { classes.append(Class()) }
    for (index, own) in other.classes.enumerated() {
      classes[index].both += own.both
      classes[index].found += own.found
      classes[index].expected += own.expected
    }
    pixels += other.pixels
    right += other.right
  }

  /// The mean over the classes that there are; nil without any.
  var meanIoU: Double? { MaskCounts.mean(classes.compactMap(\.iou)) }
  var meanDice: Double? { MaskCounts.mean(classes.compactMap(\.dice)) }
  var pixelAccuracy: Double? { pixels > 0 ? Double(right) / Double(pixels) : nil }

  private static func mean(_ values: [Double]) -> Double? {
    values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
  }

  /// Whether a tensor is a mask: classes for each pixel, or one channel of probabilities.
  static func isMask(_ tensor: Tensor) -> Bool {
    let shape = tensor.shape
    guard shape.rank == 4, shape[0] > 0, shape[2] > 1, shape[3] > 1, (1...256).contains(shape[1])
    else { return false }
    if shape[1] > 1 { return tensor.dataType.isFloatingPoint }
    guard let numbers = tensor.doubles else { return tensor.dataType.isInteger }
    return numbers.allSatisfy { $0 >= 0 && $0 <= 1 }
  }
}
