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
    case command(String, CommandGrammar, [String])
  }

  /// Finds the command of a command line. A file named like a command is written `./record`.
  package func request(_ arguments: [String]) -> Request {
    let rest = Array(arguments.dropFirst())
    if let first = arguments.first {
      if let found = command(first) { return .command(found.name, found.grammar, rest) }
      switch first {
      case "help":
        return .page(rest.first.flatMap(command)?.grammar.help ?? help)
      case "--help", "-h": return .page(help)
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

  /// The error where a word that should be a model is nearly a command; nil otherwise.
  package func misspelling(_ arguments: [String]) -> ToolError? {
    guard arguments.count > 1, let first = arguments.first, command(first) == nil,
      !first.hasPrefix("-"), !first.contains("."), !first.contains("/")
    else { return nil }
    let hint = suggestion(for: first, among: commands.map(\.name))
    return hint.isEmpty ? nil : .usage("there is no command '\(escaped(first))'\(hint)")
  }

  /// The page that lists the commands, with a line feed at the end.
  package var help: String {
    var text = CommandGrammar.overview(overview)
    text += "\n\nUSAGE: \(tool) <command> <model> [<options>]\n\nCOMMANDS:\n"
    for (index, command) in commands.enumerated() {
      text += CommandGrammar.entry(
        command.name + (index == 0 ? " (default)" : ""), command.summary)
    }
    text += "\nEXAMPLES:\n"
    for command in commands {
      if let example = command.grammar.examples.first {
        text += "  \(example.line)\n      \(example.purpose)\n"
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
  switch set.request(arguments) {
  case .page(let page):
    return runPage(page, environment)
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
