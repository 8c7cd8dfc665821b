// CommonOptions: COMMON of the tools' grammar: what stdout carries, further reports, how much is said.

import LeapTensors
import Leapstone

/// The options that every tool has.
package struct CommonOptions: Sendable {
  /// What stdout carries.
  package let format: String
  /// Files of further reports, with what their extension asks for.
  package let reports: [(path: String, kind: String)]

  /// - Parameters:
  ///   - formats: what stdout can carry, the default first.
  ///   - reportKinds: extensions that `-o` takes, without the dot.
  /// - Throws: `ToolError` with exit code 64.
  package init(_ arguments: ParsedArguments, formats: [String], reportKinds: [String]) throws {
    format = arguments.last("--format") ?? formats[0]
    reports = try arguments.all("-o").map { path in
      let name = path.split(separator: "/").last ?? ""
      let kind = name.contains(".") ? String(name.split(separator: ".").last ?? "") : ""
      guard reportKinds.contains(kind) else {
        let known = reportKinds.map { ".\($0)" }.joined(separator: ", ")
        throw ToolError.usage("-o: '\(escaped(path))' ends in none of \(known)")
      }
      return (path, kind)
    }
  }

  /// Refuses a page for a terminal.
  ///
  /// - Throws: `ToolError` with exit code 64.
  func check(_ environment: ToolEnvironment) throws {
    if format == "html", environment.outputIsTerminal {
      throw ToolError.usage("--format html is a page for a browser: write it with -o report.html")
    }
  }

  package static func group(formats: [String], reportKinds: [String]) -> FlagGroup {
    let kinds = reportKinds.map { ".\($0)" }.joined(separator: ", ")
    return FlagGroup(
      "OPTIONS",
      [
        Flag("--format", choices: formats, "What stdout carries. (default: \(formats[0]))"),
        Flag(
          "-o", value: "file", repeatable: true, completion: .file,
          "A further report, by the file's extension: \(kinds). Repeatable."),
        Flag("--quiet", short: "-q", "Nothing on stderr but errors."),
        Flag("--verbose", short: "-v", "More on stderr: what was loaded, and the pre-processing."),
        Flag("--color", choices: ["auto", "always", "never"], "Colours. (default: auto)"),
        Flag("--version", "Show the version."),
        Flag("--help", short: "-h", "Show this page."),
        Flag(
          "--generate-completion-script", choices: Shell.allCases.map(\.rawValue),
          "Print a script that completes this tool's options in a shell."),
      ])
  }

  /// The console that these arguments ask for.
  static func console(
    _ tool: String, _ arguments: ParsedArguments, _ environment: ToolEnvironment
  ) -> Console {
    let verbosity: Console.Verbosity =
      arguments.has("--quiet") ? .quiet : arguments.has("--verbose") ? .verbose : .normal
    return Console(
      tool: tool, environment: environment, verbosity: verbosity,
      color: arguments.last("--color") ?? "auto")
  }

  /// What `--help`, `--version` and `--generate-completion-script` print; nil without them.
  ///
  /// - Parameter columns: of the terminal.
  static func page(
    _ grammar: CommandGrammar, _ arguments: ParsedArguments, columns: Int
  ) throws -> String? {
    if arguments.has("--help") { return grammar.help(columns: columns) }
    if arguments.has("--version") { return "\(grammar.program) \(leapstoneVersion)\n" }
    return arguments.last("--generate-completion-script")
      .flatMap { Shell(rawValue: $0) }.map { grammar.completionScript(for: $0) }
  }
}
