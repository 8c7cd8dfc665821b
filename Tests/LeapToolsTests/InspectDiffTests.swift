// onnx-inspect diff: what was renamed, added, removed and changed, and how far weights moved.

import LeapGraph
import LeapTensors
import LeapTestSupport
import LeapTools
import LeapstoneImage
import Testing

@Suite struct InspectDiffTests {
  /// What of a small network differs from case to case.
  struct Network {
    var prefix = ""
    var stride: Int64 = 1
    var extra = false
    var leavesRelu = false
    var weights: [Float] = [1, 2, 3, 4]
    var usesNames = true
    var opset: Int64 = 17
    var input = "x"
    var producer = "a"

    /// Conv, Relu, (Neg,) Conv, Add with what comes before the second Conv.
    var bytes: [UInt8] {
      WireWriter.model(opset: opset, extra: { $0.string(2, producer) }, { graph(&$0) })
    }

    private func graph(_ writer: inout WireWriter) {
      let p = prefix
      func name(_ text: String) -> String { usesNames ? "\(p)\(text)" : "" }
      writer.weights("\(p)w1", weights, shape: [2, 2, 1, 1])
      writer.weights("\(p)w2", [1, 0, 0, 1], shape: [2, 2, 1, 1])
      writer.node(
        "Conv", [input, "\(p)w1"], ["\(p)a"], name: name("conv1"),
        attributes: [
          {
            $0.string(1, "strides")
            $0.packed(8, [stride, stride])
            $0.int(20, 7)
          }
        ])
      var last = "\(p)a"
      if !leavesRelu {
        writer.node("Relu", [last], ["\(p)r"], name: name("relu"))
        last = "\(p)r"
      }
      if extra {
        writer.node("Neg", [last], ["\(p)n"], name: name("neg"))
        last = "\(p)n"
      }
      writer.node("Conv", [last, "\(p)w2"], ["\(p)b"], name: name("conv2"))
      writer.node("Add", [last, "\(p)b"], ["y"], name: name("sum"))
      writer.value(11, input, shape: [1, 2, 4, 4])
      writer.value(12, "y", shape: nil)
    }
  }

  /// Compares two models, the second of which comes from a file.
  private func difference(
    _ first: Network, _ second: Network, _ flags: [String] = []
  ) throws -> (diff: ModelDiff, result: ToolResult) {
    try withTemporaryDirectory { directory in
      let paths = ["\(directory)/a.onnx", "\(directory)/b.onnx"]
      try FileBytes.write(first.bytes, to: paths[0])
      try FileBytes.write(second.bytes, to: paths[1])
      let process = FakeProcess()
      let diff = try InspectCommand.difference(paths + flags, process.environment())
      return (diff, onnxInspect(["diff"] + paths + flags))
    }
  }

  private func told(_ diff: ModelDiff) -> [String] {
    diff.entries.map { entry in
      "\(entry.kind.rawValue) \(entry.subject.rawValue) \(entry.name)"
        + (entry.otherName.map { " \($0)" } ?? "")
    }
  }

  @Test func aModelIsTheSameAsItself() throws {
    for path in smallModels() {
      let result = onnxInspect(["diff", path, path])
      #expect(result.code == 0, "\(path): \(result.output) \(result.error)")
      #expect(result.lines.dropFirst().first == "  the same")
    }
  }

  @Test func producersDoNotCount() throws {
    let (diff, result) = try difference(Network(), Network(producer: "b"))
    #expect(diff.isSame && result.code == 0)
    #expect(diff.remarks.map(\.name) == ["producer"])
    #expect(result.output.contains("producer: 'a' -> 'b'"))
  }

  @Test func attributesThatChanged() throws {
    let (diff, result) = try difference(Network(), Network(stride: 2))
    #expect(result.code == 1 && told(diff) == ["changed node conv1"])
    let aspect = try #require(diff.entries[0].aspects.first)
    #expect(aspect.name == "strides" && aspect.before == "[1, 1]" && aspect.after == "[2, 2]")
    #expect(result.output.contains("strides: [1, 1] -> [2, 2]"), "\(result.output)")
  }

