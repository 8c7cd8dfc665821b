// Hostile pictures: each is an error that says what is wrong, and none takes memory for what it claims to be.

import LeapstoneImage
import Testing

@Suite struct HostilePictureTests {
  private func message(_ bytes: [UInt8]) -> String {
    do {
      let image = try Image(decoding: bytes)
      return "decoded to \(image.width)x\(image.height)"
    } catch { return "\(error)" }
  }

  /// A PNG's header with other extents; the checksum is made right.
  private func png(width: UInt32, height: UInt32) throws -> [UInt8] {
    var bytes = try ExpectedPictures.file("png-rgb")
    for (offset, value) in [(16, width), (20, height)] {
      for byte in 0..<4 {
        bytes[offset + byte] = UInt8(truncatingIfNeeded: value >> (24 - 8 * byte))
      }
    }
    var crc = UInt32.max
    for byte in bytes[12..<29] {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1 == 1 ? 0xEDB8_8320 : 0) }
    }
    for byte in 0..<4 { bytes[29 + byte] = UInt8(truncatingIfNeeded: ~crc >> (24 - 8 * byte)) }
    return bytes
  }

  @Test func whatIsNoPicture() {
    #expect(message([]) == "neither PNG, JPEG nor binary PPM or PGM, but an empty file")
    #expect(message(Array("GIF89a".utf8)).hasSuffix("but GIF"))
    #expect(message(Array("<!DOCTYPE html>".utf8)).hasSuffix("but HTML or XML"))
    #expect(message(Array("version https://git-lfs.github.com".utf8)).hasSuffix("Git LFS pointer"))
    #expect(message([1, 2, 3, 4]).hasSuffix("but something unknown"))
    #expect(message([0x89, 0x50, 0x4E, 0x47]).hasPrefix("damaged PNG"))
    #expect(message([0xFF, 0xD8]).hasPrefix("damaged JPEG"))
    #expect(message(Array("P6".utf8)).hasPrefix("damaged PPM: a number is expected"))
  }

  @Test(arguments: [
    "png-rgb", "png-palette-alpha", "png-interlaced", "jpeg-420", "jpeg-progressive",
    "jpeg-cmyk", "ppm", "pgm-16-bit",
  ])
  func truncation(name: String) throws {
    let bytes = try ExpectedPictures.file(name)
    // The last bytes of a PNG (IEND) and of a JPEG (EOI) tell nothing that a decoder needs.
    let end = bytes.count - (name.hasPrefix("png") ? 16 : name.hasPrefix("jpeg") ? 8 : 1)
    for length in stride(from: 3, through: end, by: 7) {
      #expect(throws: ImageError.self) { try Image(decoding: Array(bytes[..<length])) }
    }
  }

  @Test func hugeExtentsInAPNG() throws {
    #expect(
      message(try png(width: 60_000, height: 60_000))
        == "a picture of 60000x60000 exceeds the limit of 67108864 pixels")
    #expect(message(try png(width: .max, height: .max)).hasPrefix("damaged PNG"))
    #expect(message(try png(width: 0, height: 8)).hasPrefix("damaged PNG"))
    // Within the limit, but more than its few bytes can unpack to.
    #expect(
      message(try png(width: 8000, height: 8000))
        == "damaged PNG: too short for 8000x8000 pixels")
  }

  @Test func hugeExtentsInAPPM() {
    #expect(message(Array("P6 999999999 999999999 255\n".utf8)).contains("exceeds the limit"))
    #expect(message(Array("P5 99999999999999999999 1 255\n".utf8)).hasPrefix("damaged PPM"))
    #expect(message(Array("P5 0 1 255\n".utf8)).contains("exceeds the limit"))
    #expect(message(Array("P5 1 1 70000\n0".utf8)) == "damaged PPM: a maximum of 70000")
    #expect(message(Array("P6 8000 8000 255\n".utf8)) == "damaged PPM: the file is truncated")
  }

  @Test func hugeExtentsInAJPEG() throws {
    var bytes = try ExpectedPictures.file("jpeg-420")
    let frame = try #require(
      bytes.indices.dropLast().first { bytes[$0] == 0xFF && bytes[$0 + 1] == 0xC0 })
    for offset in 5..<9 { bytes[frame + offset] = 0xFF }
    #expect(!message(bytes).hasPrefix("decoded"))
    for offset in 5..<9 { bytes[frame + offset] = 0xF0 }
    #expect(message(bytes) == "a picture of 61680x61680 exceeds the limit of 67108864 pixels")
  }

  /// Each byte in turn is broken: a picture comes out, or an error; nothing else.
  @Test(arguments: ["png-palette-alpha", "jpeg-orientation-6", "jpeg-cmyk", "ppm"])
  func brokenBytes(name: String) throws {
    let bytes = try ExpectedPictures.file(name)
    for position in bytes.indices where position < 700 {
      for pattern: UInt8 in [0xFF, 0x80] {
        var broken = bytes
        broken[position] ^= pattern
        do {
          let image = try Image(decoding: broken, appliesOrientation: true)
          #expect(image.pixels.count == image.width * image.height * image.channels)
        } catch { #expect(error is ImageError, "byte \(position): \(error)") }
      }
    }
  }

  @Test func aPictureThatItsOwnerCallsTooLarge() throws {
    let bytes = try ExpectedPictures.file("png-rgb")
    #expect(throws: ImageError.tooLarge(width: 23, height: 19, limit: 100)) {
      try Image(decoding: bytes, pixelLimit: 100)
    }
  }

  @Test func aFileThatIsMissing() {
    let error = #expect(throws: ImageError.self) { try Image(path: "/nowhere/x.png") }
    #expect(error?.description == "/nowhere/x.png: No such file or directory")
  }
}
