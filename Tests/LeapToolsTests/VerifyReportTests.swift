// Reports of onnx-verify in every format: that they hold together, fit the terminal, and are safe with hostile names.

import LeapGraph
import LeapTensors
import LeapTestSupport
import LeapTools
import LeapstoneImage
import Testing

@Suite struct VerifyReportTests {
  private static let hostile =
    "\u{1B}[31m<b>&\"'|`\u{202E}\u{7}]]>" + String(repeating: "n", count: 120)

  /// A model with a hostile output's name and data that are right, or wrong.
  private func withModel(isRight: Bool, _ body: (String) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      let model = "\(directory)/m.onnx"
      try writeIdentity(model, [2], output: Self.hostile)
      try writeSet(
        "\(directory)/test_data_set_0", inputs: [try Tensor([Float(1), 2])],
        outputs: [try Tensor([Float(1), isRight ? 2 : 3])])
      try body(model)
    }
  }

  @Test(arguments: [80, 200], [true, false])
  func textFitsTheTerminal(columns: Int, isRight: Bool) throws {
    try withModel(isRight: isRight) { model in
      let result = onnxVerify([model], columns: columns)
      #expect(result.code == (isRight ? 0 : 1))
      for line in result.lines { #expect(line.count <= columns, "\(line.count): \(line)") }
      #expect(!result.output.unicodeScalars.contains { $0.value < 32 && $0 != "\n" })
      #expect(!result.output.contains("\u{202E}"))
    }
    let networks = onnxVerify(["@"], columns: columns)
    for line in networks.lines { #expect(line.count <= columns, "\(line)") }
    // A wide terminal shows more.
    #expect(networks.output.contains("99 %") == (columns == 200))
    #expect(networks.output.contains("SNR"))
  }

  @Test func coloursAreForTerminals() throws {
    try withModel(isRight: false) { model in
      #expect(!onnxVerify([model]).output.contains("\u{1B}"))
      #expect(onnxVerify([model], isTerminal: true).output.contains("\u{1B}[31m"))
      #expect(!onnxVerify([model, "--color", "never"], isTerminal: true).output.contains("\u{1B}"))
    }
  }

  @Test func aPageIsNotForATerminal() throws {
    let result = onnxVerify(["@resnet-digits.onnx", "--format", "html"], isTerminal: true)
    #expect(result.code == 64)
    #expect(result.error.contains("write it with -o report.html"))
  }

  @Test func commaSeparatedValues() throws {
    try withModel(isRight: false) { model in
      let result = onnxVerify([model, "--format", "csv"])
      let header = try #require(result.lines.first).split(separator: ",")
      #expect(header.first == "set" && header.last == "verdict")
      // The name is quoted; its quotes are doubled.
      #expect(result.lines.count == 2 && result.lines[1].contains("\"\"'|`"))
      #expect(result.lines[1].hasSuffix(",failed"))
    }
    let cells = onnxVerify(["@resnet-digits.onnx", "--format", "csv"]).lines.map {
      $0.split(separator: ",", omittingEmptySubsequences: false).count
    }
    #expect(cells.count == 3 && Set(cells).count == 1)
  }

  @Test func junitIsWellFormed() throws {
    try withModel(isRight: false) { model in
      let text = onnxVerify([model, "--format", "junit"]).output
      #expect(text.hasPrefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites "))
      #expect(text.contains("tests=\"1\" failures=\"1\" errors=\"0\""))
      #expect(text.contains("&lt;b&gt;&amp;&quot;&#39;|`\\u{202e}"))
      #expect(text.contains("<failure message=\"1 of 2 elements differ by more than"))
      try MarkupCheck.check(text)
    }
  }

  @Test func thePageIsSelfContained() throws {
    try withModel(isRight: false) { model in
      try withTemporaryDirectory { directory in
        let path = "\(directory)/r.html"
        #expect(onnxVerify([model, "-o", path]).code == 1)
        let text = String(decoding: try contents(path), as: UTF8.self)
        #expect(text.hasPrefix("<!DOCTYPE html>") && text.hasSuffix("</html>\n"))
        for word in ["src=", "href=", "http:", "https:", "<script", "@import", "url("] {
          #expect(!text.contains(word), "\(word)")
        }
        #expect(text.contains("&lt;b&gt;") && !text.contains("<b>"))
        #expect(text.contains("class=\"verdict failed\""))
        try MarkupCheck.check(String(text.dropFirst("<!DOCTYPE html>".count)))
      }
    }
  }

  @Test func markdown() throws {
    try withModel(isRight: true) { model in
      let text = onnxVerify([model, "--format", "markdown"]).output
      #expect(text.hasPrefix("## "))
      #expect(text.contains("**1 output of 1 set: all within tolerance**"))
      #expect(text.contains("\\<b\\>") && text.contains("\\|\\`"))
      let table = text.split(separator: "\n").filter { $0.hasPrefix("|") }
      let bars = table.map { row in
        zip(row, row.dropFirst()).count { $0.1 == "|" && $0.0 != "\\" }
      }
      #expect(table.count == 3 && Set(bars).count == 1, "\(text)")
    }
  }

  @Test func everyReportAtOnce() throws {
    try withTemporaryDirectory { directory in
      let paths = ["json", "csv", "xml", "md", "html"].map { "\(directory)/r.\($0)" }
      let result = onnxVerify(["@resnet-digits.onnx"] + paths.flatMap { ["-o", $0] })
      #expect(result.code == 0)
      for path in paths {
        let bytes = try contents(path)
        #expect(bytes.count > 100, "\(path)")
      }
      let json = try contents(json: paths[0])
      #expect(json["command"] == "check")
    }
  }

  // MARK: help

  @Test func helpListsTheCommands() {
    for arguments in [["--help"], ["-h"], ["help"]] {
      let page = onnxVerify(arguments)
      #expect(page.code == 0)
      for name in VerifyCommand.commands.commands.map(\.name) {
        #expect(page.output.contains("\n  \(name)"), "\(name)")
      }
    }
    for (name, _, grammar) in VerifyCommand.commands.commands {
      for arguments in [["help", name], [name, "--help"]] {
        let page = onnxVerify(arguments)
        #expect(page.code == 0 && page.output == grammar.help(columns: 80), "\(name)")
        for line in page.lines { #expect(line.count <= 100, "\(line)") }
      }
      #expect(grammar.tool == "onnx-verify \(name)")
      for flag in grammar.flags where flag.arity != .none {
        #expect(grammar.help(columns: 80).contains(flag.name), "\(flag.name)")
      }
    }
    #expect(onnxVerify(["--version"]).output.hasPrefix("onnx-verify "))
  }

  @Test(arguments: [80, 96, 200])
  func helpFitsTheTerminal(columns: Int) {
    for arguments in [["--help"]] + VerifyCommand.commands.commands.map({ [$0.name, "--help"] }) {
      let page = onnxVerify(arguments, columns: columns)
      #expect(page.code == 0)
      for line in page.lines { #expect(line.count <= min(columns, 96), "\(arguments): \(line)") }
    }
    // Command lines that go on are as a shell reads them.
    let page = onnxVerify(["help", "dataset"], columns: columns).output
    #expect(
      page.split(separator: "\\\n").map { $0.split(separator: " ").joined(separator: " ") }
        .joined(separator: " ").contains("--preset unit --baseline unet.json"))
  }

  @Test(arguments: [
    (
      ["help", "nosuch"], "there is no command 'nosuch'; there are check, record, compare, dataset,"
    ),
    (["help", "recrod"], "there is no command 'recrod'; did you mean 'record'?"),
    (["bogus", "model.onnx"], "there is no command 'bogus'; there are check, record,"),
  ])
  func commandsThatThereAreNot(arguments: [String], message: String) {
    let result = onnxVerify(arguments)
    #expect(result.code == 64 && result.output.isEmpty)
    #expect(result.error.contains(message), "\(result.error)")
  }

  @Test(arguments: Shell.allCases)
  func completionKnowsEveryCommand(shell: Shell) {
    let script = onnxVerify(["--generate-completion-script", shell.rawValue])
    #expect(script.code == 0)
    for (name, _, grammar) in VerifyCommand.commands.commands {
      #expect(script.output.contains(name))
      for flag in grammar.flags where flag.name.hasPrefix("--") {
        #expect(script.output.contains(flag.name.dropFirst(2)), "\(name) \(flag.name)")
      }
    }
  }
}

/// That tags are closed in order and nothing but known entities follows an ampersand.
enum MarkupCheck {
  struct Fault: Error { let text: String }

  static func check(_ text: String) throws {
    var open: [Substring] = []
    for part in text.split(separator: "<", omittingEmptySubsequences: false).dropFirst() {
      guard let end = part.firstIndex(of: ">") else { throw Fault(text: "no end: \(part)") }
      let tag = part[..<end]
      let name = tag.prefix { !$0.isWhitespace && $0 != "/" }
      if tag.hasPrefix("?") || ["meta", "br"].contains(name) || tag.hasSuffix("/") { continue }
      if tag.hasPrefix("/") {
        guard open.popLast() == tag.dropFirst() else { throw Fault(text: "\(tag) closes nothing") }
      } else {
        open.append(name)
      }
    }
    guard open.isEmpty else { throw Fault(text: "left open: \(open)") }
    let entities = ["amp;", "lt;", "gt;", "quot;", "#39;"]
    for part in text.split(separator: "&").dropFirst()
    where !entities.contains(where: part.hasPrefix) {
      throw Fault(text: "&\(part.prefix(20))")
    }
  }
}
