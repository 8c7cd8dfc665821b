// CompareSettings: what a command line of `onnx-verify compare` asks for.

import LeapTensors
import Leapstone

struct CompareSettings: Sendable {
  static let grammar = CommandGrammar(
    tool: "onnx-verify compare",
    overview:
      "Is a new model as good as an old one, on your data? How far their outputs are apart, which "
      + "predictions change, and, with the truth, whether that is for the better.",
    positionals: [.init("model", "The new model (.onnx), or - for stdin.")],
    groups: [
      FlagGroup(
        "COMPARE OPTIONS",
        [
          Flag(
            "--against", value: "model.onnx|file.npz", completion: .file,
            "The old model; or its outputs, by name."),
          Flag(
            "--data", value: "dir|file.npz", completion: .file,
            "Sets of inputs: test_data_set_N, or an .npz. Outputs in it are not looked at."),
          Flag(
            "--map", value: "new=old", repeatable: true,
            "Which outputs to compare. (default: those of the same name; otherwise by place) "
              + "Repeatable."),
          Flag(
            "--min-agreement", value: "r",
            "Fail where fewer best classes are the same than this share; for masks: where the mean "
              + "intersection over union is less."),
          Truth.flag,
        ] + Tolerances.flags), InputOptions.group, ImageOptions.group,
    ] + VerifyEngine.groups + [VerifyFormats.group()],
    examples: [
      (
        "onnx-verify compare new.onnx --against old.onnx --image photos/ --labels classes.txt",
        "Which predictions change?"
      ),
      (
        "onnx-verify compare int8.onnx --against float.onnx --image val/ --truth dirs "
          + "--min-agreement 99%",
        "Is it worse, or is that chance?"
      ),
      (
        "onnx-verify compare model.onnx --against onnxruntime.npz --inputs inputs.npz",
        "Beside what another runtime gave."
      ),
    ],
    exitCodes: [
      (ExitCode.success, "done, and within what was asked for"),
      (ExitCode.checkFailed, "beyond a tolerance, or less agreement than asked for"),
    ] + VerifyCommand.exitCodes.dropFirst(2))

  let model: String
  let against: String
  let data: String?
  let map: [(new: String, old: String)]
  let minimalAgreement: Double?
  let truth: String?
  let tolerances: Tolerances
  let inputs: InputOptions
  let image: ImageOptions
  let engine: VerifyEngine

  /// - Throws: `ToolError` with exit code 64.
  init(_ arguments: ParsedArguments, _ engine: VerifyEngine) throws {
    model = try arguments.model(of: "onnx-verify compare")
    guard let against = arguments.last("--against") else {
      throw ToolError.usage("what with? add --against OLD.onnx or FILE.npz")
    }
    self.against = against
    guard against.hasSuffix(".npz") || against.hasSuffix(".onnx") else {
      throw ToolError.usage("--against: '\(escaped(against))' ends neither in .onnx nor in .npz")
    }
    data = arguments.last("--data")
    map = try arguments.all("--map").map { text in
      let (name, value) = splitAssignment(text)
      guard let name, !name.isEmpty, !value.isEmpty else {
        throw ToolError.usage("--map: '\(escaped(text))' is not NEW=OLD, like scores=prob")
      }
      return (name, value)
    }
    minimalAgreement = try arguments.share("--min-agreement")
    truth = arguments.last("--truth")
    tolerances = try Tolerances(arguments)
    var inputs = try InputOptions(arguments)
    if truth != nil, !inputs.images.contains("-") {
      inputs.images = try PictureListing.files(inputs.images)
    }
    self.inputs = inputs
    image = ImageOptions(arguments)
    self.engine = engine
    try inputs.checkStandardInput(model: model)
    if truth == "dirs" || truth == "prefix", inputs.images.isEmpty {
      throw ToolError.usage("--truth \(truth ?? "") goes with --image")
    }
  }
}
