// onnx-verify dataset with masks: palettes, values that are no classes or do not count, and which mask is whose.

import LeapTensors
import LeapTestSupport
import LeapTools
import LeapstoneImage
import Testing

@Suite struct VerifyMaskTests {
  /// Three classes, one for each channel of a picture of 4 x 4 pixels.
  private static let classes: [UInt8] = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0]

  /// A picture whose pixels are red, green or blue by their classes, and a model that gives back what it gets.
  private func withPicture(
    _ body: (_ directory: String, _ arguments: [String]) throws -> Void
  ) throws {
    try withTemporaryDirectory { directory in
      for name in ["p", "m"] { makeDirectory("\(directory)/\(name)") }
      try writeIdentity("\(directory)/m.onnx", [1, 3, 4, 4])
      try writePicture("\(directory)/p/a.png")
      try body(
        directory,
        [
          "dataset", "\(directory)/m.onnx", "--image", "\(directory)/p", "--masks",
          "\(directory)/m", "--preset", "unit", "-q",
        ])
    }
  }

  private func writePicture(_ path: String) throws {
    let pixels = Self.classes.flatMap { own -> [UInt8] in (0..<3).map { $0 == own ? 255 : 0 } }
    try FileBytes.write(
      Image(width: 4, height: 4, channels: 3, pixels: pixels).encodedPNG(), to: path)
  }

  private func writeGray(_ values: [UInt8], _ path: String) throws {
    try FileBytes.write(
      Image(width: 4, height: 4, channels: 1, pixels: values).encodedPNG(), to: path)
  }

  private func accuracy(_ arguments: [String]) throws -> Double? {
    try verifyJSON(arguments)["dataset"]?["metrics"]?["pixel_accuracy"]?.double
  }

  @Test func valuesAreClasses() throws {
    try withPicture { directory, arguments in
      try FileBytes.write(
        PalettePNG.bytes(width: 4, Self.classes), to: "\(directory)/m/a.png")
      #expect(try accuracy(arguments) == 1)
      try writeGray(Self.classes, "\(directory)/m/a.png")
      #expect(try accuracy(arguments) == 1)
    }
  }

  @Test(arguments: [true, false])
  func valuesThatAreNoClasses(hasPalette: Bool) throws {
    try withPicture { directory, arguments in
      var values = Self.classes
      values[5] = 255
      let path = "\(directory)/m/a.png"
      if hasPalette {
        try FileBytes.write(PalettePNG.bytes(width: 4, values), to: path)
      } else {
        try writeGray(values, path)
      }
      let told = onnxVerify(arguments)
      #expect(told.code == 2, "\(told.output)")
      #expect(
        told.error.contains("m/a.png: the value 255 is no class: the model has 3, 0 to 2"),
        "\(told.error)")
      let json = try verifyJSON(arguments + ["--ignore", "255"])["dataset"]
      #expect(json?["metrics"]?["pixel_accuracy"]?.double == 1)
      let counted = json?["mask_classes"]?.array?.reduce(0) { $0 + ($1["expected"]?.int ?? 0) }
      #expect(counted == 15)
    }
  }

  @Test func aMaskInColour() throws {
    try withPicture { directory, arguments in
      try writePicture("\(directory)/m/a.png")
      let result = onnxVerify(arguments)
      #expect(result.code == 2 && result.error.contains("a picture in colour is no mask"))
    }
  }

  @Test func classesWithoutPixelsAreLeftOut() throws {
    try withPicture { directory, arguments in
      try writeGray(Self.classes.map { $0 == 1 ? 2 : $0 }, "\(directory)/m/a.png")
      try FileBytes.write(
        Image(
          width: 4, height: 4, channels: 3,
          pixels: Self.classes.flatMap { own -> [UInt8] in own == 0 ? [255, 0, 0] : [0, 0, 255] }
        ).encodedPNG(), to: "\(directory)/p/a.png")
      let labels = "\(directory)/labels.txt"
      try FileBytes.write(Array("sky\nsea\nland\n".utf8), to: labels)
      let result = onnxVerify(arguments + ["--labels", labels])
      #expect(result.code == 0, "\(result.error)")
      #expect(result.output.contains("0 sky") && result.output.contains("2 land"))
      #expect(!result.output.contains("1 sea"), "\(result.output)")
    }
  }

  // MARK: which mask is whose

  @Test func masksInDirectoriesLikeThoseOfPictures() throws {
    try withPicture { directory, arguments in
      for name in ["p/x", "p/y", "m/x", "m/y"] { makeDirectory("\(directory)/\(name)") }
      try writePicture("\(directory)/p/x/b.png")
      try writePicture("\(directory)/p/y/b.png")
      try writeGray(Self.classes, "\(directory)/m/a.png")
      try writeGray(Self.classes, "\(directory)/m/b_mask.png")
      // One mask for two pictures.
      let shared = onnxVerify(arguments)
      #expect(shared.code == 2 && shared.error.contains("m/b_mask.png would be the mask of"))
      try writeGray(Self.classes, "\(directory)/m/x/b.png")
      try writeGray([UInt8](repeating: 0, count: 16), "\(directory)/m/y/b.png")
      let scores = try verifyJSON(arguments)["dataset"]?["scores"]?.array
      #expect(scores?.map { $0["right"] } == [16, 16, 6], "\(scores ?? [])")
    }
  }

  @Test func twoMasksOfOneName() throws {
    try withPicture { directory, arguments in
      try writeGray(Self.classes, "\(directory)/m/a.png")
      try FileBytes.write(
        Array("P5 4 4 255\n".utf8) + Self.classes, to: "\(directory)/m/a.pgm")
      let result = onnxVerify(arguments)
      #expect(result.code == 2 && result.error.contains("has more than one mask"))
    }
  }

  // MARK: going on

  @Test func masksThatWereChangedAreCountedAgain() throws {
    try withPicture { directory, arguments in
      let resuming = arguments + ["--resume", "\(directory)/progress.jsonl"]
      try writeGray(Self.classes, "\(directory)/m/a.png")
      #expect(try accuracy(resuming) == 1)
      try writeGray([UInt8](repeating: 0, count: 16), "\(directory)/m/a.png")
      #expect(try accuracy(resuming) == 6.0 / 16)
      let other = onnxVerify(resuming + ["--ignore", "0"])
      #expect(other.code == 64 && other.error.contains("holds results of another model"))
    }
  }

  @Test(arguments: [
    "\"pixels\":16,\"right\":16,\"classes\":[[-9223372036854775808,9223372036854775807,16]]",
    "\"pixels\":16,\"right\":17,\"classes\":[[17,16,16]]",
    "\"pixels\":9223372036854775807,\"right\":0,\"classes\":[[0,9223372036854775807,0]]",
    "\"pixels\":16,\"right\":0,\"classes\":[[0,-1,17]]",
    "\"truth\":-1,\"best\":[0],\"probability\":1", "\"truth\":0,\"best\":[-3],\"probability\":1",
  ])
  func absurdResultsAreDoneAgain(members: String) throws {
    try withPicture { directory, arguments in
      let file = "\(directory)/progress.jsonl"
      try writeGray(Self.classes, "\(directory)/m/a.png")
      #expect(try accuracy(arguments + ["--resume", file]) == 1)
      let lines = String(decoding: try contents(file), as: UTF8.self).split(separator: "\n")
      let line = try JSON(parsing: Array(lines[1].utf8))
      let (picture, files) = (line["file"]?.string ?? "", line["files"]?.string ?? "")
      let absurd = "{\"file\":\"\(picture)\",\(members),\"files\":\"\(files)\"}"
      try FileBytes.write(Array("\(lines[0])\n\(absurd)\n".utf8), to: file)
      #expect(try accuracy(arguments + ["--resume", file]) == 1)
    }
  }
}

