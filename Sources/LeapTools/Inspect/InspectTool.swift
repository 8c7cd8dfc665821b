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
    try settings.common.check(console.environment)
    let report = try report()
    try write(report)
    if let shortfall = report.shortfall { throw shortfall }
    return check(report)
  }

  /// What there is to say of the model.
  ///
  /// - Throws: `ModelError`, `ToolError`, `FileError`.
  func report() throws -> InspectReport {
    if settings.session.cacheDirectory != nil {
      console.note(
        "--cache: nothing is packed here; the figures are those of a start without a cache")
    }
    let source = try ModelSource(settings.model, read: console.environment.read)
    var options = ReadOptions(externalDataRoots: settings.shapes.externalRoots)
    options.goesOnWithoutPayloads = true
    return try Inspector(source.read(options), settings, console).report()
  }

  private func write(_ whole: InspectReport) throws {
    let report = shown(whole)
    switch settings.common.format {
    case "text":
      for line in report.text(console, settings.sections) { try console.line(line) }
    case "json": try console.line(report.json.text())
    case let kind: try console.environment.writeOutput(contents(whole, kind))
    }
    for (path, kind) in settings.common.reports {
      try FileBytes.write(contents(whole, kind), to: path)
    }
  }

  /// Without the weights where only the page needs them.
  private func shown(_ report: InspectReport) -> InspectReport {
    var report = report
    if !settings.sections.contains(.weights) { report.weights = nil }
    return report
  }

  private func contents(_ whole: InspectReport, _ kind: String) throws -> [UInt8] {
    let report = shown(whole)
    switch kind {
    case "csv": return Array(report.csv(settings.tableSection).utf8)
    case "dot": return Array(report.dot.utf8)
    case "svg": return try svg(report)
    case "html": return Array(whole.html.utf8)
    default: return Array((report.json.text(indented: true) + "\n").utf8)
    }
  }

  /// The timeline of the memory where that is asked for; or the graph, as Graphviz lays it out.
  private func svg(_ report: InspectReport) throws -> [UInt8] {
    if settings.sections.contains(.memory), let picture = report.memorySVG {
      return Array(picture.utf8)
    }
    let program = console.environment.graphviz
    console.detail("\(program) lays out \(counted(report.graph.allNodes.count, "node"))")
    do {
      return try Program.run(program, ["-Tsvg"], input: Array(report.dot.utf8))
    } catch ProgramError.missing {
      throw ToolError(
        "svg needs the program '\(escaped(program))' of Graphviz, which is not there: apt install "
          + "graphviz  |  brew install graphviz; -o FILE.dot does without")
    } catch ProgramError.failed(let status, let message) {
      throw ToolError("\(escaped(program)) ended with \(status): \(escaped(message))")
    }
  }

  // MARK: assertions

  private func check(_ report: InspectReport) -> Int32 {
    var failures: [String] = []
    for (flag, limit, found) in [
      ("--assert-peak", settings.peakLimit, report.memory?.peak),
      ("--assert-arena", settings.arenaLimit, report.memory?.arena),
    ] {
      guard let limit, found.map({ $0 > limit }) ?? true else { continue }
      let text = found.map { "\(readableSize($0)) (\($0) bytes)" } ?? "no bound"
      failures.append("\(flag): \(text), more than \(readableSize(limit)) (\(limit) bytes)")
    }
    if settings.assertsSupport, !report.problems.isEmpty {
      failures.append("--assert-supported: the model cannot run here")
    }
    for failure in failures { console.error(failure) }
    return failures.isEmpty ? ExitCode.success : ExitCode.checkFailed
  }
}
