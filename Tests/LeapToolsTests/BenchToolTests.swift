// onnx-bench on networks that the project trains: that its figures go together, not how large they are.

import LeapTestSupport
import LeapTools
import LeapstoneImage
import Testing

@Suite struct BenchToolTests {
  private let model = "@resnet-digits.onnx"
  private let quick = ["--iterations", "7", "--warmup", "1", "-q"]

  private func bench(_ arguments: [String], input: [UInt8] = []) -> ToolResult {
    let process = FakeProcess(input: input)
    return process.result(BenchCommand.run(arguments.map(located), process.environment()))
  }

  private func report(_ arguments: [String]) throws -> JSON {
    let result = bench(arguments + ["--format", "json"])
    try #require(result.code == 0, "\(result.error)")
    return try JSON(parsing: Array(result.output.utf8))
  }

  private func number(_ json: JSON?, _ path: String...) -> Double {
    path.reduce(json) { $0?[$1] }?.double ?? .nan
  }

  // MARK: figures

  @Test(arguments: [[], ["--concurrency", "3"], ["--threads", "2", "--dim", "batch=4"]])
  func figuresGoTogether(options: [String]) throws {
    let json = try report([model] + quick + options)
    let runs = try #require(json["runs"])
    #expect(runs["count"] == 7 && runs["warmup"] == 1)
    let order = ["min", "p50", "p90", "p95", "p99", "max"].map { number(runs, "\($0)_ms") }
    #expect(order == order.sorted() && order[0] > 0)
    let mean = number(runs, "mean_ms")
    #expect(order[0] <= mean && mean <= order[5])
    let (seconds, rate) = (number(runs, "seconds"), number(runs, "per_second"))
    #expect(abs(rate * seconds - 7) < 1e-6)
    // So many threads cannot have been busy for longer than there was time.
    #expect(mean * 7 <= seconds * 1000 * number(json, "concurrency") * 1.001)
    #expect(number(json, "load_ms") > 0 && number(json, "first_run_ms") > 0)

    let profile = try #require(json["profile"])
    let operators = try #require(profile["operators"]?.array)
    let sum = operators.reduce(0) { $0 + number($1, "ms") }
    #expect(abs(sum + number(profile, "rest_ms") - number(profile, "mean_ms")) < 1e-6)
    #expect(operators.contains { $0["operator"] == "Conv" })
    let times = operators.map { number($0, "ms") }
    #expect(times == times.sorted(by: >))
  }

  @Test func memoryIsTheSumOfItsKinds() throws {
    let one = try report([model] + quick)
    let three = try report([model, "--concurrency", "3"] + quick)
    for json in [one, three] {
      let kinds = try #require(json["memory"]?["predicted"]?.members)
      let sum = kinds.filter { $0.name != "blas_at_most" }.reduce(0) { $0 + ($1.value.int ?? 0) }
      #expect(json["memory"]?["predicted_peak"]?.int == sum && sum > 0)
    }
    func kind(_ json: JSON, _ name: String) -> Double {
      number(json, "memory", "predicted", name)
    }
    #expect(kind(three, "arena") == 3 * kind(one, "arena"))
    #expect(kind(three, "packed_weights") == kind(one, "packed_weights"))
  }

  @Test func aTimeInsteadOfACount() throws {
    let json = try report([model, "--seconds", "0.05", "--warmup", "0", "-q"])
    #expect((json["runs"]?["count"]?.int ?? 0) >= 1)
    #expect(number(json, "runs", "seconds") >= 0.05)
    // However short, one is run.
    let short = try report([model, "--seconds", "1e-9", "-q"])
    #expect(short["runs"]?["count"] == 1)
  }

  @Test func loadingAlone() throws {
    let json = try report([model, "--load-only", "--concurrency", "2"] + quick)
    #expect(json["loads"]?["count"] == 7)
    #expect(json["runs"] == nil && json["first_run_ms"] == nil && json["profile"] == nil)
    #expect(json["memory"]?["predicted"] == nil)
    #expect(json["inputs"]?.array?.isEmpty == true)
    // Nothing is wanted for inputs, so that open dimensions are no matter.
    let bytes = try contents(located(model))
    let stdin = bench(["-", "--load-only", "--iterations", "2", "-q"], input: bytes)
    #expect(stdin.code == 0 && stdin.output.contains("loads/s"))
  }

  // MARK: inputs

  @Test func inputsAreThoseOfTheOptions() throws {
    let random = bench([model, "--iterations", "1"])
    #expect(random.error == "onnx-bench: input 'input': the free first dimension is taken as 1\n")
    for (options, type) in [
      ([], "float32 1x1x32x32"), (["--dim", "batch=3"], "float32 3x1x32x32"),
      (["--range", "input=-1:1"], "float32 1x1x32x32"),
      (["--inputs", "@resnet-digits.batch5.npz"], "float32 5x1x32x32"),
      (["--image", "@pictures/digit-1.png"], "float32 1x1x32x32"),
      (
        ["--batch", "3", "--image", "@pictures/digit-1.png", "@pictures/digit-2.png"],
        "float32 3x1x32x32"
      ),
    ] {
      let json = try report([model] + options + quick)
      #expect(json["inputs"]?.array?.first?["type"]?.string == type, "\(options)")
    }
  }

  @Test func optionsOfTheEngineCount() throws {
    let plain = try report([model, "--isa", "portable", "--forbid", "winograd"] + quick)
    #expect(plain["instruction_set"] == "portable")
    let algorithms = (plain["profile"]?["operators"]?.array ?? []).compactMap {
      $0["algorithm"]?.string
    }
    #expect(!algorithms.isEmpty && !algorithms.contains { $0.hasPrefix("winograd") })
    #expect(try report([model, "--threads", "2"] + quick)["threads"] == 2)
  }

