// Resampling: Pillow's `Image.resize`, value for value: separable filters widened when shrinking, weights in
// fixed point, and an 8-bit picture between the two passes.

import LeapPictures

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// How pixels between pixels are found, as Pillow does it (antialiased but for `nearest`).
public enum Interpolation: String, Sendable, CaseIterable {
  case nearest, bilinear, bicubic, lanczos

  /// Half the filter's width, in source pixels at scale 1.
  fileprivate var support: Double {
    switch self {
    case .nearest: 0
    case .bilinear: 1
    case .bicubic: 2
    case .lanczos: 3
    }
  }

  fileprivate func weight(_ offset: Double) -> Double {
    let x = abs(offset)
    switch self {
    case .nearest: return 1
    case .bilinear: return max(0, 1 - x)
    case .bicubic:
      // Keys' cubic with a = -1/2.
      if x < 1 { return (1.5 * x - 2.5) * x * x + 1 }
      return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0
    case .lanczos:
      func sinc(_ t: Double) -> Double { t == 0 ? 1 : sin(.pi * t) / (.pi * t) }
      return x < 3 ? sinc(x) * sinc(x / 3) : 0
    }
  }
}

/// For each result: the first source it reads, and the weights from there on, in fixed point.
private struct Taps {
  static let fractionBits = 22
  var first: [Int] = []
  var weights: [[Int]] = []

  init(from size: Int, to target: Int, _ interpolation: Interpolation) {
    let scale = Double(size) / Double(target)
    let stretch = max(scale, 1)
    let support = interpolation.support * stretch
    for index in 0..<target {
      let center = (Double(index) + 0.5) * scale
      let low = max(0, Int(center - support + 0.5))
      let high = min(size, Int(center + support + 0.5))
      let raw = (low..<high).map { interpolation.weight((Double($0) - center + 0.5) / stretch) }
      let sum = raw.reduce(0, +)
      first.append(low)
      weights.append(
        raw.map { weight in
          let scaled = (sum == 0 ? weight : weight / sum) * Double(1 << Taps.fractionBits)
          return Int(scaled < 0 ? scaled - 0.5 : scaled + 0.5)
        })
    }
  }

  static func value(_ sum: Int) -> UInt8 { UInt8(max(0, min(255, sum >> fractionBits))) }
}

extension Image {
  /// The picture in another size, as Pillow's `resize` makes it.
  ///
  /// - Parameters:
  ///   - width: columns of the result, above 0.
  ///   - height: rows of the result, above 0.
  ///   - interpolation: the filter.
  /// - Throws: `ImageError.tooLarge` where the result exceeds `defaultPixelLimit`.
  public func resized(
    width: Int, height: Int, interpolation: Interpolation = .bilinear
  ) throws -> Image {
    try Image.check(width: width, height: height, pixelLimit: Image.defaultPixelLimit)
    if interpolation == .nearest { return nearest(width, height) }
    var result = self
    // The picture between the passes is clipped to 8 bits, so their order shows. Pillow 13 begins with the columns where
    // the height shrinks by more than twice as many pixels as the width.
    let columnsFirst = height < self.height && self.height - height > 2 * (self.width - width)
    if columnsFirst { result = result.resampledColumns(height, interpolation) }
    if width != self.width { result = result.resampledRows(width, interpolation) }
    if height != result.height { result = result.resampledColumns(height, interpolation) }
    return result
  }

  private func nearest(_ newWidth: Int, _ newHeight: Int) -> Image {
    let (scaleX, scaleY) = (Double(width) / Double(newWidth), Double(height) / Double(newHeight))
    let columns = (0..<newWidth).map { min(width - 1, Int((Double($0) + 0.5) * scaleX)) }
    var result: [UInt8] = []
    result.reserveCapacity(newWidth * newHeight * channels)
    for y in 0..<newHeight {
      let row = min(height - 1, Int((Double(y) + 0.5) * scaleY)) * width
      for column in columns {
        let at = (row + column) * channels
        result += pixels[at..<(at + channels)]
      }
    }
    return Image(unchecked: result, width: newWidth, height: newHeight, channels: channels)
  }

  private func resampledRows(_ newWidth: Int, _ interpolation: Interpolation) -> Image {
    let taps = Taps(from: width, to: newWidth, interpolation)
    var result = [UInt8](repeating: 0, count: newWidth * height * channels)
    pixels.withUnsafeBufferPointer { source in
      for x in 0..<newWidth {
        let weights = taps.weights[x]
        for y in 0..<height {
          for channel in 0..<channels {
            var sum = 1 << (Taps.fractionBits - 1)
            var at = (y * width + taps.first[x]) * channels + channel
            for weight in weights {
              sum += Int(source[at]) * weight
              at += channels
            }
            result[(y * newWidth + x) * channels + channel] = Taps.value(sum)
          }
        }
      }
    }
    return Image(unchecked: result, width: newWidth, height: height, channels: channels)
  }

  private func resampledColumns(_ newHeight: Int, _ interpolation: Interpolation) -> Image {
    let taps = Taps(from: height, to: newHeight, interpolation)
    let stride = width * channels
    var result = [UInt8](repeating: 0, count: newHeight * stride)
    pixels.withUnsafeBufferPointer { source in
      for y in 0..<newHeight {
        let weights = taps.weights[y]
        for column in 0..<stride {
          var sum = 1 << (Taps.fractionBits - 1)
          var at = taps.first[y] * stride + column
          for weight in weights {
            sum += Int(source[at]) * weight
            at += stride
          }
          result[y * stride + column] = Taps.value(sum)
        }
      }
    }
    return Image(unchecked: result, width: width, height: newHeight, channels: channels)
  }
}
