// Every way in which onnx-run can be called wrongly or fail: what it says, and its exit code.

import LeapTestSupport
import LeapTools
import LeapstoneImage
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

@Suite struct RunErrorTests {
  private static let model = "@resnet-digits.onnx"
  private static let digit = "@pictures/digit-3.png"

  struct Case: Sendable, CustomTestStringConvertible {
    let arguments: [String]
    let message: String
    init(_ arguments: [String], _ message: String) {
      self.arguments = arguments
      self.message = message
    }
    var testDescription: String { arguments.joined(separator: " ") }
  }

  private static let wrongUsage: [Case] = [
    Case([], "which model? onnx-run <model> [<options>]"),
    Case(["--image", model], "--image takes all that follows it: put the model first"),
    Case([model, "b.onnx"], "one model is expected, but there are"),
    Case([model, "--formt", "json"], "unknown option '--formt'; did you mean '--format'?"),
    Case([model, "--format", "xml"], "--format: 'xml' is not one of text, json"),
    Case([model, "-o", "report.html"], "-o: 'report.html' ends in none of .json, .jsonl, .csv"),
    Case([model, "-o", "report"], "ends in none of"),
    Case([model, "--color", "blue"], "--color: 'blue' is not one of auto, always, never"),
    Case([model, "--generate-completion-script", "tcsh"], "is not one of bash, zsh, fish"),
    // ENGINE
    Case([model, "--threads", "0"], "--threads: '0' is no whole number from 1 to 1024"),
    Case([model, "--threads", "two"], "--threads: 'two' is no whole number"),
    Case([model, "--isa", "avx9"], "--isa: 'avx9' is not one of auto, avx512"),
    Case([model, "--cache"], "--cache"),
    Case(
      [model, "--memory-policy", "huge"], "--memory-policy: 'huge' is not one of fast, balanced"),
    Case([model, "--memory-budget", "much"], "--memory-budget: 'much' is no size, like 64MiB"),
    Case([model, "--concurrency", "0"], "--concurrency: '0' is no whole number"),
    Case([model, "--random", "0", "--disable-pass", "x"], "--disable-pass: there is no pass 'x'"),
    // SHAPES
    Case([model, "--random", "0", "--shape", "1xax3"], "--shape: '1xax3' is no shape, like"),
    Case([model, "--random", "0", "--shape", "1x-2"], "--shape: '1x-2' is no shape"),
    Case(
      [model, "--random", "0", "--shape", "inptu=1x1x32x32"],
      "the model has no input 'inptu'; it has 'input'; did you mean 'input'?"),
    Case(
      [model, "--random", "0", "--shape", "1x1x8x8"],
      "--shape: input 'input' is float32 batchx1x32x32, which 1x1x8x8 does not fit"),
    Case([model, "--random", "0", "--dim", "batch"], "--dim: 'batch' is not NAME=N, like batch=4"),
    Case(
      [model, "--random", "0", "--dim", "bacth=2"],
      "no dimension 'bacth'; they have 'batch'; did you mean 'batch'?"),
    Case(
      [model, "--random", "0", "--dim", "batch=2", "--shape", "3x1x32x32"],
      "the dimension 'batch' is given as 2 and as 3"),
    // INPUTS
    Case([model], "nothing is given for input 'input' (float32 batchx1x32x32): add --image FILE,"),
    Case([model, "--random", "-1"], "--random: '-1' is no whole number from 0 on"),
    Case([model, "--range", "input=0:1"], "--range goes with --random"),
    Case([model, "--random", "0", "--range", "input=1:0"], "'input=1:0' is not NAME=LO:HI"),
    Case([model, "--random", "0", "--range", "x=0:1"], "--range: the model has no input 'x'"),
    Case([model, "--batch", "2", "--random", "0"], "--batch goes with --image"),
    Case([model, "--image", "-", "-"], "--image: - is given twice"),
    Case(["-", "--image", "-"], "model and pictures cannot both come from stdin"),
    Case([model, "--input", "x=y.npy"], "--input: the model has no input 'x'; it has 'input'"),
    Case([model, "--input", "y.txt"], "'y.txt' ends in none of .npy, .pb, .png, .jpg"),
    Case([model, "--input", "input=a.npy", "b.npy"], "one model is expected"),
    // IMAGE
    Case([model, "--image", digit, "--preset", "unti"], "did you mean 'unit'?"),
    Case([model, "--image", digit, "--resize", "big"], "--resize: 'big' is no size, like 224"),
    Case([model, "--image", digit, "--resize", "99999999"], "is no size, like 224 or 224x320"),
    Case([model, "--image", digit, "--crop", "0x3"], "--crop: '0x3' is no size"),
    Case([model, "--image", digit, "--mean", "1,2"], "--mean: '1,2' is not one number or three"),
    Case([model, "--image", digit, "--mean", "a"], "--mean: 'a' is not one number or three"),
    Case([model, "--image", digit, "--std", "0"], "--std: nothing can be divided by 0"),
    Case([model, "--image", digit, "--scale", "nan"], "--scale: 'nan' is no number"),
    Case([model, "--image", digit, "--layout", "chw"], "--layout: 'chw' is not one of nchw, nhwc"),
    // OUTPUTS
    Case([model, "--random", "0", "--outputs", ","], "--outputs: no name is given"),
    Case([model, "--random", "0", "--outputs", "a,a"], "--outputs: 'a' is named twice"),
    Case([model, "--random", "0", "--top", "0"], "--top: '0' is no whole number from 1"),
    Case([model, "--random", "0", "--mask", "m.png"], "--mask goes with --image"),
    Case([model, "--random", "0", "--overlay", "m.png"], "--overlay goes with --image"),
    Case([model, "--image", digit, "--mask", "m.jpg"], "--mask: 'm.jpg' does not end in .png"),
    Case([model, "--random", "0", "--save", "x.npy"], "--save: 'x.npy' does not end in .npz"),
    Case(
      ["@unet-shapes.onnx", "--image", digit, digit, "--mask", "/tmp/never.png"],
      "2 pictures would be written to one file; put {name} or {index} into the path"),
    Case([model, "--random", "0", "--deadline", "-1"], "--deadline: -1 is no time in seconds"),
    Case([model, "--random", "0", "--deadline", "soon"], "--deadline: 'soon' is no number"),
  ]

