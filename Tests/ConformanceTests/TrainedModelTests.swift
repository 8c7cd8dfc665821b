// Real trained models from public repositories, which lie beside the checkout and never in it.

import Foundation
import LeapTestSupport
import Leapstone
import LeapstoneImage
import Testing

@Suite(.serialized) struct TrainedModelTests {
  static let names = [
    "squeezenet1.1-7", "mobilenetv2-7", "resnet50v2-7_trunk_stage1-3", "unet_sedgen",
    "pan_mobilenetv3s_skinhair_simplified", "ultraface_rfb_320", "fastestdet_ortext",
    "superresolution_pytorch", "mnist_winml",
  ]

  /// Optimised and not: near ONNX Runtime's outputs, while dead memory is filled with NaN; the same bits where nothing shares
  /// memory.
  @Test(arguments: names)
  func agreesWithONNXRuntime(name: String) throws {
    guard let models = TestData.sharedModels() else { return }
    let arrays = try TestData.arrays("\(models)/testdata/\(name).ort.npz")
    for optimized in [false, true] {
      var options = SessionOptions()
      options.disablesAllPasses = !optimized
      options.poisonsDeadMemory = true
      let session = try InferenceSession(path: "\(models)/\(name).onnx", options: options)
      var inputs: [String: Tensor] = [:]
      for input in session.inputs { inputs[input.name] = arrays["in:\(input.name)"] }
      let results = try session.run(inputs)
      options.poisonsDeadMemory = false
      options.reusesMemory = false
      let apart = try InferenceSession(path: "\(models)/\(name).onnx", options: options)
        .run(inputs)
      for output in session.outputs {
        let distance = Comparison.distance(results[output.name], arrays["out:\(output.name)"])
        #expect(distance < 1e-4, "\(optimized ? "optimised" : "unoptimised") '\(output.name)'")
        #expect(Comparison.identical(results[output.name], apart[output.name]))
      }
    }
  }

  /// ONNX Runtime classifies 32 of the photographs rightly with squeezenet1.1, and 42 with mobilenetv2.
  @Test(arguments: [("squeezenet1.1-7", 31), ("mobilenetv2-7", 41)])
  func classifiesPhotographs(name: String, atLeast: Int) throws {
    guard let models = TestData.sharedModels() else { return }
    let folder = "\(models)/../images/imagenet"
    let classes = try String(contentsOfFile: "\(folder)/synset.txt", encoding: .utf8)
      .split(separator: "\n").map { $0.prefix { $0 != " " } }
    let session = try InferenceSession(path: "\(models)/\(name).onnx")
    let input = session.inputs[0]
    var right = 0
    let pictures = try FileManager.default.contentsOfDirectory(atPath: folder)
      .filter { $0.hasPrefix("n") }
    for picture in pictures {
      let image = try Image(path: "\(folder)/\(picture)")
      let x = try Preprocessing.imagenet.tensor(from: image, for: input.type)
      let scores = try #require(session.run([input.name: x])[session.outputs[0].name])
      let best = try scores.topK(1)[0].index
      if picture.hasPrefix(classes[best]) { right += 1 }
    }
    #expect(pictures.count == 50)
    #expect(right >= atLeast, "\(right) of \(pictures.count)")
  }
}
