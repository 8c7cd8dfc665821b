// onnx-verify record: that goldens are exact, hold for every way to run, and catch a model that is another.

import LeapFormat
import LeapGraph
import LeapKernels
import LeapTensors
import LeapTestSupport
import LeapTools
import LeapstoneImage
import Testing

@Suite struct VerifyRecordTests {
  private func record(_ arguments: [String]) throws {
    let result = onnxVerify(["record"] + arguments + ["-q"])
    try #require(result.code == 0, "\(result.error)")
  }

  private func manifest(_ directory: String) throws -> JSON {
    let json = try contents(json: "\(directory)/leapstone.json")
    let schema = JSONSchema(
      try contents(json: "\(TestData.checkout)/docs/schema/goldens-1.schema.json"))
    #expect(schema.violations(json).isEmpty, "\(schema.violations(json))")
    return json
  }

  /// The ways that runs may differ on this and on other machines.
  private static let ways: [[String]] =
    InstructionSet.available.map { ["--isa", $0.rawValue] } + [
      ["--forbid", "winograd"], ["--algorithm", "winograd4"], ["--disable-pass", "all"],
      ["--memory-policy", "lean"], ["--threads", "3"],
      ["--isa", "portable", "--disable-pass", "all"],
      ["--isa", "portable", "--algorithm", "winograd4"],
    ]

  @Test(arguments: [
    "resnet-digits", "preresnet-digits", "densenet-digits", "inception-resnet-digits",
    "unet-shapes",
  ])
  func goldensHoldForEveryWayToRun(name: String) throws {
    try withTemporaryDirectory { directory in
      let goldens = "\(directory)/goldens"
      try record(["@\(name).onnx", "--random", "3", "--into", goldens])
      let outputs = try #require(try manifest(goldens)["outputs"]?.array)
      for output in outputs {
        // Wide enough for all, and no wider than a few times what rounding does.
        let (budget, largest) = (output["atol"]?.double ?? 1, output["largest"]?.double ?? 0)
        #expect(budget > 0 && budget < 1e-4 * largest, "\(output.text())")
        let worst = output["measured"]?.members?.compactMap(\.value.double).max() ?? 0
        #expect(worst > 0 && worst <= budget / 4)
        #expect(output["differing"] == 0)
        // Simulated rounding alone covers what kernels do: so will it where they cannot be measured.
        let simulated = output["simulated"]?.double ?? 0
        #expect(simulated > 0 && 4 * simulated >= 2 * worst, "\(output.text())")
      }
      for way in Self.ways {
        let result = onnxVerify(["@\(name).onnx", "--data", goldens] + way)
        #expect(result.code == 0, "\(way): \(result.output)")
        #expect(result.output.contains("the model is the same"))
      }
    }
  }

  @Test func aLittleWrongIsCaught() throws {
    try withTemporaryDirectory { directory in
      let goldens = "\(directory)/goldens"
      try record(["@resnet-digits.onnx", "--random", "3", "--into", goldens])
      let fault = KernelFault.damaging(.noise(1e-4)) { $0.operatorType == "Gemm" }
      let result = onnxVerify(["@resnet-digits.onnx", "--data", goldens]) {
        $0.instruments = [fault]
      }
      #expect(result.code == 1)
      #expect(result.output.contains("differ by more than budget"), "\(result.output)")
      // What the usual tolerance lets pass.
      let usual = onnxVerify(["@resnet-digits.onnx", "--data", goldens, "--rtol", "1e-3"]) {
        $0.instruments = [fault]
      }
      #expect(usual.code == 0)
    }
  }

  @Test func goldensAreExact() throws {
    try withTemporaryDirectory { directory in
      // 2^24 + 1 + 1: floats lose both ones, in whatever order but one.
      var builder = ModelBuilder()
      let x = builder.input("x", [1, 3])
      let w = builder.constant("w", try Tensor([Float(1), 1, 1], shape: [3, 1]))
      let y = builder.node("MatMul", [x, w], output: "y")
      builder.graph[y].type = .tensor(.float32, shape: [1, 1])
      try builder.write(outputs: [y], to: "\(directory)/m.onnx")
      let data = "\(directory)/in.npz"
      try NPZ.write(
        [NamedTensor("x", try Tensor([Float(1 << 24), 1, 1], shape: [1, 3]))], to: data)
      try record(["\(directory)/m.onnx", "--inputs", data, "--into", "\(directory)/m"])
      let stored = try StoredValue.read(
        path: "\(directory)/m/test_data_set_0/output_0.pb", as: .tensor)
      #expect(stored.name == "y")
      #expect(stored.value.runValue?.tensor?.elements(as: Float.self) == [16_777_218])
      #expect(onnxVerify(["\(directory)/m.onnx"]).code == 0)
    }
  }