  @Test(arguments: wrongUsage)
  func wrongUsageIsTold(_ test: Case) {
    let result = onnxRun(test.arguments)
    #expect(result.code == 64)
    #expect(result.output.isEmpty)
    #expect(result.error.hasPrefix("onnx-run: error: "), "\(result.error)")
    #expect(result.error.contains(test.message), "\(result.error)")
    #expect(result.error.hasSuffix("See 'onnx-run --help' for more.\n"))
  }

  private static let failures: [Case] = [
    Case(["nowhere.onnx", "--random", "0"], "cannot read nowhere.onnx: No such file"),
    Case([digit, "--random", "0"], "digit-3.png is not an ONNX model: a PNG picture"),
    Case([model, "--random", "0", "--memory-budget", "1KiB"], "the budget is 1024"),
    Case(
      [model, "--random", "0", "--outputs", "nothing"], "unknown output 'nothing'; the graph has"),
    Case([model, "--random", "0", "--deadline", "0"], "the run's deadline passed"),
    Case(
      [model, "--random", "0", "--algorithm", "/stem/conv/Conv=softmax"],
      "it has no algorithm 'softmax'; it has"),
    Case([model, "--input", "input=nowhere.npy"], "nowhere.npy: No such file"),
    Case([model, "--input", "input=@digits.txt.npy"], "digits.txt.npy: No such file"),
    Case([model, "--inputs", "nowhere.npz"], "nowhere.npz: No such file"),
    Case([model, "--inputs", "@digits.txt"], "digits.txt"),
    Case([model, "--inputs", "@pictures"], "no input_K.pb and no NAME.npy in this directory"),
    Case([model, "--inputs", "@digits-held-out.npz"], "the model has no input 'images'"),
    Case(
      [model, "--inputs", "@unet-shapes.npz"],
      "input 'input': expected float32 batchx1x32x32, got float32 2x3x61x75"),
    Case(
      [model, "--inputs", "@resnet-digits.npz", "--dim", "batch=7"], "expected float32 7x1x32x32"),
    Case([model, "--image", "nowhere.png"], "nowhere.png: No such file"),
    Case([model, "--image", "@digits.txt"], "neither PNG, JPEG nor binary PPM or PGM"),
    Case([model, "--image", "@train"], "no .png, .jpg, .ppm or .pgm file in this directory"),
    Case([model, "--image", digit, "--preset", "imagenet"], "mean has 3 values"),
    Case([model, "--image", digit, "--preset", "nowhere.json"], "nowhere.json: No such file"),
    Case([model, "--image", digit, "--preset", "@index.json"], "an object is expected"),
    Case([model, "--image", digit, "--labels", "nowhere.txt"], "nowhere.txt: No such file"),
    Case([model, "--image", digit, "--crop", "8"], "makes 8x8, the model's input is 32x32"),
    Case([model, "--image", digit, "--channels", "rgb"], "rgb has 3 channels"),
    Case(
      ["@unet-shapes.onnx", "--image", digit, "--top", "3"], "scores have the shape [N, classes]"),
    Case([model, "--image", digit, "--mask", "/nowhere/m.png"], "/nowhere/m.png"),
    Case(["@unet-shapes.onnx", "--image", digit, "--mask", "/nowhere/m.png"], "/nowhere/m.png"),
    Case([model, "--random", "0", "--save", "/nowhere/x.npz"], "/nowhere/x.npz: No such file"),
    Case([model, "--random", "0", "-o", "/nowhere/x.csv"], "/nowhere/x.csv: No such file"),
    Case(
      [model, "--random", "0", "--profile", "/nowhere/t.json"], "/nowhere/t.json: No such file"),
    Case(["-"], "<bytes> is not an ONNX model"),
  ]

