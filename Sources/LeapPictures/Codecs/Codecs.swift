// Codecs: the picture formats. JPEG and PNG go through C (CLeapImage), PPM and PGM are read here.

#if Images
  import CLeapImage

  /// Runs one of the C functions and turns its message into an error.
  private func call(_ format: String, _ body: (UnsafeMutablePointer<CChar>) -> Int32) throws {
    var message = [CChar](repeating: 0, count: Int(LEAP_IMAGE_MESSAGE))
    let status = message.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
    if status != 0 {
      let text = message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      throw ImageError.malformed(format: format, reason: String(decoding: text, as: UTF8.self))
    }
  }

  private func decode(
    _ format: String, _ bytes: [UInt8], _ info: leap_image_info,
    _ function: (
      UnsafePointer<UInt8>?, Int, leap_image_info, UnsafeMutablePointer<UInt8>?,
      UnsafeMutablePointer<CChar>?
    ) -> Int32
  ) throws -> Image {
    let count = Int(info.width) * Int(info.height) * Int(info.channels)
    var pixels = [UInt8](repeating: 0, count: count)
    try call(format) { message in
      pixels.withUnsafeMutableBufferPointer {
        function(bytes, bytes.count, info, $0.baseAddress, message)
      }
    }
    return Image(
      unchecked: pixels, width: Int(info.width), height: Int(info.height),
      channels: Int(info.channels))
  }
#endif

enum JPEGCodec {
  static func decode(_ bytes: [UInt8], pixelLimit: Int) throws -> Image {
    #if Images
      var info = leap_image_info()
      try call("JPEG") { leap_jpeg_info(bytes, bytes.count, &info, $0) }
      try Image.check(width: Int(info.width), height: Int(info.height), pixelLimit: pixelLimit)
      return try LeapPictures.decode("JPEG", bytes, info, leap_jpeg_decode)
    #else
      throw ImageError.formatDisabled("JPEG")
    #endif
  }
}

enum PNGCodec {
  static func decode(_ bytes: [UInt8], pixelLimit: Int) throws -> Image {
    try decode(bytes, pixelLimit: pixelLimit, keepsIndices: false).image
  }

  /// - Parameter keepsIndices: the entries of a palette instead of their colours.
  /// - Returns: the picture, and whether its pixels are entries of a palette.
  static func decode(
    _ bytes: [UInt8], pixelLimit: Int, keepsIndices: Bool
  ) throws -> (image: Image, isIndexed: Bool) {
    #if Images
      var info = leap_image_info()
      info.keeps_indices = keepsIndices ? 1 : 0
      try call("PNG") { leap_png_info(bytes, bytes.count, &info, $0) }
      let (width, height) = (Int(info.width), Int(info.height))
      try Image.check(width: width, height: height, pixelLimit: pixelLimit)
      // Deflate packs at most 1032 to 1, and a pixel takes at least one bit.
      guard width * height / 8 / 1032 <= bytes.count else {
        throw ImageError.malformed(format: "PNG", reason: "too short for \(width)x\(height) pixels")
      }
      return (
        try LeapPictures.decode("PNG", bytes, info, leap_png_decode), info.keeps_indices != 0
      )
    #else
      throw ImageError.formatDisabled("PNG")
    #endif
  }

  static func encode(_ image: Image) throws -> [UInt8] {
    #if Images
      let info = leap_image_info(
        width: UInt32(image.width), height: UInt32(image.height), channels: UInt32(image.channels),
        keeps_indices: 0)
      var encoded: UnsafeMutablePointer<UInt8>?
      var count = 0
      try call("PNG") { leap_png_encode(image.pixels, info, &encoded, &count, $0) }
      defer { leap_image_free(encoded) }
      return Array(UnsafeBufferPointer(start: encoded, count: count))
    #else
      throw ImageError.formatDisabled("PNG")
    #endif
  }
}

/// Binary PGM (P5) and PPM (P6) of the Netpbm project, up to 16 bits.
enum PNMCodec {
  static func decode(_ bytes: [UInt8], pixelLimit: Int) throws -> Image {
    let image = try header(bytes, pixelLimit: pixelLimit)
    guard image.end <= bytes.count else {
      throw ImageError.malformed(format: "PPM", reason: "the file is truncated")
    }
    let width = image.maximum > 255 ? 2 : 1
    let pixels = (0..<(image.width * image.height * image.channels)).map { index in
      let at = image.start + index * width
      let value = width == 1 ? Int(bytes[at]) : Int(bytes[at]) << 8 | Int(bytes[at + 1])
      return UInt8(min(255, (value * 255 + image.maximum / 2) / image.maximum))
    }
    return Image(
      unchecked: pixels, width: image.width, height: image.height, channels: image.channels)
  }

  struct Header {
    var channels, width, height, maximum, start, end: Int
  }

  /// The header: magic, width, height and maximum, separated by blanks and comments.
  static func header(_ bytes: [UInt8], pixelLimit: Int) throws -> Header {
    var position = 2
    var numbers: [Int] = []
    while numbers.count < 3 {
      while position < bytes.count, bytes[position] <= 0x20 || bytes[position] == 0x23 {
        if bytes[position] == 0x23 {
          while position < bytes.count, bytes[position] != 0x0A { position += 1 }
        } else {
          position += 1
        }
      }
      let digits = bytes[min(position, bytes.count)...].prefix { (0x30...0x39).contains($0) }
      guard let number = Int(String(decoding: digits, as: UTF8.self)), digits.count < 10 else {
        throw ImageError.malformed(format: "PPM", reason: "a number is expected in the header")
      }
      numbers.append(number)
      position = digits.endIndex
    }
    try Image.check(width: numbers[0], height: numbers[1], pixelLimit: pixelLimit)
    guard (1...65535).contains(numbers[2]) else {
      throw ImageError.malformed(format: "PPM", reason: "a maximum of \(numbers[2])")
    }
    let channels = bytes[1] == UInt8(ascii: "6") ? 3 : 1
    let size = numbers[0] * numbers[1] * channels * (numbers[2] > 255 ? 2 : 1)
    return Header(
      channels: channels, width: numbers[0], height: numbers[1], maximum: numbers[2],
      start: position + 1, end: position + 1 + size)
  }
}

extension Image {
  /// Bytes that a binary PPM or PGM takes, from its header.
  ///
  /// - Throws: `ImageError` where the header is damaged or not whole.
  package static func netpbmLength(_ bytes: [UInt8]) throws -> Int {
    let header = try PNMCodec.header(bytes, pixelLimit: defaultPixelLimit)
    // A number that the bytes end with may go on.
    guard header.start <= bytes.count else {
      throw ImageError.malformed(format: "PPM", reason: "the header is not whole")
    }
    return header.end
  }
}
