// The command line: options are sorted out, wrong usage is told with what is right, help and completion show all.

import LeapTools
import Testing

@Suite struct CommandGrammarTests {
  let grammar = CommandGrammar(
    tool: "tool-x", overview: "Does.", positionals: [.init("file", "A file.")],
    groups: [
      FlagGroup(
        "OPTIONS",
        [
          Flag("--top", value: "k", "Best."), Flag("--quiet", short: "-q", "Less."),
          Flag("--image", value: "file", isVariadic: true, completion: .file, "Pictures."),
          Flag("-o", value: "file", repeatable: true, "Report."),
          Flag("--color", choices: ["auto", "never"], "It's colours: [all]."),
        ])
    ],
    examples: [("tool-x a", "Does a.")], exitCodes: [(0, "done"), (64, "wrong usage")])

  @Test func optionsAndPositions() throws {
    let parsed = try grammar.parse(
      ["a", "--top=3", "-q", "--top", "7", "-", "-o", "x", "-o", "y", "--", "--top"])
    #expect(parsed.positions == ["a", "-", "--top"])
    #expect(parsed.all("--top") == ["3", "7"])
    #expect(try parsed.integer("--top", in: 1...10) == 7)
    #expect(parsed.has("--quiet"))
    #expect(!parsed.has("--image"))
    #expect(parsed.all("-o") == ["x", "y"])
  }

  @Test func variadicOptionsEndAtTheNextOption() throws {
    let parsed = try grammar.parse(["m", "--image", "a", "-", "b", "-q", "--image", "c"])
    #expect(parsed.positions == ["m"])
    #expect(parsed.all("--image") == ["a", "-", "b", "c"])
  }

  @Test func negativeNumbersAreValues() throws {
    #expect(try grammar.parse(["--top", "-3.5"]).number("--top") == -3.5)
    #expect(try grammar.parse(["--top", "-.5"]).number("--top") == -0.5)
  }

  @Test(arguments: [
    (["--tpo"], "unknown option '--tpo'; did you mean '--top'?"),
    (["--top"], "--top wants a value: --top <k>"), (["--top", "--quiet"], "--top wants a value"),
    (["--image", "-q"], "--image wants a value"), (["--top="], "--top wants a value"),
    (["-q=1"], "unknown option '-q=1'"), (["--quiet=1"], "--quiet takes no value"),
    (["--zzzzzzzzz"], "unknown option '--zzzzzzzzz'"),
    (["--color", "atuo"], "--color: 'atuo' is not one of auto, never; did you mean 'auto'?"),
    (["--x\u{1B}[2J"], "unknown option '--x\\u{1b}[2J'"),
  ])
  func wrongUsage(arguments: [String], reason: String) {
    let error = #expect(throws: ToolError.self) { try grammar.parse(arguments) }
    #expect(error?.exitCode == 64)
    #expect(error?.description.hasPrefix(reason) == true, "\(error?.description ?? "none")")
  }

  @Test func aFarWordIsNotSuggested() {
    let error = #expect(throws: ToolError.self) { try grammar.parse(["--zzzzzzzzz"]) }
    #expect(error?.description.contains("did you mean") == false)
  }

  @Test func numbersOutsideTheirRange() throws {
    let parsed = try grammar.parse(["--top", "11"])
    let error = #expect(throws: ToolError.self) { try parsed.integer("--top", in: 1...10) }
    #expect(error?.description == "--top: '11' is no whole number from 1 to 10")
  }

  @Test func helpNamesEveryOption() {
    let help = grammar.help(columns: 80)
    for part in [
      "OVERVIEW: Does.", "USAGE: tool-x <file> [<options>]", "ARGUMENTS:", "OPTIONS:", "--top <k>",
      "-q, --quiet", "--image <file> ...", "EXIT CODES:", "64", "EXAMPLES:",
    ] {
      #expect(help.contains(part), "\(part)")
    }
    #expect(help.split(separator: "\n").allSatisfy { $0.count <= 100 })
  }

  @Test(arguments: Shell.allCases)
  func completionNamesEveryOption(shell: Shell) {
    let script = grammar.completionScript(for: shell)
    for name in ["top", "quiet", "image", "color"] {
      #expect(script.contains(shell == .fish ? "-l \(name)" : "--\(name)"))
    }
    #expect(script.contains("auto never"))
  }
}
