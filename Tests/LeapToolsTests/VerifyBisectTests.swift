// onnx-verify bisect: that sound networks drift nowhere, and that faults in kernels, passes, threads, memory and copies are each
// named for what they are.

import LeapFormat
import LeapGraph
import LeapRuntime
import LeapTensors
import LeapTestSupport
import LeapTools
import Leapstone
import LeapstoneImage
import Testing

@Suite struct VerifyBisectTests {
  private static let network = [
    "bisect", "@resnet-digits.onnx", "--random", "0", "-q", "--threads", "2",
  ]
  private static let unet = [
    "bisect", "@unet-shapes.onnx", "--random", "0", "-q", "--threads", "2",
  ]

  /// A step of a sound run.
  private func step(
    _ arguments: [String], last: Bool = false, _ condition: (JSON) -> Bool
  ) throws -> (node: String, value: String) {
    let steps = try #require(try verifyJSON(arguments)["bisect"]?["steps"]?.array)
    let found = try #require(last ? steps.last(where: condition) : steps.first(where: condition))
    return (found["node"]?.string ?? "", found["value"]?.string ?? "")
  }

  private func culprit(
    _ arguments: [String], adjusting adjust: (inout SessionOptions) -> Void
  ) throws -> JSON {
    try #require(try verifyJSON(arguments, code: 1, adjusting: adjust)["bisect"]?["culprit"])
  }

  private func expect(
    _ culprit: JSON, kind: String, node: String, algorithm: String? = nil, pass: String? = nil,
    _ location: SourceLocation = #_sourceLocation
  ) {
    #expect(culprit["kind"]?.string == kind, "\(culprit.text())", sourceLocation: location)
    #expect(culprit["node"]?.string == node, "\(culprit.text())", sourceLocation: location)
    if let algorithm {
      #expect(culprit["algorithm"]?.string == algorithm, sourceLocation: location)
    }
    if let pass { #expect(culprit["pass"]?.string == pass, sourceLocation: location) }
  }

  // MARK: sound networks

  @Test(arguments: [
    "resnet-digits", "preresnet-digits", "densenet-digits", "inception-resnet-digits",
    "unet-shapes",
  ])
  func soundNetworksDriftNowhere(name: String) throws {
    for options in [[], ["--disable-pass", "all"], ["--isa", "portable"]] {
      let json = try verifyJSON(["bisect", "@\(name).onnx", "--random", "7", "-q"] + options)
      let steps = try #require(json["bisect"]?["steps"]?.array)
      #expect(steps.count > 10)
      // Every step has an exact counterpart, and none is exact in all: that would be a comparison with itself.
      #expect(steps.allSatisfy { $0["own"]?["misplaced"] == 0 && $0["total"]?["misplaced"] == 0 })
      #expect(steps.contains { ($0["own"]?["snr_db"]?.double ?? .infinity) < 150 })
      #expect(json["bisect"]?["culprit"] == nil)
    }
  }

  // MARK: faults in kernels

  @Test func anAlgorithmOfOneLayer() throws {
    let target = try step(Self.network) { $0["algorithm"]?.string?.hasPrefix("winograd") == true }
    let fault = KernelFault.damaging(.noise(1e-3)) {
      $0.name == target.node && $0.algorithm.hasPrefix("winograd")
    }
    let found = try culprit(Self.network) { $0.instruments = [fault] }
    expect(found, kind: "kernel", node: target.node)
    #expect(found["algorithm"]?.string?.hasPrefix("winograd") == true)
    #expect(
      (found["after_snr_db"]?.double ?? 0) < 70 && (found["before_snr_db"]?.double ?? 0) > 110)
    let helping = (found["variations"]?.array ?? []).filter { $0["helps"] == true }
    #expect(helping.contains { $0["changed"] == "--algorithm direct" })
    #expect(!helping.contains { $0["changed"] == "--threads 1" })
  }

  @Test func anAlgorithmOnOneInstructionSet() throws {
    let target = try step(Self.network, last: true) { $0["operator"] == "Conv" }
    let arguments = Self.network + ["--isa", "portable"]
    let fault = KernelFault.damaging(.lastElement) {
      $0.name == target.node && $0.options.instructionSet == .portable
    }
    guard InstructionSetCount.available > 1 else {
      return TestData.skip("this machine has one instruction set alone")
    }
    let found = try culprit(arguments) { $0.instruments = [fault] }
    expect(found, kind: "kernel", node: target.node)
    let helping = (found["variations"]?.array ?? []).filter { $0["helps"] == true }
    #expect(helping.allSatisfy { $0["changed"]?.string?.hasPrefix("--isa") == true })
  }

