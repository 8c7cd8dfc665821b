// BenchSettings: what a command line of onnx-bench asks for. All wrong usage that needs no model is told here.

import LeapTensors
import Leapstone
import LeapstoneImage

struct BenchSettings: Sendable {
  static let formats = ["text", "json", "csv"]
  static let reportKinds = ["json", "csv"]

  private static let defaultWarmup = 3
  private static let defaultSeconds = 5.0

  static let group = FlagGroup(
    "MEASURING OPTIONS",
    [
      Flag(
        "--warmup", value: "n",
        "Runs after the first that do not count. (default: \(defaultWarmup))"),
      Flag(
        "--seconds", value: "s",
        "Measure for so long, one run at least. (default: \(fixed(defaultSeconds, 0)))"),
      Flag("--iterations", value: "n", "Measure so many runs instead."),
      Flag("--load-only", "Measure loading the model, and run nothing."),
      Flag(
        "--profile", value: "trace.json", completion: .file,
        "Write what each step took, for chrome://tracing or ui.perfetto.dev."),
    ])

  /// The path; `-` for stdin.
  let model: String
  let common: CommonOptions
  let inputs: InputOptions
  let shapes: ShapeOptions
  /// Without options of its own: pictures are prepared as the model's metadata say, or as ImageNet's.
  let image: ImageOptions
  let session: SessionOptions
  let concurrency: Int
  let warmup: Int
  let length: Repetition.Length
  let loadsOnly: Bool
  let profile: String?

  /// - Throws: `ToolError` with exit code 64.
  init(_ arguments: ParsedArguments) throws {
    common = try CommonOptions(
      arguments, formats: BenchSettings.formats, reportKinds: BenchSettings.reportKinds)
    inputs = try InputOptions(arguments, defaultSeed: 0)
    model = try arguments.model(of: "onnx-bench")
    shapes = try ShapeOptions(arguments)
    image = ImageOptions(arguments)
    session = try EngineOptions.session(arguments, shapes: shapes)
    concurrency = try EngineOptions.concurrency(arguments)
    warmup =
      try arguments.integer("--warmup", in: 0...1_000_000) ?? BenchSettings.defaultWarmup
    length = try BenchSettings.length(arguments)
    loadsOnly = arguments.has("--load-only")
    profile = arguments.last("--profile")
    try inputs.checkStandardInput(model: model)
    if loadsOnly, profile != nil {
      throw ToolError.usage("--profile: nothing runs with --load-only")
    }
  }

  private static func length(_ arguments: ParsedArguments) throws -> Repetition.Length {
    let iterations = try arguments.integer("--iterations", in: 1...1_000_000_000)
    guard let seconds = try arguments.number("--seconds") else {
      return iterations.map { .iterations($0) } ?? .seconds(defaultSeconds)
    }
    guard iterations == nil else {
      throw ToolError.usage("--seconds and --iterations do not go together")
    }
    guard seconds > 0, seconds <= 1e6 else {
      throw ToolError.usage("--seconds: \(significant(seconds)) is no time to measure for")
    }
    return .seconds(seconds)
  }
}
