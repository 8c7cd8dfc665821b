// onnx-inspect on networks: what it says is what a session does, and it fits where it is shown.

import LeapKernels
import LeapTensors
import LeapTestSupport
import LeapTools
import Leapstone
import LeapstoneImage
import Testing

@Suite struct InspectToolTests {
  static let networks = ["resnet", "preresnet", "densenet", "inception-resnet"].map {
    "@\($0)-digits.onnx"
  }

  // MARK: figures

  /// Options of a session, as flags.
  struct Setting: Sendable {
    let flags: [String]
    let batch: Int
    let configure: @Sendable (inout SessionOptions) -> Void
  }

  static let settings: [Setting] = [
    Setting(flags: ["--threads", "1"], batch: 1) { $0.threads = 1 },
    Setting(flags: ["--threads", "3", "--dim", "batch=4", "--memory-policy", "fast"], batch: 4) {
      $0.threads = 3
      $0.memoryPolicy = .fast
    },
    Setting(flags: ["--threads", "2", "--memory-policy", "lean", "--isa", "portable"], batch: 1) {
      $0.threads = 2
      $0.memoryPolicy = .lean
      $0.instructionSet = .portable
    },
    Setting(flags: ["--threads", "2", "--disable-pass", "all"], batch: 1) {
      $0.threads = 2
      $0.disablesAllPasses = true
    },
    Setting(
      flags: ["--threads", "2", "--forbid", "winograd", "--disable-pass", "epilogue-fusion"],
      batch: 1
    ) {
      $0.threads = 2
      $0.forbiddenAlgorithms = ["winograd"]
      $0.disabledPasses = ["epilogue-fusion"]
    },
  ]

  @Test(arguments: networks + ["@unet-shapes.onnx"], settings.indices)
  func memoryIsWhatTheSessionPredicts(model: String, index: Int) throws {
    let setting = InspectToolTests.settings[index]
    let memory = try #require(try inspected([model] + setting.flags).memory)
    var options = SessionOptions()
    setting.configure(&options)
    let session = try InferenceSession(path: located(model), options: options)
    let shape = try #require(session.inputs[0].type.shape).map { $0.value ?? setting.batch }
    let expected = try session.memory.predicted(
      for: [session.inputs[0].name: (.float32, Shape(shape))])
    #expect(memory.mappedWeights == expected.mappedWeights)
    #expect(memory.packedWeights == expected.packedWeights)
    #expect(memory.arena == expected.arena && memory.scratch == expected.scratch)
    #expect(memory.outputs == expected.outputs)
    #expect(memory.blasAtMost == expected.blasWorkspace)
    #expect(expected.rest == .none && memory.rest == 0)
    #expect(memory.peak == memory.kinds.reduce(0) { $0 + $1.bytes })
  }

  @Test func runsInFlightShareWeightsAlone() throws {
    let one = try #require(try inspected(["@unet-shapes.onnx"]).memory)
    let three = try #require(try inspected(["@unet-shapes.onnx", "--concurrency", "3"]).memory)
    #expect(three.arena == 3 * one.arena && three.scratch == 3 * one.scratch)
    #expect(three.outputs == 3 * one.outputs && three.packedWeights == one.packedWeights)
  }

  /// Nothing runs, so that the machine need not be there.
  @Test(arguments: InstructionSet.allCases)
  func plansForMachinesThatAreElsewhere(instructionSet: InstructionSet) throws {
    for model in InspectToolTests.networks {
      let report = try inspected([model, "--isa", instructionSet.rawValue, "--threads", "4"])
      #expect(report.target.instructionSet == instructionSet.rawValue)
      #expect(report.target.threads == 4)
      #expect(report.problems.isEmpty)
      // Filters are padded to whole vectors.
      let memory = try #require(report.memory)
      #expect(memory.packedWeights >= report.size.weightBytes / 2 && memory.arena > 0)
    }
  }

