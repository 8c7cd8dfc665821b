// leap-kernel-bench: that it meets every kernel, and that its figures go together.

import LeapBenchmarks
import LeapOperators
import LeapTestSupport
import LeapTools
import Testing

@Suite struct KernelBenchTests {
  private func bench(_ arguments: [String]) -> ToolResult {
    let process = FakeProcess()
    return process.result(
      KernelBenchCommand.run(arguments.map(located), process.environment()))
  }

  private func rows(_ result: ToolResult) -> [[String: String]] {
    let cells = result.lines.map {
      $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
    guard let header = cells.first else { return [] }
    return cells.dropFirst().map { Dictionary(uniqueKeysWithValues: zip(header, $0)) }
  }

  @Test func everyAlgorithmOfEveryLayer() throws {
    let models = ["@resnet-digits.onnx", "@unet-shapes.onnx"]
    let result = bench(
      ["convolutions"] + models + ["--seconds", "1e-6", "--format", "csv"])
    #expect(result.code == 0, "\(result.error)")
    #expect(result.error.contains("GFLOP/s at most"))
    let rows = rows(result)
    #expect(Set(rows.compactMap { $0["model"] }).count == 2)
    for (layer, list) in Dictionary(grouping: rows, by: { "\($0["model"]!) \($0["layer"]!)" }) {
      #expect(list.filter { $0["chosen"] == "*" }.count == 1, "\(layer)")
      #expect(list.count >= 2, "\(layer)")
      #expect(Set(list.compactMap { $0["algorithm"] }).count == list.count, "\(layer)")
      // The operations are the layer's, whatever computes them.
      let operations = list.map { Double($0["gflops"]!)! * Double($0["ms"]!)! }
      for value in operations where operations[0] > 0 {
        #expect(abs(value / operations[0] - 1) < 0.2, "\(layer)")
      }
    }
    let algorithms = Set(rows.compactMap { $0["algorithm"] })
    #expect(algorithms.contains("im2col") && algorithms.contains { $0.hasPrefix("winograd") })
    let convolutions = try onnxConvolutions("@resnet-digits.onnx")
    let counted = Dictionary(
      rows.filter { $0["model"] == "resnet-digits.onnx" }.map {
        ($0["layer"]!, Int($0["count"]!)!)
      }, uniquingKeysWith: { first, _ in first }
    ).values.reduce(0, +)
    #expect(counted == convolutions)
  }

  /// How many convolutions a run of a model has.
  private func onnxConvolutions(_ model: String) throws -> Int {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/trace.json"
      let result = onnxRun([model, "--random", "0", "--profile", path])
      try #require(result.code == 0, "\(result.error)")
      let events = try #require(try contents(json: path)["traceEvents"]?.array)
      return events.filter { $0["cat"]?.string?.hasPrefix("Conv") == true }.count
    }
  }

  @Test func everyElementwiseOperatorAndType() throws {
    let result = bench([
      "elementwise", "--elements", "300", "--seconds", "1e-6", "--format", "csv",
    ])
    #expect(result.code == 0, "\(result.error)")
    let rows = rows(result)
    let operators = Set(rows.compactMap { $0["operator"] })
    for operatorType in UnaryMath.operators + BinaryMath.operators {
      for declaration in operatorType.declarations {
        #expect(operators.contains(declaration.name), "\(declaration.name)")
      }
    }
    #expect(operators.contains("Where") && operators.contains("Cast"))
    #expect(!operators.contains("Conv") && !operators.contains("Softmax"))
    let pairs = rows.map { "\($0["operator"]!) \($0["types"]!)" }
    #expect(Set(pairs).count == pairs.count)
    for pair in [
      "Add float32", "Add int64", "Relu float64", "Equal float32 -> bool", "And bool",
      "Where bool float32 float32", "BitShift uint8 left", "Cast float32 -> float16",
      "Cast int8 -> float32",
    ] {
      #expect(pairs.contains(pair), "\(pair): \(pairs)")
    }
    // Of two operands, as the others, and there is no kernel for that.
    #expect(!pairs.contains("Mean int32") && pairs.contains("Mean float32"))
    let add = try #require(rows.first { $0["operator"] == "Add" && $0["types"] == "float32" })
    // Two operands are read and one is written.
    let bytes = Double(add["gb_per_s"]!)! * Double(add["ns"]!)!
    #expect(abs(bytes / (3 * 4 * 300) - 1) < 0.2)
  }

  @Test(
    arguments: [
      ([], 64, "what? convolutions <model> ..., or elementwise"),
      (["convolutions"], 64, "what?"), (["elementwise", "x.onnx"], 64, "what?"),
      (["elementwise", "--seconds", "0"], 64, "--seconds"),
      (["elementwise", "--elements", "0"], 64, "--elements: '0' is no whole number"),
      (["convolutions", "nowhere.onnx"], 2, "cannot read nowhere.onnx"),
    ] as [([String], Int32, String)])
  func troubleIsTold(arguments: [String], code: Int32, message: String) {
    let result = bench(arguments)
    #expect(result.code == code)
    #expect(result.error.contains(message), "\(result.error)")
  }
}
