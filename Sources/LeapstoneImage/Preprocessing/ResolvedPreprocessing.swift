// ResolvedPreprocessing: a pipeline with everything decided that the model's input leaves open or fixes.

import LeapGraph
import LeapPictures
import LeapTensors
import Leapstone

/// A pre-processing pipeline for one input of one model.
public struct ResolvedPreprocessing: Sendable, Equatable {
  /// The steps, with channels and layout decided.
  public let steps: Preprocessing
  public let channels: Preprocessing.Channels
  public let layout: Preprocessing.Layout
  /// The size that the model's input asks for; nil where it leaves it open.
  public let inputSize: Size?
  let dataType: DataType
  let hasBatch: Bool

  /// The number of values of a pixel in the tensor.
  var channelCount: Int { channels == .gray ? 1 : 3 }
}

extension Preprocessing {
  /// Decides what this pipeline leaves open, by the type of a model's input.
  ///
  /// - Throws: `ImageError.mismatch` where the input is no picture tensor, or mean and std do not fit its channels.
  public func resolved(for type: ValueType) throws -> ResolvedPreprocessing {
    guard case .tensor(let dataType, let shape) = type,
      [.float32, .float64, .float16, .uint8].contains(dataType)
    else { throw ImageError.mismatch("an input of type \(type) takes no picture") }
    let extents = shape ?? [.unknown, .unknown, .unknown, .unknown]
    guard extents.count == 3 || extents.count == 4 else {
      throw ImageError.mismatch("an input \(type) takes no picture: 3 or 4 dimensions are expected")
    }
    let picture = extents.suffix(3).map(\.value)
    let layout = self.layout ?? Preprocessing.guessLayout(picture)
    let count = layout == .nchw ? picture[0] : picture[2]
    let channels = self.channels ?? (count == 1 ? .gray : .rgb)
    let expected = channels == .gray ? 1 : 3
    guard count == nil || count == expected else {
      throw ImageError.mismatch(
        "\(channels) has \(expected) channels, the input \(type) asks otherwise")
    }
    for (name, values) in [("mean", mean), ("std", std)] {
      guard values.count == 1 || values.count == expected else {
        throw ImageError.mismatch(
          "\(name) has \(values.count) values, \(channels) takes \(expected) or 1")
      }
    }
    guard !std.contains(0) else { throw ImageError.mismatch("std is zero") }
    let (height, width) = layout == .nchw ? (picture[1], picture[2]) : (picture[0], picture[1])
    var size: Size?
    if let height, let width { size = Size(height: height, width: width) }
    return ResolvedPreprocessing(
      steps: self, channels: channels, layout: layout, inputSize: size, dataType: dataType,
      hasBatch: extents.count == 4)
  }

  private static func guessLayout(_ picture: [Int?]) -> Layout {
    let first = picture[0] == 1 || picture[0] == 3
    let last = picture[2] == 1 || picture[2] == 3
    return last && !first ? .nhwc : .nchw
  }

  /// The tensor that a model's input asks for, of one picture.
  ///
  /// - Parameters:
  ///   - image: the picture.
  ///   - type: the input's type.
  /// - Returns: a tensor 1xCxHxW or 1xHxWxC, without the first where the input has 3 dimensions.
  /// - Throws: `ImageError.mismatch` where picture, pipeline and input do not go together; `ModelError.outOfMemory`.
  public func tensor(from image: Image, for type: ValueType) throws -> Tensor {
    try resolved(for: type).tensor(from: [image])
  }

  /// The tensor that an input of a session asks for, of one picture. As `tensor(from:for:)` for the input's type.
  ///
  /// - Throws: as `tensor(from:for:)` for a type.
  public func tensor(from image: Image, for input: ValueInfo) throws -> Tensor {
    try tensor(from: image, for: input.type)
  }
}

extension ResolvedPreprocessing {
  /// One tensor of several pictures, which must all come to the same size.
  ///
  /// - Throws: as `Preprocessing.tensor(from:for:)`.
  public func tensor(from images: [Image]) throws -> Tensor {
    guard !images.isEmpty, hasBatch || images.count == 1 else {
      throw ImageError.mismatch("the input takes one picture at a time, \(images.count) were given")
    }
    let pictures = try images.map(picture)
    let (width, height) = (pictures[0].width, pictures[0].height)
    guard pictures.allSatisfy({ $0.width == width && $0.height == height }) else {
      throw ImageError.mismatch("the pictures of a batch come to different sizes")
    }
    let one = layout == .nchw ? [channelCount, height, width] : [height, width, channelCount]
    let shape = Shape(hasBatch ? [images.count] + one : one)
    return try Tensor(dataType: dataType, shape: shape) { bytes in
      for (index, picture) in pictures.enumerated() {
        write(picture, to: bytes, at: index * picture.pixels.count)
      }
    }
  }

  /// Resize, crop and channels: what of the pipeline still is a picture.
  package func picture(_ image: Image) throws -> Image {
    try framed(channels == .gray ? image.gray : image.rgb)
  }

  /// What the tensor shows of a picture, in RGB: all of it as it is, or the part that the crop keeps, resized.
  ///
  /// - Throws: as `picture`.
  package func shown(of image: Image) throws -> Image {
    cropSize == nil ? image.rgb : try framed(image.rgb)
  }

  /// A picture of classes, resized and cropped as the pictures that it belongs to: nothing between two classes is made.
  ///
  /// - Throws: as `picture`.
  package func placed(mask: Image) throws -> Image { try framed(mask, by: .nearest) }

