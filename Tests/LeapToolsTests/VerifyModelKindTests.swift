// onnx-verify of models whose exact path is not plain: halves, graphs of nodes, NaN; and references that know a part only.

import LeapFormat
import LeapGraph
import LeapRuntime
import LeapTensors
import LeapTestSupport
import LeapTools
import Leapstone
import LeapstoneImage
import Testing

@Suite struct VerifyModelKindTests {
  /// Conv, Relu and Softmax on halves.
  private func writeHalves(_ type: DataType, to path: String) throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [1, 2, 6, 6], type: type)
    let numbers = (0..<36).map { Float($0 % 7) / 8 - 0.25 }
    let w = builder.constant(
      "w",
      try Tensor(dataType: type, shape: [2, 2, 3, 3]) {
        ElementCodec.encode(type, numbers, count: numbers.count, to: $0)
      })
    let c = builder.node("Conv", [x, w], output: "c")
    let r = builder.node("Relu", [c], output: "r")
    let y = builder.node("Softmax", [r], attributes: ["axis": .int(1)], output: "y")
    builder.graph[y].type = .tensor(type, shape: nil)
    try builder.write(outputs: [y], to: path)
  }

  @Test(arguments: [DataType.float16, .bfloat16]) func halves(type: DataType) throws {
    try withTemporaryDirectory { directory in
      let model = "\(directory)/m.onnx"
      try writeHalves(type, to: model)
      let sound = try verifyJSON(["bisect", model, "--random", "3", "-q"])
      let steps = try #require(sound["bisect"]?["steps"]?.array)
      #expect(steps.contains { $0["node"]?.string == "Softmax_y" && $0["own"]?["exact"] == false })
      let fault = KernelFault.damaging(.noise(0.2)) { $0.name == "Conv_c" }
      let faulty = try verifyJSON(["bisect", model, "--random", "3", "-q"], code: 1) {
        $0.instruments = [fault]
      }
      #expect(faulty["bisect"]?["culprit"]?["node"]?.string == "Conv_c")
      #expect(
        onnxVerify(["record", model, "--into", "\(directory)/gold", "--random", "1"]).code == 0)
      #expect(onnxVerify([model, "--data", "\(directory)/gold"]).code == 0)
    }
  }

  /// A choice whose branch has a convolution, or a loop whose graph has one.
  private func write(isLoop: Bool, to path: String) throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [1, 1, 5, 5])
    var body = ModelBuilder()
    let input: ValueID
    var outputs: [ValueID] = []
    if isLoop {
      _ = body.input("i", [], type: .int64)
      let on = body.input("on", [], type: .bool)
      input = body.input("state", [1, 1, 5, 5])
      outputs = [body.node("Identity", [on], output: "stays")]
    } else {
      input = body.capture(x, as: "x")
    }
    let w = body.constant("w", try Tensor((0..<9).map { Float($0) / 10 }, shape: [1, 1, 3, 3]))
    let made = body.node(
      "Conv", [input, w], attributes: ["pads": .ints([1, 1, 1, 1])], output: "made")
    outputs.append(made)
    let graph = body.body(outputs: outputs)
    let result: ValueID
    if isLoop {
      let count = builder.constant("count", try Tensor(scalar: Int64(3)))
      result = builder.node("Loop", [count, nil, x], attributes: ["body": graph], output: "result")
    } else {
      let yes = builder.constant("yes", try Tensor(scalar: true))
      var other = ModelBuilder()
      let outer = other.capture(x, as: "x")
      let same = other.node("Identity", [outer], output: "same")
      result = builder.node(
        "If", [yes],
        attributes: ["then_branch": graph, "else_branch": other.body(outputs: [same])],
        output: "result")
    }
    let y = builder.node("Softmax", [result], output: "y")
    builder.graph[y].type = .tensor(.float32, shape: nil)
    try builder.write(outputs: [y], to: path)
  }

  @Test(arguments: [false, true]) func graphsOfNodes(isLoop: Bool) throws {
    try withTemporaryDirectory { directory in
      let model = "\(directory)/m.onnx"
      try write(isLoop: isLoop, to: model)
      let command = ["bisect", model, "--random", "5", "-q"]
      let sound = try verifyJSON(command)
      #expect(sound["bisect"]?["note"] == nil, "\(sound.text())")
      let drift = sound["bisect"]?["outputs"]?.array?.first?["drift"]
      #expect((drift?["snr_db"]?.double ?? 0) > 110)
      let softmax = KernelFault.damaging(.noise(1e-2)) { $0.name == "Softmax_y" }
      let outside = try verifyJSON(command, code: 1) { $0.instruments = [softmax] }
      #expect(outside["bisect"]?["culprit"]?["node"]?.string == "Softmax_y")
      if isLoop { return }
      // A branch runs once: its steps are measured as those outside.
      let convolution = KernelFault.damaging(.noise(1e-2)) { $0.name == "Conv_made" }
      let inside = try verifyJSON(command, code: 1) { $0.instruments = [convolution] }
      #expect(inside["bisect"]?["culprit"]?["node"]?.string == "Conv_made")
      let text = onnxVerify(command) { $0.instruments = [convolution] }
      #expect(text.output.contains("to blame: Conv, in the graph of a node"), "\(text.output)")
    }
  }

  @Test func elementsThatAreNoNumbersAreCounted() throws {
    try withTemporaryDirectory { directory in
      let model = "\(directory)/m.onnx"
      var builder = ModelBuilder()
      let x = builder.input("x", [4])
      let w = builder.constant("w", try Tensor([1, .nan, 2, .nan] as [Float]))
      let y = builder.node("Add", [x, w], output: "y")
      builder.graph[y].type = .tensor(.float32, shape: [4])
      try builder.write(outputs: [y], to: model)
      let result = onnxVerify(["bisect", model, "--random", "0"])
      #expect(result.code == 0 && result.output.contains(", 2 NaN"), "\(result.output)")
    }
  }

  // MARK: references that know a part

  /// Where nothing before the value was compared, nobody knows which step lost what is lost.
  @Test func onlyTheLastValueIsThere() throws {
    try withTemporaryDirectory { directory in
      let archive = "\(directory)/values.npz"
      let session = try InferenceSession(path: located("@resnet-digits.onnx"))
      let input = try RandomTensor.make(.float32, [1, 1, 32, 32], seed: 0, stream: 0)
      let output = try #require(try session.run(["input": input])["output"])
      let numbers = try #require(output.elements(as: Float.self)).map { $0 * 1.5 }
      try NPZ.write([NamedTensor("output", try Tensor(numbers, shape: output.shape))], to: archive)
      let command = ["bisect", "@resnet-digits.onnx", "--random", "0", "--against", archive]
      let json = try verifyJSON(command + ["-q"], code: 1)
      #expect(json["bisect"]?["culprit"]?["kind"]?.string == "stretch")
      #expect(
        onnxVerify(command).output.contains(
          "to blame: this step, or one of those before it whose values the reference"))
    }
  }

  // MARK: what there is nothing to do with

  @Test func aTreeWithoutData() throws {
    try withTemporaryDirectory { directory in
      for name in ["a", "b"] { try writeIdentity("\(directory)/\(name).onnx", [2]) }
      let result = onnxVerify([directory])
      #expect(result.code == 2 && result.output.isEmpty)
      #expect(result.error.contains("nothing to check: no data lie beside the 2 models in"))
    }
  }

  @Test(arguments: ["bisect", "determinism"]) func onePictureOfSeveralIsUsed(command: String) {
    let result = onnxVerify([
      command, "@resnet-digits.onnx", "--preset", "unit", "--image", "@pictures/digit-1.png",
      "--image", "@pictures/digit-2.png",
    ])
    #expect(result.code == 0)
    #expect(result.error.contains("--image: the first 1 picture of 2 are used"), "\(result.error)")
  }
}
