// Image: a picture in memory, 8 bits a channel, as the decoders give it and pre-processing takes it.
//
// 1. Hostile pictures give an error: sizes are limited before memory is taken.
// 2. Pixels are Pillow's: the same rules for grey, alpha, 16 bits, palettes and CMYK.

import LeapTensors

/// What can go wrong with a picture, or with preparing it for a model.
public enum ImageError: Error, Sendable, Equatable {
  /// The file cannot be read or written.
  case file(path: String, reason: String)
  /// The bytes are of no format that is read here.
  case unknownFormat(found: String)
  /// The bytes break their format.
  case malformed(format: String, reason: String)
  /// The picture has more pixels than the limit.
  case tooLarge(width: Int, height: Int, limit: Int)
  /// The package was built without its trait `Images`.
  case formatDisabled(String)
  /// A pre-processing pipeline, or a result, that does not go with the model's tensor.
  case mismatch(String)
}

extension ImageError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .file(let path, let reason): "\(escaped(path)): \(escaped(reason))"
    case .unknownFormat(let found): "neither PNG, JPEG nor binary PPM or PGM, but \(escaped(found))"
    case .malformed(let format, let reason): "damaged \(format): \(escaped(reason))"
    case .tooLarge(let width, let height, let limit):
      "a picture of \(width)x\(height) exceeds the limit of \(limit) pixels"
    case .formatDisabled(let format):
      "\(format) is not read or written: Leapstone was built without its package trait Images"
    case .mismatch(let reason): escaped(reason)
    }
  }
}

/// A picture: rows from the top, pixels from the left, channels interleaved, 8 bits each, sRGB.
public struct Image: Sendable, Equatable {
  /// The most pixels that are decoded unless the caller says otherwise.
  public static let defaultPixelLimit = 1 << 26
  /// The longest file that is read, in bytes.
  package static let fileLimit = 1 << 28

  public let width: Int
  public let height: Int
  /// 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
  public let channels: Int
  /// `height * width * channels` values.
  public let pixels: [UInt8]

  /// A picture from its pixels.
  ///
  /// - Throws: `ImageError.mismatch` where their number does not fit the extents, or channels are not 1 to 4.
  public init(width: Int, height: Int, channels: Int, pixels: [UInt8]) throws {
    let count = Shape([height, width, channels]).elementCount
    guard width > 0, height > 0, (1...4).contains(channels), pixels.count == count else {
      throw ImageError.mismatch(
        "\(pixels.count) values are no picture of \(width)x\(height), \(channels) channels")
    }
    self.init(unchecked: pixels, width: width, height: height, channels: channels)
  }

  /// A picture whose extents and pixels go together.
  package init(unchecked pixels: [UInt8], width: Int, height: Int, channels: Int) {
    self.width = width
    self.height = height
    self.channels = channels
    self.pixels = pixels
  }