  @Test func whatIsThereIsNotOverwrittenUnasked() throws {
    try withTemporaryDirectory { directory in
      let goldens = "\(directory)/goldens"
      let arguments = ["@resnet-digits.onnx", "--into", goldens]
      try record(arguments + ["--data", "@resnet-digits.npz"])
      let refused = onnxVerify(["record"] + arguments + ["--random", "0"])
      #expect(refused.code == 64 && refused.error.contains("--update records them again"))
      // Again, with the same inputs: nothing changes.
      let again = onnxVerify(["record"] + arguments + ["--update"])
      #expect(again.code == 0, "\(again.error)")
      #expect(
        again.lines.contains { $0.contains("output") && $0.hasSuffix(" 0") }, "\(again.output)")
      // Other inputs, and fewer sets: what is too many goes.
      try record(arguments + ["--update", "--data", goldens])
      let json = try manifest(goldens)
      #expect(json["model"] == "resnet-digits.onnx" && json["preset"] == .null)
    }
  }

  @Test func anotherModelIsReported() throws {
    try withTemporaryDirectory { directory in
      let (model, goldens) = ("\(directory)/m.onnx", "\(directory)/m")
      func write(_ factor: Float) throws {
        var builder = ModelBuilder()
        let x = builder.input("x", [4])
        let w = builder.constant("w", try Tensor([factor]))
        let y = builder.node("Mul", [x, w], output: "y")
        builder.graph[y].type = .tensor(.float32, shape: [4])
        try builder.write(outputs: [y], to: model)
      }
      try write(1.5)
      try record([model, "--random", "0", "--into", goldens])
      let before = try manifest(goldens)["model_digest"]?.string ?? ""
      #expect(before.count == 22 && before.hasPrefix("xxh64:"))
      try write(1.25)
      let json = try verifyJSON([model], code: 1)
      let found = json["check"]?["models"]?.array?.first?["goldens"]
      #expect(found?["unchanged"] == false && found?["model_digest"]?.string == before)
      let changed = onnxVerify([model], columns: 200)
      #expect(changed.output.contains("is another: it had \(before)"), "\(changed.output)")
      let update = onnxVerify(["record", model, "--into", goldens, "--update"], columns: 200)
      #expect(update.code == 0)
      #expect(update.output.contains("\(before) -> xxh64:"), "\(update.output)")
      #expect(update.output.contains("the model is another than the one that was recorded before"))
      #expect(onnxVerify([model]).code == 0)
    }
  }

  @Test func aSetForEachPicture() throws {
    try withTemporaryDirectory { directory in
      let goldens = "\(directory)/goldens"
      let pictures = ["@pictures/digit-1.png", "@pictures/digit-2.png", "@pictures/digit-3.png"]
      try record(
        ["@resnet-digits.onnx", "--preset", "unit", "--into", goldens, "--image"] + pictures)
      let json = try manifest(goldens)
      #expect(json["sets"] == 3)
      #expect(json["preset"]?.string?.contains("--scale") == true)
      #expect(try FileNames.of(goldens).filter { $0.hasPrefix("test_data") }.count == 3)
      try record(
        [
          "@resnet-digits.onnx", "--update", "--preset", "unit", "--into", goldens, "--image",
          pictures[0],
        ])
      #expect(try FileNames.of(goldens).filter { $0.hasPrefix("test_data") }.count == 1)
    }
  }

  @Test func integersThatRoundingDecides() throws {
    try withTemporaryDirectory { directory in
      // Sums that are equal but for rounding: which is the largest, floats do not agree on.
      var builder = ModelBuilder()
      let x = builder.input("x", [64, 300])
      let w = builder.constant(
        "w", try Tensor((0..<1200).map { Float($0 / 4 % 7) / 7 + 0.1 }, shape: [300, 4]))
      let y = builder.node("MatMul", [x, w], output: "y")
      let best = builder.node(
        "ArgMax", [y], attributes: ["axis": .int(1), "keepdims": .int(0)], output: "best")
      builder.graph[best].type = .tensor(.int64, shape: [64])
      try builder.write(outputs: [best], to: "\(directory)/m.onnx")
      try record(["\(directory)/m.onnx", "--random", "1", "--into", "\(directory)/m"])
      let output = try #require(try manifest("\(directory)/m")["outputs"]?.array?.first)
      #expect(output["type"] == "int64" && output["atol"] == 0)
      for way in Self.ways {
        #expect(onnxVerify(["\(directory)/m.onnx"] + way).code == 0, "\(way)")
      }
    }
  }

  @Test func reportsConformToTheSchema() throws {
    try withTemporaryDirectory { directory in
      let goldens = "\(directory)/goldens"
      let arguments = ["record", "@unet-shapes.onnx", "--random", "0", "-q", "--into", goldens]
      let json = try verifyJSON(arguments)
      #expect(json["record"]?["goldens"] == (try manifest(goldens)))
      let update = try verifyJSON([
        "record", "@unet-shapes.onnx", "-q", "--into", goldens, "--update",
      ])
      #expect(update["record"]?["changes"]?.array?.first?["change"] == 0)
      for columns in [80, 200] {
        let text = onnxVerify(
          ["record", "@unet-shapes.onnx", "-q", "--into", goldens, "--update"], columns: columns)
        for line in text.lines { #expect(line.count <= columns, "\(line)") }
      }
    }
  }

  @Test(arguments: [
    (["record", "@resnet-digits.onnx"], "where to? add --into DIR"),
    (
      ["record", "@resnet-digits.onnx", "--into", "/tmp/never", "--data", "x", "--random", "0"],
      "--data and other inputs do not go together"
    ),
    (
      ["record", "@resnet-digits.onnx", "--into", "/tmp/never-made", "--update"],
      "/tmp/never-made holds no leapstone.json; give inputs to record"
    ),
    (["record", "@resnet-digits.onnx", "--into", "/tmp/never-made"], "nothing is given for input"),
  ])
  func wrongUsageIsTold(arguments: [String], message: String) {
    let result = onnxVerify(arguments)
    #expect(result.code == 64 && result.error.contains(message), "\(result.error)")
  }
}
