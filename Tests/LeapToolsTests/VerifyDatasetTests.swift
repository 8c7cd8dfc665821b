// onnx-verify dataset: figures of classes and masks, limits and baselines, and calls that go on.

import LeapTensors
import LeapTestSupport
import LeapTools
import LeapstoneImage
import Synchronization
import Testing

@Suite struct VerifyDatasetTests {
  /// The held-out digits as pictures, in a directory for each class.
  private func withDigits(
    _ count: Int, mislabelled: Int = 0, _ body: (String) throws -> Void
  ) throws {
    let arrays = try TestData.arrays(located("@digits-held-out.npz"))
    let images = try #require(arrays["images"])
    let labels = try #require(arrays["labels"]?.integers)
    let pixels = try #require(images.numbers)
    let area = images.shape.inner(from: 1)
    let side = images.shape[images.shape.rank - 1]
    let scale = (pixels.max() ?? 1) > 1 ? 1.0 : 255.0
    try withTemporaryDirectory { directory in
      for index in 0..<count {
        let label = index < mislabelled ? (labels[index] + 1) % 10 : labels[index]
        makeDirectory("\(directory)/\(label)")
        let own = pixels[index * area..<(index + 1) * area].map { UInt8(($0 * scale).rounded()) }
        let picture = try Image(width: side, height: area / side, channels: 1, pixels: own)
        try FileBytes.write(
          try picture.encodedPNG(), to: "\(directory)/\(label)/\(1000 + index).png")
      }
      try body(directory)
    }
  }

  private static let options = ["--truth", "dirs", "--preset", "unit", "-q"]

  private func arguments(_ directory: String) -> [String] {
    ["dataset", "@resnet-digits.onnx", "--image", directory] + Self.options
  }

  // MARK: classes

