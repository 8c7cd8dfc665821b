// BenchCommand: onnx-bench, from its arguments to its exit code.

import LeapTensors

package enum BenchCommand {
  package static let grammar = CommandGrammar(
    tool: "onnx-bench",
    overview: "Measure an ONNX model: how long it loads and runs, in how much memory, and which "
      + "operators take the time. Its inputs are random (--random 0) where no option gives others.",
    positionals: [.init("model", "The model (.onnx), or - for stdin.")],
    groups: [
      BenchSettings.group, InputOptions.group, ShapeOptions.group, EngineOptions.group,
      CommonOptions.group(formats: BenchSettings.formats, reportKinds: BenchSettings.reportKinds),
    ],
    examples: [
      ("onnx-bench resnet50.onnx", "Five seconds of runs, after three that do not count."),
      (
        "onnx-bench resnet50.onnx --threads 1 --dim batch=8 --iterations 100 --format json",
        "A hundred runs of eight images on one thread, for a script."
      ),
      (
        "onnx-bench unet.onnx --forbid winograd --profile trace.json",
        "What it costs to do without an algorithm, and where the time goes."
      ),
      ("onnx-bench model.onnx --concurrency 4 --threads 1", "Runs a second with four at a time."),
      ("onnx-bench model.onnx --load-only --iterations 20", "How long loading takes."),
    ],
    exitCodes: [
      (ExitCode.success, "done"),
      (ExitCode.failure, "the model, an input or a run failed; the message says where"),
      (ExitCode.usage, "wrong usage"), (ExitCode.interrupted, "interrupted"),
    ])

  /// Runs the tool.
  ///
  /// - Parameter arguments: without the tool's own name.
  /// - Returns: the exit code.
  package static func run(_ arguments: [String], _ environment: ToolEnvironment) -> Int32 {
    runTool(grammar, arguments, environment) { parsed, console in
      try BenchTool(BenchSettings(parsed), console).run()
      return ExitCode.success
    }
  }
}
