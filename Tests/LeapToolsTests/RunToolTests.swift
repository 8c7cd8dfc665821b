// onnx-run on the networks that the project trains: what stands on stdout, and the files that it writes.

import LeapTestSupport
import LeapTools
import Leapstone
import LeapstoneImage
import Testing

@Suite struct RunToolTests {
  private let model = "@resnet-digits.onnx"
  private let digits = (0..<10).map { "@pictures/digit-\($0).png" }

  private func picture(_ digit: Int) throws -> [UInt8] { try contents(located(digits[digit])) }

  private func json(_ result: ToolResult) throws -> [JSON] {
    try result.lines.map { try JSON(parsing: Array($0.utf8)) }
  }

  private func best(_ record: JSON) -> Int? { record["top"]?.array?.first?["index"]?.int }

  // MARK: pictures

  @Test func ranksTheDigits() throws {
    let result = onnxRun(
      [model, "--top", "3", "--labels", "@digits.txt", "--image"] + digits.prefix(2))
    #expect(result.code == 0)
    #expect(result.error.isEmpty)
    try #require(result.lines.count == 8)
    #expect(result.lines[0].hasPrefix(located(digits[0]) + "  "))
    #expect(result.lines[0].hasSuffix(" ms"))
    #expect(result.lines[1].hasSuffix("0  zero"))
    #expect(result.lines[5].hasSuffix("1  one"))
  }

  @Test(arguments: [[], ["--batch", "4"], ["--batch", "3", "--concurrency", "2"]])
  func everyDigitIsSeenWhateverTheBatch(options: [String]) throws {
    let result = onnxRun([model, "--format", "json", "--image"] + digits + options)
    let records = try json(result)
    #expect(records.map(best) == Array(0..<10))
    #expect(records.map { $0["index"]?.int } == Array(0..<10))
    #expect(records.map { $0["file"]?.string } == digits.map { located($0) })
    let alone = try json(onnxRun([model, "--format", "json", "--image"] + digits))
    #expect(records.map { $0["top"] } == alone.map { $0["top"] })
    #expect(records.map { $0["outputs"] } == alone.map { $0["outputs"] })
  }

  @Test func picturesOfADirectory() throws {
    let result = onnxRun([model, "--image", "@pictures", "--format", "json"])
    let files = try json(result).compactMap { $0["file"]?.string }
    #expect(files.count == 16)
    #expect(files == files.sorted())
    #expect(files.first == located(digits[0]))
  }

  /// PNG, PPM and JPEG without gaps, in pieces that end anywhere.
  @Test(arguments: [1, 100, 65_536])
  func picturesFromStdin(chunk: Int) throws {
    let arrays = try TestData.arrays(TestData.path("pictures/expected.npz"))
    func file(_ name: String) throws -> [UInt8] {
      try #require(arrays["file:\(name)"]?.elements(as: UInt8.self))
    }
    let names = ["jpeg-progressive", "ppm", "png-interlaced", "jpeg-420", "pgm-16-bit"]
    let stream = try picture(7) + names.flatMap(file) + picture(2)
    let result = onnxRun(
      [model, "--image", "-", "--format", "json"], input: stream, chunk: chunk)
    #expect(result.code == 0, "\(result.error)")
    let records = try json(result)
    #expect(records.count == 7)
    #expect(records.allSatisfy { $0["file"] == "-" })
    #expect(records.first.flatMap(best) == 7)
    #expect(records.last.flatMap(best) == 2)
  }

  @Test func aPictureThroughInputIsThatOfImage() throws {
    let options = ["--preset", "unit", "--top", "10", "--format", "json"]
    let one = try json(onnxRun([model, "--input", "input=\(digits[5])"] + options))
    let other = try json(onnxRun([model, "--image", digits[5]] + options))
    #expect(one.first?["top"] == other.first?["top"])
    #expect(one.first?["file"] == nil)
  }