  @Test func accuracyOfAClassifier() throws {
    try withDigits(40, mislabelled: 6) { directory in
      let json = try verifyJSON(arguments(directory))
      let found = try #require(json["dataset"])
      #expect(found["pictures"] == 40)
      // The network is right in all; the six have other labels.
      #expect(found["metrics"]?["top1"]?.double == 34.0 / 40)
      let classes = try #require(found["classes"]?.array)
      #expect(classes.reduce(0) { $0 + ($1["top1"]?.int ?? 0) } == 34)
      #expect(classes.reduce(0) { $0 + ($1["wrongly"]?.int ?? 0) } == 6)
      let confusion = try #require(found["confusion"]?.array)
      #expect(confusion.reduce(0) { $0 + ($1["pictures"]?.int ?? 0) } == 40)
      for entry in confusion where entry["truth"] != entry["predicted"] {
        #expect(((entry["predicted"]?.int ?? 0) + 1) % 10 == entry["truth"]?.int)
      }
      #expect(
        json["summary"]?.array?.first?.string?.hasPrefix("top-1 85.0 % (34 of 40; 71 to 93 %")
          == true)
      for way in [
        ["--concurrency", "3"], ["--batch", "7"], ["--batch", "3", "--concurrency", "2"],
      ] {
        let other = try verifyJSON(arguments(directory) + way)
        #expect(
          other["dataset"]?["metrics"] == found["metrics"]
            && other["dataset"]?["confusion"] == found["confusion"])
      }
      for columns in [80, 200] {
        let text = onnxVerify(arguments(directory), columns: columns)
        for line in text.lines { #expect(line.count <= columns, "\(line)") }
        #expect(text.output.contains("Wrong predictions"))
      }
    }
  }

  @Test func limits() throws {
    try withDigits(20, mislabelled: 2) { directory in
      for (options, code) in [
        (["--min-top1", "0.9"], 0), (["--min-top1", "91%"], 1), (["--min-top5", "0.9"], 0),
        (["--min-top1", "0.5", "--min-top5", "1"], 1),
      ] as [([String], Int32)] {
        let result = onnxVerify(arguments(directory) + options)
        #expect(result.code == code, "\(options): \(result.output)")
      }
      let junit = onnxVerify(arguments(directory) + ["--min-top1", "0.95", "--format", "junit"])
      #expect(junit.output.contains("failures=\"1\""), "\(junit.output)")
      let wrong = onnxVerify(arguments(directory) + ["--min-iou", "0.5"])
      #expect(wrong.code == 64 && wrong.error.contains("--min-iou goes with --masks"))
    }
  }

  @Test func baselines() throws {
    try withDigits(20) { directory in
      let path = "\(directory)/baseline.json"
      #expect(onnxVerify(arguments(directory) + ["--record", path]).code == 0)
      let recorded = try contents(json: path)
      #expect(
        recorded["schema"] == "leapstone.baseline/1" && recorded["metrics"]?["top1"] == 1)
      #expect(onnxVerify(arguments(directory) + ["--baseline", path]).code == 0)
      try withDigits(20, mislabelled: 1) { worse in
        let held = onnxVerify(arguments(worse) + ["--baseline", path])
        #expect(held.code == 1)
        #expect(held.output.contains("top1 is 95.00 %, less than the 99.00 %"), "\(held.output)")
        #expect(
          onnxVerify(arguments(worse) + ["--baseline", path, "--min-retained", "0.9"]).code == 0)
      }
      let foreign = onnxVerify(arguments(directory) + ["--baseline", located("@index.json")])
      #expect(foreign.code == 2 && foreign.error.contains("no figures that --record wrote"))
    }
  }

  @Test func truthFromNamesAndFiles() throws {
    try withTemporaryDirectory { directory in
      for digit in 0..<10 {
        let bytes = try contents(located("@pictures/digit-\(digit).png"))
        try FileBytes.write(bytes, to: "\(directory)/w\(digit)_\(digit).png")
      }
      let labels = "\(directory)/labels.txt"
      try FileBytes.write(
        Array((0..<10).map { "w\($0) the \($0)\n" }.joined().utf8), to: labels)
      let base = [
        "dataset", "@resnet-digits.onnx", "--preset", "unit", "-q", "--labels", labels, "--image",
        directory,
      ]
      let expected = try verifyJSON(base + ["--truth", "prefix"])["dataset"]?["metrics"]
      #expect((expected?["top1"]?.double ?? 0) >= 0.9)
      for text in [
        (0..<10).map { "w\($0)_\($0).png\t\($0)\n" }.joined(),
        (0..<10).map { "w\($0)_\($0) w\($0)\n" }.joined(),
        (0..<10).map { "\($0)\n" }.joined(),
        "name,class\n" + (0..<10).map { "w\($0)_\($0).png, w\($0) the \($0)\n" }.joined(),
      ] {
        let truth = "\(directory)/truth.txt"
        try FileBytes.write(Array(text.utf8), to: truth)
        #expect(
          try verifyJSON(base + ["--truth", truth])["dataset"]?["metrics"] == expected, "\(text)")
      }
      let array = "\(directory)/truth.npz"
      try NPZ.write([NamedTensor("labels", try Tensor((0..<10).map(Int64.init)))], to: array)
      #expect(try verifyJSON(base + ["--truth", array])["dataset"]?["metrics"] == expected)
      // Mistakes are told.
      for (text, message) in [
        ("w0_0.png nothing\nw1_1.png nothing\n", "is neither a number nor a class of --labels"),
        ("w0_0.png 0\n", "the file says nothing of"), ("", "holds no class"),
        ("a 1\n2\n", "some lines have a name, others have none"),
        (String(repeating: "77\n", count: 10), "its class is 77, but the model knows 10"),
      ] {
        let truth = "\(directory)/truth.txt"
        try FileBytes.write(Array(text.utf8), to: truth)
        let result = onnxVerify(base + ["--truth", truth])
        #expect(result.code == 2 && result.error.contains(message), "\(result.error)")
      }
    }
  }

  // MARK: masks

  private func withShapes(_ body: (_ pictures: String, _ masks: String) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      makeDirectory("\(directory)/p")
      makeDirectory("\(directory)/m")
      for number in 1...3 {
        try FileBytes.write(
          contents(located("@pictures/shapes-\(number).png")), to: "\(directory)/p/s\(number).png")
        try FileBytes.write(
          contents(located("@pictures/shapes-\(number)-mask.png")),
          to: "\(directory)/m/s\(number)_mask.png")
      }
      try body("\(directory)/p", "\(directory)/m")
    }
  }

  @Test func masks() throws {
    try withShapes { pictures, masks in
      let base = ["dataset", "@unet-shapes.onnx", "--preset", "unit", "-q", "--image", pictures]
      let json = try verifyJSON(base + ["--masks", masks])
      let metrics = try #require(json["dataset"]?["metrics"])
      let (iou, dice) = (metrics["mean_iou"]?.double ?? 0, metrics["mean_dice"]?.double ?? 0)
      #expect(iou > 0.8 && dice > iou && (metrics["pixel_accuracy"]?.double ?? 0) > 0.9)
      let classes = try #require(json["dataset"]?["mask_classes"]?.array)
      for own in classes {
        // Dice follows from the intersection over union.
        let value = own["iou"]?.double ?? 0
        #expect(abs((own["dice"]?.double ?? 0) - 2 * value / (1 + value)) < 1e-9)
      }
      #expect(onnxVerify(base + ["--masks", masks, "--min-iou", "0.8"]).code == 0)
      #expect(onnxVerify(base + ["--masks", masks, "--min-iou", "0.9999"]).code == 1)
      // The expected masks of another picture are much worse.
      try FileBytes.write(contents("\(masks)/s1_mask.png"), to: "\(masks)/s2_mask.png")
      let worse = try verifyJSON(base + ["--masks", masks])
      #expect((worse["dataset"]?["metrics"]?["mean_iou"]?.double ?? 1) < iou - 0.1)
      makeDirectory("\(masks)/none")
      let none = onnxVerify(base + ["--masks", "\(masks)/none"])
      #expect(none.code == 2 && none.error.contains("/none: no .png"), "\(none.error)")
      let other = onnxVerify(base + ["--masks", located("@pictures")])
      #expect(other.code == 2 && other.error.contains("holds no mask for it"), "\(other.error)")
    }
  }

  // MARK: interruption

  @Test func anInterruptedCallGoesOn() throws {
    try withDigits(12, mislabelled: 3) { directory in
      let file = "\(directory)/progress.jsonl"
      let whole = try verifyJSON(arguments(directory))["dataset"]
      // As after an interruption: the head, five pictures, and a line that was cut off.
      #expect(onnxVerify(arguments(directory) + ["--resume", file]).code == 0)
      let lines = String(decoding: try contents(file), as: UTF8.self).split(separator: "\n")
      #expect(lines.count == 13)
      let part = lines[..<6].joined(separator: "\n") + "\n" + lines[6].prefix(20)
      try FileBytes.write(Array(part.utf8), to: file)
      let result = onnxVerify(arguments(directory).filter { $0 != "-q" } + ["--resume", file])
      #expect(result.code == 0)
      #expect(result.error.contains("5 of 12 pictures are done"), "\(result.error)")
      #expect(result.output.contains("12, 5 of an earlier call"), "\(result.output)")
      let resumed = try verifyJSON(arguments(directory) + ["--resume", file])["dataset"]
      #expect(
        resumed?["metrics"] == whole?["metrics"] && resumed?["confusion"] == whole?["confusion"])
      // Of another model: refused.
      let other = onnxVerify(
        ["dataset", "@densenet-digits.onnx", "--image", directory] + Self.options + [
          "--resume", file,
        ])
      #expect(other.code == 64 && other.error.contains("holds results of another model"))
      let array = onnxVerify(arguments(directory) + ["--resume", located("@digits.txt")])
      #expect(array.code == 64)
    }
  }

  @Test func picturesThatWereChangedAreDoneAgain() throws {
    try withDigits(4) { directory in
      let resuming = arguments(directory) + ["--resume", "\(directory)/progress.jsonl"]
      let files =
        try verifyJSON(resuming)["dataset"]?["scores"]?.array?
        .compactMap { $0["file"]?.string } ?? []
      #expect(files.count == 4)
      let other = try #require(
        files.first {
          $0.split(separator: "/").dropLast().last != files[0].split(separator: "/").dropLast().last
        })
      try FileBytes.write(contents(other), to: files[0])
      let fresh = try verifyJSON(arguments(directory))["dataset"]
      #expect(fresh?["metrics"]?["top1"]?.double == 0.75)
      #expect(try verifyJSON(resuming)["dataset"]?["scores"] == fresh?["scores"])
    }
  }

  @Test func truthsAreTakenAnew() throws {
    try withDigits(10) { directory in
      // Directories that are neither numbers nor labels are numbered in their order: one more moves the others.
      makeDirectory("\(directory)/p")
      for (index, name) in ["b", "c"].enumerated() {
        makeDirectory("\(directory)/p/\(name)")
        try FileBytes.write(
          contents(located("@pictures/digit-\(index).png")), to: "\(directory)/p/\(name)/1.png")
      }
      let base = arguments("\(directory)/p")
      let resuming = base + ["--resume", "\(directory)/progress.jsonl"]
      #expect(try verifyJSON(resuming)["dataset"]?["metrics"]?["top1"]?.double == 1)
      makeDirectory("\(directory)/p/a")
      try FileBytes.write(
        contents(located("@pictures/digit-7.png")), to: "\(directory)/p/a/1.png")
      let fresh = try verifyJSON(base)["dataset"]
      #expect(fresh?["metrics"]?["top1"]?.double == 0)
      #expect(try verifyJSON(resuming)["dataset"]?["scores"] == fresh?["scores"])
    }
  }

  @Test func resultsOfOtherOptionsAreRefused() throws {
    try withDigits(3) { directory in
      let (truth, labels) = ("\(directory)/truth.txt", "\(directory)/labels.txt")
      func write(_ path: String, _ text: String) throws {
        try FileBytes.write(Array(text.utf8), to: path)
      }
      let base = [
        "dataset", "@resnet-digits.onnx", "--image", directory, "--truth", truth, "--labels",
        labels, "--preset", "unit", "-q", "--resume", "\(directory)/progress.jsonl",
      ]
      func refuses(_ options: [String] = []) -> Bool {
        let result = onnxVerify(base + options)
        return result.code == 64 && result.error.contains("holds results of another model")
      }
      let names = (0..<10).map { "digit \($0)\n" }.joined()
      try write(truth, "1\n2\n3\n")
      try write(labels, names)
      #expect(onnxVerify(base).code == 0)
      #expect(onnxVerify(base + ["--threads", "1", "--concurrency", "2"]).code == 0)
      for options in [
        ["--isa", "portable"], ["--disable-pass", "all"], ["--algorithm", "direct"],
        ["--forbid", "winograd4"], ["--memory-policy", "lean"],
      ] {
        #expect(refuses(options), "\(options)")
      }
      try write(truth, "1\n2\n4\n")
      #expect(refuses())
      try write(truth, "1\n2\n3\n")
      #expect(!refuses())
      try write(labels, names.split(separator: "\n").reversed().joined(separator: "\n"))
      #expect(refuses())
    }
  }

  @Test func controlC() throws {
    try withDigits(6) { directory in
      let process = FakeProcess()
      process.interruption.interrupt()
      let code = VerifyCommand.run(arguments(directory).map(located), process.environment())
      #expect(code == 130)
    }
  }

  @Test(arguments: [
    (
      ["dataset", "@resnet-digits.onnx", "--image", "@pictures"], "what is right? add --truth dirs"
    ),
    (["dataset", "@resnet-digits.onnx", "--truth", "dirs"], "which pictures? add --image DIR"),
    (
      [
        "dataset", "@resnet-digits.onnx", "--image", "@pictures", "--truth", "prefix", "--preset",
        "unit",
      ],
      "--truth prefix needs class names: add --labels FILE"
    ),
    (
      ["dataset", "@resnet-digits.onnx", "--image", "-", "--truth", "dirs"],
      "pictures of a data set are files, not stdin"
    ),
    (
      [
        "dataset", "@resnet-digits.onnx", "--image", "@pictures", "--truth", "dirs", "--masks", "x",
      ],
      "--truth and --masks do not go together"
    ),
  ])
  func wrongUsageIsTold(arguments: [String], message: String) {
    let result = onnxVerify(arguments)
    #expect(result.code == 64 && result.error.contains(message), "\(result.error)")
  }
}