  @Test(arguments: failures)
  func failuresAreTold(_ test: Case) {
    let result = onnxRun(test.arguments)
    #expect(result.code == 2)
    #expect(result.error.contains("onnx-run: error: "), "\(result.error)")
    #expect(result.error.contains(test.message), "\(result.error)")
  }

  /// The second picture fails: the first one's result stands, the message names the second.
  @Test func aBadPictureAmongGoodOnes() throws {
    let good = try contents(located(RunErrorTests.digit))
    let result = onnxRun([RunErrorTests.model, "--image", "-"], input: good + Array("junk".utf8))
    #expect(result.code == 2)
    #expect(result.lines.first?.hasPrefix("stdin: picture 1  ") == true)
    #expect(
      result.error
        == "onnx-run: error: stdin: picture 2: no PNG, JPEG, binary PPM or PGM begins here\n")
    let cut = onnxRun([RunErrorTests.model, "--image", "-"], input: good + good.dropLast(9))
    #expect(cut.code == 2)
    #expect(cut.error == "onnx-run: error: stdin: picture 2: the stream ends inside it\n")
  }

  @Test func twoPicturesOfOneName() throws {
    try withTemporaryDirectory { directory in
      let picture = RunErrorTests.digit
      let result = onnxRun(
        ["@unet-shapes.onnx", "--image", picture, picture, "--mask", "\(directory)/{name}.png"])
      #expect(result.code == 64)
      #expect(result.error.contains("two pictures would be written to"))
      let names = try FileNames.of(directory)
      #expect(names == ["digit-3.png"])
    }
  }

  @Test func interruptedBeforeAndDuring() throws {
    let before = FakeProcess()
    before.interruption.interrupt()
    let arguments = [RunErrorTests.model, "--random", "0"].map(located)
    let first = before.result(RunCommand.run(arguments, before.environment()))
    #expect(first.code == 130)
    #expect(first.error.hasSuffix("onnx-run: error: interrupted\n"))

    let picture = try contents(located(RunErrorTests.digit))
    let during = FakeProcess(input: picture + picture + picture, chunk: picture.count)
    let environment = during.environment { [during] number in
      if number == 3 { during.interruption.interrupt() }
    }
    let second = during.result(
      RunCommand.run([located(RunErrorTests.model), "--image", "-"], environment))
    #expect(second.code == 130)
    let shown = second.lines.filter { $0.hasPrefix("stdin") }.map { $0.prefix(16) }
    #expect(shown == ["stdin: picture 1", "stdin: picture 2"])
  }

  @Test func aStreamWithoutPicturesIsAnError() {
    let result = onnxRun([RunErrorTests.model, "--image", "-"], input: [])
    #expect(result.code == 2)
    #expect(result.output.isEmpty)
    #expect(
      result.error
        == "onnx-run: error: stdin: it is empty; expected PNG, JPEG, binary PPM or PGM pictures\n")
  }

  @Test func longListsOfUnknownOperatorsAreCut() throws {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/model.onnx"
      let model = WireWriter.model {
        for index in 0..<61 {
          $0.node("Op\(index)", [index == 0 ? "x" : "y\(index - 1)"], ["y\(index)"])
        }
        $0.value(11, "x")
        $0.value(12, "y60")
      }
      try write(model, to: path)
      let result = onnxRun([path, "--random", "0"])
      #expect(result.code == 2)
      #expect(result.error.contains("61 unsupported operators:"))
      #expect(result.error.contains("Op19") && !result.error.contains("Op20"))
      #expect(result.error.hasSuffix("\n  and 41 more\n"), "\(result.error)")
    }
  }

  @Test func sequencesAreNotMade() throws {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/model.onnx"
      try write(ContainerModel.inserting, to: path)
      let made = onnxRun([path, "--random", "0"])
      #expect(made.code == 2)
      #expect(made.error.contains("--random: input 's' is sequence(float32 of unknown rank)"))
    }
  }

  private func write(_ bytes: [UInt8], to path: String) throws {
    let file = try #require(fopen(path, "wb"))
    defer { fclose(file) }
    #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
  }

  @Test func aReaderThatWentAway() {
    var environment = FakeProcess().environment()
    environment.writeOutput = { _ in throw ClosedPipe() }
    #expect(RunCommand.run(["--help"], environment) == 0)
  }

  @Test func namesFromAModelAreEscaped() {
    let result = onnxRun(["evil\u{1B}[2J.onnx", "--random", "0"])
    #expect(result.error.contains("evil\\u{1b}[2J.onnx"))
    #expect(!result.error.contains("\u{1B}"))
  }
}