  /// Resize and crop.
  private func framed(_ image: Image, by interpolation: Interpolation? = nil) throws -> Image {
    var result = image
    let crop = cropSize
    if let size = resizedSize(of: result, crop: crop) {
      result = try result.resized(
        width: size.width, height: size.height, interpolation: interpolation ?? steps.interpolation)
    }
    if let crop { result = result.centerCropped(crop) }
    if let inputSize, result.width != inputSize.width || result.height != inputSize.height {
      throw ImageError.mismatch(
        "the pipeline makes \(result.height)x\(result.width), the model's input is \(inputSize)")
    }
    return result
  }

  private var cropSize: Size? {
    switch steps.crop {
    case .none: nil
    case .size(let size): size
    case .input(let size): inputSize ?? size
    }
  }

  private func resizedSize(of image: Image, crop: Size?) -> Size? {
    func short(_ side: Int) -> Size {
      let shorter = min(image.width, image.height)
      return Size(height: image.height * side / shorter, width: image.width * side / shorter)
    }
    switch steps.resize {
    case .none: return nil
    case .shortSide(let side): return short(side)
    case .shortSideOfCrop(let factor):
      guard let crop else { return nil }
      return short(Int((Double(min(crop.height, crop.width)) * factor).rounded()))
    case .exact(let size): return size
    case .input: return inputSize
    }
  }

  /// Element `first` on: one picture, in the tensor's layout and type.
  private func write(_ picture: Image, to bytes: UnsafeMutableRawBufferPointer, at first: Int) {
    let count = channelCount
    let area = picture.width * picture.height
    for channel in 0..<count {
      let source = channels == .bgr ? count - 1 - channel : channel
      let table = values(channel)
      for pixel in 0..<area {
        let value = table[Int(picture.pixels[pixel * count + source])]
        let place = first + (layout == .nchw ? channel * area + pixel : pixel * count + channel)
        store(value, at: place, in: bytes)
      }
    }
  }

  /// What each of the 256 values becomes in a channel.
  private func values(_ channel: Int) -> [Double] {
    let mean = steps.mean[steps.mean.count == 1 ? 0 : channel]
    let std = steps.std[steps.std.count == 1 ? 0 : channel]
    return (0..<256).map { (Double($0) * steps.scale - mean) / std }
  }

  private func store(_ value: Double, at place: Int, in bytes: UnsafeMutableRawBufferPointer) {
    switch dataType {
    case .float64: bytes.storeBytes(of: value, toByteOffset: 8 * place, as: Double.self)
    case .uint8: bytes[place] = UInt8(max(0, min(255, value.rounded())))
    case .float16:
      bytes.storeBytes(of: halfBits(Float(value)), toByteOffset: 2 * place, as: UInt16.self)
    default: bytes.storeBytes(of: Float(value), toByteOffset: 4 * place, as: Float.self)
    }
  }

  /// The pipeline as the flags of the tools that ask for it.
  public var flags: String {
    func list(_ values: [Double]) -> String { values.map { "\($0)" }.joined(separator: ",") }
    let crop = cropSize
    var flags: [String] = []
    switch steps.resize {
    case .none: break
    case .shortSide(let side): flags.append("--resize \(side)")
    case .shortSideOfCrop(let factor):
      let side = crop.map { Int((Double(min($0.height, $0.width)) * factor).rounded()) }
      if let side { flags.append("--resize \(side)") }
    case .exact(let size): flags.append("--resize \(size)")
    case .input: if let inputSize { flags.append("--resize \(inputSize)") }
    }
    if let crop { flags.append("--crop \(crop)") }
    flags += [
      "--interpolation \(steps.interpolation)", "--scale \(steps.scale)",
      "--mean \(list(steps.mean))", "--std \(list(steps.std))", "--channels \(channels)",
      "--layout \(layout)",
    ]
    if steps.appliesOrientation { flags.append("--exif") }
    return flags.joined(separator: " ")
  }
}

/// IEEE 754 binary16, rounded to nearest even.
private func halfBits(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  let sign = UInt16(truncatingIfNeeded: bits >> 16) & 0x8000
  let magnitude = Float(bitPattern: bits & 0x7FFF_FFFF)
  if magnitude.isNaN { return sign | 0x7E00 }
  if magnitude >= 65520 { return sign | 0x7C00 }
  if magnitude < 0x1p-14 {
    return sign | UInt16((magnitude * 0x1p24).rounded(.toNearestOrEven))
  }
  let rest = magnitude.bitPattern
  let rounded = rest + 0xFFF + (rest >> 13 & 1)
  return sign | UInt16((rounded >> 13) - (112 << 10))
}

extension Image {
  /// The middle of the picture, placed as torchvision's `center_crop` places it; black where there is no picture.
  public func centerCropped(_ size: Size) -> Image {
    let left = Image.offset(width, size.width)
    let top = Image.offset(height, size.height)
    var result = [UInt8](repeating: 0, count: size.width * size.height * channels)
    let columns = max(0, -left)..<max(max(0, -left), min(size.width, width - left))
    for y in 0..<size.height where (0..<height).contains(y + top) && !columns.isEmpty {
      let from = ((y + top) * width + columns.lowerBound + left) * channels
      let to = (y * size.width + columns.lowerBound) * channels
      let count = columns.count * channels
      result.replaceSubrange(to..<(to + count), with: pixels[from..<(from + count)])
    }
    return Image(unchecked: result, width: size.width, height: size.height, channels: channels)
  }

  /// Half the difference: rounded to even when cropping, down when padding, as torchvision does.
  private static func offset(_ have: Int, _ want: Int) -> Int {
    have >= want
      ? Int((Double(have - want) / 2).rounded(.toNearestOrEven)) : -((want - have) / 2)
  }
}