  @Test func nodesThatCameAndWent() throws {
    let (added, _) = try difference(Network(), Network(extra: true))
    #expect(told(added).contains("added node neg"))
    // What reads it reads something else now.
    #expect(told(added).contains("changed node conv2"))
    let conv = try #require(added.entries.first { $0.name == "conv2" })
    #expect(conv.aspects.map(\.name) == ["input 0"])
    #expect(conv.aspects[0].before == "r" && conv.aspects[0].after == "n")
    #expect(!told(added).contains { $0.hasPrefix("removed") || $0.hasPrefix("renamed") })
    let (removed, result) = try difference(Network(extra: true), Network())
    #expect(told(removed).contains("removed node neg") && result.code == 1)
    #expect(removed.matchedNodes == 4)
  }

  /// Every name is another one, and still each node finds its own.
  @Test(arguments: [true, false])
  func renamedNodesAreFound(hasExtra: Bool) throws {
    let (diff, result) = try difference(Network(), Network(prefix: "net/", extra: hasExtra))
    let told = told(diff)
    for name in ["conv1", "relu", "conv2", "sum"] {
      #expect(told.contains("renamed node \(name) net/\(name)"), "\(told)")
    }
    for name in ["w1", "w2"] {
      #expect(told.contains("renamed constant \(name) net/\(name)"), "\(told)")
    }
    #expect(told.contains("added node net/neg") == hasExtra)
    #expect(!told.contains { $0.hasPrefix("removed") }, "\(told)")
    #expect(told.contains { $0.hasPrefix("changed") } == hasExtra, "\(told)")
    #expect(result.code == 1 && result.output.contains("4 renamed"), "\(result.output)")
  }

  @Test func nodesWithoutNamesAreMatchedByWhatTheyMake() throws {
    let (same, result) = try difference(Network(usesNames: false), Network(usesNames: false))
    #expect(same.isSame && same.matchedNodes == 4 && result.code == 0)
    let (less, _) = try difference(
      Network(usesNames: false), Network(leavesRelu: true, usesNames: false))
    #expect(less.entries.filter { $0.kind == .removed }.map(\.type) == ["Relu"])
    #expect(!told(less).contains { $0.hasPrefix("renamed") || $0.hasPrefix("added") })
  }

  @Test func inputsAndOpsets() throws {
    let (diff, _) = try difference(Network(), Network(opset: 18, input: "image"))
    let told = told(diff)
    #expect(told.contains("renamed input x image") && told.contains("changed opset ai.onnx"))
    // A version is told once, not at each node.
    #expect(told.count == 2, "\(told)")
  }

  // MARK: ways to write the same

