// ImageOptions: IMAGE of the tools' grammar: how a picture becomes a tensor, and what classes are called.

import LeapTensors
import Leapstone
import LeapstoneImage

package struct ImageOptions: Sendable {
  package static let group = FlagGroup(
    "IMAGE OPTIONS",
    [
      Flag(
        "--preset", value: "name|file.json",
        completion: .words(Preprocessing.presets.map(\.name) + ["model"]),
        "imagenet: short side 256, middle 224 (or the model's size in that proportion), ImageNet's "
          + "mean and deviation. imagenet-bgr255: the same for networks from Caffe. inception: short "
          + "side 342, middle 299, -1 to 1. unit: the model's size, 0 to 1. none: the model's size, 0 "
          + "to 255. model: as the model's Image.* metadata say. Or a Hugging Face "
          + "preprocessor_config.json. The options below override it. (default: model where it has "
          + "such metadata, otherwise imagenet)"),
      Flag("--resize", value: "side|HxW|none", "The shorter side, or the exact size, in pixels."),
      Flag("--crop", value: "side|HxW|none", "Keep the middle of this size."),
      Flag(
        "--interpolation", choices: Interpolation.allCases.map(\.rawValue),
        "How pixels between pixels are found; antialiased, as Pillow's."),
      Flag("--scale", value: "x", "Factor of the values 0 to 255, applied first."),
      Flag("--mean", value: "x[,x,x]", "Subtracted after scaling."),
      Flag("--std", value: "x[,x,x]", "Divided by in the end."),
      Flag(
        "--channels", choices: Preprocessing.Channels.allCases.map(\.rawValue),
        "The order of the colours."),
      Flag(
        "--layout", choices: Preprocessing.Layout.allCases.map(\.rawValue),
        "Where the channels stand. (default: as the model's input)"),
      Flag("--exif", "Turn a JPEG as its EXIF orientation says."),
      Flag(
        "--labels", value: "file", completion: .file,
        "Class names: line n names class n, from 0; or the id2label of a config.json."),
    ])

  private static let sides = 1...1 << 16
  private let arguments: ParsedArguments

  package init(_ arguments: ParsedArguments) { self.arguments = arguments }

  /// Whether any option says how pictures become tensors.
  package var isGiven: Bool { ImageOptions.group.flags.contains { arguments.has($0.name) } }

  /// Class names; empty without `--labels`.
  ///
  /// - Throws: `ImageError`.
  package func labels() throws -> [String] {
    try arguments.last("--labels").map { try Labels.read(path: $0) } ?? []
  }

  /// The pre-processing: the preset and what overrides it.
  ///
  /// - Throws: `ToolError` with exit code 64, `ImageError`, `FileError`.
  package func preprocessing(_ metadata: ModelMetadata) throws -> Preprocessing {
    var steps = try preset(metadata)
    if let text = arguments.last("--resize") { steps.resize = try resize(text) }
    if let text = arguments.last("--crop") {
      steps.crop = text == "none" ? .none : .size(try size("--crop", text))
    }
    func choice<Choice: RawRepresentable>(_ flag: String) -> Choice?
    where Choice.RawValue == String {
      arguments.last(flag).flatMap { Choice(rawValue: $0) }
    }
    steps.interpolation = choice("--interpolation") ?? steps.interpolation
    steps.channels = choice("--channels") ?? steps.channels
    steps.layout = choice("--layout") ?? steps.layout
    steps.scale = try arguments.number("--scale") ?? steps.scale
    steps.mean = try numbers("--mean") ?? steps.mean
    steps.std = try numbers("--std") ?? steps.std
    if steps.std.contains(0) { throw ToolError.usage("--std: nothing can be divided by 0") }
    if arguments.has("--exif") { steps.appliesOrientation = true }
    return steps
  }

  private func preset(_ metadata: ModelMetadata) throws -> Preprocessing {
    let properties = Dictionary(metadata.properties.map { ($0.key, $0.value) }) { $1 }
    let hasOwn = properties["Image.BitmapPixelFormat"] != nil
    let name = arguments.last("--preset") ?? (hasOwn ? "model" : "imagenet")
    if let preset = Preprocessing.named(name) { return preset }
    if name == "model" {
      do { return try Preprocessing(metadata: properties) } catch {
        throw ToolError("--preset model: \(error); choose another preset")
      }
    }
    let names = Preprocessing.presets.map(\.name) + ["model"]
    guard name.hasSuffix(".json") else {
      throw ToolError.usage(
        "--preset: '\(escaped(name))' is none of \(names.joined(separator: ", ")), and no .json file"
          + suggestion(for: name, among: names))
    }
    do {
      return try Preprocessing(preprocessorConfiguration: try FileBytes.read(name, limit: 1 << 20))
    } catch let error as ImageError {
      throw ToolError("\(escaped(name)): \(error)")
    }
  }

  private func resize(_ text: String) throws -> Preprocessing.Resize {
    if text == "none" { return .none }
    let size = try size("--resize", text)
    return Int(text) == nil ? .exact(size) : .shortSide(size.height)
  }

  private func size(_ flag: String, _ text: String) throws -> Size {
    let parts = text.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
    guard (1...2).contains(parts.count), parts.allSatisfy(ImageOptions.sides.contains) else {
      throw ToolError.usage("\(flag): '\(escaped(text))' is no size, like 224 or 224x320")
    }
    return Size(height: parts[0], width: parts[parts.count - 1])
  }

  private func numbers(_ flag: String) throws -> [Double]? {
    guard let text = arguments.last(flag) else { return nil }
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    let values = parts.compactMap { Double($0) }.filter(\.isFinite)
    guard values.count == parts.count, values.count == 1 || values.count == 3 else {
      throw ToolError.usage(
        "\(flag): '\(escaped(text))' is not one number or three, like 0.5,0.5,0.5")
    }
    return values
  }
}