  @Test func verbosePrintsThePipelineAsFlags() throws {
    let result = onnxRun([
      model, "--image", digits[1], "-v", "--preset", "unit", "--format", "json",
    ])
    let line = try #require(
      result.error.split(separator: "\n").first { $0.contains("pre-processing: ") })
    let flags = line.split(separator: "pre-processing: ")[1].split(separator: " ").map(String.init)
    #expect(flags.starts(with: ["--resize", "32x32"]))
    let again = onnxRun(
      [model, "--image", digits[1], "--preset", "none", "--format", "json"] + flags)
    #expect(try json(again).first?["top"] == json(result).first?["top"])
  }

  // MARK: masks

  @Test func masksAndOverlays() throws {
    try withTemporaryDirectory { directory in
      let shapes = (1...3).map { "@pictures/shapes-\($0).png" }
      let result = onnxRun(
        ["@unet-shapes.onnx", "--mask", "\(directory)/{index}-mask.png", "--overlay"]
          + ["\(directory)/{name}.png", "--batch", "2", "--image"] + shapes)
      #expect(result.code == 0, "\(result.error)")
      #expect(
        try FileNames.of(directory) == [
          "0-mask.png", "1-mask.png", "2-mask.png", "shapes-1.png", "shapes-2.png", "shapes-3.png",
        ])
      for (index, name) in shapes.enumerated() {
        let mask = try Image(path: "\(directory)/\(index)-mask.png")
        #expect((mask.width, mask.height, mask.channels) == (75, 61, 1))
        let truth = try Image(path: located(name).dropLast(4) + "-mask.png")
          .resized(width: 75, height: 61, interpolation: .nearest)
        #expect(intersectionOverUnion(mask, truth) > 0.85)
        let overlay = try Image(path: "\(directory)/shapes-\(index + 1).png")
        #expect((overlay.width, overlay.height, overlay.channels) == (300, 244, 3))
      }
    }
  }

  private func intersectionOverUnion(_ a: Image, _ b: Image) -> Double {
    let pairs = zip(a.pixels, b.pixels).map { ($0 > 127, $1 > 127) }
    let union = pairs.filter { $0 || $1 }.count
    return union == 0 ? 1 : Double(pairs.filter { $0 && $1 }.count) / Double(union)
  }

  // MARK: tensors

  @Test func outputsAreThoseOfONNXRuntime() throws {
    try withTemporaryDirectory { directory in
      let result = onnxRun([
        model, "--inputs", "@resnet-digits.batch5.npz", "--save", "\(directory)/out.npz",
      ])
      #expect(result.code == 0, "\(result.error)")
      let expected = try TestData.arrays(TestData.path("resnet-digits.batch5.npz"))
      let saved = try TestData.arrays("\(directory)/out.npz")
      #expect(Comparison.distance(saved["output"], expected["out:output"]) < 1e-5)
    }
  }

  @Test func arraysOfSeveralPicturesStandBehindOneAnother() throws {
    try withTemporaryDirectory { directory in
      let one = onnxRun([model, "--save", "\(directory)/all.npz", "--image"] + digits)
      let batch = ["--batch", "4"]
      let each = onnxRun([model, "--save", "\(directory)/{name}.npz", "--image"] + digits + batch)
      #expect((one.code, each.code) == (0, 0))
      let all = try #require(try TestData.arrays("\(directory)/all.npz")["output"])
      #expect(all.shape == [10, 10])
      for digit in 0..<10 {
        let own = try TestData.arrays("\(directory)/digit-\(digit).npz")["output"]
        #expect(Comparison.identical(own, all.rows(digit..<(digit + 1))))
      }
    }
  }

  @Test func anyValueOfTheGraphIsAnOutput() throws {
    // Asking for more values keeps more of the graph apart, which changes the last bits.
    let options = ["--random", "3", "--format", "json", "-q", "--disable-pass", "all"]
    let result = onnxRun([model, "--outputs", "all"] + options)
    let outputs = try #require(try json(result).first?["outputs"]?.array)
    #expect(outputs.count > 20)
    #expect(outputs.last?["name"] == "output")
    let some = onnxRun([model, "--outputs", "output,/pool/Flatten_output_0"] + options)
    let named = try #require(try json(some).first?["outputs"]?.array)
    #expect(named.map { $0["name"]?.string } == ["output", "/pool/Flatten_output_0"])
    #expect(named[0] == outputs.last)
  }

  @Test func randomInputsAreTheSameEveryTime() throws {
    let result = onnxRun([model, "--random", "7", "--format", "json"])
    #expect(
      result.error == "onnx-run: input 'input': the free first dimension is taken as 1\n")
    let again = onnxRun([model, "--random", "7", "--format", "json", "--dim", "batch=1"])
    #expect(again.error.isEmpty)
    #expect(try json(result).first?["outputs"] == json(again).first?["outputs"])
    let other = onnxRun([model, "--random", "8", "--format", "json", "-q"])
    #expect(try json(result).first?["outputs"] != json(other).first?["outputs"])
    let wide = onnxRun(
      [model, "--random", "7", "--shape", "4x1x32x32", "--top", "1", "--format", "json"])
    #expect(try json(wide).count == 4)
  }

  @Test func aModelFromStdin() throws {
    let bytes = try contents(located(model))
    let result = onnxRun(["-", "--random", "7", "--format", "json", "-q"], input: bytes)
    let file = onnxRun([model, "--random", "7", "--format", "json", "-q"])
    #expect(try json(result).first?["outputs"] == json(file).first?["outputs"])
    #expect(try json(result).first?["model"] == "-")
  }

  // MARK: reports

  @Test func reportsConformToTheSchema() throws {
    let schema = JSONSchema(
      try contents(json: "\(TestData.checkout)/docs/schema/run-1.schema.json"))
    try withTemporaryDirectory { directory in
      let report = "\(directory)/report.json"
      let calls = [
        [model, "--labels", "@digits.txt", "--image"] + digits + ["--batch", "4"],
        [model, "--image", digits[0], "--top", "1"], [model, "--random", "0"],
        [model, "--random", "0", "--dim", "batch=3", "--top", "2"],
        ["@unet-shapes.onnx", "--image", "@pictures/shapes-1.png"],
      ]
      for call in calls {
        let lines = "\(directory)/report.jsonl"
        let result = onnxRun(call + ["--format", "json", "-q", "-o", report, "-o", lines])
        #expect(result.code == 0, "\(result.error)")
        let records = try json(result)
        #expect(!records.isEmpty)
        for record in records {
          #expect(record.members?.first?.name == "schema")
          #expect(schema.violations(record).isEmpty, "\(schema.violations(record))")
        }
        #expect(try contents(json: report).array == records)
        #expect(String(decoding: try contents(lines), as: UTF8.self) == result.output)
      }
    }
  }

  @Test func theSchemaCheckerFindsWhatIsWrong() throws {
    let schema = JSONSchema(
      try contents(json: "\(TestData.checkout)/docs/schema/run-1.schema.json"))
    let record = try #require(
      try json(onnxRun([model, "--image", digits[0], "--format", "json"])).first)
    var members = try #require(record.members)
    members[0].value = "leapstone.run/2"
    members[4].value = -1
    members.removeAll { $0.name == "ms" }
    members.append(.init("more", 1))
    #expect(schema.violations(.object(members)).count == 4)
  }

  @Test func commaSeparatedValues() throws {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/report.csv"
      let result = onnxRun([model, "--top", "2", "-o", path, "--image"] + digits.prefix(2))
      #expect(result.code == 0, "\(result.error)")
      let lines = String(decoding: try contents(path), as: UTF8.self).split(separator: "\n")
      #expect(lines.count == 5)
      let cells = lines.map { $0.split(separator: ",", omittingEmptySubsequences: false) }
      #expect(cells.allSatisfy { $0.count == cells[0].count })
      #expect(cells[0].starts(with: ["file", "index", "ms", "kind"]))
      #expect(cells[1][0] == located(digits[0]))
    }
  }

  /// One event for each step of each run, with the model's own names.
  @Test func profiles() throws {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/trace.json"
      let result = onnxRun(
        [model, "--profile", path, "--disable-pass", "all", "--image"] + digits.prefix(3))
      #expect(result.code == 0, "\(result.error)")
      let events = try #require(try contents(json: path)["traceEvents"]?.array)
      let runs = Dictionary(grouping: events) { $0["args"]?["run"]?.int }
      #expect(Set(runs.keys) == [0, 1, 2])
      let names = runs.mapValues { $0.compactMap { $0["name"]?.string } }
      #expect(names[0] == names[1] && names[1] == names[2])
      #expect(names[0]?.contains("/stem/conv/Conv") == true)
      #expect(names[0]?.filter { $0.hasSuffix("/Relu") }.count == 13)
      for event in events {
        #expect(event["ph"] == "X")
        #expect((event["ts"]?.double ?? -1) >= 0 && (event["dur"]?.double ?? -1) >= 0)
        #expect(event["args"]?["algorithm"]?.string?.isEmpty == false)
      }
    }
  }

  // MARK: sequences

  /// Rows of x one by one, as a sequence.
  private func splitting(_ rows: Int) -> [UInt8] {
    WireWriter.model {
      $0.node("SplitToSequence", ["x"], ["s"])
      $0.value(11, "x", shape: [Int64(rows), 2])
      $0.container(12, "s", [.sequence])
    }
  }

  @Test func sequencesAreShownAndSavedItemByItem() throws {
    try withTemporaryDirectory { directory in
      let (path, saved) = ("\(directory)/model.onnx", "\(directory)/out.npz")
      try FileBytes.write(splitting(3), to: path)
      let text = onnxRun([path, "--random", "0", "--save", saved])
      #expect(text.code == 0, "\(text.error)")
      #expect(text.lines.prefix(3).map { $0.prefix(16) } == (0..<3).map { "s_\($0)  float32 1x2" })
      #expect(try NPZ.read(saved).map(\.name) == ["s_0", "s_1", "s_2"])
      #expect(try NPZ.read(saved).allSatisfy { $0.tensor.shape == [1, 2] })
      let record = try #require(
        try json(onnxRun([path, "--random", "0", "--format", "json"])).first)
      #expect(record["outputs"]?.array?.map { $0["name"]?.string } == ["s_0", "s_1", "s_2"])
      try FileBytes.write(splitting(0), to: path)
      let empty = onnxRun([path, "--random", "0"])
      #expect(empty.code == 0)
      #expect(empty.error.contains("output 's' holds no tensor"), "\(empty.error)")
    }
  }

  @Test func picturesFromStdinAreNumbered() throws {
    let result = onnxRun([model, "--image", "-"], input: try picture(7) + picture(2))
    let titles = result.lines.filter { !$0.hasPrefix(" ") }.map { $0.prefix(18) }
    #expect(titles == ["stdin: picture 1  ", "stdin: picture 2  "])
  }

  // MARK: the terminal

  @Test func coloursAndProgressAreForTerminals() throws {
    func run(_ options: [String], _ variables: [String: String] = [:]) -> ToolResult {
      let process = FakeProcess()
      let arguments = ([model, "--image"] + digits.prefix(3) + options).map(located)
      let environment = process.environment(variables: variables, isTerminal: true)
      return process.result(RunCommand.run(arguments, environment))
    }
    let plain = run(["--color", "never"])
    #expect(!plain.output.contains("\u{1B}"))
    #expect(plain.error.contains("1/3 pictures"))
    #expect(plain.error.hasSuffix("\r\u{1B}[K"))
    #expect(run([]).output.contains("\u{1B}[1m"))
    #expect(!run([], ["NO_COLOR": "1"]).output.contains("\u{1B}"))
    #expect(run(["-q"]).error.isEmpty)
    let piped = onnxRun([model, "--image", digits[0], "--color", "always"])
    #expect(piped.output.contains("\u{1B}[1m"))
    #expect(piped.error.isEmpty)
  }

  @Test func helpVersionAndCompletion() throws {
    let help = onnxRun(["--help"])
    #expect(help.code == 0)
    #expect(help.output == RunCommand.grammar.help(columns: 80))
    for name in RunCommand.grammar.flags.map(\.name) { #expect(help.output.contains(name)) }
    let version = String(decoding: try contents("\(TestData.checkout)/VERSION"), as: UTF8.self)
    #expect(onnxRun(["--version"]).output == "onnx-run \(version.split(separator: "\n")[0])\n")
    #expect(onnxRun(["--generate-completion-script", "bash"]).output.contains("complete -o"))
  }
}
