// InspectSettings: what a command line of onnx-inspect asks for. All wrong usage that needs no model is told here.

import LeapTensors
import Leapstone

struct InspectSettings: Sendable {
  static let formats = ["text"]
  static let reportKinds: [String] = []

  static let group = FlagGroup(
    "CHECKING OPTIONS",
    [
      Flag("--assert-supported", "Exit with 1 where something keeps the model from running.")
    ])

  /// The path; `-` for stdin.
  let model: String
  let common: CommonOptions
  let shapes: ShapeOptions
  let session: SessionOptions
  let concurrency: Int
  let assertsSupport: Bool

  /// - Throws: `ToolError` with exit code 64.
  init(_ arguments: ParsedArguments) throws {
    common = try CommonOptions(
      arguments, formats: InspectSettings.formats, reportKinds: InspectSettings.reportKinds)
    model = try arguments.model(of: "onnx-inspect")
    shapes = try ShapeOptions(arguments)
    session = try EngineOptions.session(arguments, shapes: shapes)
    concurrency = try EngineOptions.concurrency(arguments)
    assertsSupport = arguments.has("--assert-supported")
  }
}
