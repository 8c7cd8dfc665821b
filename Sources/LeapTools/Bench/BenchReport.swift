// BenchReport: what onnx-bench found out, as JSON and CSV. BenchReport+Text shows it to people.

import LeapTensors
import Leapstone
import LeapstoneImage

struct BenchReport: Sendable {
  /// Runs whose steps were observed.
  struct Observed: Sendable {
    let runs: Int
    /// The mean of these runs.
    let milliseconds: Double
    let operators: [OperatorTime]

    /// What of a run is in no step: handing over inputs and outputs, and barriers.
    var rest: Double { max(milliseconds - operators.reduce(0) { $0 + $1.milliseconds }, 0) }
  }

  let model: String
  let instructionSet: String
  let threads: Int
  let concurrency: Int
  let warmup: Int
  /// Type and shape of each input; none where only loading was measured.
  var inputs: [(name: String, type: String)] = []
  /// Milliseconds until the model was loaded, the first time.
  var loading = 0.0
  /// Milliseconds of the first run, which plans and packs weights; nil where nothing ran.
  var firstRun: Double?
  /// Measured runs; loads where nothing ran.
  var repetitions = Repetition.Result(milliseconds: [], seconds: 0)
  var predicted: MemoryUse?
  /// Bytes above what the tool had before it loaded the model; nil where the system does not say.
  var measuredPeak: Int?
  var observed: Observed?

  init(
    model: String, instructionSet: String, threads: Int, concurrency: Int, warmup: Int
  ) {
    self.model = model
    self.instructionSet = instructionSet
    self.threads = threads
    self.concurrency = concurrency
    self.warmup = warmup
  }

  var times: TimeSummary { TimeSummary(repetitions.milliseconds) }
  var perSecond: Double { Double(times.count) / repetitions.seconds }

  /// Predicted bytes by kind, for all runs in flight together.
  var memoryKinds: [(name: String, bytes: Int)] {
    guard let predicted else { return [] }
    func all(_ bytes: Int) -> Int { saturatingProduct(bytes, concurrency) }
    return [
      ("mapped_weights", predicted.mappedWeights), ("packed_weights", predicted.packedWeights),
      ("arena", all(predicted.arena)), ("scratch", all(predicted.scratch)),
      ("outputs", all(predicted.outputs)),
    ]
  }

  /// All kinds together, with what follows from data at its largest; nil where that has no bound.
  var predictedPeak: Int? {
    guard let predicted else { return nil }
    let exact = memoryKinds.reduce(0) { saturatingSum($0, $1.bytes) }
    return switch predicted.rest {
    case .none: exact
    case .atMost(let bytes): saturatingSum(exact, saturatingProduct(bytes, concurrency))
    case .unbounded: nil
    }
  }

  private func saturatingProduct(_ bytes: Int, _ factor: Int) -> Int {
    let (product, overflow) = bytes.multipliedReportingOverflow(by: factor)
    return overflow ? .max : product
  }

  // MARK: JSON

  /// By `docs/schema/bench-1.schema.json`.
  var json: JSON {
    var members: [JSON.Member] = [
      .init("schema", "leapstone.bench/1"), .init("version", .string(leapstoneVersion)),
      .init("model", .string(model)), .init("instruction_set", .string(instructionSet)),
      .init("threads", .integer(threads)), .init("concurrency", .integer(concurrency)),
      .init(
        "inputs",
        .array(inputs.map { ["name": .string($0.name), "type": .string($0.type)] })),
      .init("load_ms", .number(loading)),
    ]
    if let firstRun { members.append(.init("first_run_ms", .number(firstRun))) }
    members.append(.init(firstRun == nil ? "loads" : "runs", jsonOfRepetitions))
    members.append(.init("memory", jsonOfMemory))
    if let observed { members.append(.init("profile", json(observed))) }
    return .object(members)
  }

  private var jsonOfRepetitions: JSON {
    var members: [JSON.Member] = [
      .init("count", .integer(times.count)), .init("warmup", .integer(warmup)),
      .init("seconds", .number(repetitions.seconds)), .init("per_second", .number(perSecond)),
    ]
    members += times.figures.map { .init("\($0.name)_ms", .number($0.value)) }
    return .object(members)
  }

  private var jsonOfMemory: JSON {
    var members: [JSON.Member] = [
      .init("measured_peak", measuredPeak.map { .integer($0) } ?? .null)
    ]
    guard let predicted else { return .object(members) }
    members.append(.init("predicted_peak", predictedPeak.map { .integer($0) } ?? .null))
    var kinds = memoryKinds.map { JSON.Member($0.name, .integer($0.bytes)) }
    kinds.append(.init("blas_at_most", .integer(predicted.blasWorkspace)))
    members.append(.init("predicted", .object(kinds)))
    if case .unbounded(let nodes) = predicted.rest {
      members.append(.init("unbounded", .array(nodes.map { .string($0) })))
    }
    return .object(members)
  }

  private func json(_ observed: Observed) -> JSON {
    [
      "runs": .integer(observed.runs), "mean_ms": .number(observed.milliseconds),
      "operators": .array(
        observed.operators.map {
          [
            "operator": .string($0.operatorType), "algorithm": .string($0.algorithm),
            "steps": .integer($0.steps), "ms": .number($0.milliseconds),
          ]
        }),
      "rest_ms": .number(observed.rest),
    ]
  }

  // MARK: CSV

  static let csvHeader = ["section", "name", "algorithm", "count", "value", "unit"]

  /// A row for each figure.
  var csv: String {
    let what = firstRun == nil ? "loads" : "runs"
    var rows = [BenchReport.csvHeader, ["time", "load", "", "1", number(loading), "ms"]]
    if let firstRun { rows.append(["time", "first run", "", "1", number(firstRun), "ms"]) }
    rows += times.figures.map { [what, $0.name, "", "\(times.count)", number($0.value), "ms"] }
    rows.append([what, "rate", "", "\(times.count)", number(perSecond), "1/s"])
    rows += memoryKinds.map { ["predicted", $0.name, "", "", "\($0.bytes)", "B"] }
    if let predictedPeak { rows.append(["predicted", "peak", "", "", "\(predictedPeak)", "B"]) }
    if let measuredPeak { rows.append(["measured", "peak", "", "", "\(measuredPeak)", "B"]) }
    for time in observed?.operators ?? [] {
      rows.append(
        ["operator", time.operatorType, time.algorithm, "\(time.steps)"]
          + [number(time.milliseconds), "ms"])
    }
    if let rest = observed?.rest {
      rows.append(["operator", "", "between steps", "", number(rest), "ms"])
    }
    return rows.map { CSV.line($0) }.joined()
  }

  private func number(_ value: Double) -> String { fixed(value, 4) }
}
