// ExpectedPictures: testdata/pictures/expected.npz, which make_expected.py writes with Pillow.

import LeapTestSupport
import LeapTools
import Leapstone
import LeapstoneImage
import Testing

enum ExpectedPictures {
  static let arrays: [String: Tensor] =
    (try? TestData.arrays(TestData.path("pictures/expected.npz"))) ?? [:]

  /// The names of arrays of one kind, `kind:` cut off.
  static func names(_ kind: String) -> [String] {
    arrays.keys.filter { $0.hasPrefix("\(kind):") }.map { String($0.dropFirst(kind.count + 1)) }
      .sorted()
  }

  static func file(_ name: String) throws -> [UInt8] {
    try #require(arrays["file:\(name)"]?.elements(as: UInt8.self), "file:\(name)")
  }

  /// A picture from an array of height, width, channels.
  static func picture(_ key: String) throws -> Image {
    let tensor = try #require(arrays[key], "\(key)")
    return try Image(
      width: tensor.shape[1], height: tensor.shape[0], channels: tensor.shape[2],
      pixels: try #require(tensor.elements(as: UInt8.self)))
  }

  /// The largest difference of two pictures' values; 256 where their extents or channels differ.
  static func distance(_ a: Image, _ b: Image) -> Int {
    guard a.width == b.width, a.height == b.height, a.channels == b.channels else { return 256 }
    return zip(a.pixels, b.pixels).map { abs(Int($0) - Int($1)) }.max() ?? 0
  }

  /// `24x32` as numbers.
  static func extents(_ text: Substring) throws -> [Int] {
    try text.split(separator: "x").map { try #require(Int($0)) }
  }
}
