// onnx-verify check: that right outputs pass, wrong ones are named, and figures are what they say.

import LeapFormat
import LeapGraph
import LeapTensors
import LeapTestSupport
import LeapTools
import LeapstoneImage
import Testing

@Suite struct VerifyCheckTests {
  private static let networks = [
    "resnet-digits", "preresnet-digits", "densenet-digits", "inception-resnet-digits",
    "unet-shapes",
  ]

  private func output(_ json: JSON, set: Int = 0) -> JSON? {
    json["check"]?["models"]?.array?.first?["sets"]?.array?[set]["outputs"]?.array?.first
  }

  // MARK: right outputs

  @Test(arguments: networks)
  func ourNetworksGiveWhatIsExpected(name: String) throws {
    let json = try verifyJSON(["@\(name).onnx"])
    let sets = json["check"]?["models"]?.array?.first?["sets"]?.array ?? []
    // What lies beside the model: NAME.npz and NAME.batch5.npz.
    #expect(sets.map { $0["set"]?.string ?? "" } == ["\(name).batch5.npz", "\(name).npz"])
    for set in sets {
      let output = try #require(set["outputs"]?.array?.first)
      #expect(output["verdict"] == "passed")
      #expect((output["error"]?["snr_db"]?.double ?? .infinity) > 100)
      #expect(output["error"]?["nan"] == 0)
    }
  }

  @Test func aDirectoryOfModels() throws {
    let json = try verifyJSON(["@"])
    let models = try #require(json["check"]?["models"]?.array)
    #expect(models.filter { $0["verdict"] == "passed" }.count == 5)
    #expect(json["summary"]?.array?.first == "5 of 5 models pass")
    let text = onnxVerify(["@"])
    #expect(text.code == 0 && text.output.hasSuffix("5 of 5 models pass\n"))
  }

  @Test func layoutsOfData() throws {
    try withTemporaryDirectory { directory in
      let model = "\(directory)/m.onnx"
      try writeIdentity(model, [2])
      let (a, b) = (try Tensor([Float(1), 2]), try Tensor([Float(3), 4]))
      // ONNX's own, sets in the order of their numbers.
      let sets = "\(directory)/sets"
      makeDirectory(sets)
      for number in [10, 2] {
        try writeSet("\(sets)/test_data_set_\(number)", inputs: [a], outputs: [a])
      }
      var json = try verifyJSON([model, "--data", sets])
      var found = json["check"]?["models"]?.array?.first?["sets"]?.array ?? []
      #expect(found.map { $0["set"] } == ["test_data_set_2", "test_data_set_10"])
      #expect(try verifyJSON([model, "--data", "\(sets)/test_data_set_2"])["verdict"] == "passed")
      // One archive of several sets.
      let archive = "\(directory)/all.npz"
      try NPZ.write(
        [
          NamedTensor("test_data_set_0_input_0", a), NamedTensor("test_data_set_0_output_0", a),
          NamedTensor("test_data_set_1_input_0", b), NamedTensor("test_data_set_1_output_0", b),
        ], to: archive)
      json = try verifyJSON([model, "--data", archive])
      found = json["check"]?["models"]?.array?.first?["sets"]?.array ?? []
      #expect(found.map { $0["set"] } == ["test_data_set_0", "test_data_set_1"])
      // By name, with and without what tells inputs from outputs; by place.
      for keys in [("in:x", "out:y"), ("x", "y"), ("input_0", "output_0")] {
        try NPZ.write([NamedTensor(keys.0, a), NamedTensor(keys.1, a)], to: archive)
        #expect(try verifyJSON([model, "--data", archive])["verdict"] == "passed")
      }
      // A folder of the model's name.
      makeDirectory("\(directory)/m")
      try writeSet("\(directory)/m/test_data_set_0", inputs: [a], outputs: [a])
      #expect(try verifyJSON([model])["verdict"] == "passed")
    }
  }

