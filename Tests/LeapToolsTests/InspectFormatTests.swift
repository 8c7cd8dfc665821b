// The formats of onnx-inspect: JSON by its schema, one table of CSV, DOT that Graphviz reads, SVG that it makes.

import LeapTensors
import LeapTestSupport
import LeapTools
import LeapstoneImage
import Testing

@Suite struct InspectFormatTests {
  private let model = "@preresnet-digits.onnx"

  private func schema() throws -> JSONSchema {
    JSONSchema(try contents(json: "\(TestData.checkout)/docs/schema/inspect-1.schema.json"))
  }

  // MARK: JSON

  static let flags: [[String]] = [
    [], ["--weights"], ["--changes", "original", "inferred"], ["--stage", "original"],
    ["--filter", "op=Conv", "--nodes"],
  ]

  @Test(arguments: flags)
  func everyModelConformsToTheSchema(flags: [String]) throws {
    let schema = try schema()
    for path in flags.isEmpty ? modelsAtHand() : smallModels() {
      let result = onnxInspect([path, "--format", "json"] + flags)
      #expect(result.code == 0, "\(path): \(result.error)")
      let json = try JSON(parsing: Array(result.output.utf8))
      #expect(json.members?.prefix(3).map(\.name) == ["schema", "version", "model"])
      let violations = schema.violations(json)
      #expect(violations.isEmpty, "\(path): \(violations.prefix(5))")
    }
  }

  @Test(arguments: ["optimized", "plan"])
  func laterStagesConformToo(stage: String) throws {
    let schema = try schema()
    for path in InspectMemoryTests.networks {
      let result = onnxInspect(
        [path, "--format", "json", "--stage", stage, "--changes", "original", "plan"])
      let json = try JSON(parsing: Array(result.output.utf8))
      #expect(schema.violations(json).isEmpty, "\(schema.violations(json).prefix(5))")
      #expect(json["stage"]?.string == stage)
    }
  }

  /// A schema that nothing could violate would say nothing.
  @Test func theSchemaIsNotEmpty() throws {
    let schema = try schema()
    #expect(!schema.violations(["schema": "leapstone.inspect/2"]).isEmpty)
    let result = onnxInspect([model, "--format", "json"])
    guard case .object(var members) = try JSON(parsing: Array(result.output.utf8)) else {
      Issue.record("no object")
      return
    }
    members.append(.init("surprise", 1))
    #expect(schema.violations(.object(members)) == ["$.surprise: the schema does not name it"])
  }

  @Test func jsonIsTheReport() throws {
    let report = try inspected([model])
    let json = try JSON(parsing: Array(onnxInspect([model, "--format", "json"]).output.utf8))
    #expect(json["size"]?["multiply_adds"]?.int == report.size.multiplyAdds)
    #expect(json["memory"]?["peak"]?.int == report.memory?.peak)
    #expect(json["graph"]?["nodes"]?.array?.count == 50)
    #expect(json["plan"]?["stages"]?.array?.count == report.plan?.stages.count)
    #expect(json["weights"] == nil && json["changes"] == nil)
    let first = try #require(json["graph"]?["nodes"]?.array?.first)
    #expect(first["operator"]?.string == "Conv" && first["plan"]?["algorithm"]?.string == "stem")
    let filtered = onnxInspect([model, "--format", "json", "--nodes", "--filter", "op=Gemm"])
    let nodes = try JSON(parsing: Array(filtered.output.utf8))["graph"]?["nodes"]?.array
    #expect(nodes?.compactMap { $0["name"]?.string } == ["/fc/Gemm"])
  }

  @Test func filesAreWrittenByTheirExtension() throws {
    try withTemporaryDirectory { directory in
      let paths = ["json", "csv", "dot"].map { "\(directory)/report.\($0)" }
      let result = onnxInspect([model] + paths.flatMap { ["-o", $0] })
      #expect(result.code == 0, "\(result.error)")
      // stdout has what it has without them.
      #expect(result.output == onnxInspect([model]).output)
      let json = try contents(json: paths[0])
      #expect(try schema().violations(json).isEmpty)
      for (path, format) in zip(paths.dropFirst(), ["csv", "dot"]) {
        let text = String(decoding: try contents(path), as: UTF8.self)
        #expect(text == onnxInspect([model, "--format", format]).output)
      }
      #expect(onnxInspect([model, "-o", "\(directory)/x.pdf"]).code == 64)
      #expect(onnxInspect([model, "-o", "/nowhere/x.json"]).code == 2)
    }
  }

  // MARK: CSV

