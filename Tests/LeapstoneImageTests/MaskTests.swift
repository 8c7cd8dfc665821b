// Masks: which class each pixel gets, and the pictures of that.

import Leapstone
import LeapstoneImage
import Testing

@Suite struct MaskTests {
  @Test func theHighestChannelWins() throws {
    let scores = try Tensor(
      [1, 0, 0, 5, 0, 2, 0, 4, 0, 0, 3, 4] as [Float], shape: [1, 3, 2, 2])
    let mask = try Mask(scores: scores)
    #expect(mask.classes == [0, 1, 2, 0])
    #expect(mask.classCount == 3)
    #expect(mask.image.channels == 3)
  }

  @Test func oneChannelHasAThreshold() throws {
    let probabilities = try Tensor([0.4, 0.6, 0.5, 1] as [Float], shape: [1, 1, 2, 2])
    #expect(try Mask(scores: probabilities).classes == [0, 1, 0, 1])
    let logits = try Tensor([-3, 0.2, 4, -0.1] as [Float], shape: [2, 2])
    #expect(try Mask(scores: logits).classes == [0, 1, 1, 0])
    #expect(try Mask(scores: logits, threshold: 1).classes == [0, 0, 1, 0])
    #expect(try Mask(scores: logits).image.pixels == [0, 255, 255, 0])
  }

  @Test func integersAreClasses() throws {
    let mask = try Mask(scores: try Tensor([0, 7, 255, 1] as [Int64], shape: [1, 2, 2]))
    #expect(mask.classes == [0, 7, 255, 1])
    #expect(throws: ImageError.self) {
      try Mask(scores: try Tensor([256] as [Int64], shape: [1, 1]))
    }
  }

  @Test func whatIsNoMask() throws {
    #expect(throws: ImageError.self) {
      try Mask(scores: try Tensor(zeros: .float32, shape: [1, 2, 3, 4, 5]))
    }
    #expect(throws: ImageError.self) {
      try Mask(scores: try Tensor(zeros: .float32, shape: [1, 300, 2, 2]))
    }
    #expect(throws: ImageError.self) {
      try Mask(scores: try Tensor(zeros: .float32, shape: [1, 1, 2, 2]), row: 1)
    }
  }

  /// Twice the mask's size: the left half shows the picture, the right one is tinted with a rim.
  @Test func overlays() throws {
    let mask = try Mask(scores: try Tensor([0, 1, 0, 1] as [Float], shape: [2, 2]))
    let picture = try Image(
      width: 8, height: 8, channels: 1, pixels: [UInt8](repeating: 100, count: 64))
    let overlay = mask.overlay(on: picture, opacity: 0.5)
    func pixel(_ x: Int, _ y: Int) -> [UInt8] {
      Array(overlay.pixels[(3 * (8 * y + x))..<(3 * (8 * y + x) + 3)])
    }
    #expect((overlay.width, overlay.height, overlay.channels) == (8, 8, 3))
    #expect(pixel(0, 0) == [100, 100, 100])
    #expect(pixel(3, 7) == [100, 100, 100])
    #expect(pixel(4, 3) == [255, 0, 0])
    #expect(pixel(6, 3) == [178, 50, 50])
  }
}
