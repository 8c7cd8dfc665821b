// DiffCommand: onnx-inspect diff, from its arguments to its exit code.

import LeapFormat
import LeapTensors
import LeapstoneImage

enum DiffCommand {
  static let formats = ["text", "json"]
  static let reportKinds = ["json"]

  static let grammar = CommandGrammar(
    tool: "onnx-inspect diff",
    overview:
      "Say in what two ONNX models differ: nodes that were renamed, added or removed, changed "
      + "attributes and wiring, and constants of other elements.",
    positionals: [
      .init("a", "The first model (.onnx), or - for stdin."), .init("b", "The other model."),
    ],
    groups: [
      FlagGroup(
        "COMPARING OPTIONS",
        [
          Flag("--weights", "A row for each constant of other elements."),
          Flag(
            "--rtol", value: "v",
            "Constants whose elements differ by no more than this part of their largest magnitude are "
              + "the same. (default: 0)"),
          Flag(
            "--external-root", value: "dir", repeatable: true, completion: .directory,
            "A further directory in which the models' external data may lie. Repeatable."),
        ]), CommonOptions.group(formats: formats, reportKinds: reportKinds),
    ],
    examples: [
      ("onnx-inspect diff old.onnx new.onnx", "What a new export changed."),
      (
        "onnx-inspect diff before.onnx after.onnx --weights --rtol 1e-3",
        "Which weights further training moved, and how far."
      ),
    ],
    exitCodes: [
      (ExitCode.success, "the same"), (ExitCode.checkFailed, "different"),
      (
        ExitCode.failure,
        "a model cannot be read, or elements that decide it; the message says which"
      ),
      (ExitCode.usage, "wrong usage"), (ExitCode.interrupted, "interrupted"),
    ])

  /// - Returns: the exit code.
  /// - Throws: `ToolError`, `ModelError`, `FileError`.
  static func run(_ arguments: ParsedArguments, _ console: Console) throws -> Int32 {
    let common = try CommonOptions(arguments, formats: formats, reportKinds: reportKinds)
    let tolerance = try arguments.number("--rtol") ?? 0
    guard tolerance >= 0 else { throw ToolError.usage("--rtol: it is not negative") }
    let difference = try difference(arguments, console, tolerance)
    if common.format == "json" {
      try console.line(difference.json.text())
    } else {
      let lines = difference.text(console, showsWeights: arguments.has("--weights"))
      for line in lines { try console.line(line) }
    }
    for (path, _) in common.reports {
      try FileBytes.write(Array((difference.json.text(indented: true) + "\n").utf8), to: path)
    }
    guard difference.isSame else { return ExitCode.checkFailed }
    if let first = difference.uncomparedConstants.first {
      throw ToolError(
        "\(counted(difference.uncomparedConstants.count, "constant")) could not be compared, '"
          + "\(escaped(first))' say: the elements are not where the model says (onnx-inspect MODEL "
          + "tells why)")
    }
    return ExitCode.success
  }

  /// In what the two models of a command line differ.
  static func difference(
    _ arguments: ParsedArguments, _ console: Console, _ tolerance: Double
  ) throws -> ModelDiff {
    let paths = arguments.positions
    guard paths.count == 2 else {
      throw ToolError.usage("which models? onnx-inspect diff <a> <b> [<options>]")
    }
    guard paths != ["-", "-"] else {
      throw ToolError.usage("both models cannot come from stdin")
    }
    var options = ReadOptions(externalDataRoots: arguments.all("--external-root"))
    options.goesOnWithoutPayloads = true
    let models = try paths.map { path in
      (path, try ModelSource(path, read: console.environment.read).read(options))
    }
    return try ModelDiff(models[0], models[1], tolerance: tolerance)
  }
}
