// RunSettings: what a command line of onnx-run asks for. All wrong usage that needs no model is told here.

import LeapTensors
import Leapstone
import LeapstoneImage

struct RunSettings: Sendable {
  /// Which values to return.
  enum Outputs: Sendable {
    case model, all
    case named([String])
  }

  static let formats = ["text", "json"]
  static let reportKinds = ["json", "jsonl", "csv"]

  static let group = FlagGroup(
    "OUTPUT OPTIONS",
    [
      Flag(
        "--outputs", value: "name,...|all", repeatable: true,
        "The values to return, any of the graph's; all: everything that a node computes. (default: "
          + "the model's outputs)"),
      Flag(
        "--save", value: "file.npz", completion: .file,
        "Write the outputs for numpy; those of several pictures one behind the other, the tensors of a "
          + "sequence as NAME_0, NAME_1 and so on."),
      Flag(
        "--top", value: "k",
        "How many classes of each picture to show. (default: 5 where the output is classes)"),
      Flag(
        "--mask", value: "out.png", completion: .file,
        "Write the class of each pixel. {name} and {index} in the path tell several pictures apart."
      ),
      Flag(
        "--overlay", value: "out.png", completion: .file,
        "Write the picture with the mask laid over it."),
      Flag(
        "--profile", value: "trace.json", completion: .file,
        "Write what each step took, for chrome://tracing or ui.perfetto.dev."),
      Flag("--deadline", value: "seconds", "Give up a run that takes longer."),
    ])

  /// The path; `-` for stdin.
  let model: String
  let common: CommonOptions
  let inputs: InputOptions
  let shapes: ShapeOptions
  let image: ImageOptions
  let session: SessionOptions
  let concurrency: Int
  let outputs: Outputs
  let save: String?
  let top: Int?
  let mask: String?
  let overlay: String?
  let profile: String?
  let deadline: Duration?

  /// - Throws: `ToolError` with exit code 64.
  init(_ arguments: ParsedArguments) throws {
    common = try CommonOptions(
      arguments, formats: RunSettings.formats, reportKinds: RunSettings.reportKinds)
    inputs = try InputOptions(arguments)
    model = try arguments.model(of: "onnx-run")
    shapes = try ShapeOptions(arguments)
    image = ImageOptions(arguments)
    session = try EngineOptions.session(arguments, shapes: shapes)
    concurrency = try EngineOptions.concurrency(arguments)
    outputs = try RunSettings.outputs(arguments)
    top = try arguments.integer("--top", in: 1...1_000_000)
    save = arguments.last("--save")
    mask = arguments.last("--mask")
    overlay = arguments.last("--overlay")
    profile = arguments.last("--profile")
    deadline = try RunSettings.deadline(arguments)
    try inputs.checkStandardInput(model: model)
    try checkPaths()
  }

  private static func outputs(_ arguments: ParsedArguments) throws -> Outputs {
    let names = arguments.all("--outputs").flatMap { $0.split(separator: ",").map(String.init) }
    if !arguments.has("--outputs") { return .model }
    if names == ["all"] { return .all }
    var seen: Set<String> = []
    for name in names where !seen.insert(name).inserted {
      throw ToolError.usage("--outputs: '\(escaped(name))' is named twice")
    }
    guard !names.isEmpty else { throw ToolError.usage("--outputs: no name is given") }
    return .named(names)
  }

  private static func deadline(_ arguments: ParsedArguments) throws -> Duration? {
    guard let seconds = try arguments.number("--deadline") else { return nil }
    guard seconds >= 0, seconds <= 1e9 else {
      throw ToolError.usage("--deadline: \(significant(seconds)) is no time in seconds")
    }
    return .seconds(seconds)
  }

  private func checkPaths() throws {
    if inputs.images.isEmpty {
      for (flag, path) in [("--mask", mask), ("--overlay", overlay)] where path != nil {
        throw ToolError.usage("\(flag) goes with --image")
      }
    }
    if let save, !save.hasSuffix(".npz") {
      throw ToolError.usage("--save: '\(escaped(save))' does not end in .npz")
    }
    for (flag, path) in [("--mask", mask), ("--overlay", overlay)] {
      if let path, !path.lowercased().hasSuffix(".png") {
        throw ToolError.usage("\(flag): '\(escaped(path))' does not end in .png")
      }
    }
  }
}