  /// Counted by hand from the layers.
  @Test func costsOfAKnownNetwork() throws {
    let report = try inspected(["@resnet-digits.onnx"])
    let operators = Dictionary(uniqueKeysWithValues: report.operators.map { ($0.name, $0) })
    #expect(report.size.nodes == 52 && report.size.initializers == 77)
    #expect(operators["Conv"]?.nodes == 15 && operators["Gemm"]?.multiplyAdds == 480)
    #expect(
      report.size.multiplyAdds == report.operators.reduce(0) { $0 + ($1.multiplyAdds ?? .min) })
    #expect(report.size.parameters == report.operators.reduce(0) { $0 + $1.parameters })
    #expect(report.size.weightBytes == 4 * report.size.parameters)
    #expect(report.size.uncounted == 0 && report.size.computedParameters == 0)
    let twice = try inspected(["@resnet-digits.onnx", "--shape", "2x1x32x32"])
    #expect(twice.size.multiplyAdds == 2 * report.size.multiplyAdds)
  }

  /// The figures that the papers, or the libraries that the networks are known from, give.
  @Test func costsOfFamousNetworks() throws {
    guard let folder = FullSizeNetworks.folder() else { return }
    for (name, multiplyAdds, parameters) in [
      ("resnet50", 4.089e9, 25.56e6), ("resnet18", 1.814e9, 11.69e6),
      ("densenet121", 2.834e9, 7.98e6), ("inception_v3", 5.71e9, 23.8e6),
      ("mobilenet_v3_large", 0.217e9, 5.48e6), ("efficientnet_b0", 0.386e9, 5.29e6),
    ] {
      let size = try inspected(["\(folder)/\(name).onnx"]).size
      #expect(abs(Double(size.multiplyAdds) / multiplyAdds - 1) < 0.005, "\(name): \(size)")
      // Statistics of normalisations are constants here and no parameters there.
      #expect(abs(Double(size.parameters) / parameters - 1) < 0.015, "\(name): \(size)")
    }
  }

  // MARK: every model at hand

  @Test(arguments: modelsAtHand())
  func everyModelIsShown(path: String) throws {
    let result = onnxInspect([path, "--assert-supported"])
    #expect(result.lines.first == path, "\(result.error)")
    #expect(!result.output.contains("\u{1B}"))
    let report = try inspected([path])
    #expect(report.size.nodes > 0 && !report.operators.isEmpty)
    #expect(report.operators.reduce(0) { $0 + $1.nodes } == report.size.nodes)
    // What a session can load is planned where its shapes are known.
    let isSupported = (try? InferenceSession(path: path)) != nil
    #expect(isSupported == report.problems.isEmpty, "\(report.problems)")
    let isOpen = report.findings.contains { $0.kind == .openShape }
    #expect((report.memory != nil) == (isSupported && !isOpen))
    #expect(result.code == (isSupported ? 0 : 1))
  }

  @Test(arguments: [20, 80, 200])
  func pagesFitTheTerminal(columns: Int) {
    for path in smallModels() {
      let result = onnxInspect([path, "--color", "never"], columns: columns)
      let longest = result.lines.max { $0.count < $1.count } ?? ""
      #expect(longest.count <= columns, "\(path): \(longest)")
    }
  }

  @Test func aTerminalHasColours() {
    #expect(onnxInspect(["@resnet-digits.onnx"], columns: 80).output.contains("\u{1B}[1m"))
    let plain = onnxInspect(["@resnet-digits.onnx", "--color", "never"], columns: 80)
    #expect(!plain.output.contains("\u{1B}"))
  }

  // MARK: the command line

  @Test func aModelFromAPipe() throws {
    let bytes = try contents(located("@resnet-digits.onnx"))
    let (piped, named) = (onnxInspect(["-"], input: bytes), onnxInspect(["@resnet-digits.onnx"]))
    #expect(piped.code == 0 && piped.lines.first == "-")
    // Weights in a file may be mapped, others not.
    let isMemory: (String) -> Bool = { $0.contains("weights") || $0.contains("peak") }
    #expect(
      piped.lines.dropFirst().filter { !isMemory($0) }
        == named.lines.dropFirst().filter { !isMemory($0) })
    #expect(onnxInspect(["show", "@resnet-digits.onnx"]).output == named.output)
  }

  @Test func helpAndCompletion() {
    let commands = onnxInspect(["--help"])
    #expect(commands.code == 0 && commands.output == InspectCommand.commands.help(columns: 80))
    let help = onnxInspect(["show", "--help"])
    #expect(help.code == 0 && help.output == InspectCommand.grammar.help(columns: 80))
    for name in ["--assert-supported", "--shape", "--isa", "--memory-policy", "--concurrency"] {
      #expect(help.output.contains(name))
    }
    let script = onnxInspect(["--generate-completion-script", "bash"]).output
    #expect(script.contains("complete -o filenames -F _onnx_inspect onnx-inspect"))
    #expect(onnxInspect(["--version"]).output.hasPrefix("onnx-inspect "))
  }

  @Test(
    arguments: [
      ([], 64, "which model? onnx-inspect <model>"),
      (["a.onnx", "b.onnx"], 64, "one model is expected"),
      (["@resnet-digits.onnx", "--threads", "0"], 64, "--threads: '0' is no whole number"),
      (["@resnet-digits.onnx", "--isa", "sse"], 64, "--isa: 'sse' is not one of"),
      (["@resnet-digits.onnx", "--dim", "bach=2"], 64, "no dimension 'bach'"),
      (["@resnet-digits.onnx", "--shape", "1x2"], 64, "which 1x2 does not fit"),
      (["@resnet-digits.onnx", "--disable-pass", "dead-cod"], 64, "there is no pass 'dead-cod'"),
      (["@resnet-digits.onnx", "--algorithm", "winogrand"], 64, "has an algorithm 'winogrand'"),
      (
        ["@resnet-digits.onnx", "--algorithm", "nowhere=direct"], 64,
        "--algorithm: the model has no node 'nowhere'"
      ),
      (["@resnet-digits.onnx", "--forbid", "winogrand"], 64, "has an algorithm 'winogrand'"),
      (["@resnet-digits.onnx", "--image", "x"], 64, "unknown option '--image'"),
      (["@resnet-digits.onnx", "--external-root", "/nowhere"], 64, "/nowhere: No such file"),
      (["nowhere.onnx"], 2, "cannot read nowhere.onnx: No such file"),
      (["@digits.txt"], 2, "digits.txt"),
    ] as [([String], Int32, String)])
  func troubleIsTold(arguments: [String], code: Int32, message: String) {
    let result = onnxInspect(arguments)
    #expect(result.code == code)
    #expect(result.output.isEmpty)
    #expect(result.error.contains("onnx-inspect: error: "), "\(result.error)")
    #expect(result.error.contains(message), "\(result.error)")
  }

  /// A budget that does not suffice keeps the model from running, which is told on the page.
  @Test func aSmallBudgetIsToldOnThePage() throws {
    let flags = ["--memory-budget", "1MB"]
    let report = try inspected(["@resnet-digits.onnx"] + flags)
    #expect(report.problems.count == 1)
    #expect(report.problems.first?.reason.contains("the budget is 976.6 KiB") == true)
    #expect(onnxInspect(["@resnet-digits.onnx", "--assert-supported"] + flags).code == 1)
  }

  @Test func interrupted() {
    let process = FakeProcess()
    process.interruption.interrupt()
    let arguments = [located("@resnet-digits.onnx"), "-q"]
    #expect(InspectCommand.run(arguments, process.environment()) == 130)
  }
}
