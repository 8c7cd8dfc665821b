// VerifyCommand: onnx-verify, from its arguments to its exit code.

import LeapKernels
import LeapTensors
import LeapWorkers
import Leapstone

package enum VerifyCommand {
  /// Exit codes, in the order of the help.
  static let exitCodes: [(code: Int32, meaning: String)] = [
    (ExitCode.success, "done, and every check holds"),
    (ExitCode.checkFailed, "a check failed"),
    (ExitCode.failure, "the model, an input or a run failed; the message says where"),
    (ExitCode.usage, "wrong usage"), (ExitCode.interrupted, "interrupted"),
  ]

  package static let commands = CommandSet(
    tool: "onnx-verify",
    overview: "Whether an ONNX model computes what it should, and where it does not.",
    commands: [
      ("check", "Outputs beside test data or goldens.", CheckSettings.grammar),
      ("record", "Write goldens: exact outputs with error budgets.", RecordSettings.grammar),
      ("compare", "A new model beside an old one, on your data.", CompareSettings.grammar),
      (
        "dataset", "Accuracy on pictures whose classes or masks are known.", DatasetSettings.grammar
      ),
      ("bisect", "Where accuracy is lost, and what is to blame.", BisectSettings.grammar),
      (
        "determinism", "The same bits for any threads, batch and memory.",
        DeterminismSettings.grammar
      ),
    ])

  /// Runs the tool.
  ///
  /// - Parameters:
  ///   - arguments: without the tool's own name.
  ///   - adjust: what tests change about every session that the tool opens.
  /// - Returns: the exit code.
  package static func run(
    _ arguments: [String], _ environment: ToolEnvironment,
    adjusting adjust: (inout SessionOptions) -> Void = { _ in }
  ) -> Int32 {
    runTool(commands, arguments, environment) { command, parsed, console in
      let common = try CommonOptions.verify(parsed)
      try common.check(environment)
      var engine = try VerifyEngine(parsed)
      adjust(&engine.session)
      let report =
        switch command {
        case "record": try RecordTool(RecordSettings(parsed, engine), console).run()
        case "compare": try CompareTool(CompareSettings(parsed, engine), console).run()
        case "dataset": try DatasetTool(DatasetSettings(parsed, engine), console).run()
        case "bisect": try BisectTool(BisectSettings(parsed, engine), console).run()
        case "determinism":
          try DeterminismTool(DeterminismSettings(parsed, engine), console).run()
        default: try CheckTool(CheckSettings(parsed, engine), console).run()
        }
      try report.write(common, console)
      return report.verdict.exitCode
    }
  }
}

/// SHAPES and ENGINE of a command line: what every command opens its sessions with.
struct VerifyEngine: Sendable {
  static let groups = [ShapeOptions.group, EngineOptions.group]

  let shapes: ShapeOptions
  var session: SessionOptions
  /// Runs in flight.
  let concurrency: Int

  /// - Throws: `ToolError` with exit code 64.
  init(_ arguments: ParsedArguments) throws {
    shapes = try ShapeOptions(arguments)
    session = try EngineOptions.session(arguments, shapes: shapes)
    concurrency = try EngineOptions.concurrency(arguments)
  }

  /// What reports say of it: `avx512, 2 threads`.
  ///
  /// - Throws: `ModelError.option` where the machine lacks the instruction set.
  func description() throws -> String {
    let threads = self.threads
    return "\(try instructionSet()), \(threads) thread\(threads == 1 ? "" : "s")"
  }
}

extension VerifyEngine {
  /// The session without a cache: for commands that run a model with weights and passes which a cache does not tell apart.
  var uncachedSession: SessionOptions {
    var options = session
    options.cacheDirectory = nil
    return options
  }

  /// What of it may change the bits of results: not threads, whose number changes none.
  ///
  /// - Throws: `ModelError.option` where the machine lacks the instruction set.
  func resultText() throws -> String {
    let algorithms = session.algorithms.sorted { $0.key < $1.key }.map { "\($0)=\($1)" }
    let dimensions = session.dimensions.sorted { $0.key < $1.key }.map { "\($0)=\($1)" }
    return [
      "isa \(try instructionSet())",
      "without passes \(session.disablesAllPasses ? ["all"] : session.disabledPasses.sorted())",
      "algorithms \(algorithms)", "forbidden \(session.forbiddenAlgorithms.sorted())",
      "memory \(session.memoryPolicy) \(session.memoryBudget.map(String.init) ?? "")",
      "dimensions \(dimensions)", "denormals \(!session.flushesDenormals)",
    ].joined(separator: "; ")
  }

  /// Workers of a run.
  var threads: Int { session.threads ?? ProcessorCount.available() }

  /// The name of the kernels' instruction set.
  ///
  /// - Throws: `ModelError.option` where the machine lacks it.
  func instructionSet() throws -> String {
    guard let asked = session.instructionSet else { return try InstructionSet.current().rawValue }
    return try InstructionSet.select(asked.rawValue, option: "isa").rawValue
  }
}
