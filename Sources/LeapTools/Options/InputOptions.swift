// InputOptions: INPUTS of the tools' grammar: where a model's tensors come from.

import LeapTensors

package struct InputOptions: Sendable {
  package static let group = FlagGroup(
    "INPUT OPTIONS",
    [
      Flag(
        "--input", value: "[name=]file", repeatable: true, completion: .file,
        "An input's tensor: .npy, .pb, .png or .jpg. Without a name: the only input that is left. "
          + "Repeatable."),
      Flag(
        "--inputs", value: "file.npz|dir", completion: .file,
        "One set of inputs: keys are their names (or in:NAME); in a directory NAME.npy, or input_K.pb "
          + "for input K."),
      Flag(
        "--random", value: "seed",
        "Random tensors for the inputs that nothing else gives: floats in [0,1), integers 0 or 1."),
      Flag(
        "--range", value: "name=lo:hi", repeatable: true,
        "The range of an input's random numbers. Repeatable."),
      Flag(
        "--image", value: "file|dir|-", isVariadic: true, completion: .file,
        "Pictures: PNG, JPEG, binary PPM or PGM; all of a directory; - for a stream of them on "
          + "stdin. Takes all that follows up to the next option."),
      Flag("--batch", value: "n", "Pictures in one run. (default: 1, or what the model fixes)"),
    ])

  /// `[NAME=]FILE`, as written.
  package let files: [String]
  /// An archive or a directory with a set of inputs.
  package let set: String?
  package let seed: Int?
  package let ranges: [String: ClosedRange<Double>]
  /// Files and directories of pictures; `-` for stdin.
  package var images: [String]
  package let batch: Int?

  /// - Parameter defaultSeed: the seed where `--random` is not given; nil for none.
  /// - Throws: `ToolError` with exit code 64.
  package init(_ arguments: ParsedArguments, defaultSeed: Int? = nil) throws {
    files = arguments.all("--input")
    set = arguments.last("--inputs")
    seed = try arguments.integer("--random", in: 0...Int.max) ?? defaultSeed
    images = arguments.all("--image")
    batch = try arguments.integer("--batch", in: 1...1 << 20)
    var ranges: [String: ClosedRange<Double>] = [:]
    for text in arguments.all("--range") {
      let (name, range) = try InputOptions.range(text)
      ranges[name] = range
    }
    self.ranges = ranges
    if !ranges.isEmpty, seed == nil { throw ToolError.usage("--range goes with --random") }
    if batch != nil, images.isEmpty { throw ToolError.usage("--batch goes with --image") }
    if images.filter({ $0 == "-" }).count > 1 { throw ToolError.usage("--image: - is given twice") }
  }

  /// - Parameter model: its path; `-` for stdin.
  /// - Throws: `ToolError` with exit code 64 where stdin would have to be read twice.
  package func checkStandardInput(model: String) throws {
    if model == "-", images.contains("-") {
      throw ToolError.usage("model and pictures cannot both come from stdin")
    }
  }

  private static func range(_ text: String) throws -> (String, ClosedRange<Double>) {
    if let sign = text.lastIndex(of: "=") {
      let limits = text[text.index(after: sign)...].split(
        separator: ":", omittingEmptySubsequences: false
      ).map { Double($0) ?? .nan }
      if limits.count == 2, limits.allSatisfy(\.isFinite), limits[0] <= limits[1] {
        return (String(text[..<sign]), limits[0]...limits[1])
      }
    }
    throw ToolError.usage("--range: '\(escaped(text))' is not NAME=LO:HI, like x=-1:1")
  }
}
