// The page of onnx-inspect as a file: it stands by itself, nothing of a model becomes markup, and its data are the report. What it
// does in a browser is tested by python/tests/test_page.py.

import LeapTensors
import LeapTestSupport
import LeapTools
import LeapstoneImage
import Testing

@Suite struct InspectPageTests {
  private let model = "@densenet-digits.onnx"

  /// The page, its data, and its markup without scripts and style.
  private func page(
    _ arguments: [String], input: [UInt8] = []
  ) throws -> (text: String, data: JSON, markup: String) {
    let result = onnxInspect(arguments + ["--format", "html"], input: input)
    #expect(result.code == 0, "\(result.error)")
    let text = result.output
    let opening = "<script type=\"application/json\" id=\"data\">"
    let parts = text.split(separator: opening, maxSplits: 1)
    let data = try #require(parts.last?.split(separator: "</script>", maxSplits: 1).first)
    let head = try #require(parts.first).split(separator: "<style>", maxSplits: 1)
    let body = try #require(head.last?.split(separator: "</style>", maxSplits: 1).last)
    return (
      text, try JSON(parsing: Array(data.utf8)),
      String(head[0]).dropFirst("<!DOCTYPE html>".count) + body + "</body></html>"
    )
  }

  @Test func itStandsByItself() throws {
    for path in smallModels() {
      let (text, _, markup) = try page([path])
      #expect(text.hasPrefix("<!DOCTYPE html>\n") && text.hasSuffix("</html>\n"))
      for word in ["src=", "href=", "https:", "@import", "url(", "fetch(", "innerHTML"] {
        let isArrowHead = word == "url("
        let found = text.split(separator: word).dropFirst().filter { !$0.hasPrefix("#head") }
        #expect(isArrowHead ? found.isEmpty : !text.contains(word), "\(word)")
      }
      #expect(text.contains("Content-Security-Policy"))
      try MarkupCheck.check(markup)
    }
  }

  @Test func withoutAScriptTheTablesAreThere() throws {
    let (_, _, markup) = try page([model])
    for words in [
      "dense layer × 4", "/block1", "<td>concat</td><td>30</td>", "BatchNormalization",
      "class=\"buffer concat\"", "packed weights", "float32 batchx1x32x32",
    ] {
      #expect(markup.contains(words), "\(words)")
    }
  }

  @Test func theDataAreTheReport() throws {
    let (_, data, _) = try page([model])
    let report = try inspected([model, "--weights"])
    let picture = GraphPicture(report.graph)
    let graph = try #require(data["graphs"]?.array?.first)
    let vertices = try #require(graph["vertices"]?.array)
    #expect(vertices.count == picture.wiring.vertices.count)
    #expect(graph["links"]?.array?.count == picture.links.count)
    #expect(graph["blocks"]?.array?.compactMap { $0["count"]?.int } == [4, 4, 4])
    let conv = try #require(vertices.first { $0["operator"]?.string == "Conv" })
    #expect(conv["caption"]?.string == "Conv 3×3" && conv["stage"]?.int == 0)
    // Its filters, with a histogram of all elements.
    let place = try #require(conv["inputs"]?.array?[1].array?.last?.int)
    let weight = try #require(data["weights"]?.array?[place])
    let reported = try #require(report.weights?[place])
    #expect(weight["name"]?.string == reported.name)
    let counts = weight["histogram"]?.array?.compactMap(\.int) ?? []
    #expect(counts == reported.histogram && counts.reduce(0, +) == reported.shape.elementCount)
    let plan = try #require(report.plan)
    #expect(data["memory"]?["stages"]?.array?.count == plan.stages.count)
    #expect(data["memory"]?["buffers"]?.array?.count == plan.buffers.count)
  }

  /// Lives of buffers are what the timeline adds up.
  @Test func buffersAddUpToTheTimeline() throws {
    for model in InspectMemoryTests.networks {
      let plan = try #require(try inspected([model]).plan)
      for stage in plan.stages {
        let live = plan.buffers.filter { $0.first <= stage.index && stage.index <= $0.last }
        let bytes = live.reduce(0) { $0 + ($1.byteCount + 63) / 64 * 64 }
        #expect(abs(bytes - stage.live) <= 64 * live.count, "\(model): stage \(stage.index)")
      }
      for buffer in plan.buffers {
        #expect(buffer.offset + buffer.byteCount <= plan.arena.byteCount)
        #expect(!buffer.values.isEmpty)
        #expect(buffer.values.allSatisfy { buffer.first <= $0.first && $0.last <= buffer.last })
      }
    }
  }

