// The full-size networks of the four families and their kin, against ONNX Runtime: `make models` writes them.

import LeapTestSupport
import Leapstone
import Testing

@Suite(.serialized) struct NetworkTests {
  /// How runs may differ without their results differing: the number of workers, whether values share memory, whether what is
  /// dead is filled with NaN.
  private struct Setting {
    var threads: Int
    var reuses = true
    var poisons = false

    func session(_ path: String, optimized: Bool) throws -> InferenceSession {
      var options = SessionOptions()
      options.disablesAllPasses = !optimized
      options.threads = threads
      options.reusesMemory = reuses
      options.poisonsDeadMemory = poisons
      return try InferenceSession(path: path, options: options)
    }
  }

  private static let settings = [
    Setting(threads: 1), Setting(threads: 2, poisons: true), Setting(threads: 3, reuses: false),
    Setting(threads: 8, poisons: true),
  ]

  /// A batch of 1 and of 4 are within 1e-4 of ONNX Runtime's largest output. No setting changes a bit of the batch, nor of one
  /// of its pictures that comes alone.
  @Test(arguments: FullSizeNetworks.names, [false, true])
  func agreesWithONNXRuntime(name: String, optimized: Bool) throws {
    guard let models = FullSizeNetworks.folder() else { return }
    let path = "\(models)/\(name).onnx"
    let single = try ReferenceSet("\(models)/\(name).batch1.npz")
    let batch = try ReferenceSet("\(models)/\(name).batch4.npz")
    var results: [String: Tensor] = [:]
    for (place, setting) in Self.settings.enumerated() {
      let session = try setting.session(path, optimized: optimized)
      let got = try session.run(batch.inputs)
      if place == 0 {
        results = got
        expectNear(got, batch)
        expectNear(try session.run(single.inputs), single)
      }
      let alone = try session.run(batch.inputs.mapValues { try TestData.slice($0, place) })
      for (output, expected) in results {
        #expect(Comparison.identical(got[output], expected), "'\(output)', \(setting)")
        let own = try TestData.slice(expected, place)
        #expect(Comparison.identical(alone[output], own), "'\(output)', picture \(place) alone")
      }
    }
  }

  private func expectNear(_ results: [String: Tensor], _ set: ReferenceSet) {
    #expect(results.keys == set.outputs.keys)
    for (output, expected) in set.outputs {
      #expect(Comparison.distance(results[output], expected) < 1e-4, "'\(output)'")
    }
  }
}
