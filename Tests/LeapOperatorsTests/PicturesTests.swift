// PicturesTests: ImageDecoder: the order of colours, and files that are no pictures.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct PicturesTests {
  private func decoded(_ bytes: [UInt8], _ format: String? = nil) throws -> Tensor {
    let attributes = format.map { ["pixel_format": Attribute.string(Array($0.utf8))] } ?? [:]
    return try OperatorHarness("ImageDecoder", attributes: attributes).run([Tensor(bytes)])[0]
  }

  /// Two pixels, one above the other.
  private let picture = Array("P6 1 2 255\n".utf8) + [1, 2, 3, 200, 100, 0]

  @Test func coloursComeInTheOrderThatIsAskedFor() throws {
    let y = try decoded(picture)
    #expect(y.shape == [2, 1, 3])
    #expect(y.elements(as: UInt8.self) == [1, 2, 3, 200, 100, 0])
    #expect(try decoded(picture, "BGR").elements(as: UInt8.self) == [3, 2, 1, 0, 100, 200])
    let gray = try decoded(picture, "Grayscale")
    #expect(gray.shape == [2, 1, 1])
    #expect(gray.elements(as: UInt8.self) == [2, 118])
  }

  @Test func aGreyPictureHasThreeEqualColours() throws {
    let y = try decoded(Array("P5 2 1 255\n".utf8) + [7, 9])
    #expect(y.shape == [1, 2, 3])
    #expect(y.elements(as: UInt8.self) == [7, 7, 7, 9, 9, 9])
  }

  @Test(
    arguments: [
      (Array("BM1234".utf8), "BMP"), (Array("II*\0".utf8), "TIFF"), (Array("RIFF".utf8), "WebP"),
      ([0, 0, 0, 12, 0x6A, 0x50, 0x20, 0x20], "JPEG 2000"), ([], "empty"),
      (Array("P6 2 2 255\n1234".utf8), "truncated"), (Array("P6 99999 99999 255\n".utf8), "limit"),
    ] as [([UInt8], String)])
  func whatIsNoPictureIsAnErrorThatSaysWhatItIs(bytes: [UInt8], word: String) throws {
    let error = #expect(throws: OperatorError.self) { try decoded(bytes) }
    #expect(error?.reason.contains(word) == true, "\(String(describing: error))")
  }

  @Test func otherPixelFormatsAreRefused() {
    #expect(throws: OperatorError.self) { try decoded(picture, "CMYK") }
  }
}
