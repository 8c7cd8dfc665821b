// DeterminismSettings: what a command line of `onnx-verify determinism` asks for.

import LeapTensors
import Leapstone
import LeapstoneImage

struct DeterminismSettings: Sendable {
  static let grammar = CommandGrammar(
    tool: "onnx-verify determinism",
    overview:
      "Run a model in many ways that must not matter (threads, places in a batch, again, at the "
      + "same time, without memory reuse, with freed memory poisoned), and compare all bits.",
    positionals: [.init("model", "The model (.onnx), or - for stdin.")],
    groups: [InputOptions.group, ImageOptions.group] + VerifyEngine.groups + [
      VerifyFormats.group()
    ],
    examples: [
      ("onnx-verify determinism model.onnx", "Does the same input always give the same bits?"),
      (
        "onnx-verify determinism model.onnx --image cat.jpg --isa portable",
        "With a picture, on other kernels."
      ),
    ], exitCodes: VerifyCommand.exitCodes)

  let model: String
  let inputs: InputOptions
  let image: ImageOptions
  let engine: VerifyEngine

  /// - Throws: `ToolError` with exit code 64.
  init(_ arguments: ParsedArguments, _ engine: VerifyEngine) throws {
    model = try arguments.model(of: "onnx-verify determinism")
    inputs = try InputOptions(arguments, defaultSeed: 0)
    image = ImageOptions(arguments)
    self.engine = engine
    try inputs.checkStandardInput(model: model)
  }
}
