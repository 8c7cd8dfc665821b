// CheckSettings: what a command line of `onnx-verify check` asks for.

import LeapTensors

struct CheckSettings: Sendable {
  static let grammar = CommandGrammar(
    tool: "onnx-verify check",
    overview: "Run models on sets of inputs, and compare what comes out with what is expected.",
    positionals: [
      .init(
        "model",
        "The model (.onnx), - for stdin, or a directory: all models in it that have data beside them."
      )
    ],
    groups: [
      FlagGroup(
        "CHECK OPTIONS",
        [
          Flag(
            "--data", value: "dir|file.npz", completion: .file,
            "Sets of inputs and expected outputs: a directory with test_data_set_N, or one of these; "
              + "an .npz with keys in:NAME and out:NAME. (default: what lies beside the model: "
              + "test_data_set_N, a directory of the model's name, or NAME.npz and NAME.*.npz)")
        ] + Tolerances.flags + [
          Flag("--fail-fast", "Stop at the first output that is wrong.")
        ])
    ] + VerifyEngine.groups + [VerifyFormats.group()],
    examples: [
      ("onnx-verify resnet50.onnx --data resnet50/", "Does it give what its test data say?"),
      (
        "onnx-verify model.onnx --data sets.npz --rtol 1e-4 --atol scores:1e-6 -o report.html",
        "With tolerances of your own, and a page to look at."
      ),
      ("onnx-verify models/ --fail-fast --format junit", "All models of a directory, for a build."),
    ], exitCodes: VerifyCommand.exitCodes)

  /// The path; `-` for stdin.
  let model: String
  let data: String?
  let tolerances: Tolerances
  let stopsAtFirst: Bool
  let engine: VerifyEngine

  /// - Throws: `ToolError` with exit code 64.
  init(_ arguments: ParsedArguments, _ engine: VerifyEngine) throws {
    model = try arguments.model(of: "onnx-verify")
    data = arguments.last("--data")
    tolerances = try Tolerances(arguments)
    stopsAtFirst = arguments.has("--fail-fast")
    self.engine = engine
    if model == "-", data == nil {
      throw ToolError.usage("which data? nothing lies beside stdin: add --data DIR or FILE.npz")
    }
  }
}
