// RecordSettings: what a command line of `onnx-verify record` asks for.

import LeapTensors

struct RecordSettings: Sendable {
  static let grammar = CommandGrammar(
    tool: "onnx-verify record",
    overview:
      "Write down what a model should give: exact outputs, computed in float64, and how far any "
      + "algorithm on any processor may be from them. 'onnx-verify check' holds runs to that.",
    positionals: [.init("model", "The model (.onnx), or - for stdin.")],
    groups: [
      FlagGroup(
        "RECORD OPTIONS",
        [
          Flag(
            "--into", value: "dir", completion: .directory,
            "Where to: test_data_set_N with inputs and outputs, and leapstone.json."),
          Flag(
            "--data", value: "dir|file.npz", completion: .file,
            "Sets of inputs. (with --update: what was recorded before)"),
          Flag("--update", "Record again over what is there, and say what changed."),
        ]), InputOptions.group, ImageOptions.group,
    ] + VerifyEngine.groups + [VerifyFormats.group()],
    examples: [
      (
        "onnx-verify record model.onnx --image photos/ --into goldens/",
        "A set for each photograph."
      ),
      ("onnx-verify record model.onnx --random 0 --into goldens/", "One set of random numbers."),
      (
        "onnx-verify record model.onnx --into goldens/ --update",
        "The same inputs again, after the model was trained on."
      ),
    ],
    exitCodes: [
      (ExitCode.success, "done"),
      (ExitCode.failure, "the model, an input or a run failed; the message says where"),
      (ExitCode.usage, "wrong usage"), (ExitCode.interrupted, "interrupted"),
    ])

  let model: String
  let directory: String
  let data: String?
  let updates: Bool
  let inputs: InputOptions
  let image: ImageOptions
  let engine: VerifyEngine

  /// - Throws: `ToolError` with exit code 64.
  init(_ arguments: ParsedArguments, _ engine: VerifyEngine) throws {
    model = try arguments.model(of: "onnx-verify record")
    inputs = try InputOptions(arguments)
    image = ImageOptions(arguments)
    self.engine = engine
    updates = arguments.has("--update")
    guard let directory = arguments.last("--into") else {
      throw ToolError.usage("where to? add --into DIR")
    }
    self.directory =
      directory.count > 1 && directory.hasSuffix("/") ? String(directory.dropLast()) : directory
    let isGiven =
      !inputs.files.isEmpty || inputs.set != nil || inputs.seed != nil || !inputs.images.isEmpty
    let given = arguments.last("--data")
    if given != nil, isGiven {
      throw ToolError.usage("--data and other inputs do not go together")
    }
    data = given ?? (updates && !isGiven ? self.directory : nil)
    try inputs.checkStandardInput(model: model)
  }
}
