// DatasetSettings: what a command line of `onnx-verify dataset` asks for.

import LeapTensors

struct DatasetSettings: Sendable {
  /// What pictures are compared with.
  enum Expected: Sendable {
    /// What `--truth` says.
    case classes(String)
    /// A directory of masks of the pictures' names.
    case masks(String)
  }

  static let grammar = CommandGrammar(
    tool: "onnx-verify dataset",
    overview:
      "How good is a model on pictures whose classes or masks are known? Accuracy, class by class, "
      + "and what is taken for what; held to limits, or to what was recorded before.",
    positionals: [.init("model", "The model (.onnx), or - for stdin.")],
    groups: [
      FlagGroup(
        "DATA SET OPTIONS",
        [
          Truth.flag,
          Flag(
            "--masks", value: "dir", completion: .directory,
            "Masks of the pictures, by the same file name, or with -mask or _mask before .png: pictures "
              + "with a palette, whose entries are classes, or grey ones, whose values are; for two "
              + "classes of grey, 128 and more is the second."),
          Flag(
            "--ignore", value: "v",
            "Pixels that have this value in a mask are left out: 255, as PASCAL VOC marks rims."),
          Flag(
            "--min-top1", value: "r", "Fail where fewer best classes are right than this share."),
          Flag("--min-top5", value: "r", "The same for the five best."),
          Flag("--min-iou", value: "r", "Fail where the mean intersection over union is less."),
          Flag(
            "--record", value: "file.json", completion: .file,
            "Write the figures down, to hold later runs to them."),
          Flag(
            "--baseline", value: "file.json", completion: .file,
            "Hold the figures to those that were recorded."),
          Flag(
            "--min-retained", value: "r",
            "What share of a recorded figure must be kept. (default: 0.99)"),
          Flag(
            "--resume", value: "file", completion: .file,
            "Keep results picture by picture in this file, and go on from what is in it."),
        ]), InputOptions.group, ImageOptions.group,
    ] + VerifyEngine.groups + [VerifyFormats.group()],
    examples: [
      (
        "onnx-verify dataset resnet50.onnx --image val/ --truth dirs --labels synset.txt --min-top1 0.76",
        "Directories are classes."
      ),
      (
        "onnx-verify dataset unet.onnx --image scans/ --masks masks/ --preset unit --record unet.json",
        "Masks; the figures are kept."
      ),
      (
        "onnx-verify dataset unet.onnx --image scans/ --masks masks/ --preset unit --baseline unet.json",
        "Is it still as good?"
      ),
    ],
    exitCodes: [
      (ExitCode.success, "done, and every limit is kept"),
      (ExitCode.checkFailed, "a figure is below its limit"),
    ] + VerifyCommand.exitCodes.dropFirst(2))

  let model: String
  let expected: Expected
  /// The value of a mask's pixels that do not count.
  let ignored: UInt8?
  /// Files of pictures, directories opened up.
  let files: [String]
  let limits: [(metric: String, flag: String, value: Double)]
  let record: String?
  let baseline: String?
  let retained: Double
  let resume: String?
  let inputs: InputOptions
  let image: ImageOptions
  let engine: VerifyEngine

  /// - Throws: `ToolError` with exit code 64; `FileError`.
  init(_ arguments: ParsedArguments, _ engine: VerifyEngine) throws {
    model = try arguments.model(of: "onnx-verify dataset")
    inputs = try InputOptions(arguments)
    image = ImageOptions(arguments)
    self.engine = engine
    switch (arguments.last("--truth"), arguments.last("--masks")) {
    case (let truth?, nil): expected = .classes(truth)
    case (nil, let masks?): expected = .masks(masks)
    case (nil, nil):
      throw ToolError.usage("what is right? add --truth dirs, prefix or FILE; or --masks DIR")
    default: throw ToolError.usage("--truth and --masks do not go together")
    }
    guard !inputs.images.isEmpty else { throw ToolError.usage("which pictures? add --image DIR") }
    guard !inputs.images.contains("-") else {
      throw ToolError.usage("--image: pictures of a data set are files, not stdin")
    }
    files = try PictureListing.files(inputs.images)
    let flags = [
      ("top1", "--min-top1"), ("top5", "--min-top5"), ("mean_iou", "--min-iou"),
    ]
    limits = try flags.compactMap { metric, flag in
      try arguments.share(flag).map { (metric, flag, $0) }
    }
    let isMasks = if case .masks = expected { true } else { false }
    for limit in limits where (limit.metric == "mean_iou") != isMasks {
      throw ToolError.usage("\(limit.flag) goes with \(isMasks ? "--truth" : "--masks")")
    }
    ignored = try arguments.integer("--ignore", in: 0...255).map { UInt8($0) }
    if ignored != nil, !isMasks { throw ToolError.usage("--ignore goes with --masks") }
    record = arguments.last("--record")
    baseline = arguments.last("--baseline")
    retained = try arguments.share("--min-retained") ?? 0.99
    resume = arguments.last("--resume")
    if arguments.has("--min-retained"), baseline == nil {
      throw ToolError.usage("--min-retained goes with --baseline")
    }
  }
}