  @Test(
    arguments: [
      ([], "index,graph,operator,name,outputs,types,shapes,multiply_adds", 51),
      (["--nodes", "--filter", "op=Conv"], "index,graph,operator", 16),
      (["--stage", "plan"], "index,graph,operator", 20),
      (["--attributes"], "index,graph,operator,name,attribute,value", 0),
      (["--weights"], "graph,name,type,shape,bytes,readers,count", 70),
      (["--functions"], "function,calls,index", 1),
      (["--memory"], "section,name,bytes,first_stage,last_stage,detail", 0),
      (["--changes", "inferred", "optimized"], "pass,change,operator,node,detail", 55),
    ] as [([String], String, Int)])
  func oneTableForASection(flags: [String], header: String, count: Int) {
    let result = onnxInspect([model, "--format", "csv"] + flags)
    #expect(result.code == 0, "\(result.error)")
    #expect(result.lines[0].hasPrefix(header), "\(result.lines[0])")
    #expect(
      count == 0 ? result.lines.count > 10 : result.lines.count == count, "\(result.lines.count)")
    let commas = result.lines.map { line in
      // Commas between quotes are no separators.
      line.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
        .filter { $0.offset % 2 == 0 }.reduce(0) { $0 + $1.element.filter { $0 == "," }.count }
    }
    #expect(Set(commas).count == 1, "\(flags)")
  }

  @Test func severalSectionsAreNoTable() {
    for flags in [["--nodes", "--weights"], ["--memory", "--changes", "inferred", "plan"]] {
      let result = onnxInspect([model, "--format", "csv"] + flags)
      #expect(result.code == 64 && result.error.contains("csv is one table"))
    }
  }

  // MARK: DOT and SVG

  @Test func picturesShowNodesAndTheirEdges() throws {
    let dot = onnxInspect([model, "--format", "dot"]).output
    #expect(dot.hasPrefix("digraph model {\n") && dot.hasSuffix("}\n"))
    // 50 nodes, an input and an output; an edge for each value that one node makes and another reads.
    let lines = dot.split(separator: "\n")
    #expect(lines.filter { $0.contains("fillcolor=") && !$0.contains("node [") }.count == 52)
    let report = try inspected([model])
    let read = report.graph.nodes.flatMap(\.inputs).compactMap { $0 }.filter { !$0.isConstant }
    #expect(lines.filter { $0.contains(" -> ") }.count == read.count + 1)
    #expect(dot.contains("fillcolor=lightblue") && dot.contains("1x16x32x32"))
  }

  /// A quote, a backslash and a line break in a name stay in its label.
  @Test func labelsAreQuoted() {
    let bytes = WireWriter.model {
      $0.node("Relu", ["x"], ["y"], name: "a\"];\n evil -> node; \\N")
      $0.value(11, "x")
      $0.value(12, "y")
    }
    let dot = onnxInspect(["-", "--format", "dot"], input: bytes).output
    #expect(
      dot.contains("a\\\"];\\\\n evil -> node; \\\\\\\\N") || dot.contains("a\\\"];"), "\(dot)")
    #expect(!dot.split(separator: "\n").contains { $0.hasPrefix(" evil") })
    for line in dot.split(separator: "\n") {
      // Quotes that are not escaped come in pairs.
      var (isEscaped, quotes) = (false, 0)
      for letter in line {
        if letter == "\"" && !isEscaped { quotes += 1 }
        isEscaped = letter == "\\" && !isEscaped
      }
      #expect(quotes % 2 == 0, "\(line)")
    }
  }

  @Test func subgraphsAreBoxes() {
    let bytes = WireWriter.model {
      $0.node(
        "If", ["c"], ["y"], name: "choice",
        attributes: [
          attribute("then_branch") {
            $0.node("Neg", ["x"], ["t"], name: "inside")
            $0.value(12, "t", shape: [3])
          }
        ])
      $0.value(11, "c", type: 9, shape: [])
      $0.value(11, "x", shape: [3])
      $0.value(12, "y", shape: [3])
    }
    let dot = onnxInspect(["-", "--format", "dot"], input: bytes).output
    #expect(dot.contains("subgraph cluster_1 {") && dot.contains("then_branch of choice"))
    // What a subgraph captures flows into it.
    #expect(
      dot.contains("\"main input 1\" -> \"main/choice/then_branch 0/then_branch/0\""), "\(dot)")
    #expect(dot.contains("fillcolor=salmon"))
  }

  @Test func graphvizDrawsThem() throws {
    do { _ = try Program.run("dot", ["-V"], input: []) } catch ProgramError.missing {
      TestData.skip("svg: there is no 'dot' of Graphviz (apt install graphviz)")
      return
    }
    for path in [model, "@unet-shapes.onnx"] {
      let result = onnxInspect([path, "--format", "svg"])
      #expect(result.code == 0, "\(result.error)")
      #expect(result.output.contains("<svg") && result.output.contains("</svg>"))
      #expect(result.output.contains("Conv"))
    }
    try withTemporaryDirectory { directory in
      let path = "\(directory)/picture.svg"
      #expect(onnxInspect([model, "-o", path, "--stage", "plan"]).code == 0)
      let picture = String(decoding: try contents(path), as: UTF8.self)
      #expect(picture.contains("<svg"))
    }
  }

  @Test func withoutGraphvizTheErrorSaysWhatToDo() {
    let process = FakeProcess()
    var environment = process.environment()
    environment.graphviz = "/nowhere/dot"
    let code = InspectCommand.run([located(model), "--format", "svg"], environment)
    let result = process.result(code)
    #expect(result.code == 2 && result.output.isEmpty)
    #expect(result.error.contains("svg needs the program '/nowhere/dot' of Graphviz"))
    #expect(result.error.contains("apt install graphviz") && result.error.contains("-o FILE.dot"))
  }

  @Test func programsAreFedAndRead() throws {
    // More than a pipe holds, in both directions.
    let bytes = (0..<1 << 20).map { UInt8(truncatingIfNeeded: $0) }
    #expect(try Program.run("cat", [], input: bytes) == bytes)
    #expect(throws: ProgramError.missing) {
      try Program.run("leapstone-no-such-program", [], input: bytes)
    }
    // One that reads nothing and fails.
    #expect(throws: ProgramError.failed(status: 3, message: "no\n")) {
      try Program.run("sh", ["-c", "echo no >&2; exit 3"], input: bytes)
    }
  }
}