/// A PNG of 8 bits with a palette as PASCAL VOC's masks have it, uncompressed.
private enum PalettePNG {
  static func bytes(width: Int, _ indices: [UInt8]) -> [UInt8] {
    let height = indices.count / width
    var rows: [UInt8] = []
    for y in 0..<height { rows += [0] + indices[y * width..<(y + 1) * width] }
    let length = UInt16(rows.count)
    let stored =
      [0x78, 0x01, 0x01] + little(length) + little(~length) + rows + big(adler(rows))
    var palette: [UInt8] = []
    for index in 0..<256 {
      var color: [UInt8] = [0, 0, 0]
      for bit in 0..<8 where index >> bit & 1 == 1 { color[bit % 3] |= 0x80 >> UInt8(bit / 3) }
      palette += color
    }
    return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
      + chunk("IHDR", big(UInt32(width)) + big(UInt32(height)) + [8, 3, 0, 0, 0])
      + chunk("PLTE", palette) + chunk("IDAT", stored) + chunk("IEND", [])
  }

  private static func chunk(_ name: String, _ data: [UInt8]) -> [UInt8] {
    let body = Array(name.utf8) + data
    return big(UInt32(data.count)) + body + big(crc(body))
  }

  private static func big(_ value: UInt32) -> [UInt8] {
    stride(from: 24, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> UInt32($0)) }
  }

  private static func little(_ value: UInt16) -> [UInt8] {
    [UInt8(truncatingIfNeeded: value), UInt8(truncatingIfNeeded: value >> 8)]
  }

  private static func crc(_ bytes: [UInt8]) -> UInt32 {
    var crc: UInt32 = ~0
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
    }
    return ~crc
  }

  private static func adler(_ bytes: [UInt8]) -> UInt32 {
    var (a, b): (UInt32, UInt32) = (1, 0)
    for byte in bytes {
      a = (a + UInt32(byte)) % 65521
      b = (b + a) % 65521
    }
    return b << 16 | a
  }
}
