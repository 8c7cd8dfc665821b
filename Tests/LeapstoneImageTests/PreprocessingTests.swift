// Pre-processing: the presets against Pillow within 1/255, and what a model's input decides.

import LeapTestSupport
import Leapstone
import LeapstoneImage
import Testing

@Suite struct PreprocessingTests {
  private func input(_ extents: [Int?], _ type: DataType = .float32) -> ValueInfo {
    ValueInfo(
      name: "x", type: .tensor(type, shape: extents.map { $0.map(Dimension.fixed) ?? .unknown }))
  }

  @Test(arguments: ExpectedPictures.names("tensor"))
  func presetsArePillows(name: String) throws {
    let parts = name.split(separator: ":")
    let preset = try #require(Preprocessing.named(String(parts[1])))
    let extents = try ExpectedPictures.extents(parts[2])
    let picture = try ExpectedPictures.picture("source:\(parts[0])")
    let tensor = try preset.tensor(from: picture, for: input([nil] + extents))
    #expect(tensor.shape == Shape([1] + extents))
    let expected = try #require(ExpectedPictures.arrays["tensor:\(name)"]?.elements(as: Float.self))
    let got = try #require(tensor.elements(as: Float.self))
    try #require(got.count == expected.count)
    // One of the 256 levels, in the units of the tensor.
    let level = Float(preset.scale / (preset.std.min() ?? 1))
    let worst = zip(got, expected).map { abs($0 - $1) }.max() ?? 0
    #expect(worst <= level * 1.001)
  }

  /// The line that the project promises to compile.
  @Test func ofASession() throws {
    let session = try InferenceSession(path: TestData.path("resnet-digits.onnx"))
    let bytes = try ExpectedPictures.file("png-gray")
    let x = try Preprocessing.unit.tensor(from: Image(decoding: bytes), for: session.inputs[0])
    #expect(x.description == "float32 1x1x32x32")
    let labels = try Labels.read(path: TestData.path("digits.txt"))
    let y = try #require(try session.run([session.inputs[0].name: x])[session.outputs[0].name])
    let best = try y.topK(5, labels: labels)
    #expect(best.count == 5)
    #expect(best.allSatisfy { $0.label == labels[$0.index] })
    #expect(abs(try y.topK(10).map(\.probability).reduce(0, +) - 1) < 1e-9)
  }

  @Test func layoutAndChannelsFollowTheInput() throws {
    let picture = try ExpectedPictures.picture("source:rgb")
    let chain = try Preprocessing.unit.tensor(from: picture, for: input([nil, 3, 24, 40]))
    let last = try Preprocessing.unit.tensor(from: picture, for: input([nil, 24, 40, 3]))
    #expect(last.shape == [1, 24, 40, 3])
    let (a, b) = (try #require(chain.elements(as: Float.self)), last.elements(as: Float.self))
    let transposed = (0..<960).flatMap { pixel in [a[pixel], a[960 + pixel], a[1920 + pixel]] }
    #expect(b == transposed)
    let gray = try Preprocessing.unit.tensor(from: picture, for: input([1, 24, 40]))
    #expect(gray.shape == [1, 24, 40])
    let bytes = try Preprocessing.none.tensor(from: picture, for: input([1, 24, 40, 3], .uint8))
    #expect(bytes.elements(as: UInt8.self)?.first == UInt8(a[0] * 255 + 0.5))
  }

  @Test func freeSizesTakeThePresets() throws {
    let picture = try ExpectedPictures.picture("source:rgb")
    let free = input([nil, 3, nil, nil])
    #expect(try Preprocessing.imagenet.tensor(from: picture, for: free).shape == [1, 3, 224, 224])
    #expect(try Preprocessing.unit.tensor(from: picture, for: free).shape == [1, 3, 53, 67])
  }

  @Test func aBatchIsItsPicturesOneByOne() throws {
    let steps = try Preprocessing.imagenet.resolved(for: input([nil, 3, 32, 32]).type)
    let pictures = [
      try ExpectedPictures.picture("source:rgb"), try ExpectedPictures.picture("source:tall"),
    ]
    let batch = try steps.tensor(from: pictures).elements(as: Float.self)
    let single = try pictures.flatMap {
      try steps.tensor(from: [$0]).elements(as: Float.self) ?? []
    }
    #expect(batch == single)
  }

  @Test(arguments: [
    ([nil, 2, 24, 40] as [Int?], "asks otherwise"), ([nil, 3], "takes no picture"),
    ([1, 3, 4, 5, 6], "3 or 4 dimensions"), ([nil, 1, 24, 24], "mean has 3 values"),
  ])
  func inputsThatDoNotFit(extents: [Int?], reason: String) throws {
    let picture = try ExpectedPictures.picture("source:rgb")
    let error = #expect(throws: ImageError.self) {
      try Preprocessing.imagenet.tensor(from: picture, for: input(extents))
    }
    #expect(error?.description.contains(reason) == true, "\(error?.description ?? "none")")
  }

  @Test func aHuggingFaceConfiguration() throws {
    let steps = try Preprocessing(
      preprocessorConfiguration: Array(
        """
        {"do_resize": true, "size": {"shortest_edge": 37}, "crop_pct": null, "resample": 2,
         "do_center_crop": true, "crop_size": {"height": 32, "width": 32}, "do_rescale": true,
         "rescale_factor": 0.00392156862745098, "do_normalize": true,
         "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
        """.utf8))
    let picture = try ExpectedPictures.picture("source:rgb")
    let tensor = try steps.tensor(from: picture, for: input([nil, 3, 32, 32]))
    let preset = try Preprocessing.imagenet.tensor(from: picture, for: input([nil, 3, 32, 32]))
    let pairs = zip(
      try #require(tensor.elements(as: Float.self)), try #require(preset.elements(as: Float.self)))
    #expect(pairs.allSatisfy { abs($0 - $1) < 1e-5 })
  }

  @Test(arguments: [
    ("[]", "an object is expected"), ("{", "invalid JSON"),
    (#"{"resample": 9}"#, "resample is 0 nearest"), (#"{"size": -3}"#, "size is a number"),
    (#"{"image_mean": [1, 2], "image_std": 1}"#, "image_mean is one number or three"),
  ])
  func wrongConfigurations(text: String, reason: String) {
    let error = #expect(throws: ImageError.self) {
      try Preprocessing(preprocessorConfiguration: Array(text.utf8))
    }
    #expect(error?.description.contains(reason) == true, "\(error?.description ?? "none")")
  }

  @Test func theModelsOwnMetadata() throws {
    let steps = try Preprocessing(metadata: [
      "Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "Normalized_1_1",
    ])
    #expect(steps.channels == .bgr)
    #expect((255 * steps.scale - steps.mean[0]) / steps.std[0] == 1)
    #expect((0 * steps.scale - steps.mean[0]) / steps.std[0] == -1)
    #expect(throws: ImageError.self) { try Preprocessing(metadata: [:]) }
    #expect(throws: ImageError.self) {
      try Preprocessing(metadata: ["Image.BitmapPixelFormat": "Cmyk"])
    }
  }
}
