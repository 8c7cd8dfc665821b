// ReportWriting: a report on stdout and in the files that -o names.

import LeapTensors
import LeapstoneImage

/// What onnx-verify writes, and where.
enum VerifyFormats {
  static let stdout = ["text", "json", "csv", "junit", "markdown", "html"]
  static let files = ["json", "csv", "xml", "md", "html"]

  static func group() -> FlagGroup { CommonOptions.group(formats: stdout, reportKinds: files) }
}

extension CommonOptions {
  /// The formats of onnx-verify.
  ///
  /// - Throws: `ToolError` with exit code 64.
  static func verify(_ arguments: ParsedArguments) throws -> CommonOptions {
    try CommonOptions(
      arguments, formats: VerifyFormats.stdout, reportKinds: VerifyFormats.files)
  }
}

extension Report {
  /// Writes the report.
  ///
  /// - Throws: `FileError`, `ClosedPipe`.
  func write(_ options: CommonOptions, _ console: Console) throws {
    for (path, kind) in options.reports {
      try FileBytes.write(Array(contents(kind, indented: true).utf8), to: path)
    }
    if options.format == "text" {
      for line in text(console) { try console.line(line) }
    } else {
      try console.environment.writeOutput(Array(contents(options.format, indented: false).utf8))
    }
  }

  private func contents(_ kind: String, indented: Bool) -> String {
    switch kind {
    case "csv": csv
    case "xml", "junit": junit
    case "md", "markdown": markdown
    case "html": html
    default: json.text(indented: indented) + "\n"
    }
  }
}
