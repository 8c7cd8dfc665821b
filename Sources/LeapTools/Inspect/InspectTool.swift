// InspectTool: one call of onnx-inspect: read the model, find out about it, report, check what was asserted.

import LeapFormat
import LeapGraph
import LeapTensors
import LeapstoneImage

struct InspectTool: Sendable {
  private let settings: InspectSettings
  private let console: Console

  init(_ settings: InspectSettings, _ console: Console) {
    self.settings = settings
    self.console = console
  }

  /// - Returns: the exit code.
  /// - Throws: `ModelError`, `ToolError`, `FileError`.
  func run() throws -> Int32 {
    let report = try report()
    try write(report)
    return check(report)
  }

  /// What there is to say of the model.
  ///
  /// - Throws: `ModelError`, `ToolError`, `FileError`.
  func report() throws -> InspectReport {
    let source = try ModelSource(settings.model, read: console.environment.read)
    var options = ReadOptions(externalDataRoots: settings.shapes.externalRoots)
    options.goesOnWithoutPayloads = true
    return try Inspector(source.read(options), settings, console).report()
  }

  private func write(_ report: InspectReport) throws {
    for line in report.text(console) { try console.line(line) }
  }

  // MARK: assertions

  private func check(_ report: InspectReport) -> Int32 {
    var failures: [String] = []
    if settings.assertsSupport, !report.problems.isEmpty {
      failures.append("--assert-supported: the model cannot run here")
    }
    for failure in failures { console.error(failure) }
    return failures.isEmpty ? ExitCode.success : ExitCode.checkFailed
  }
}