  @Test func oneWrongElementOfThousands() throws {
    let target = try step(Self.unet, last: true) { $0["algorithm"] == "pointwise" }
    let fault = KernelFault.damaging(.lastElement) {
      $0.name == target.node && $0.algorithm == "pointwise"
    }
    expect(
      try culprit(Self.unet) { $0.instruments = [fault] }, kind: "kernel", node: target.node,
      algorithm: "pointwise")
  }

  @Test func aPoolingThatForgetsItsRim() throws {
    let target = try step(Self.unet) { $0["operator"] == "MaxPool" }
    let fault = KernelFault.damaging(.lastRow) { $0.name == target.node }
    // Whatever is changed, the fault stays.
    expect(try culprit(Self.unet) { $0.instruments = [fault] }, kind: "step", node: target.node)
  }

  @Test func notANumber() throws {
    let target = try step(Self.network) { $0["operator"] == "GlobalAveragePool" }
    let fault = KernelFault.damaging(.notANumber) { $0.name == target.node }
    let found = try culprit(Self.network) { $0.instruments = [fault] }
    expect(found, kind: "step", node: target.node)
    #expect(found["after_snr_db"] == .null)
  }

  @Test func theLastProduct() throws {
    let target = try step(Self.network) { $0["operator"] == "Gemm" }
    let fault = KernelFault.damaging(.noise(1e-4)) { $0.name == target.node }
    expect(try culprit(Self.network) { $0.instruments = [fault] }, kind: "step", node: target.node)
  }

  // MARK: threads, memory, copies

  @Test func threads() throws {
    let target = try step(Self.network, last: true) { $0["operator"] == "Conv" }
    let fault = KernelFault.damaging(.lastElement) {
      $0.name == target.node && $0.options.width > 1
    }
    expect(
      try culprit(Self.network) { $0.instruments = [fault] }, kind: "threads", node: target.node)
  }

  @Test func memoryThatIsReused() throws {
    let target = try step(Self.unet) { $0["operator"] == "ConvTranspose" }
    let fault = KernelFault.damaging(.lastRow) {
      $0.name == target.node && $0.options.reuse == .full
    }
    expect(
      try culprit(Self.unet) { $0.instruments = [fault] }, kind: "memory-reuse", node: target.node)
  }

  @Test func aCopyBetweenLayouts() throws {
    // Concats of densely connected layers, and what comes in plain and goes on blocked.
    var found = false
    for value in ["input"] + (try steps("@unet-shapes.onnx")) {
      let fault = KernelFault.swappingCopies(of: value)
      let json = onnxVerify(Self.unet + ["--format", "json"]) { $0.instruments = [fault] }
      guard json.code == 1 else { continue }
      found = true
      let culprit = try JSON(parsing: Array(json.output.utf8))["bisect"]?["culprit"]
      #expect(culprit?["kind"] == "copy" && culprit?["value"]?.string == value)
      break
    }
    #expect(found, "no plan has a copy")
  }

  private func steps(_ model: String) throws -> [String] {
    let json = try verifyJSON(["bisect", model, "--random", "0", "-q"])
    return (json["bisect"]?["steps"]?.array ?? []).compactMap { $0["value"]?.string }
  }

  // MARK: passes

  @Test func weightsThatAPassDamages() throws {
    let third = try verifyJSON(Self.network)["bisect"]?["steps"]?.array?
      .filter { $0["operator"] == "Conv" }[2]["node"]?.string
    expect(
      try culprit(Self.network) { $0.passes += [WeightDamage.self] }, kind: "pass",
      node: third ?? "", pass: "weight-damage")
  }

  @Test func anActivationThatAPassLoses() throws {
    let target = try step(Self.network) { $0["operator"] == "Conv" }
    expect(
      try culprit(Self.network) { $0.passes += [ActivationLoss.self] }, kind: "pass",
      node: target.node, pass: "activation-loss")
  }

  @Test func paddingThatAPassMoves() throws {
    let found = try culprit(Self.unet) { $0.passes += [PadShift.self] }
    #expect(found["kind"] == "pass" && found["pass"] == "pad-shift")
    #expect(found["operator"] == "Conv")
  }

