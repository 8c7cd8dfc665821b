// KernelBenchCommand: leap-kernel-bench, from its arguments to its exit code.

import CLeapPeak
import LeapKernels
import LeapTensors
import LeapTools
import LeapstoneImage

package enum KernelBenchCommand {
  private static let formats = ["text", "csv"]

  package static let grammar = CommandGrammar(
    tool: "leap-kernel-bench",
    overview:
      "Measure kernels one by one on one core: every algorithm of every convolution that models "
      + "have, against the most multiply-adds that the core does; every element-wise operator and "
      + "type in bytes a second.",
    positionals: [
      .init("what", "convolutions or elementwise."),
      .init("model", "For convolutions: models (.onnx), one or more."),
    ],
    groups: [
      FlagGroup(
        "MEASURING OPTIONS",
        [
          Flag(
            "--isa", choices: ["auto"] + InstructionSet.allCases.map(\.rawValue),
            "Instruction set of the kernels. (default: auto)"),
          Flag("--seconds", value: "s", "How long each kernel is run for. (default: 0.05)"),
          Flag(
            "--elements", value: "n",
            "Elements of each operand of an element-wise operator. (default: 1048576)"),
        ]),
      CommonOptions.group(formats: formats, reportKinds: ["csv"]),
    ],
    examples: [
      (
        "leap-kernel-bench convolutions resnet50.onnx unet.onnx",
        "Which algorithm is fastest where?"
      ),
      (
        "leap-kernel-bench elementwise --isa avx2 --format csv", "A row for each operator and type."
      ),
    ],
    exitCodes: [
      (ExitCode.success, "done"), (ExitCode.failure, "a model could not be read"),
      (ExitCode.usage, "wrong usage"),
    ])

  /// Runs the tool.
  ///
  /// - Parameter arguments: without the tool's own name.
  /// - Returns: the exit code.
  package static func run(_ arguments: [String], _ environment: ToolEnvironment) -> Int32 {
    runTool(grammar, arguments, environment) { parsed, console in
      let common = try CommonOptions(parsed, formats: formats, reportKinds: ["csv"])
      let seconds = try parsed.number("--seconds") ?? 0.05
      guard seconds > 0, seconds <= 60 else {
        throw ToolError.usage("--seconds: from more than 0 to 60")
      }
      let asked = parsed.last("--isa")
      let bench = KernelBench(
        timer: KernelTimer(seconds: seconds),
        instructionSet: asked == nil || asked == "auto"
          ? try .current() : try .select(asked, option: "isa"), console: console)
      let table: KernelBench.Rows
      switch (parsed.positions.first, parsed.positions.dropFirst()) {
      case ("convolutions", let models) where !models.isEmpty:
        table = try bench.convolutions(Array(models))
      case ("elementwise", []):
        table = try bench.elementwise(
          parsed.integer("--elements", in: 1...1 << 28) ?? 1 << 20)
      default:
        throw ToolError.usage("what? convolutions <model> ..., or elementwise")
      }
      try write(table, common, console)
      return ExitCode.success
    }
  }

  private static func write(
    _ rows: KernelBench.Rows, _ common: CommonOptions, _ console: Console
  ) throws {
    let csv = ([rows.header] + rows.rows).map { CSV.line($0) }.joined()
    if common.format == "csv" {
      try console.environment.writeOutput(Array(csv.utf8))
    } else {
      var table = Table(rows.header.map { rows.isText.contains($0) ? .left : .right })
      for row in [rows.header] + rows.rows { table.add(row) }
      for line in table.lines { try console.line(line) }
    }
    for (path, _) in common.reports { try FileBytes.write(Array(csv.utf8), to: path) }
  }
}

/// Measures, and puts the figures into rows.
struct KernelBench {
  struct Rows {
    let header: [String]
    /// The columns that are no numbers.
    let isText: Set<String>
    var rows: [[String]] = []
  }

  let timer: KernelTimer
  let instructionSet: InstructionSet
  let console: Console

  /// A row for each algorithm of each layer. `chosen` marks the one whose estimated cost is least.
  func convolutions(_ models: [String]) throws -> Rows {
    let peak = fmaPeak()
    console.note("\(instructionSet.rawValue): \(fixed(peak, 1)) GFLOP/s at most")
    var rows = Rows(
      header: [
        "model", "layer", "count", "algorithm", "chosen", "estimated_ms", "ms", "gflops", "peak_%",
      ], isText: ["model", "layer", "algorithm", "chosen"])
    for path in models {
      let file = path.split(separator: "/").last.map(String.init) ?? path
      for layer in try ConvolutionLayers.read(path, instructionSet) {
        let candidates = try layer.operation.candidates(layer.request)
        let chosen = candidates.indices.min {
          candidates[$0].cost.nanoseconds < candidates[$1].cost.nanoseconds
        }
        for (index, candidate) in candidates.enumerated() {
          try console.environment.interruption.check()
          let time = try timer.nanoseconds(candidate, layer.request, weights: layer.weights)
          let rate = layer.operations / time
          rows.rows.append([
            file, layer.name, "\(layer.count)", candidate.name.rawValue, index == chosen ? "*" : "",
            fixed(candidate.cost.nanoseconds / 1e6, 4), fixed(time / 1e6, 4), fixed(rate, 1),
            fixed(rate / peak * 100, 1),
          ])
        }
      }
    }
    return rows
  }

  /// A row for each operator and type.
  func elementwise(_ elements: Int) throws -> Rows {
    var rows = Rows(
      header: ["operator", "types", "elements", "ns", "gb_per_s"], isText: ["operator", "types"])
    for test in ElementwiseCases.all(elements, instructionSet) {
      try console.environment.interruption.check()
      let time = try timer.nanoseconds(test.candidate, test.request)
      rows.rows.append([
        test.operatorType, test.types, "\(elements)", fixed(time, 0), fixed(test.bytes / time, 2),
      ])
    }
    return rows
  }

  /// Floating-point operations a nanosecond that one core does in registers.
  private func fmaPeak() -> Double {
    let rounds = 100_000
    var operations = 0.0
    // Everything is measured against this figure: it gets its time, however little a kernel gets.
    let timer = KernelTimer(seconds: max(timer.seconds, 0.2))
    let time = timer.least { operations = leap_peak_run(instructionSet.cValue, rounds) }
    return operations / time
  }
}