  /// A model of one node that reads `x` and a constant.
  private func write(
    _ type: String, _ attributes: [String: Attribute], _ weights: Tensor, asNode: Bool = false,
    to path: String
  ) throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [1, 2, 4, 4])
    let w =
      asNode
      ? builder.node("Constant", [], attributes: ["value": .tensor(Constant(weights))], output: "w")
      : builder.constant("w", weights)
    let y = builder.node(type, [x, w], attributes: attributes, output: "y")
    try builder.write(outputs: [y], to: path)
  }

  private func compared(
    _ body: (_ first: String, _ second: String) throws -> Void
  ) throws -> (diff: ModelDiff, result: ToolResult) {
    try withTemporaryDirectory { directory in
      let paths = ["\(directory)/a.onnx", "\(directory)/b.onnx"]
      try body(paths[0], paths[1])
      let process = FakeProcess()
      let diff = try InspectCommand.difference(paths, process.environment())
      return (diff, onnxInspect(["diff"] + paths))
    }
  }

  @Test(
    arguments: [
      ("Conv", ["strides": .ints([1, 1])], true), ("Conv", ["strides": .ints([2, 2])], false),
      ("Conv", ["dilations": .ints([1, 1]), "group": .int(1)], true),
      ("Conv", ["pads": .ints([0, 0, 0, 0])], true),
      ("Conv", ["pads": .ints([1, 1, 1, 1])], false),
      ("Conv", ["auto_pad": .string(Array("NOTSET".utf8))], true),
      ("Conv", ["auto_pad": .string(Array("SAME_UPPER".utf8))], false),
      ("Gemm", ["alpha": .float(1), "transB": .int(0)], true),
      ("Gemm", ["alpha": .float(2)], false),
      ("Softsharp", ["alpha": .float(1)], false),
    ] as [(String, [String: Attribute], Bool)], [false, true])
  func attributesThatStateTheDefault(
    operation: (type: String, attributes: [String: Attribute], isSame: Bool), inSecond: Bool
  ) throws {
    let weights = try Tensor([Float](repeating: 1, count: 4), shape: [2, 2, 1, 1])
    let (diff, result) = try compared { first, second in
      try write(operation.type, inSecond ? [:] : operation.attributes, weights, to: first)
      try write(operation.type, inSecond ? operation.attributes : [:], weights, to: second)
    }
    #expect(diff.isSame == operation.isSame, "\(diff.entries)")
    #expect(result.code == (operation.isSame ? 0 : 1))
  }

  @Test(arguments: [false, true]) func constantsOfNodes(differs: Bool) throws {
    let weights = try Tensor([Float](repeating: 1, count: 4), shape: [2, 2, 1, 1])
    let other = try Tensor([1, 1, 1, differs ? 2 : 1] as [Float], shape: [2, 2, 1, 1])
    let (diff, _) = try compared { first, second in
      try write("Conv", [:], weights, asNode: true, to: first)
      try write("Conv", [:], other, to: second)
    }
    #expect(diff.isSame == !differs && diff.entries.isEmpty && diff.comparedConstants == 1)
    #expect(diff.remarks.map(\.name) == ["Constant nodes of main"])
  }

  @Test func weightsOfAnotherFloatType() throws {
    let numbers: [Float] = [1, 2, 3, 4.001]
    let halves = try Tensor(dataType: .float16, shape: [2, 2, 1, 1]) { bytes in
      ElementCodec.encode(.float16, numbers, count: numbers.count, to: bytes)
    }
    let (diff, result) = try compared { first, second in
      try write("Conv", [:], Tensor(numbers, shape: [2, 2, 1, 1]), to: first)
      try write("Conv", [:], halves, to: second)
    }
    #expect(result.code == 1 && told(diff) == ["changed constant w"])
    let weight = try #require(diff.weights.first)
    #expect(weight.count == 1 && (weight.relative ?? 1) < 5e-4 && (weight.relative ?? 0) > 1e-5)
  }

  /// What is there is compared; whether the rest is the same nobody knows.
  @Test(arguments: [false, true]) func weightsThatAreMissing(differs: Bool) throws {
    func bytes(_ weight: Float) -> [UInt8] {
      WireWriter.model {
        $0.external("w", location: "gone.bin", offset: 0, shape: [2])
        $0.weights("b", [weight, 1])
        $0.node("Add", ["w", "b"], ["y"], name: "sum")
        $0.value(12, "y")
      }
    }
    let (diff, result) = try compared { first, second in
      try FileBytes.write(bytes(1), to: first)
      try FileBytes.write(bytes(differs ? 2 : 1), to: second)
    }
    #expect(diff.uncomparedConstants == ["w"] && diff.comparedConstants == 1)
    #expect(result.code == (differs ? 1 : 2))
    #expect(result.output.contains("1 not, whose elements are missing"))
    #expect(result.error.contains("1 constant could not be compared, 'w' say") == !differs)
  }

  /// Many nodes that are in one model alone, and many that are alike but in another order.
  @Test(arguments: [false, true]) func manyNodesThatDiffer(areAlike: Bool) throws {
    func bytes(_ count: Int, _ types: [String]) -> [UInt8] {
      WireWriter.model {
        let names = ["x"] + (1...count).map { "\(types[0])\($0)" }
        for index in 0..<count {
          $0.node(types[index % types.count], [names[index]], [names[index + 1]])
        }
        $0.value(11, "x", shape: [2])
        $0.value(12, names[count])
      }
    }
    let (diff, result) = try compared { first, second in
      try FileBytes.write(bytes(12_000, areAlike ? ["Relu", "Neg"] : ["Relu"]), to: first)
      try FileBytes.write(bytes(9000, areAlike ? ["Neg", "Abs", "Relu"] : ["Neg"]), to: second)
    }
    #expect(result.code == 1)
    #expect(diff.matchedNodes == (areAlike ? 6000 : 0))
  }

  // MARK: weights

  @Test func weightsThatMoved() throws {
    let moved: [Float] = [1, 2, 3, 4.4]
    let (diff, result) = try difference(Network(), Network(weights: moved))
    #expect(diff.entries.isEmpty && !diff.isSame && result.code == 1)
    let weight = try #require(diff.weights.first)
    #expect(diff.weights.count == 1 && weight.name == "w1" && weight.count == 1)
    let change = Double(Float(4.4)) - 4
    #expect(abs((weight.largest ?? 0) - change) < 1e-12)
    #expect(abs((weight.relative ?? 0) - change / 4) < 1e-12)
    #expect(abs((weight.overall ?? 0) - change / 30.0.squareRoot()) < 1e-12)
    #expect(diff.comparedConstants == 2)
    #expect(result.output.contains("constants: 2 compared, 1 with other elements"))
    let (within, tolerant) = try difference(Network(), Network(weights: moved), ["--rtol", "0.11"])
    #expect(within.isSame && tolerant.code == 0)
    let (beyond, strict) = try difference(Network(), Network(weights: moved), ["--rtol", "0.09"])
    #expect(!beyond.isSame && strict.code == 1)
  }

  @Test(
    arguments: [
      ([.nan, 1], [.nan, 1], true), ([.nan, 1], [2, 1], false),
      ([1, 1], [.nan, 1], false),
      ([.infinity, 1], [.infinity, 1], true), ([.infinity, 1], [-.infinity, 1], false),
      ([0, 1], [-0.0, 1], true), ([0, 0], [0, 1], false),
    ] as [([Float], [Float], Bool)])
  func oddNumbers(first: [Float], second: [Float], isSame: Bool) throws {
    let (diff, _) = try difference(
      Network(weights: first + first), Network(weights: second + second))
    #expect(diff.isSame == isSame, "\(diff.weights)")
    #expect(diff.weights.allSatisfy { ($0.relative ?? 0) > 0 })
  }

  @Test func everyWeightHasARowWhereThatIsAskedFor() throws {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/b.onnx"
      // All weights of a network, a little moved: the last bit of each float.
      let original = try contents(located("@resnet-digits.onnx"))
      let bytes = WireWriter.model {
        for index in 0..<9 { $0.weights("w\(index)", [Float(index), 1]) }
        $0.node("Sum", (0..<9).map { "w\($0)" }, ["y"], name: "sum")
        $0.value(12, "y")
      }
      let other = WireWriter.model {
        for index in 0..<9 { $0.weights("w\(index)", [Float(index), 2]) }
        $0.node("Sum", (0..<9).map { "w\($0)" }, ["y"], name: "sum")
        $0.value(12, "y")
      }
      try FileBytes.write(other, to: path)
      let short = onnxInspect(["diff", "-", path], input: bytes)
      #expect(short.output.contains("the 5 of 9 that changed most"), "\(short.output)")
      let all = onnxInspect(["diff", "-", path, "--weights"], input: bytes)
      #expect((0..<9).allSatisfy { index in all.lines.contains { $0.hasPrefix("  w\(index) ") } })
      #expect(original.count > 0)
    }
  }

  // MARK: real networks

  @Test func differentNetworksDiffer() {
    let result = onnxInspect(["diff", "@resnet-digits.onnx", "@preresnet-digits.onnx"])
    #expect(result.code == 1)
    #expect(result.lines.dropFirst().first == "  different")
    #expect(result.output.contains("41 renamed, 2 removed"), "\(result.lines.prefix(3))")
  }

  @Test(arguments: [20, 80, 200])
  func diffsFitTheTerminal(columns: Int) {
    for flags in [[], ["--weights"]] {
      let result = onnxInspect(
        ["diff", "@resnet-digits.onnx", "@densenet-digits.onnx", "--color", "never"] + flags,
        columns: columns)
      let longest = result.lines.max { $0.count < $1.count } ?? ""
      #expect(longest.count <= columns, "\(longest)")
    }
  }

  // MARK: formats and trouble

  @Test func diffsConformToTheSchema() throws {
    let schema = JSONSchema(
      try contents(json: "\(TestData.checkout)/docs/schema/inspect-1.schema.json"))
    for (first, second) in [
      ("@resnet-digits.onnx", "@preresnet-digits.onnx"),
      ("@resnet-digits.onnx", "@resnet-digits.onnx"),
      ("@unet-shapes.onnx", "@densenet-digits.onnx"),
    ] {
      let result = onnxInspect(["diff", first, second, "--format", "json"])
      let json = try JSON(parsing: Array(result.output.utf8))
      #expect(schema.violations(json).isEmpty, "\(schema.violations(json).prefix(5))")
      #expect(json["same"]?.bool == (first == second))
      #expect(result.code == (first == second ? 0 : 1))
    }
    try withTemporaryDirectory { directory in
      let path = "\(directory)/diff.json"
      let result = onnxInspect(["diff", "@resnet-digits.onnx", "@unet-shapes.onnx", "-o", path])
      #expect(result.code == 1)
      let json = try contents(json: path)
      #expect(schema.violations(json).isEmpty)
    }
  }

  @Test(
    arguments: [
      ([], 64, "which models? onnx-inspect diff <a> <b>"), (["@digits.txt"], 64, "which models?"),
      (["a", "b", "c"], 64, "which models?"), (["-", "-"], 64, "cannot both come from stdin"),
      (["a", "b", "--rtol", "-1"], 64, "--rtol: it is not negative"),
      (["a", "b", "--rtol", "x"], 64, "--rtol: 'x' is no number"),
      (["a", "b", "--nodes"], 64, "unknown option '--nodes'"),
      (["@resnet-digits.onnx", "nowhere.onnx"], 2, "cannot read nowhere.onnx"),
      (["@digits.txt", "@resnet-digits.onnx"], 2, "digits.txt"),
    ] as [([String], Int32, String)])
  func troubleIsTold(arguments: [String], code: Int32, message: String) {
    let result = onnxInspect(["diff"] + arguments)
    #expect(result.code == code && result.output.isEmpty, "\(result.output)")
    let reason =
      message == "cannot both come from stdin" ? "both models cannot come from stdin" : message
    #expect(result.error.contains(reason), "\(result.error)")
  }

  @Test func helpAndCompletion() {
    let help = onnxInspect(["diff", "--help"])
    #expect(help.code == 0 && help.output.contains("USAGE: onnx-inspect diff <a> <b> [<options>]"))
    #expect(help.output.contains("--rtol") && help.output.contains("the same"))
    let main = onnxInspect(["--help"]).output
    #expect(main.contains("COMMANDS:") && main.contains("onnx-inspect diff old.onnx"))
    for shell in ["bash", "zsh", "fish"] {
      let script = onnxInspect(["--generate-completion-script", shell]).output
      #expect(script.contains("diff") && script.contains("rtol"), "\(shell)")
    }
  }

  /// A file that is called like the sub-command is a model where its path says so.
  @Test func aFileNamedDiff() {
    #expect(onnxInspect(["./diff"]).error.contains("cannot read ./diff"))
    #expect(onnxInspect(["show", "diff"]).error.contains("cannot read diff"))
  }
}
