// BisectSettings: what a command line of `onnx-verify bisect` asks for.

import LeapTensors

struct BisectSettings: Sendable {
  /// What values are compared with.
  enum Reference: Sendable {
    /// The same model in double precision, without passes.
    case float64
    /// Tensors by the names of values.
    case archive(String)
    case model(String)
  }

  static let grammar = CommandGrammar(
    tool: "onnx-verify bisect",
    overview:
      "Find where a model's accuracy is lost: every value that a run computes is compared with "
      + "what it should be; the worst step is run in other ways, until it is known what makes it bad.",
    positionals: [.init("model", "The model (.onnx), or - for stdin.")],
    groups: [
      FlagGroup(
        "BISECT OPTIONS",
        [
          Flag(
            "--against", value: "float64|file.npz|model.onnx", completion: .file,
            "What values are compared with: the same model computed in float64, step by step; values of "
              + "another runtime by their names; another model. (default: float64)"),
          Flag(
            "--reproducer", value: "dir", completion: .directory,
            "Write the culprit by itself: model.onnx and test_data_set_0."),
        ]), InputOptions.group, ImageOptions.group,
    ] + VerifyEngine.groups + [VerifyFormats.group()],
    examples: [
      ("onnx-verify bisect model.onnx --random 0", "Which layer loses most, and why?"),
      (
        "onnx-verify bisect model.onnx --image cat.jpg --reproducer culprit/ -o report.html",
        "With a picture; the culprit by itself, and a page with a chart."
      ),
      (
        "onnx-verify bisect model.onnx --inputs in.npz --against intermediates.npz",
        "Where does it part from what another runtime computed?"
      ),
    ],
    exitCodes: [
      (ExitCode.success, "no value drifts"), (ExitCode.checkFailed, "drift found"),
    ] + VerifyCommand.exitCodes.dropFirst(2))

  let model: String
  let reference: Reference
  let reproducer: String?
  let inputs: InputOptions
  let image: ImageOptions
  let engine: VerifyEngine

  /// - Throws: `ToolError` with exit code 64.
  init(_ arguments: ParsedArguments, _ engine: VerifyEngine) throws {
    model = try arguments.model(of: "onnx-verify bisect")
    inputs = try InputOptions(arguments)
    image = ImageOptions(arguments)
    self.engine = engine
    reproducer = arguments.last("--reproducer")
    let against = arguments.last("--against") ?? "float64"
    switch against {
    case "float64": reference = .float64
    case let path where path.hasSuffix(".npz"): reference = .archive(path)
    case let path where path.hasSuffix(".onnx"): reference = .model(path)
    default:
      throw ToolError.usage(
        "--against: '\(escaped(against))' is neither float64 nor a file that ends in .npz or .onnx")
    }
    try inputs.checkStandardInput(model: model)
    if reproducer != nil, case .float64 = reference {
    } else if reproducer != nil {
      throw ToolError.usage("--reproducer goes with --against float64: its output must be exact")
    }
  }
}