  /// Decodes a PNG, a JPEG, or a binary PPM or PGM.
  ///
  /// - Parameters:
  ///   - bytes: the file's contents.
  ///   - appliesOrientation: turn a JPEG as its EXIF orientation says; otherwise it stays as stored.
  ///   - pixelLimit: the most pixels that are accepted.
  /// - Throws: `ImageError`.
  public init(
    decoding bytes: [UInt8], appliesOrientation: Bool = false,
    pixelLimit: Int = Image.defaultPixelLimit
  ) throws {
    if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]) {
      self = try PNGCodec.decode(bytes, pixelLimit: pixelLimit)
    } else if bytes.starts(with: [0xFF, 0xD8]) {
      let image = try JPEGCodec.decode(bytes, pixelLimit: pixelLimit)
      self = appliesOrientation ? image.oriented(Orientation.inJPEG(bytes)) : image
    } else if bytes.starts(with: Array("P5".utf8)) || bytes.starts(with: Array("P6".utf8)) {
      self = try PNMCodec.decode(bytes, pixelLimit: pixelLimit)
    } else {
      throw ImageError.unknownFormat(found: Image.guess(bytes))
    }
  }

  /// Decodes a picture in a file.
  ///
  /// - Throws: `ImageError`.
  public init(
    path: String, appliesOrientation: Bool = false, pixelLimit: Int = Image.defaultPixelLimit
  ) throws {
    self = try Image.reading(path) { bytes in
      try Image(decoding: bytes, appliesOrientation: appliesOrientation, pixelLimit: pixelLimit)
    }
  }

  /// What a file's bytes are decoded to; errors name the file.
  private static func reading<Result>(
    _ path: String, _ decode: ([UInt8]) throws -> Result
  ) throws -> Result {
    let bytes: [UInt8]
    do {
      bytes = try FileBytes.read(path, limit: Image.fileLimit)
    } catch let error as FileError {
      throw ImageError.file(path: error.path, reason: error.reason)
    }
    do { return try decode(bytes) } catch let error as ImageError {
      throw ImageError.file(path: path, reason: error.description)
    }
  }

  /// A mask in a file: one channel whose values are classes. Those of a PNG with a palette are its entries, as PASCAL VOC's masks
  /// are stored; otherwise they are grey.
  ///
  /// - Returns: the mask, and whether it has a palette.
  /// - Throws: `ImageError`, also for a picture in colour, which says nothing of classes.
  package static func classes(path: String) throws -> (image: Image, isIndexed: Bool) {
    try reading(path) { bytes in
      if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]) {
        let (image, isIndexed) = try PNGCodec.decode(
          bytes, pixelLimit: defaultPixelLimit, keepsIndices: true)
        return (try isIndexed ? image : image.grayMask(), isIndexed)
      }
      return (try Image(decoding: bytes).grayMask(), false)
    }
  }

  /// - Throws: `ImageError.mismatch` for a picture in colour.
  private func grayMask() throws -> Image {
    if channels >= 3 {
      for pixel in stride(from: 0, to: pixels.count, by: channels)
      where pixels[pixel] != pixels[pixel + 1] || pixels[pixel] != pixels[pixel + 2] {
        throw ImageError.mismatch("a picture in colour is no mask: grey or a palette is expected")
      }
    }
    return gray
  }

  /// The picture as a PNG file.
  ///
  /// - Throws: `ImageError.formatDisabled` without the trait `Images`, `.malformed` where memory is refused.
  public func encodedPNG() throws -> [UInt8] { try PNGCodec.encode(self) }

  /// Refuses what exceeds the limit, before memory is taken for it.
  package static func check(width: Int, height: Int, pixelLimit: Int) throws {
    let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
    guard width > 0, height > 0, !overflow, pixels <= pixelLimit else {
      throw ImageError.tooLarge(width: width, height: height, limit: pixelLimit)
    }
  }

  private static func guess(_ bytes: [UInt8]) -> String {
    let known: [(start: String, name: String)] = [
      ("GIF8", "GIF"), ("RIFF", "WebP or another RIFF file"), ("BM", "BMP"), ("II*\0", "TIFF"),
      ("MM\0*", "TIFF"), ("\0\0\0\u{0C}jP", "JPEG 2000"),
      ("version https://git-lfs", "a Git LFS pointer"), ("<", "HTML or XML"),
    ]
    if bytes.isEmpty { return "an empty file" }
    return known.first { bytes.starts(with: Array($0.start.utf8)) }?.name ?? "something unknown"
  }
}

extension Image {
  /// The picture in RGB: grey repeated, alpha dropped, as Pillow's `convert("RGB")`.
  public var rgb: Image {
    if channels == 3 { return self }
    var result = [UInt8](repeating: 0, count: width * height * 3)
    for pixel in 0..<(width * height) {
      for channel in 0..<3 {
        result[3 * pixel + channel] = pixels[channels * pixel + (channels < 3 ? 0 : channel)]
      }
    }
    return Image(unchecked: result, width: width, height: height, channels: 3)
  }

  /// The picture in grey: the luma of ITU-R BT.601 in Pillow's fixed point, alpha dropped, as `convert("L")`.
  public var gray: Image {
    if channels == 1 { return self }
    let result = (0..<(width * height)).map { pixel in
      let at = channels * pixel
      if channels == 2 { return pixels[at] }
      let (r, g, b) = (UInt32(pixels[at]), UInt32(pixels[at + 1]), UInt32(pixels[at + 2]))
      return UInt8((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16)
    }
    return Image(unchecked: result, width: width, height: height, channels: 1)
  }
}
