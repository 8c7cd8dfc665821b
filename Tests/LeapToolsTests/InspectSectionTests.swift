// The sections of onnx-inspect: a row for each node, weight, attribute and change, at every stage, filtered.

import LeapRuntime
import LeapTensors
import LeapTestSupport
import LeapTools
import LeapstoneImage
import Testing

@Suite struct InspectSectionTests {
  private let model = "@preresnet-digits.onnx"

  /// The rows below a heading, split at runs of blanks; the row of titles first.
  private func rows(_ output: String, _ heading: String) -> [[String]] {
    let lines = output.split(separator: "\n", omittingEmptySubsequences: false)
    guard let start = lines.firstIndex(where: { $0 == heading }) else { return [] }
    return lines[(start + 1)...].prefix { $0.hasPrefix("  ") }.map { line in
      line.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
    }
  }

  // MARK: nodes

  @Test func aRowForEachNode() throws {
    let result = onnxInspect([model, "--nodes"])
    #expect(result.code == 0, "\(result.error)")
    let rows = rows(result.output, "nodes (inferred)")
    #expect(
      rows.first == [
        "#", "operator", "name", "output", "type", "mult-adds", "params", "read", "written",
        "algorithm", "stage", "arena",
      ])
    #expect(rows.count == 51)
    #expect(
      Array(rows[1].prefix(9)) == [
        "0", "Conv", "/stem/Conv", "1x16x32x32", "float32", "147k", "144", "4.56KiB", "64.0KiB",
      ])
    // What became of it: a kernel with its stage and place, or the node that does it too.
    #expect(Array(rows[1].suffix(3)) == ["stem", "0", "0"])
    #expect(Array(rows[3].suffix(4)) == ["in", "/layer1/0/conv1/Conv", "-", "-"])
  }

  @Test func figuresOfNodesAreThoseOfTheModel() throws {
    for path in [model, "@unet-shapes.onnx", "@inception-resnet-digits.onnx"] {
      let report = try inspected([path, "--nodes"])
      let nodes = report.graph.allNodes
      #expect(nodes.reduce(0) { $0 + ($1.multiplyAdds ?? 0) } == report.size.multiplyAdds)
      #expect(nodes.allSatisfy { $0.plan != nil && $0.multiplyAdds != nil })
      let merged = nodes.filter { $0.plan?.state == .merged }
      #expect(!merged.isEmpty)
      for node in merged {
        #expect(nodes.contains { $0.name == node.plan?.mergedInto && $0.plan?.state == .kernel })
      }
    }
  }

  @Test(arguments: ModelStage.allCases)
  func everyStageOfEveryModel(stage: ModelStage) throws {
    for path in smallModels() {
      let summary = try inspected([path])
      let isReached =
        switch stage {
        case .original, .inferred: true
        case .optimized: summary.problems.isEmpty
        case .plan: summary.memory != nil
        }
      let result = onnxInspect([path, "--stage", stage.rawValue])
      guard isReached else {
        #expect([2, 64].contains(result.code) && result.output.contains("nodes ("), "\(path)")
        #expect(result.error.contains("error: the model"), "\(result.error)")
        continue
      }
      #expect(result.code == 0, "\(path): \(result.error)")
      let report = try inspected([path, "--stage", stage.rawValue])
      #expect(report.stage == stage && !report.graph.nodes.isEmpty)
      #expect(rows(result.output, "nodes (\(stage.rawValue))").count == report.shownNodes.count + 1)
      // Passes change neither what a model computes nor what that costs.
      if stage == .optimized || stage == .inferred {
        let known = report.graph.allNodes.compactMap(\.multiplyAdds)
        #expect(
          summary.size.uncounted > 0 || known.reduce(0, +) == summary.size.multiplyAdds, "\(path)")
      }
    }
  }

  @Test func stepsOfThePlanAreInTheirOrder() throws {
    let report = try inspected([model, "--stage", "plan"])
    let stages = report.graph.nodes.compactMap { $0.plan?.stage }
    #expect(stages == stages.sorted() && stages.first == 0)
    #expect(report.graph.nodes.contains { $0.operatorName == "(reorder)" })
    #expect(report.graph.nodes.contains { $0.plan?.state == .view })
    let conv = try #require(report.graph.nodes.first { $0.name == "/layer1/0/conv1/Conv" })
    #expect(conv.prologue == "scale, shift, relu" && conv.epilogue == "relu")
    #expect(conv.origins.contains("/layer1/0/bn2/BatchNormalization"))
  }

  @Test func theOriginalStageHasTheTypesOfTheFile() throws {
    let original = try inspected([model, "--stage", "original"]).graph
    let inferred = try inspected([model, "--stage", "inferred"]).graph
    #expect(original.nodes.map(\.name) == inferred.nodes.map(\.name))
    #expect(original.nodes[0].outputs[0]?.type == nil)
    #expect(inferred.nodes[0].outputs[0]?.type?.description == "float32 1x16x32x32")
    #expect(original.nodes.allSatisfy { $0.plan == nil })
  }

  /// What can be said is said, and the error comes behind it.
  @Test(
    arguments: [
      ["--stage", "plan"], ["--stage", "optimized"], ["--memory"],
      ["--changes", "original", "plan"],
      ["--assert-peak", "1GiB"], ["--memory", "--format", "json"],
    ])
  func aStageThatIsNotReachedIsAnErrorBehindThePage(flags: [String]) {
    let bytes = WireWriter.model {
      $0.node("Relu", ["x"], ["r"], name: "first")
      $0.node("Sharpen", ["r"], ["y"])
      $0.value(11, "x", shape: [1, 2])
      $0.value(12, "y", shape: nil)
    }
    let unknown = onnxInspect(["-"] + flags, input: bytes)
    #expect(unknown.code == 2)
    #expect(unknown.error.contains("cannot be optimised: Sharpen: the operator is not known"))
    #expect(unknown.output.contains("Sharpen") && unknown.output.contains("opset"))
    if flags.contains("--stage") { #expect(unknown.output.contains("nodes (inferred)")) }
    if flags.contains("--changes") { #expect(unknown.output.contains("shape-inference")) }
  }

  @Test func openShapesEndAtThePlan() {
    let open = WireWriter.model {
      $0.node("Relu", ["x"], ["y"])
      $0.value(11, "x", shape: nil)
      $0.value(12, "y", shape: nil)
    }
    let free = onnxInspect(["-", "--stage", "plan"], input: open)
    #expect(free.code == 64 && free.error.contains("add --shape x=..."))
    #expect(onnxInspect(["-", "--stage", "optimized"], input: open).code == 0)
  }

  // MARK: filters

  @Test(
    arguments: [
      (["op=Gemm"], ["/fc/Gemm"]), (["name=/fc*"], ["/fc/Gemm"]),
      (["op=G*", "name=*pool*"], ["/pool/GlobalAveragePool"]),
      (["op=Gemm", "op=Flatten"], ["/pool/Flatten", "/fc/Gemm"]),
      (["name=/?n/*"], ["/bn/BatchNormalization"]), (["graph=else*"], []),
      (["graph=main", "op=Gemm"], ["/fc/Gemm"]), (["op=gemm"], []),
    ])
  func filtersLeaveWhatFits(filters: [String], names: [String]) throws {
    let flags = filters.flatMap { ["--filter", $0] }
    let report = try inspected([model, "--nodes"] + flags)
    #expect(report.shownNodes.map(\.name) == names)
    // What is not shown is there all the same.
    #expect(report.graph.nodes.count == 50)
    if names.isEmpty {
      #expect(onnxInspect([model, "--nodes"] + flags).output.contains("no nodes to show"))
    }
  }

  @Test(
    arguments: [
      ("abc", "abc", true), ("abc", "a?c", true), ("abc", "?", false), ("abc", "*", true),
      ("abc", "a*", true), ("abc", "*c", true), ("abc", "*b*", true), ("abc", "a*b*c", true),
      ("abc", "b*", false), ("abc", "ab", false), ("aab", "a*ab", true), ("abab", "*ab?", false),
      ("äöü", "ä?ü", true), (String(repeating: "a", count: 2000), "*a*a*a*a*a*a*a*b", false),
    ])
  func patterns(text: String, pattern: String, matches: Bool) throws {
    let bytes = WireWriter.model {
      $0.node("Relu", ["x"], ["y"], name: text)
      $0.value(11, "x")
      $0.value(12, "y")
    }
    let report = try inspected(["-", "--nodes", "--filter", "name=\(pattern)"], input: bytes)
    #expect(report.shownNodes.isEmpty == !matches)
  }

  @Test(
    arguments: [
      (["--filter", "op=Conv"], "--filter goes with --nodes"),
      (["--nodes", "--filter", "kind=Conv"], "'kind=Conv' is none of op=PATTERN"),
      (["--nodes", "--filter", "Conv"], "'Conv' is none of op=PATTERN"),
      (["--nodes", "--filter", "op="], "is none of op=PATTERN"),
      (["--stage", "planned"], "'planned' is not one of original, inferred, optimized, plan"),
      (["--changes", "plan", "original"], "plan does not come before original"),
      (["--changes", "plan"], "--changes wants 2 values: --changes <stage> <stage>"),
      (
        ["--changes", "original", "opt"], "'opt' is not one of original, inferred, optimized, plan"
      ),
    ])
  func wrongUsage(flags: [String], message: String) {
    let result = onnxInspect([model] + flags)
    #expect(result.code == 64)
    #expect(result.error.contains(message), "\(result.error)")
  }

  /// The model may follow the two stages.
  @Test func twoValuesAreTwo() {
    #expect(onnxInspect(["--changes", "inferred", "plan", model]).code == 0)
  }

  // MARK: attributes and functions

  @Test func aRowForEachAttribute() throws {
    let result = onnxInspect(["@unet-shapes.onnx", "--attributes", "--filter", "op=MaxPool"])
    let found = rows(result.output, "attributes")
    #expect(found.first == ["#", "operator", "name", "attribute", "value"])
    #expect(found.dropFirst().allSatisfy { $0[1] == "MaxPool" })
    #expect(found.contains { Array($0.suffix(3)) == ["kernel_shape", "[2,", "2]"] })
    // Small tensors are shown with their elements.
    let constants = onnxInspect(["@unet-shapes.onnx", "--attributes", "--filter", "op=Constant"])
    #expect(constants.output.contains("value      int64 1 ["), "\(constants.output)")
    // After the passes, what they fused is told.
    let fused = onnxInspect([model, "--attributes", "--stage", "optimized", "--filter", "op=Conv"])
    #expect(fused.output.contains("(after it)    residual"))
    #expect(fused.output.contains("(before it)   scale, shift, relu"))
    #expect(rows(fused.output, "nodes (optimized)").isEmpty)
  }

  /// y = F(F(x)), F of the domain `own` being a Relu and a LeakyRelu with an attribute of the call's.
  private let functions = WireWriter.model(
    extra: {
      $0.message(8) {
        $0.string(1, "own")
        $0.int(2, 1)
      }
      $0.message(25) {
        $0.string(1, "F")
        $0.string(4, "a")
        $0.string(5, "b")
        $0.string(6, "factor")
        $0.node("Relu", ["a"], ["r"], name: "inner", field: 7)
        let reference: (inout WireWriter) -> Void = {
          $0.string(1, "alpha")
          $0.string(21, "factor")
          $0.int(20, 1)
        }
        $0.node("LeakyRelu", ["r"], ["b"], name: "half", attributes: [reference], field: 7)
        $0.message(9) { $0.int(2, 17) }
        $0.string(10, "own")
      }
    },
    {
      $0.node(
        "F", ["x"], ["t"], name: "first", domain: "own", attributes: [attribute("factor", 0.5)])
      $0.node(
        "F", ["t"], ["y"], name: "second", domain: "own", attributes: [attribute("factor", 0.1)])
      $0.value(11, "x", shape: [4])
      $0.value(12, "y", shape: [4])
    })

  @Test func functionsAreShownWithTheirNodes() throws {
    let result = onnxInspect(["-", "--functions"], input: functions)
    #expect(result.code == 0, "\(result.error)")
    #expect(
      result.output.contains("(a) gives (b), attributes factor, opset 17, called 2 times"),
      "\(result.output)")
    let report = try inspected(["-"], input: functions)
    #expect(report.functions.map(\.name) == ["own.F"] && report.header.functions == ["own.F"])
    #expect(report.functions[0].graph.nodes.map(\.operatorName) == ["Relu", "LeakyRelu"])
    let original = try inspected(["-", "--stage", "original"], input: functions)
    #expect(original.graph.nodes.contains { $0.operatorName == "own.F" })
    #expect(original.graph.nodes.allSatisfy { $0.isSupported })
    // The model's figures are those of what is called.
    #expect(report.size.nodes == 4 && report.problems.isEmpty)
    #expect(onnxInspect([model, "--functions"]).output.contains("the model has none of its own"))
  }

  // MARK: weights

  @Test func aRowForEachWeight() throws {
    let bytes = WireWriter.model {
      $0.weights("w", [-1, 0, 0, 3], shape: [2, 2])
      $0.weights("odd", [.nan, .infinity, 1, 1])
      $0.tensor(5, "s", type: 7, shape: [2]) { $0.packed(7, [2, 2]) }
      $0.tensor(5, "empty", type: 1, shape: [0]) { _ in }
      $0.tensor(5, "text", type: 8, shape: [1]) { $0.string(6, "a") }
      $0.external("gone", location: "w.bin", offset: 0, shape: [3])
      $0.node("Reshape", ["x", "s"], ["r"])
      $0.node("MatMul", ["r", "w"], ["m"])
      $0.node("Add", ["m", "w"], ["y"])
      $0.value(11, "x", shape: [4])
      $0.value(12, "y", shape: [2, 2])
    }
    let report = try inspected(["-", "--weights"], input: bytes)
    let weights = Dictionary(
      uniqueKeysWithValues: try #require(report.weights).map { ($0.name, $0) })
    #expect(weights.count == 6)
    let w = try #require(weights["w"]?.statistics)
    #expect(w.minimum == -1 && w.maximum == 3 && w.mean == 0.5 && w.zeros == 2 && w.count == 4)
    #expect(abs((w.deviation ?? 0) - 1.5) < 1e-12)
    #expect(weights["w"]?.readers == ["Add", "MatMul"])
    #expect(weights["w"]?.histogram.reduce(0, +) == 4)
    #expect(weights["w"]?.histogram.first == 1 && weights["w"]?.histogram.last == 1)
    // Of what is no number nothing is said but how much there is.
    let odd = try #require(weights["odd"]?.statistics)
    #expect(odd.notNumbers == 1 && odd.infinities == 1 && odd.finite == 2)
    #expect(odd.minimum == 1 && odd.maximum == 1 && odd.mean == 1 && odd.deviation == 0)
    #expect(weights["odd"]?.histogram.reduce(0, +) == 2)
    #expect(weights["s"]?.statistics?.maximum == 2)
    #expect(weights["empty"]?.statistics?.count == 0 && weights["empty"]?.histogram == [])
    #expect(weights["text"]?.statistics == nil && weights["gone"]?.statistics == nil)
    let text = onnxInspect(["-", "--weights"], input: bytes)
    #expect(rows(text.output, "weights").count == 7, "\(text.output)")
    #expect(text.output.contains("1 NaN, 1 infinite") && text.output.contains("odd"))
    #expect(!onnxInspect([model, "--weights"]).output.contains(" odd "))
    // They are read for the checks, but told where they are asked for.
    #expect(try inspected(["-"], input: bytes).weights == nil)
    let filtered = onnxInspect(["-", "--weights", "--filter", "op=Reshape"], input: bytes)
    #expect(rows(filtered.output, "weights").map { $0[0] } == ["name", "s"])
  }

  @Test func weightsOfEveryTypeHaveStatistics() throws {
    // Two elements of each type, 1 and 0 where it has these numbers.
    let types: [(Int64, [UInt8], Double)] = [
      (1, [0, 0, 0x80, 0x3F, 0, 0, 0, 0], 1), (2, [7, 0], 7), (3, [0xFF, 0], -1),
      (4, [1, 1, 0, 0], 257), (5, [0xFE, 0xFF, 0, 0], -2), (6, [5, 0, 0, 0, 0, 0, 0, 0], 5),
      (10, [0, 0x3C, 0, 0], 1), (16, [0x80, 0x3F, 0, 0], 1), (9, [1, 0], 1),
      (11, [0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0, 0, 0, 0, 0, 0, 0, 0], 1), (21, [0x03], 3),
      (22, [0x0F], -1), (12, [9, 0, 0, 0, 0, 0, 0, 0], 9),
    ]
    let bytes = WireWriter.model {
      for (type, raw, _) in types {
        $0.tensor(5, "t\(type)", type: type, shape: [2]) { $0.data(9, raw) }
      }
      $0.node("Relu", ["x"], ["y"])
      $0.value(11, "x")
      $0.value(12, "y")
    }
    let weights = try #require(try inspected(["-", "--weights"], input: bytes).weights)
    for (type, _, value) in types {
      let found = try #require(weights.first { $0.name == "t\(type)" }?.statistics, "\(type)")
      #expect(found.count == 2 && found.zeros == 1, "\(type): \(found)")
      #expect(found.minimum == min(value, 0) && found.maximum == max(value, 0), "\(type): \(found)")
      #expect(found.mean == value / 2, "\(type): \(found)")
    }
  }

  // MARK: changes

  @Test func whatThePassesDid() throws {
    let report = try inspected([model, "--changes", "original", "plan"])
    let changes = try #require(report.changes)
    #expect(changes.first?.name == "shape-inference" && changes.last?.name == "planning")
    #expect(changes.count == standardPasses.count + 2)
    // Each begins where the one before it ended.
    for (before, after) in zip(changes, changes.dropFirst()) {
      #expect(before.nodesAfter == after.nodesBefore)
    }
    let result = onnxInspect([model, "--changes", "original", "plan"])
    let passes = rows(result.output, "passes")
    #expect(
      passes.contains { Array($0.prefix(6)) == ["epilogue-fusion", "44", "to", "26", "18", "12"] })
    #expect(
      result.output.contains(
        "removed  Relu                /layer1/0/relu2/Relu                                  "
          + "merged into /layer1/0/conv1/Conv"))
    let filtered = onnxInspect([model, "--changes", "inferred", "optimized", "--filter", "op=Add"])
    #expect(rows(filtered.output, "changes").count == 7)
    #expect(rows(filtered.output, "changes").dropFirst().allSatisfy { $0[2] == "Add" })
  }

  @Test func spansOfStagesHaveTheirOwnChanges() throws {
    func names(_ from: String, _ to: String) throws -> [String] {
      try #require(try inspected([model, "--changes", from, to]).changes).map(\.name)
    }
    #expect(try names("original", "inferred") == ["shape-inference"])
    #expect(try names("optimized", "plan") == ["planning"])
    #expect(try names("inferred", "optimized") == standardPasses.map { $0.name })
    let inlined = try inspected(["-", "--changes", "original", "inferred"], input: functions)
    #expect(inlined.changes?.map(\.name) == ["function-inlining", "shape-inference"])
    let calls = try #require(inlined.changes?.first)
    #expect(calls.nodesBefore == 2 && calls.nodesAfter == 4)
    #expect(calls.changes.first?.node == "first")
    let without = try inspected(
      [model, "--changes", "inferred", "optimized", "--disable-pass", "all"])
    #expect(without.changes?.isEmpty == true)
  }

  // MARK: subgraphs

  @Test func subgraphsStandWhereTheirNodeStands() throws {
    let bytes = WireWriter.model {
      $0.node(
        "If", ["c"], ["y"], name: "choice",
        attributes: [
          attribute("then_branch") {
            $0.node("Neg", ["x"], ["t"], name: "a")
            $0.value(12, "t", shape: [3])
          },
          attribute("else_branch") {
            $0.node("Abs", ["x"], ["u"], name: "b")
            $0.node("Neg", ["u"], ["e"], name: "c")
            $0.value(12, "e", shape: [3])
          },
        ])
      $0.node("Relu", ["y"], ["z"], name: "last")
      $0.value(11, "c", type: 9, shape: [])
      $0.value(11, "x", shape: [3])
      $0.value(12, "z", shape: [3])
    }
    let report = try inspected(["-", "--nodes"], input: bytes)
    #expect(
      report.shownNodes.map(\.index) == [
        "0", "0/else_branch/0", "0/else_branch/1", "0/then_branch/0", "1",
      ])
    #expect(report.shownNodes.map(\.graph)[1] == "main/choice/else_branch")
    #expect(report.shownNodes[1].outputs[0]?.type?.description == "float32 3")
    let inner = try inspected(
      ["-", "--nodes", "--filter", "graph=*/then_branch"], input: bytes)
    #expect(inner.shownNodes.map(\.name) == ["a"])
  }

  // MARK: width

  static let sections = [
    ["--nodes"], ["--stage", "original"], ["--attributes"], ["--weights"], ["--functions"],
    ["--changes", "original", "inferred"],
  ]

  @Test(arguments: sections, [20, 80, 200])
  func sectionsFitTheTerminal(flags: [String], columns: Int) {
    for path in smallModels() {
      let result = onnxInspect([path, "--color", "never"] + flags, columns: columns)
      let longest = result.lines.max { $0.count < $1.count } ?? ""
      #expect(longest.count <= columns, "\(path): \(longest)")
    }
  }

  /// What matters most of a node is there at 80 columns, all of it at 200.
  @Test func columnsComeWithTheWidth() throws {
    let narrow = onnxInspect([model, "--nodes", "--color", "never"], columns: 80)
    let titles = try #require(rows(narrow.output, "nodes (inferred)").first)
    #expect(titles.prefix(4) == ["#", "operator", "name", "output"])
    #expect(titles.contains("mult-adds") && titles.contains("algorithm"))
    #expect(!titles.contains("arena"))
    let wide = onnxInspect([model, "--nodes", "--color", "never"], columns: 200)
    #expect(rows(wide.output, "nodes (inferred)").first?.count == 12)
  }

  @Test func hostileNamesAreEscapedEverywhere() {
    let evil = "a\u{1B}[2J\u{202E}\nb"
    let bytes = WireWriter.model(
      extra: {
        $0.message(8) {
          $0.string(1, evil)
          $0.int(2, 1)
        }
        $0.message(25) {
          $0.string(1, evil)
          $0.string(4, evil)
          $0.string(5, "o\(evil)")
          $0.string(6, "q\(evil)")
          $0.node("Relu", [evil], ["o\(evil)"], name: evil, field: 7)
          $0.message(9) { $0.int(2, 17) }
          $0.string(10, evil)
        }
      },
      {
        $0.weights("w\(evil)", [1, 2])
        $0.node(
          evil, ["x\(evil)"], ["z\(evil)"], name: "n\(evil)", domain: evil,
          attributes: [attribute("q\(evil)", Int64(1))])
        $0.node("Add", ["z\(evil)", "w\(evil)"], ["y\(evil)"], name: "m\(evil)")
        $0.value(11, "x\(evil)", shape: [2])
        $0.value(12, "y\(evil)", shape: [2])
      })
    for flags in [
      ["--nodes", "--attributes", "--functions", "--weights", "--changes", "original", "plan"],
      ["--stage", "original"], ["--stage", "optimized"], ["--stage", "plan"],
    ] {
      for columns in [nil, 80] {
        let result = onnxInspect(["-", "--color", "never"] + flags, input: bytes, columns: columns)
        #expect(result.code == 0, "\(result.error)")
        let isSafe = result.output.unicodeScalars.allSatisfy { scalar in
          scalar == "\n" || ![.control, .format].contains(scalar.properties.generalCategory)
        }
        #expect(isSafe, "\(flags): \(result.output)")
      }
    }
  }
}
