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
    "superresolution_pytorch", "mnist_winml", "mobilenetv2-12-int8", "squeezenet_fp16_winml",
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
        let limit = name == "squeezenet_fp16_winml" ? 1e-2 : 1e-4
        #expect(distance < limit, "\(optimized ? "optimised" : "unoptimised") '\(output.name)'")
        #expect(Comparison.identical(results[output.name], apart[output.name]))
      }
    }
  }

  /// ONNX Runtime classifies 32 of the photographs rightly with squeezenet1.1, and 42 with mobilenetv2, quantised or not (where its
  /// kernels do not saturate: 35 where they do).
  @Test(arguments: [("squeezenet1.1-7", 31), ("mobilenetv2-7", 41), ("mobilenetv2-12-int8", 42)])
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

  /// ONNX Runtime's masks correlate with the true ones by 0.9593 on average over the pairs, and err by 0.0042.
  @Test func segmentsAsWellAsONNXRuntime() throws {
    guard let models = TestData.sharedModels() else { return }
    let folder = "\(models)/../images/sedgen/resources"
    let session = try InferenceSession(path: "\(models)/unet_sedgen.onnx")
    let input = session.inputs[0]
    let pairs = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/input")
      .filter { $0.hasSuffix(".png") }
    #expect(pairs.count == 20)
    var correlations = 0.0
    var errors = 0.0
    for pair in pairs {
      let x = try Preprocessing.unit.tensor(
        from: Image(path: "\(folder)/input/\(pair)"), for: input)
      let truth = try Preprocessing.unit.tensor(
        from: Image(path: "\(folder)/target/\(pair)"), for: input)
      let mask = try #require(session.run([input.name: x])[session.outputs[0].name])
      let (a, b) = (try #require(mask.doubles), try #require(truth.doubles))
      try #require(a.count == b.count)
      correlations += TrainedModelTests.correlation(a, b) / Double(pairs.count)
      errors += zip(a, b).reduce(0) { $0 + abs($1.0 - $1.1) } / Double(a.count * pairs.count)
    }
    #expect(correlations > 0.959, "\(correlations)")
    #expect(errors < 0.0043, "\(errors)")
  }

  /// Pearson's correlation of two lists.
  private static func correlation(_ a: [Double], _ b: [Double]) -> Double {
    let count = Double(a.count)
    let (meanA, meanB) = (a.reduce(0, +) / count, b.reduce(0, +) / count)
    var (ab, aa, bb) = (0.0, 0.0, 0.0)
    for (x, y) in zip(a, b) {
      ab += (x - meanA) * (y - meanB)
      aa += (x - meanA) * (x - meanA)
      bb += (y - meanB) * (y - meanB)
    }
    return ab / (aa * bb).squareRoot()
  }
}
