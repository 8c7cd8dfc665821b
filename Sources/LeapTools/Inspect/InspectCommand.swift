// InspectCommand: onnx-inspect, from its arguments to its exit code.

import LeapTensors

package enum InspectCommand {
  package static let grammar = CommandGrammar(
    tool: "onnx-inspect show",
    overview:
      "Show what is in an ONNX model and what it will cost, without running it. Models that "
      + "cannot run are shown as far as they go, with what keeps them from running.",
    positionals: [.init("model", "The model (.onnx), or - for stdin.")],
    groups: [
      InspectSettings.sectionGroup, InspectSettings.checkGroup, ShapeOptions.group,
      EngineOptions.group,
      CommonOptions.group(
        formats: InspectSettings.formats, reportKinds: InspectSettings.reportKinds),
    ],
    examples: [
      ("onnx-inspect resnet50.onnx", "A page on the model: its size, its cost, what is odd."),
      (
        "onnx-inspect resnet50.onnx --nodes --filter op=Conv",
        "Its convolutions: what each costs, and which kernel computes it."
      ),
      (
        "onnx-inspect resnet50.onnx --changes inferred optimized",
        "What the passes make of it, node by node."
      ),
      (
        "onnx-inspect densenet121.onnx -o report.html",
        "A page to walk about in: its graph, what goes around layers, its memory over time."
      ),
      (
        "onnx-inspect unet.onnx --dim batch=8 --isa neon --threads 4 --memory-policy lean",
        "What it takes elsewhere: nothing runs, so the machine need not be there."
      ),
      (
        "onnx-inspect model.onnx --assert-supported -q",
        "Whether Leapstone can run it, for a script."
      ),
    ],
    exitCodes: [
      (ExitCode.success, "done, every assertion holds"),
      (ExitCode.checkFailed, "an assertion failed"),
      (ExitCode.failure, "the model cannot be read; the message says where"),
      (ExitCode.usage, "wrong usage"), (ExitCode.interrupted, "interrupted"),
    ])

  package static let commands = CommandSet(
    tool: "onnx-inspect",
    overview:
      "What is in an ONNX model, what it will cost, and in what it differs from another. Nothing is run.",
    commands: [
      ("show", "A model and its cost: all options are its own.", grammar),
      ("diff", "In what two models differ.", DiffCommand.grammar),
    ])

  /// What the tool would tell.
  ///
  /// - Parameter arguments: without the tool's own name.
  /// - Throws: what ends the tool early.
  package static func report(
    _ arguments: [String], _ environment: ToolEnvironment
  ) throws -> InspectReport {
    let console = Console(tool: grammar.program, environment: environment)
    return try InspectTool(InspectSettings(grammar.parse(arguments)), console).report()
  }

  /// In what two models differ.
  ///
  /// - Parameter arguments: of `diff`, without that word.
  /// - Throws: what ends the tool early.
  package static func difference(
    _ arguments: [String], _ environment: ToolEnvironment
  ) throws -> ModelDiff {
    let grammar = DiffCommand.grammar
    let parsed = try grammar.parse(arguments)
    return try DiffCommand.difference(
      parsed, Console(tool: grammar.program, environment: environment),
      try parsed.number("--rtol") ?? 0)
  }

  /// Runs the tool.
  ///
  /// - Parameter arguments: without the tool's own name.
  /// - Returns: the exit code.
  package static func run(_ arguments: [String], _ environment: ToolEnvironment) -> Int32 {
    runTool(commands, arguments, environment) { command, parsed, console in
      switch command {
      case "diff": try DiffCommand.run(parsed, console)
      default: try InspectTool(InspectSettings(parsed), console).run()
      }
    }
  }
}
