// The full-size networks of the four families and their kin, against ONNX Runtime: `make models` writes them.

import LeapTestSupport
import Leapstone
import Testing

@Suite(.serialized) struct NetworkTests {
  static let names = [
    "resnet18", "resnet50", "resnet50v2", "densenet121", "unet", "unet_resnet34",
    "inception_resnet_v2", "inception_v3", "mobilenet_v3_large", "efficientnet_b0",
  ]

  /// A set of inputs with ONNX Runtime's outputs, as `make_references.py` names them.
  private struct DataSet {
    let inputs: [String: Tensor]
    let outputs: [String: Tensor]

    init(_ path: String) throws {
      let arrays = try TestData.arrays(path)
      func part(_ prefix: String) -> [String: Tensor] {
        Dictionary(
          uniqueKeysWithValues: arrays.filter { $0.key.hasPrefix(prefix) }.map {
            (String($0.key.dropFirst(prefix.count)), $0.value)
          })
      }
      inputs = part("in:")
      outputs = part("out:")
    }
  }

  private func session(
    _ path: String, optimized: Bool = true, threads: Int, reuse: Bool = true, poison: Bool = false
  ) throws -> InferenceSession {
    var options = SessionOptions()
    options.disablesAllPasses = !optimized
    options.threads = threads
    options.reusesMemory = reuse
    options.poisonsDeadMemory = poison
    return try InferenceSession(path: path, options: options)
  }

  /// Optimised and not, on one worker and two, a batch of 1 and of 4: within 1e-4 of ONNX Runtime's largest output. The
  /// number of workers changes no bit, nor does the place in the batch, nor what memory is reused for, nor that dead memory
  /// is filled with NaN.
  @Test(arguments: names)
  func agreesWithONNXRuntime(name: String) throws {
    guard let models = TestData.generated("models", variable: "MODELS") else { return }
    let path = "\(models)/\(name).onnx"
    let single = try DataSet("\(models)/\(name).batch1.npz")
    let batch = try DataSet("\(models)/\(name).batch4.npz")
    for optimized in [false, true] {
      let one = try session(path, optimized: optimized, threads: 1)
      let two = try session(path, optimized: optimized, threads: 2, poison: true)
      for set in [single, batch] {
        let result = try one.run(set.inputs)
        let other = try two.run(set.inputs)
        for (output, expected) in set.outputs {
          let distance = Comparison.distance(result[output], expected)
          #expect(distance < 1e-4, "\(optimized ? "optimised" : "unoptimised") '\(output)'")
          #expect(Comparison.identical(result[output], other[output]))
        }
      }
    }
    let apart = try session(path, threads: 3, reuse: false)
    let poisoned = try session(path, threads: 8, poison: true)
    let result = try apart.run(batch.inputs)
    for (output, tensor) in try poisoned.run(batch.inputs) {
      #expect(Comparison.identical(tensor, result[output]))
      for place in 0..<tensor.shape[0] {
        let alone = try apart.run(batch.inputs.mapValues { try TestData.slice($0, place) })
        #expect(Comparison.identical(alone[output], try TestData.slice(tensor, place)))
      }
    }
  }
}