  @Test func sequences() throws {
    try withTemporaryDirectory { directory in
      var builder = ModelBuilder()
      let x = builder.input("x", [4])
      let s = builder.node("SplitToSequence", [x], attributes: ["keepdims": .int(1)], output: "s")
      builder.graph[s].type = .sequence(.tensor(.float32, shape: [1]))
      try builder.write(outputs: [s], to: "\(directory)/m.onnx")
      let set = "\(directory)/test_data_set_0"
      try writeSet(set, inputs: [try Tensor([Float(1), 2, 3, 4])], outputs: [])
      func write(_ numbers: [Float]) throws {
        let sequence = try WireWriter {
          $0.int(2, 1)
          for number in numbers { $0.data(3, try TensorEncoder.encode(Tensor([number]), name: "")) }
        }
        try FileBytes.write(sequence.bytes, to: "\(set)/output_0.pb")
      }
      try write([1, 2, 3, 4])
      #expect(try verifyJSON(["\(directory)/m.onnx"])["verdict"] == "passed")
      try write([1, 2, 5, 4])
      let json = try verifyJSON(["\(directory)/m.onnx"], code: 1)
      let outputs = json["check"]?["models"]?.array?.first?["sets"]?.array?[0]["outputs"]?.array
      let failed = outputs?.filter { $0["verdict"] == "failed" } ?? []
      #expect(failed.map { $0["output"] } == ["s[2]"])
      try write([1, 2])
      let short = onnxVerify(["\(directory)/m.onnx"])
      #expect(short.code == 1 && short.output.contains("has 4 items; expected 2"))
    }
  }

  // MARK: figures and tolerances

  @Test func figuresAreWhatTheySay() throws {
    try withTemporaryDirectory { directory in
      let model = "\(directory)/m.onnx"
      try writeIdentity(model, [4])
      try writeSet(
        "\(directory)/test_data_set_0", inputs: [try Tensor([Float(1), 2, 3, 4])],
        outputs: [try Tensor([Float(1), 2, 3, 5])])
      let error = try #require(output(try verifyJSON([model], code: 1))?["error"])
      func near(_ name: String, _ expected: Double) {
        let got = error[name]?.double ?? .nan
        #expect(abs(got - expected) < 1e-6 * max(1, abs(expected)), "\(name): \(got)")
      }
      near("max", 1)
      near("mean", 0.25)
      near("p50", 0)
      near("p99", 1)
      near("rms", 0.5)
      // 30 over the root of 30 times 39; 39 over 1; the range 4 over 0.5; 2^21 floats from 4 to 5.
      near("cosine", 34 / (30.0 * 39).squareRoot())
      near("snr_db", 15.910646)
      near("psnr_db", 18.061800)
      near("ulp", 2_097_152)
      #expect(error["differing"] == 1 && error["outside"] == 1 && error["elements"] == 4)
      #expect(error["worst"]?["index"] == 3 && error["worst"]?["expected"] == 5)
    }
  }

  @Test func tolerancesByOutput() throws {
    try withTemporaryDirectory { directory in
      let model = "\(directory)/m.onnx"
      try writeIdentity(model, [4], output: "a:b")
      try writeSet(
        "\(directory)/test_data_set_0", inputs: [try Tensor([Float(1), 2, 3, 4])],
        outputs: [try Tensor([Float(1), 2, 3, 5])])
      for (options, code) in [
        ([], 1), (["--atol", "1"], 0), (["--atol", "0.9"], 1), (["--rtol", "0.2"], 0),
        (["--rtol", "0.1"], 1), (["--rtol", "a:b:0.2"], 0),
        (["--atol", "a:b:1", "--rtol", "0"], 0),
        (["--atol", "1", "--atol", "a:b:0.5"], 1),
      ] as [([String], Int32)] {
        #expect(onnxVerify([model] + options).code == code, "\(options)")
      }
      let unknown = onnxVerify([model, "--atol", "a:c:1"])
      #expect(unknown.code == 64)
      #expect(unknown.error.contains("the model has no output 'a:c'; it has 'a:b'; did you mean"))
    }
  }

