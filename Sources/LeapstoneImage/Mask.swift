// Mask: which class each pixel belongs to, as a segmentation network's output says, and pictures of that.

import LeapPictures
import LeapTensors

/// A class for each pixel.
public struct Mask: Sendable, Equatable {
  public let width: Int
  public let height: Int
  /// The number of classes, the background (class 0) included.
  public let classCount: Int
  /// `height * width` classes, rows from the top.
  public let classes: [UInt8]

  /// Reads a network's output: several channels give the class of the highest; one channel gives class 1 where
  /// it exceeds a threshold; integers are classes already.
  ///
  /// - Parameters:
  ///   - scores: `[N, C, H, W]`, `[C, H, W]` or `[H, W]`.
  ///   - row: which picture of the batch.
  ///   - threshold: for one channel; nil takes 1/2 where all values lie in 0 to 1, and 0 (logits) otherwise.
  /// - Throws: `ImageError.mismatch` where the tensor is nothing of that kind.
  public init(scores: Tensor, row: Int = 0, threshold: Double? = nil) throws {
    let missing = max(0, 4 - scores.shape.rank)
    let shape = Array(repeating: 1, count: missing) + scores.shape.dimensions
    guard shape.count == 4, shape[1...].allSatisfy({ $0 > 0 }), (0..<shape[0]).contains(row),
      shape[1] <= 256, let values = scores.doubles ?? scores.integers.map({ $0.map(Double.init) })
    else { throw ImageError.mismatch("\(scores) holds no mask: [N, C, H, W] is expected") }
    let (count, area) = (shape[1], shape[2] * shape[3])
    let own = values[(row * count * area)..<((row + 1) * count * area)]
    (height, width) = (shape[2], shape[3])
    if count > 1 {
      classes = (0..<area).map { pixel in
        var best = 0
        for channel in 1..<count
        where own[own.startIndex + channel * area + pixel]
          > own[own.startIndex + best * area + pixel]
        {
          best = channel
        }
        return UInt8(best)
      }
      classCount = count
    } else if scores.dataType.isFloatingPoint {
      let limit = threshold ?? (own.allSatisfy { $0 >= 0 && $0 <= 1 } ? 0.5 : 0)
      classes = own.map { $0 > limit ? 1 : 0 }
      classCount = 2
    } else {
      guard own.allSatisfy({ $0 >= 0 && $0 < 256 }) else {
        throw ImageError.mismatch("\(scores) holds classes beyond 255")
      }
      classes = own.map { UInt8($0) }
      classCount = max(2, Int(classes.max() ?? 0) + 1)
    }
  }

  /// A grey picture for two classes (black and white), a coloured one for more.
  public var image: Image {
    if classCount == 2 {
      return Image(
        unchecked: classes.map { $0 == 0 ? 0 : 255 }, width: width, height: height, channels: 1)
    }
    let pixels = classes.flatMap { Mask.color(Int($0)) }
    return Image(unchecked: pixels, width: width, height: height, channels: 3)
  }

  /// The picture with each class but 0 tinted in its colour, the rim of each region in the colour alone; the mask is
  /// resized to the picture.
  ///
  /// - Parameters:
  ///   - image: the picture, of any size.
  ///   - opacity: 0 shows the picture and the rims, 1 the colours alone.
  public func overlay(on image: Image, opacity: Double = 0.5) -> Image {
    let picture = image.rgb
    let (columns, rows) = (picture.width, picture.height)
    let cells = (0..<rows).flatMap { y -> [UInt8] in
      let row = y * height / rows * width
      return (0..<columns).map { classes[row + $0 * width / columns] }
    }
    var pixels = picture.pixels
    for y in 0..<rows {
      for x in 0..<columns {
        let at = y * columns + x
        if cells[at] == 0 { continue }
        let isRim =
          x > 0 && cells[at - 1] != cells[at] || x + 1 < columns && cells[at + 1] != cells[at]
          || y > 0 && cells[at - columns] != cells[at]
          || y + 1 < rows && cells[at + columns] != cells[at]
        let share = isRim ? 1 : max(0, min(1, opacity))
        for (channel, value) in Mask.brightColor(Int(cells[at])).enumerated() {
          let mixed = Double(pixels[3 * at + channel]) * (1 - share) + Double(value) * share
          pixels[3 * at + channel] = UInt8(mixed.rounded())
        }
      }
    }
    return Image(unchecked: pixels, width: columns, height: rows, channels: 3)
  }

  /// The colour of a class at full brightness, to be seen on a picture.
  private static func brightColor(_ index: Int) -> [UInt8] {
    let color = color(index)
    let largest = Int(color.max() ?? 0)
    return largest == 0 ? color : color.map { UInt8(Int($0) * 255 / largest) }
  }

  /// The colour of a class: black for 0; the bits of its number spread over the three channels, as PASCAL VOC's masks are coloured.
  static func color(_ index: Int) -> [UInt8] {
    var color: [UInt8] = [0, 0, 0]
    for bit in 0..<8 where index >> bit & 1 == 1 { color[bit % 3] |= 0x80 >> UInt8(bit / 3) }
    return color
  }
}