  @Test func aPassOfOursThatIsCareless() throws {
    let target = try step(Self.network) { $0["operator"] == "Conv" }
    let passes: [any Pass.Type] = standardPasses.map {
      $0.name == BatchNormalizationFolding.name ? CarelessFolding.self : $0
    }
    expect(
      try culprit(Self.network) { $0.passes = passes }, kind: "pass", node: target.node,
      pass: BatchNormalizationFolding.name)
  }

  // MARK: reproducers

  @Test func theCulpritByItself() throws {
    let target = try step(Self.network) { $0["algorithm"]?.string?.hasPrefix("winograd") == true }
    let fault = KernelFault.damaging(.noise(1e-2)) {
      $0.name == target.node && $0.algorithm.hasPrefix("winograd")
    }
    try withTemporaryDirectory { directory in
      let folder = "\(directory)/culprit"
      let result = onnxVerify(Self.network + ["--reproducer", folder]) { $0.instruments = [fault] }
      #expect(result.code == 1)
      #expect(result.output.contains("culprit shows it: onnx-verify"), "\(result.output)")
      #expect(result.output.contains("to blame: the kernel winograd"), "\(result.output)")
      for line in result.lines { #expect(line.count <= 80, "\(line)") }
      // A model that any runtime reads, whose data are exact: right without the fault, wrong with it.
      let model = "\(folder)/model.onnx"
      let graph = try ModelReader.read(path: model).graph
      #expect(graph.nodes.first?.operatorType == "Conv" && graph.nodes.count <= 4)
      #expect(onnxVerify([model, "--rtol", "1e-4"]).code == 0)
      #expect(onnxVerify([model, "--rtol", "1e-4"]) { $0.instruments = [fault] }.code == 1)
      #expect(
        onnxVerify([model, "--rtol", "1e-4", "--forbid", "winograd"]) { $0.instruments = [fault] }
          .code == 0)
    }
  }

  // MARK: other references

  @Test func valuesOfAnotherRuntime() throws {
    try withTemporaryDirectory { directory in
      // What another runtime would have: every value of a run with all passes off, one layer's wrong.
      let plain = try InferenceSession(
        path: located("@resnet-digits.onnx"),
        options: {
          var options = SessionOptions()
          options.disablesAllPasses = true
          return options
        }())
      let input = try RandomTensor.make(.float32, [1, 1, 32, 32], seed: 0, stream: 0)
      let results = try plain.run(["input": input], outputs: plain.valueNames)
      let archive = "\(directory)/values.npz"
      try NPZ.write(results.map { NamedTensor($0.key, $0.value) }, to: archive)
      let sound = try verifyJSON(Self.network + ["--against", archive])
      #expect(sound["bisect"]?["steps"]?.array?.allSatisfy { $0["total"] != .null } == true)
      let target = try step(Self.network) { $0["algorithm"]?.string?.hasPrefix("winograd") == true }
      let fault = KernelFault.damaging(.noise(1e-2)) {
        $0.name == target.node && $0.algorithm.hasPrefix("winograd")
      }
      let found = try culprit(Self.network + ["--against", archive]) { $0.instruments = [fault] }
      expect(found, kind: "kernel", node: target.node)
    }
  }

  @Test func anotherModel() throws {
    let same = try verifyJSON(Self.network + ["--against", "@resnet-digits.onnx"])
    #expect(same["verdict"] == "passed")
    let other = onnxVerify(Self.network + ["--against", "@unet-shapes.onnx"])
    #expect(other.code == 2, "\(other.error)")
  }

  @Test(arguments: [
    (["--against", "x.txt"], "is neither float64 nor a file that ends in .npz or .onnx"),
    (["--against", "x.npz", "--reproducer", "d"], "--reproducer goes with --against float64"),
  ])
  func wrongUsageIsTold(options: [String], message: String) {
    let result = onnxVerify(Self.network + options)
    #expect(result.code == 64 && result.error.contains(message), "\(result.error)")
  }

  @Test func thePageHasAChart() throws {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/r.html"
      #expect(onnxVerify(Self.network + ["-o", path]).code == 0)
      let text = String(decoding: try contents(path), as: UTF8.self)
      #expect(text.contains("<svg") && text.contains("<polyline") && text.contains("<circle"))
      try MarkupCheck.check(String(text.dropFirst("<!DOCTYPE html>".count)))
    }
  }
}
