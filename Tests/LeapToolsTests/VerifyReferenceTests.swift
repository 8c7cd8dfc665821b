// onnx-verify bisect against another model or values of another runtime: that the node is named where values part, and that a
// comparison of nothing is none.

import LeapFormat
import LeapTensors
import LeapTestSupport
import LeapTools
import Leapstone
import LeapstoneImage
import Testing

@Suite struct VerifyReferenceTests {
  private static let network = ["bisect", "@resnet-digits.onnx", "--random", "0", "-q"]

  /// Every value of a run without passes.
  private func values() throws -> [NamedTensor] {
    var options = SessionOptions()
    options.disablesAllPasses = true
    let session = try InferenceSession(path: located("@resnet-digits.onnx"), options: options)
    let input = try RandomTensor.make(.float32, [1, 1, 32, 32], seed: 0, stream: 0)
    return try session.run(["input": input], outputs: session.valueNames).map {
      NamedTensor($0.key, $0.value)
    }
  }

  /// Behind a concatenation that is done in place, what is read is made by no step.
  @Test(arguments: [
    ("unet-shapes", 1), ("unet-shapes", 3), ("densenet-digits", 2), ("densenet-digits", 5),
    ("inception-resnet-digits", 3), ("resnet-digits", 4),
  ])
  func anotherModelWithOneOtherLayer(name: String, convolution: Int) throws {
    try withTemporaryDirectory { directory in
      let other = "\(directory)/other.onnx"
      let node = try writeDamaged("@\(name).onnx", convolution: convolution, to: other)
      let json = try verifyJSON(
        ["bisect", "@\(name).onnx", "--random", "0", "-q", "--against", other], code: 1)
      let culprit = try #require(json["bisect"]?["culprit"])
      #expect(culprit["node"]?.string == node, "\(culprit.text())")
      #expect((culprit["before_snr_db"]?.double ?? 0) > 100)
    }
  }

  @Test func nothingToCompareWith() throws {
    try withTemporaryDirectory { directory in
      let archive = "\(directory)/values.npz"
      try NPZ.write([NamedTensor("other", try Tensor([Float(1)]))], to: archive)
      let result = onnxVerify(Self.network + ["--against", archive])
      #expect(result.code == 2, "\(result.output)")
      #expect(
        result.error.contains("nothing was compared")
          && result.error.contains("has none of the values that the model computes, such as"),
        "\(result.error)")
    }
  }

  @Test func valuesOfAnotherShapeOrType() throws {
    try withTemporaryDirectory { directory in
      let archive = "\(directory)/values.npz"
      let steps = try verifyJSON(Self.network)["bisect"]?["steps"]?.array ?? []
      let value = try #require(steps[3]["value"]?.string)
      for other in [try Tensor([Float(1), 2]), try Tensor([Int64(1)])] {
        var arrays = try values()
        let index = try #require(arrays.firstIndex { $0.name == value })
        arrays[index].tensor = other
        try NPZ.write(arrays, to: archive)
        let json = try verifyJSON(Self.network + ["--against", archive], code: 1)
        #expect(json["bisect"]?["mismatches"]?.array?.map { $0["value"]?.string } == [value])
        let text = onnxVerify(Self.network + ["--against", archive])
        #expect(text.output.contains("1 value of another shape or type in the reference"))
        #expect(text.output.contains("the reference has \(other)"), "\(text.output)")
      }
    }
  }

  // MARK: reproducers

  @Test func nothingToReproduce() throws {
    try withTemporaryDirectory { directory in
      let result = onnxVerify(Self.network + ["--reproducer", "\(directory)/culprit"])
      #expect(result.code == 0)
      #expect(result.output.contains("--reproducer: there is nothing to write"))
    }
  }

  @Test func aReproducerThatCannotBeWritten() throws {
    try withTemporaryDirectory { directory in
      let file = "\(directory)/file"
      try FileBytes.write([1], to: file)
      let fault = KernelFault.damaging(.noise(1e-2)) { $0.operatorType == "Gemm" }
      let result = onnxVerify(Self.network + ["--reproducer", "\(file)/culprit"]) {
        $0.instruments = [fault]
      }
      #expect(result.code == 1, "\(result.error)")
      #expect(result.output.contains("to blame:") && result.output.contains("--reproducer: "))
    }
  }
}
