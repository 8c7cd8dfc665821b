// The networks that the project trains itself, against ONNX Runtime's outputs and on pictures kept aside in training.

import Foundation
import LeapTestSupport
import Leapstone
import Testing

/// An entry of testdata/index.json, which train.py writes.
struct TrainedNetwork: Decodable, Sendable, CustomTestStringConvertible {
  let name: String
  let model: String
  let evaluation: String
  /// The share of held-out pictures that ONNX Runtime classifies as they are labelled.
  let accuracy: Double?
  /// The mean intersection over union of held-out masks in ONNX Runtime.
  let iou: Double?

  var testDescription: String { name }

  static func all() throws -> [TrainedNetwork] {
    let index = try Data(contentsOf: URL(fileURLWithPath: TestData.path("index.json")))
    return try JSONDecoder().decode([TrainedNetwork].self, from: index)
  }

  func session(_ options: SessionOptions = SessionOptions()) throws -> InferenceSession {
    try InferenceSession(path: TestData.path(model), options: options)
  }
}

@Suite struct TrainedNetworkTests {
  /// How runs may differ without their results differing.
  struct Setting: Sendable, CustomTestStringConvertible {
    var threads: Int
    var isOptimized: Bool
    var testDescription: String { "\(threads) threads, \(isOptimized ? "" : "not ")optimised" }

    var options: SessionOptions {
      var options = SessionOptions()
      options.threads = threads
      options.disablesAllPasses = !isOptimized
      options.poisonsDeadMemory = true
      return options
    }
  }

  static let settings = [1, 2, 3, 8].flatMap {
    [Setting(threads: $0, isOptimized: true), Setting(threads: $0, isOptimized: false)]
  }

  @Test(arguments: try TrainedNetwork.all(), settings)
  func agreesWithONNXRuntime(_ network: TrainedNetwork, _ setting: Setting) throws {
    let session = try network.session(setting.options)
    var apart = setting.options
    apart.reusesMemory = false
    let withoutReuse = try network.session(apart)
    for set in ["\(network.name).npz", "\(network.name).batch5.npz"] {
      let arrays = try TestData.arrays(TestData.path(set))
      let inputs = ["input": try #require(arrays["in:input"])]
      let result = try session.run(inputs)["output"]
      #expect(Comparison.distance(result, arrays["out:output"]) < 1e-5)
      #expect(Comparison.identical(try withoutReuse.run(inputs)["output"], result))
    }
  }

  @Test(arguments: try TrainedNetwork.all(), [true, false])
  func givesTheSameBitsForAnyThreadsAndBatch(
    _ network: TrainedNetwork, isOptimized: Bool
  ) throws {
    let input = try #require(
      try TestData.arrays(TestData.path("\(network.name).batch5.npz"))["in:input"])
    let one = try network.session(Setting(threads: 1, isOptimized: isOptimized).options)
    let expected = try #require(try one.run(["input": input])["output"])
    let scores = try #require(expected.elements(as: Float.self))
    #expect(scores.allSatisfy { $0.isFinite })
    for threads in [2, 3, 8] {
      let session = try network.session(Setting(threads: threads, isOptimized: isOptimized).options)
      #expect(Comparison.identical(try session.run(["input": input])["output"], expected))
    }
    for row in 0..<input.shape[0] {
      let alone = try one.run(["input": try Self.row(row, of: input)])["output"]
      #expect(Comparison.identical(alone, try Self.row(row, of: expected)), "picture \(row)")
    }
  }

  @Test(arguments: try TrainedNetwork.all())
  func scoresOnHeldOutPicturesAsInONNXRuntime(_ network: TrainedNetwork) throws {
    let set = try TestData.arrays(TestData.path(network.evaluation))
    let images = try #require(set["images"])
    let output = try #require(try network.session().run(["input": images])["output"])
    let scores = try #require(output.elements(as: Float.self))
    if let accuracy = network.accuracy {
      let labels = try #require(set["labels"]?.integers)
      #expect(abs(Self.accuracy(scores, labels) - accuracy) < 1e-9)
    } else {
      let masks = try #require(set["masks"]?.elements(as: Float.self))
      let expected = try #require(network.iou)
      #expect(abs(Self.meanIoU(scores, masks, pictures: images.shape[0]) - expected) < 1e-4)
    }
  }

  /// One picture of a batch, as a batch of its own.
  private static func row(_ index: Int, of batch: Tensor) throws -> Tensor {
    let elements = try #require(batch.elements(as: Float.self))
    let count = elements.count / batch.shape[0]
    var shape = batch.shape
    shape[0] = 1
    return try Tensor(Array(elements[index * count..<(index + 1) * count]), shape: shape)
  }

  private static func accuracy(_ scores: [Float], _ labels: [Int]) -> Double {
    let classes = scores.count / labels.count
    let right = labels.enumerated().filter { picture, label in
      let own = scores[picture * classes..<(picture + 1) * classes]
      return own.indices.max { own[$0] < own[$1] } == own.startIndex + label
    }
    return Double(right.count) / Double(labels.count)
  }

  private static func meanIoU(_ scores: [Float], _ masks: [Float], pictures: Int) -> Double {
    let pixels = scores.count / pictures
    let parts = (0..<pictures).map { picture -> Double in
      var (both, either) = (0, 0)
      for pixel in picture * pixels..<(picture + 1) * pixels {
        let (found, truth) = (scores[pixel] > 0.5, masks[pixel] > 0.5)
        both += found && truth ? 1 : 0
        either += found || truth ? 1 : 0
      }
      return Double(both) / Double(max(either, 1))
    }
    return parts.reduce(0, +) / Double(pictures)
  }
}
