// What loading a large model takes.

import Foundation
import LeapTestSupport
import Leapstone
import Testing

@Suite struct LoadingTests {
  /// From the file to a session: less than 1.25 times the file's size; and without Winograd's filters to one that is ready for a
  /// run, its weights packed through a small buffer: little more than the file.
  @Test(arguments: [("resnet50", 224), ("unet", 256)], [true, false])
  func aModelIsNotResidentTwice(_ network: (name: String, side: Int), owned: Bool) async throws {
    guard let models = TestData.generated("models", variable: "MODELS") else { return }
    let path = "\(models)/\(network.name).onnx"
    await #expect(processExitsWith: .success) {
      [path = path as String, side = network.side as Int, owned = owned as Bool] in
      let size = try #require(
        try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
      var options = SessionOptions()
      options.weights = owned ? .owned : .mapped
      options.forbiddenAlgorithms = ["winograd"]
      let before = ProcessUse.now().peakBytes
      let session = try InferenceSession(path: path, options: options)
      let loaded = ProcessUse.now().peakBytes
      _ = try session.memory.predicted(
        for: [session.inputs[0].name: (.float32, [1, 3, side, side])])
      let planned = ProcessUse.now().peakBytes
      print("\(path): loaded \(loaded - before), planned \(planned - before) of \(size) bytes")
      #expect(Double(loaded - before) < 1.25 * Double(size))
      #expect(Double(planned - before) < 1.03 * Double(size) + Double(8 << 20))
    }
  }
}
