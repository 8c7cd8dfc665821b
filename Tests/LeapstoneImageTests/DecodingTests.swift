// Decoding: every kind of picture as Pillow reads it.

import LeapstoneImage
import Testing

@Suite struct DecodingTests {
  @Test func theExpectedPicturesAreThere() {
    #expect(ExpectedPictures.names("decoded").count == 25)
  }

  @Test(arguments: ExpectedPictures.names("decoded"))
  func pixelsArePillows(name: String) throws {
    let image = try Image(decoding: ExpectedPictures.file(name))
    let expected = try ExpectedPictures.picture("decoded:\(name)")
    // Lossless formats agree to the bit; JPEG decoders may round differently.
    let limit = name.hasPrefix("jpeg") ? 1 : 0
    #expect(ExpectedPictures.distance(image, expected) <= limit)
  }

  @Test(arguments: ExpectedPictures.names("rgb"))
  func conversionsArePillows(name: String) throws {
    let image = try Image(decoding: ExpectedPictures.file(name))
    let rgb = try ExpectedPictures.picture("rgb:\(name)")
    let gray = try ExpectedPictures.picture("gray:\(name)")
    #expect(ExpectedPictures.distance(image.rgb, rgb) == 0)
    #expect(ExpectedPictures.distance(image.gray, gray) == 0)
  }

  @Test(arguments: ExpectedPictures.names("oriented"))
  func orientationsArePillows(name: String) throws {
    let bytes = try ExpectedPictures.file(name)
    let expected = try ExpectedPictures.picture("oriented:\(name)")
    let image = try Image(decoding: bytes, appliesOrientation: true)
    #expect(ExpectedPictures.distance(image, expected) <= 1)
    let stored = try Image(decoding: bytes)
    #expect((stored.width, stored.height) == (14, 9))
  }

  @Test(arguments: [1, 2, 3, 4])
  func encodedPicturesReadBack(channels: Int) throws {
    let pixels = (0..<(31 * 17 * channels)).map { UInt8(truncatingIfNeeded: $0 &* 37 ^ $0 >> 3) }
    let image = try Image(width: 31, height: 17, channels: channels, pixels: pixels)
    #expect(try Image(decoding: image.encodedPNG()) == image)
  }
}
