// ToolEntry: what every tool does around its work: help, version, completion scripts, errors and exit codes.

import LeapTensors
import Leapstone
import LeapstoneImage

/// Runs a tool from its arguments to its exit code.
///
/// - Parameters:
///   - grammar: the tool's command line; COMMON options among its flags.
///   - arguments: without the tool's own name.
///   - body: the tool's work; returns its exit code.
package func runTool(
  _ grammar: CommandGrammar, _ arguments: [String], _ environment: ToolEnvironment,
  body: (ParsedArguments, Console) throws -> Int32
) -> Int32 {
  var console = Console(tool: grammar.program, environment: environment)
  do {
    let parsed = try grammar.parse(arguments)
    console = CommonOptions.console(grammar.program, parsed, environment)
    if let page = try CommonOptions.page(
      grammar, parsed, columns: environment.columns)
    {
      try environment.writeOutput(Array(page.utf8))
      return ExitCode.success
    }
    return try body(parsed, console)
  } catch is ClosedPipe {
    return ExitCode.success
  } catch {
    let failure = ToolError(describing: error)
    console.error(failure.description)
    if failure.exitCode == ExitCode.usage {
      environment.writeError(Array("See '\(grammar.tool) --help' for more.\n".utf8))
    }
    return failure.exitCode
  }
}

extension ToolError {
  /// An error of a library, with the exit code that fits it.
  package init(describing error: any Error) {
    switch error {
    case let error as ToolError: self = error
    case RunError.cancelled: self = .interrupted
    case ModelError.option(let name, let reason):
      let flag = name.allSatisfy(\.isLowercaseOrDash) ? "--\(name)" : name
      self = .usage("\(escaped(flag)): \(escaped(reason))")
    case let error as FileError: self.init(escaped(error.description))
    default: self.init("\(error)")
    }
  }
}

extension Character {
  fileprivate var isLowercaseOrDash: Bool { isLowercase || self == "-" }
}
