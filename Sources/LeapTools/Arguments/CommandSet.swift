// CommandSet: a tool that does several things, each with a command line of its own: `onnx-verify record model.onnx ...`.
//
// 1. The first command may be left out.
// 2. Help and completion come from the commands' grammars.

import LeapTensors

/// The commands of a tool.
package struct CommandSet: Sendable {
  package let tool: String
  package let overview: String
  /// Each grammar's `tool` is the tool and the command: `onnx-verify record`. The first is the one that may be left out.
  package let commands: [(name: String, summary: String, grammar: CommandGrammar)]

  package init(
    tool: String, overview: String,
    commands: [(name: String, summary: String, grammar: CommandGrammar)]
  ) {
    self.tool = tool
    self.overview = overview
    self.commands = commands
  }

  /// What a command line asks for: a page, or a command with the rest of the arguments.
  package enum Request: Sendable {
    case page(String)
    /// Help on something that there is not.
    case mistake(ToolError)
    case command(String, CommandGrammar, [String])
  }

  /// Finds the command of a command line. A file named like a command is written `./record`.
  ///
  /// - Parameter columns: of the terminal, for pages.
  package func request(_ arguments: [String], columns: Int = 80) -> Request {
    let rest = Array(arguments.dropFirst())
    if let first = arguments.first {
      if let found = command(first) { return .command(found.name, found.grammar, rest) }
      switch first {
      case "help":
        guard let name = rest.first else { return .page(help(columns: columns)) }
        guard let found = command(name) else { return .mistake(unknown(name)) }
        return .page(found.grammar.help(columns: columns))
      case "--help", "-h": return .page(help(columns: columns))
      case "--generate-completion-script":
        if let shell = rest.first.flatMap(Shell.init) { return .page(completionScript(for: shell)) }
      default: break
      }
    }
    return .command(commands[0].name, commands[0].grammar, arguments)
  }

  private func command(
    _ name: String
  ) -> (name: String, summary: String, grammar: CommandGrammar)? {
    commands.first { $0.name == name }
  }

  private func unknown(_ name: String) -> ToolError {
    let names = commands.map(\.name)
    let hint = suggestion(for: name, among: names)
    return .usage(
      "there is no command '\(escaped(name))'"
        + (hint.isEmpty ? "; there are \(names.joined(separator: ", "))" : hint))
  }

  /// The error where a word that should be a model is nearly a command, or a model follows it; nil otherwise.
  package func misspelling(_ arguments: [String]) -> ToolError? {
    guard arguments.count > 1, let first = arguments.first, command(first) == nil,
      !first.hasPrefix("-"), !first.contains("."), !first.contains("/")
    else { return nil }
    let isNear = !suggestion(for: first, among: commands.map(\.name)).isEmpty
    return isNear || arguments[1].hasSuffix(".onnx") ? unknown(first) : nil
  }

  /// The page that lists the commands, with a line feed at the end.
  ///
  /// - Parameter columns: of the terminal.
  package func help(columns: Int) -> String {
    let width = CommandGrammar.lineWidth(columns)
    var text = CommandGrammar.overview(overview, width)
    text += "\n\nUSAGE: \(tool) <command> <model> [<options>]\n\nCOMMANDS:\n"
    for (index, command) in commands.enumerated() {
      text += CommandGrammar.entry(
        command.name + (index == 0 ? " (default)" : ""), command.summary, width)
    }
    text += "\nEXAMPLES:\n"
    for command in commands {
      if let example = command.grammar.examples.first {
        text += CommandGrammar.example(example, width)
      }
    }
    return text + "\nSee '\(tool) help <command>' for a command's options and exit codes.\n"
  }
}

/// Runs a tool of several commands, from its arguments to its exit code.
///
/// - Parameters:
///   - arguments: without the tool's own name.
///   - body: a command's work; returns its exit code.
package func runTool(
  _ set: CommandSet, _ arguments: [String], _ environment: ToolEnvironment,
  body: (_ command: String, ParsedArguments, Console) throws -> Int32
) -> Int32 {
  switch set.request(arguments, columns: environment.columns) {
  case .page(let page):
    return runPage(page, environment)
  case .mistake(let mistake):
    Console(tool: set.tool, environment: environment).error(mistake.description)
    environment.writeError(Array("See '\(set.tool) --help' for more.\n".utf8))
    return mistake.exitCode
  case .command(let name, let grammar, let rest):
    return runTool(grammar, rest, environment) { parsed, console in
      if let misspelling = set.misspelling(arguments) { throw misspelling }
      return try body(name, parsed, console)
    }
  }
}

/// Prints a page; a reader that goes away is no failure.
private func runPage(_ page: String, _ environment: ToolEnvironment) -> Int32 {
  do {
    try environment.writeOutput(Array(page.utf8))
  } catch is ClosedPipe {
    return ExitCode.success
  } catch {
    environment.writeError(Array("\(ToolError(describing: error))\n".utf8))
    return ExitCode.failure
  }
  return ExitCode.success
}
