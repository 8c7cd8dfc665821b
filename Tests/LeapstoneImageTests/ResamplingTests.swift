// Resizing and cropping, against Pillow.

import LeapstoneImage
import Testing

@Suite struct ResamplingTests {
  @Test(arguments: ExpectedPictures.names("resized"))
  func resizedPicturesArePillows(name: String) throws {
    let parts = name.split(separator: ":")
    let extents = try ExpectedPictures.extents(parts[2])
    let source = try ExpectedPictures.picture("source:\(parts[0])")
    let filter = try #require(Interpolation(rawValue: String(parts[1])))
    let resized = try source.resized(
      width: extents[1], height: extents[0], interpolation: filter)
    let expected = try ExpectedPictures.picture("resized:\(name)")
    // Lanczos' sines may differ in their last bit from Pillow's, the other filters do not.
    #expect(ExpectedPictures.distance(resized, expected) <= (filter == .lanczos ? 1 : 0))
  }

  @Test(arguments: ExpectedPictures.names("cropped"))
  func croppedPicturesAreTorchvisions(name: String) throws {
    let parts = name.split(separator: ":")
    let extents = try ExpectedPictures.extents(parts[1])
    let source = try ExpectedPictures.picture("source:\(parts[0])")
    let cropped = source.centerCropped(Size(height: extents[0], width: extents[1]))
    #expect(
      ExpectedPictures.distance(cropped, try ExpectedPictures.picture("cropped:\(name)")) == 0)
  }

  @Test func hugeResultsAreRefused() throws {
    let image = try Image(width: 1, height: 1, channels: 1, pixels: [7])
    #expect(throws: ImageError.self) { try image.resized(width: 1 << 20, height: 1 << 20) }
    #expect(throws: ImageError.self) { try image.resized(width: 0, height: 4) }
  }
}
