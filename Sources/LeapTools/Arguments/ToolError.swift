// ToolError: why a tool ends early, and with which exit code.

/// The exit codes of all tools.
package enum ExitCode {
  /// Done, and every check holds.
  package static let success: Int32 = 0
  /// A check, an assertion or a comparison failed.
  package static let checkFailed: Int32 = 1
  /// The model, an input or a run failed.
  package static let failure: Int32 = 2
  /// Wrong usage (EX_USAGE of sysexits.h).
  package static let usage: Int32 = 64
  /// Interrupted: 128 and the number of SIGINT.
  package static let interrupted: Int32 = 130
}

/// A tool's failure. The description is one or more lines that are safe on a terminal.
package struct ToolError: Error, CustomStringConvertible, Equatable {
  package let description: String
  package let exitCode: Int32

  package init(_ description: String, exitCode: Int32 = ExitCode.failure) {
    self.description = description
    self.exitCode = exitCode
  }

  /// Wrong usage: what is wrong, and how it is right.
  package static func usage(_ description: String) -> ToolError {
    ToolError(description, exitCode: ExitCode.usage)
  }

  /// Somebody pressed Ctrl-C.
  package static let interrupted = ToolError("interrupted", exitCode: ExitCode.interrupted)
}