  @Test func notANumberIsWrongWhereANumberIsExpected() throws {
    try withTemporaryDirectory { directory in
      let model = "\(directory)/m.onnx"
      try writeIdentity(model, [3])
      func check(_ got: [Float], _ expected: [Float]) throws -> ToolResult {
        try writeSet(
          "\(directory)/test_data_set_0", inputs: [try Tensor(got)], outputs: [try Tensor(expected)]
        )
        return onnxVerify([model, "--atol", "1e30"], columns: 200)
      }
      #expect(try check([1, .nan, .infinity], [1, .nan, .infinity]).code == 0)
      let lost = try check([1, .nan, 3], [1, 2, 3])
      #expect(lost.code == 1)
      #expect(
        lost.output.contains(
          "NaN 1, infinite 0; expected NaN 0, infinite 0; first at [1]: got nan, expected 2.0"),
        "\(lost.output)")
      #expect(try check([1, 2, .infinity], [1, 2, -.infinity]).code == 1)
      #expect(try check([1, 2, 3], [1, .nan, 3]).code == 1)
    }
  }

  @Test(arguments: [
    (DataType.int64, true), (.bool, true), (.uint8, true), (.float64, false), (.float16, false),
  ])
  func typesOfOutputs(type: DataType, isExact: Bool) throws {
    try withTemporaryDirectory { directory in
      let model = "\(directory)/m.onnx"
      try writeIdentity(model, [3], type: type)
      func write(_ expected: [Double]) throws {
        let given = try #require(try Tensor.rounded([0, 1, 1], to: type, shape: [3]))
        let wanted = try #require(try Tensor.rounded(expected, to: type, shape: [3]))
        try writeSet("\(directory)/test_data_set_0", inputs: [given], outputs: [wanted])
      }
      try write([0, 1, 1])
      #expect(try verifyJSON([model])["verdict"] == "passed")
      try write([0, 1, 0])
      let json = try verifyJSON([model], code: 1)
      #expect(
        output(json)?["tolerance"]?["atol"] == (isExact ? 0 : output(json)?["tolerance"]?["atol"]))
      #expect((output(json)?["tolerance"]?["rtol"]?.double == 0) == isExact)
      if type != .bool { #expect(onnxVerify([model, "--atol", "1"]).code == 0) }
    }
  }

  @Test func integersThatDoublesCannotTell() throws {
    try withTemporaryDirectory { directory in
      let model = "\(directory)/m.onnx"
      try writeIdentity(model, [1], type: .int64)
      try writeSet(
        "\(directory)/test_data_set_0", inputs: [try Tensor([Int64(1 << 60)])],
        outputs: [try Tensor([Int64(1 << 60) + 1])])
      #expect(onnxVerify([model]).code == 1)
    }
  }

  @Test func classesThatAgree() throws {
    try withTemporaryDirectory { directory in
      let model = "\(directory)/m.onnx"
      try writeIdentity(model, [2, 8])
      let got: [Float] = [0, 9, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6]
      // The best of row 0 is the same; that of row 1, class 1, is the last of eight.
      var expected = got
      expected[9] = 9
      try writeSet(
        "\(directory)/test_data_set_0", inputs: [try Tensor(got, shape: [2, 8])],
        outputs: [try Tensor(expected, shape: [2, 8])])
      let agreement = output(try verifyJSON([model], code: 1))?["agreement"]
      #expect(agreement?["rows"] == 2 && agreement?["top1"] == 1 && agreement?["top5"] == 1)
    }
  }

  // MARK: failures

  @Test func aWrongElementIsNamed() throws {
    try withTemporaryDirectory { directory in
      let data = "\(directory)/wrong.npz"
      var arrays = try NPZ.read(located("@resnet-digits.npz"))
      let index = try #require(arrays.firstIndex { $0.name == "out:output" })
      var numbers = try #require(arrays[index].tensor.elements(as: Float.self))
      numbers[13] += 0.5
      arrays[index].tensor = try Tensor(numbers, shape: arrays[index].tensor.shape)
      try NPZ.write(arrays, to: data)
      let result = onnxVerify(["@resnet-digits.onnx", "--data", data])
      #expect(result.code == 1)
      #expect(result.output.contains("FAILED wrong.npz, output 'output' (float32 2x10)"))
      #expect(result.output.contains("1 of 20 elements differ by more than 0.001 |expected| +"))
      #expect(result.output.contains("at [1, 3]: got"), "\(result.output)")
      #expect(result.output.contains("1 output of 1 set: one is beyond tolerance"))
    }
  }

  @Test func theFirstFailureEndsItWhereAsked() throws {
    try withTemporaryDirectory { directory in
      let model = "\(directory)/m.onnx"
      try writeIdentity(model, [1])
      for number in 0..<3 {
        try writeSet(
          "\(directory)/test_data_set_\(number)", inputs: [try Tensor([Float(1)])],
          outputs: [try Tensor([Float(number)])])
      }
      func sets(_ options: [String]) throws -> Int? {
        let json = try verifyJSON([model] + options, code: 1)
        return json["check"]?["models"]?.array?.first?["sets"]?.array?.count
      }
      #expect(try sets([]) == 3)
      #expect(try sets(["--fail-fast"]) == 1)
      #expect(try sets(["--concurrency", "2"]) == 3)
    }
  }

  @Test func oneBrokenModelEndsNoOther() throws {
    try withTemporaryDirectory { directory in
      for name in ["a", "b", "c", "d"] { makeDirectory("\(directory)/\(name)") }
      let x = try Tensor([Float(1)])
      for name in ["a", "b", "c"] {
        try writeIdentity("\(directory)/\(name)/model.onnx", [1])
        try writeSet("\(directory)/\(name)/test_data_set_0", inputs: [x], outputs: [x])
      }
      try FileBytes.write(Array("<html>".utf8), to: "\(directory)/b/model.onnx")
      try writeIdentity("\(directory)/d/model.onnx", [1])
      let result = onnxVerify([directory])
      #expect(result.code == 2)
      #expect(result.output.contains("b/model.onnx is not an ONNX model"), "\(result.output)")
      #expect(result.output.contains("2 of 3 models pass, 1 cannot be checked"))
      #expect(result.output.contains("no data lie beside '\(directory)/d/model.onnx'"))
      let verdicts = try verifyJSON([directory], code: 2)["check"]?["models"]?.array?.map {
        $0["verdict"]?.string ?? ""
      }
      #expect(verdicts == ["passed", "error", "passed", "skipped"])
      let junit = onnxVerify([directory, "--format", "junit"]).output
      #expect(junit.contains("tests=\"3\" failures=\"0\" errors=\"1\""), "\(junit)")
    }
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let arguments: [String]
    let message: String
    let code: Int32
    init(_ arguments: [String], _ message: String, code: Int32 = 64) {
      self.arguments = arguments
      self.message = message
      self.code = code
    }
    var testDescription: String { arguments.joined(separator: " ") }
  }

  private static let model = "@resnet-digits.onnx"

  private static let wrong: [Case] = [
    Case([], "which model? onnx-verify <model> [<options>]"),
    Case(["chek", model], "there is no command 'chek'; did you mean 'check'?"),
    Case([model, "--rtol", "x"], "--rtol: 'x' is no tolerance, like 1e-3 or scores:1e-3"),
    Case([model, "--atol", "-1"], "--atol: '-1' is no tolerance"),
    Case([model, "--format", "xml"], "--format: 'xml' is not one of text, json, csv, junit"),
    Case([model, "-o", "a.txt"], "-o: 'a.txt' ends in none of .json, .csv, .xml, .md, .html"),
    Case(["@", "--data", "x"], "--data: a directory of models has its data beside the models"),
    Case(["-"], "which data? nothing lies beside stdin: add --data DIR or FILE.npz"),
    Case([model, "--data", "@digits.txt"], "is neither a directory nor an .npz file"),
    Case([model, "--data", "nowhere"], "nowhere: there is no such file or directory", code: 2),
    Case([model, "--data", "@pictures"], "'pictures", code: 2),
    Case(["nowhere.onnx"], "cannot read nowhere.onnx: there is no such file", code: 2),
    Case(["@digits.txt", "--data", "@resnet-digits.npz"], "digits.txt is malformed", code: 2),
    Case(["@pictures"], "no .onnx file in this directory or below", code: 2),
  ]

  @Test(arguments: wrong)
  func whatIsWrongIsTold(_ test: Case) {
    let result = onnxVerify(test.arguments)
    #expect(result.code == test.code, "\(result.output)")
    #expect(result.error.hasPrefix("onnx-verify: error: ") || test.code == 2, "\(result.error)")
    if test.message != "'pictures" {
      #expect(result.error.contains(test.message), "\(result.error)")
    }
  }

  @Test func dataThatDoNotGoWithTheModel() throws {
    let result = onnxVerify([Self.model, "--data", "@digits-held-out.npz"], columns: 200)
    #expect(result.code == 2)
    #expect(
      result.output.contains("'images' is neither an input ('input') nor an output ('output')"),
      "\(result.output)")
    let shapes = onnxVerify([Self.model, "--data", "@unet-shapes.npz"])
    #expect(shapes.code == 2 && shapes.output.contains("input 'input': expected float32"))
  }
}