  // MARK: reports

  @Test func reportsConformToTheSchema() throws {
    let schema = JSONSchema(
      try contents(json: "\(TestData.checkout)/docs/schema/bench-1.schema.json"))
    try withTemporaryDirectory { directory in
      let path = "\(directory)/report.json"
      for options in [[], ["--load-only"], ["--concurrency", "2"]] {
        let arguments = [model, "--format", "json", "-o", path] + quick + options
        let result = bench(arguments)
        try #require(result.code == 0, "\(result.error)")
        let json = try JSON(parsing: Array(result.output.utf8))
        #expect(json.members?.first?.name == "schema")
        #expect(schema.violations(json).isEmpty, "\(schema.violations(json))")
        #expect(try contents(json: path) == json)
      }
    }
  }

  @Test func commaSeparatedValues() throws {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/report.csv"
      let result = bench([model, "--format", "csv", "-o", path] + quick)
      #expect(result.code == 0, "\(result.error)")
      let file = String(decoding: try contents(path), as: UTF8.self)
      #expect(file == result.output)
      let cells = result.lines.map { $0.split(separator: ",", omittingEmptySubsequences: false) }
      #expect(cells.allSatisfy { $0.count == 6 })
      #expect(cells[0] == ["section", "name", "algorithm", "count", "value", "unit"])
      for name in ["load", "first run", "p99", "rate", "arena", "Conv"] {
        #expect(cells.contains { $0[1] == name }, "\(name)")
      }
    }
  }

  @Test func textNamesEveryFigure() throws {
    let result = bench([model] + quick)
    #expect(result.error.isEmpty)
    let names = [
      "load", "first run", "min", "mean", "p50", "p90", "p95", "p99", "max", "runs/s",
      "packed weights", "predicted peak", "measured peak", "operator", "Conv",
    ]
    for name in names {
      #expect(result.lines.contains { $0.hasPrefix("\(name) ") }, "\(name): \(result.output)")
    }
    #expect(!result.output.contains("\u{1B}"))
    let coloured = bench([model, "--color", "always"] + quick)
    #expect(coloured.output.contains("\u{1B}[32mp50"))
  }

  @Test func profiles() throws {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/trace.json"
      let json = try report([model, "--profile", path, "--threads", "1"] + quick)
      let events = try #require(try contents(json: path)["traceEvents"]?.array)
      let runs = Set(events.compactMap { $0["args"]?["run"]?.int })
      #expect(runs.count == json["profile"]?["runs"]?.int)
      let operators = try #require(json["profile"]?["operators"]?.array)
      let steps = operators.reduce(0) { $0 + ($1["steps"]?.int ?? 0) }
      #expect(events.count == steps * runs.count)
    }
  }

  @Test func helpAndCompletion() {
    let help = bench(["--help"])
    #expect(help.code == 0 && help.output == BenchCommand.grammar.help(columns: 80))
    for name in ["--warmup", "--seconds", "--iterations", "--load-only", "--profile", "--random"] {
      #expect(help.output.contains(name))
    }
    #expect(bench(["--generate-completion-script", "zsh"]).output.contains("#compdef onnx-bench"))
  }

  // MARK: trouble

  @Test(
    arguments: [
      ([], 64, "which model? onnx-bench <model>"),
      (["@resnet-digits.onnx", "--iterations", "0"], 64, "--iterations: '0' is no whole number"),
      (["@resnet-digits.onnx", "--seconds", "0"], 64, "--seconds: 0 is no time to measure for"),
      (["@resnet-digits.onnx", "--seconds", "1", "--iterations", "2"], 64, "do not go together"),
      (["@resnet-digits.onnx", "--warmup", "-1"], 64, "--warmup: '-1' is no whole number"),
      (["@resnet-digits.onnx", "--load-only", "--profile", "t.json"], 64, "nothing runs with"),
      (["@resnet-digits.onnx", "--preset", "unit"], 64, "unknown option '--preset'"),
      (["@resnet-digits.onnx", "-o", "x.html"], 64, "ends in none of .json, .csv"),
      (["@resnet-digits.onnx", "--random", "x"], 64, "--random: 'x' is no whole number"),
      (["-", "--image", "-"], 64, "model and pictures cannot both come from stdin"),
      (["@resnet-digits.onnx", "--image", "-"], 2, "stdin: it is empty; expected PNG"),
      (["@resnet-digits.onnx", "--iterations", "1", "-o", "/nowhere/x.csv"], 2, "/nowhere/x.csv"),
      (["nowhere.onnx"], 2, "cannot read nowhere.onnx: No such file"),
      (["nowhere.onnx", "--load-only"], 2, "cannot read nowhere.onnx: No such file"),
      (["@resnet-digits.onnx", "--memory-budget", "1KiB"], 2, "the budget is 1024"),
    ] as [([String], Int32, String)])
  func troubleIsTold(arguments: [String], code: Int32, message: String) {
    let result = bench(arguments)
    #expect(result.code == code)
    #expect(result.error.contains("onnx-bench: error: "), "\(result.error)")
    #expect(result.error.contains(message), "\(result.error)")
  }

  @Test func interrupted() {
    let process = FakeProcess()
    process.interruption.interrupt()
    for options in [[], ["--load-only"], ["--concurrency", "2"]] {
      let arguments = ([model, "-q"] + options).map(located)
      #expect(BenchCommand.run(arguments, process.environment()) == 130)
    }
  }
}