  @Test func namesNeverBecomeMarkup() throws {
    let evil = "</script><script>alert(1)</script><b>&\"'\u{2028}\u{202E}\n]]>-->"
    let bytes = WireWriter.model {
      $0.node("Relu", ["x\(evil)"], [evil], name: evil)
      $0.node("<img src=x onerror=alert(1)>", [evil], ["y"], name: "<!--")
      $0.value(11, "x\(evil)", shape: [1, 3])
      $0.value(12, "y", shape: [1, 3])
    }
    let (text, data, markup) = try page(["-"], input: bytes)
    // The page's own three: the data's beginning, and two ends.
    #expect(text.split(separator: "<script").count == 3)
    #expect(text.split(separator: "</script").count == 3)
    #expect(!text.contains("<img") && !text.contains("<b>") && !text.contains("<!--"))
    try MarkupCheck.check(markup)
    let names = data["graphs"]?.array?[0]["vertices"]?.array?.compactMap { $0["name"]?.string }
    #expect(names == [evil, "<!--"])
    #expect(!text.contains("\u{202E}") && !text.contains("\u{2028}"))
  }

  @Test func modelsThatCannotRunHaveAPage() throws {
    let bytes = WireWriter.model {
      $0.node("Unheard", ["x"], ["y"], name: "odd")
      $0.value(11, "x", shape: [1, 3])
      $0.value(12, "y", shape: [1, 3])
    }
    let (_, data, markup) = try page(["-"], input: bytes)
    #expect(markup.contains("Cannot run here") && !markup.contains("id=\"memory\""))
    #expect(data["memory"] == .null)
    let vertices = data["graphs"]?.array?[0]["vertices"]?.array
    #expect(vertices?[1]["unsupported"]?.bool == true)
  }

  @Test func subgraphsAreGraphsOfTheirOwn() throws {
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
    let graphs = try page(["-"], input: bytes).data["graphs"]?.array ?? []
    #expect(graphs.map { $0["path"]?.string } == ["main", "main/choice/then_branch"])
    // What the subgraph captures flows into the node that holds it.
    let edges = graphs[0]["edges"]?.array?.compactMap { $0.array?.prefix(2).compactMap(\.int) }
    #expect(edges?.contains([1, 2]) == true)
    let holder = graphs[0]["vertices"]?.array?[2]
    #expect(holder?["subgraphs"]?.array?.first?.array?.last?.int == 1)
  }

  @Test(arguments: ["original", "optimized", "plan"])
  func everyStageHasAPage(stage: String) throws {
    let (_, data, markup) = try page(["@preresnet-digits.onnx", "--stage", stage])
    #expect(data["stage"]?.string == stage)
    try MarkupCheck.check(markup)
  }

  @Test func theFilterDims() throws {
    let data = try page([model, "--nodes", "--filter", "op=Conv"]).data
    let nodes = (data["graphs"]?.array?[0]["vertices"]?.array ?? [])
      .filter { $0["kind"]?.string == "node" }
    #expect(nodes.allSatisfy { ($0["hidden"]?.bool == true) == ($0["operator"]?.string != "Conv") })
  }

  // MARK: where it goes

  @Test func aPageIsNotForATerminal() {
    let result = onnxInspect([model, "--format", "html"], columns: 80)
    #expect(result.code == 64 && result.error.contains("write it with -o report.html"))
  }

  /// A page needs the weights; what else is written has them only where they are asked for.
  @Test func otherReportsAreWhatTheyAreWithoutIt() throws {
    try withTemporaryDirectory { directory in
      let (page, other) = ("\(directory)/r.html", "\(directory)/r.json")
      let result = onnxInspect([model, "-o", page, "-o", other])
      #expect(result.code == 0 && result.output == onnxInspect([model]).output)
      #expect(try contents(json: other)["weights"] == nil)
      let text = String(decoding: try contents(page), as: UTF8.self)
      #expect(text == onnxInspect([model, "--format", "html"]).output)
      // No weights themselves: a page is not as large as a model.
      #expect(text.utf8.count < 400_000, "\(text.utf8.count)")
    }
  }

  // MARK: the memory by itself

  @Test func theTimelineIsAPicture() throws {
    for model in InspectMemoryTests.networks {
      let result = onnxInspect([model, "--memory", "--format", "svg"])
      #expect(result.code == 0, "\(result.error)")
      #expect(result.output.hasPrefix("<svg xmlns=") && result.output.hasSuffix("</svg>\n"))
      try MarkupCheck.check(result.output)
      let plan = try #require(try inspected([model]).plan)
      let rects = result.output.split(separator: "data-buffer=").count - 1
      #expect(rects == plan.buffers.count)
      #expect(result.output.contains("class=\"live\""))
    }
  }

  /// It needs no program.
  @Test func theTimelineDoesWithoutGraphviz() {
    let process = FakeProcess()
    var environment = process.environment()
    environment.graphviz = "/nowhere/dot"
    let code = InspectCommand.run([located(model), "--memory", "--format", "svg"], environment)
    #expect(process.result(code).code == 0)
  }
}
