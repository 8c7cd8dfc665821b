// onnx-verify check: tolerances that fit what is expected, figures at the ends of what float64 holds, and what is said of integers.

import LeapTensors
import LeapTestSupport
import LeapTools
import LeapstoneImage
import Testing

@Suite struct VerifyToleranceTests {
  /// Every network agrees with ONNX Runtime, and a fault of a hundredth does not pass.
  @Test(arguments: FullSizeNetworks.names)
  func theDefaultToleranceFitsNetworks(name: String) throws {
    guard let folder = FullSizeNetworks.folder() else { return }
    let arguments = ["\(folder)/\(name).onnx", "--data", "\(folder)/\(name).batch1.npz"]
    let sound = onnxVerify(arguments)
    #expect(sound.code == 0, "\(sound.output)")
    let fault = KernelFault.damaging(.noise(1e-2)) { $0.outputValues.contains("output") }
    let faulty = onnxVerify(arguments) { $0.instruments = [fault] }
    #expect(faulty.code == 1, "\(faulty.output)")
  }

  private func withModel(
    _ got: Tensor, _ expected: Tensor, _ body: (_ model: String) throws -> Void
  ) throws {
    try withTemporaryDirectory { directory in
      let model = "\(directory)/m.onnx"
      try writeIdentity(model, [.fixed(got.elementCount)], type: got.dataType)
      try writeSet("\(directory)/test_data_set_0", inputs: [got], outputs: [expected])
      try body(model)
    }
  }

  private func error(_ model: String) throws -> JSON {
    let json = try verifyJSON([model], code: 1)
    let set = json["check"]?["models"]?.array?.first?["sets"]?.array?.first
    return try #require(set?["outputs"]?.array?.first?["error"])
  }

  /// Whose squares float64 does not hold.
  @Test(arguments: [1e200, 1e-200, 1e307, 1e-300])
  func figuresOfLargeAndSmallNumbers(scale: Double) throws {
    let (got, expected) = ([1, 2, 3.0], [1, 2, 3.5])
    var plain = JSON.null
    try withModel(Tensor(got), Tensor(expected)) { plain = try error($0) }
    try withModel(Tensor(got.map { $0 * scale }), Tensor(expected.map { $0 * scale })) { model in
      let scaled = try error(model)
      for name in ["snr_db", "psnr_db", "cosine"] {
        let (a, b) = (scaled[name]?.double ?? .nan, plain[name]?.double ?? .nan)
        #expect(abs(a - b) < 1e-9 * abs(b), "\(name): \(a), \(b)")
      }
      for name in ["rms", "mean", "max"] {
        let (a, b) = (scaled[name]?.double ?? .nan, (plain[name]?.double ?? .nan) * scale)
        #expect(abs(a - b) < 1e-9 * abs(b), "\(name): \(a), \(b)")
      }
    }
  }

  @Test func errorsBeyondTheLargestNumber() throws {
    let far = Double.greatestFiniteMagnitude
    try withModel(Tensor([far, -far, 1]), Tensor([-far, far, 1])) { model in
      for format in ["csv", "text", "markdown"] {
        let result = onnxVerify([model, "--format", format], columns: 200)
        #expect(result.code == 1)
        let words = result.output.lowercased().split { !$0.isLetter }
        #expect(!words.contains("inf"), "\(result.output)")
        let rows = result.lines.dropFirst()
        #expect(format != "csv" || !rows.contains { $0.contains("nan") }, "\(result.output)")
      }
    }
  }

  // MARK: integers

  @Test func integersThatDiffer() throws {
    try withModel(Tensor([Int32(1), 2, 3]), Tensor([Int32(1), 2, 4])) { model in
      let result = onnxVerify([model])
      #expect(result.code == 1)
      #expect(result.output.contains("1 of 3 elements differ\n"), "\(result.output)")
    }
  }

  @Test(arguments: [true, false])
  func integersThatDoublesCannotTell(isSigned: Bool) throws {
    let got: Tensor
    let expected: Tensor
    if isSigned {
      got = try Tensor([Int64(7), 1 << 60])
      expected = try Tensor([Int64(7), 1 << 60 + 1])
    } else {
      got = try Tensor([UInt64(7), 1 << 60])
      expected = try Tensor([UInt64(7), 1 << 60 + 1])
    }
    try withModel(got, expected) { model in
      let error = try error(model)
      #expect(error["max"]?.double == 1 && error["differing"] == 1 && error["outside"] == 1)
      #expect(error["worst"]?["index"] == 1)
      let result = onnxVerify([model], columns: 120)
      #expect(
        result.output.contains(
          "first at [1]: got 1152921504606846976, expected 1152921504606846977"),
        "\(result.output)")
    }
  }

  // MARK: what there is nothing to compare with

  @Test func outputsWithoutExpectation() throws {
    try withTemporaryDirectory { directory in
      var builder = ModelBuilder()
      let x = builder.input("x", [2])
      let outputs = ["y", "z", "w"].map { name in
        let value = builder.node("Identity", [x], output: name)
        builder.graph[value].type = .tensor(.float32, shape: [2])
        return value
      }
      let model = "\(directory)/m.onnx"
      try builder.write(outputs: outputs, to: model)
      let tensor = try Tensor([Float(1), 2])
      try writeSet("\(directory)/test_data_set_0", inputs: [tensor], outputs: [tensor])
      let text = onnxVerify([model])
      #expect(text.code == 0)
      #expect(
        text.output.contains("nothing to compare with: 2 outputs of the sets, 'w', 'z'"),
        "\(text.output)")
      let json = try verifyJSON([model])
      let set = json["check"]?["models"]?.array?.first?["sets"]?.array?.first
      #expect(set?["without_expectation"]?.array == ["z", "w"])
      try FileBytes.write(
        contents("\(directory)/test_data_set_0/input_0.pb"),
        to: "\(directory)/test_data_set_0/input_1.pb")
      #expect(onnxVerify([model]).output.contains("input_1.pb: the model has 1 input"))
    }
  }

  @Test func rowsOfATreeNameTheirSets() throws {
    try withTemporaryDirectory { directory in
      let tensor = try Tensor([Float(1), 2])
      for name in ["a", "b"] {
        makeDirectory("\(directory)/\(name)")
        try writeIdentity("\(directory)/\(name)/model.onnx", [2])
        try writeSet(
          "\(directory)/\(name)/test_data_set_0", inputs: [tensor], outputs: [tensor])
      }
      let result = onnxVerify([directory])
      let rows = result.lines.filter { $0.contains("model.onnx") }
      #expect(rows.count == 2 && rows.allSatisfy { $0.contains("test_data_set_0") })
      for line in result.lines { #expect(line.count <= 80, "\(line)") }
    }
  }
}
