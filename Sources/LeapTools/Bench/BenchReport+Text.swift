// BenchReport for people.

import LeapTensors
import Leapstone

extension BenchReport {
  /// The lines.
  func text(_ console: Console) -> [String] {
    var lines = [console.styled(escaped(model), .bold)]
    for input in inputs { lines.append("  \(escaped(input.name)): \(escaped(input.type))") }
    lines.append(
      "  \(instructionSet), \(counted(threads, "thread"))"
        + (concurrency == 1 ? "" : ", \(concurrency) at a time"))
    lines += [""] + timeLines(console) + [""] + memoryLines
    if let observed { lines += [""] + operatorLines(observed, console) }
    return lines
  }

  private func timeLines(_ console: Console) -> [String] {
    var table = Table([.left, .right, .left])
    table.add(["load", "\(fixed(loading, 2)) ms"])
    if let firstRun {
      table.add(["first run", "\(fixed(firstRun, 2)) ms", "plans, and packs weights"])
    }
    for (name, value) in times.figures { table.add([name, "\(fixed(value, 3)) ms"]) }
    let what = counted(times.count, firstRun == nil ? "load" : "run")
    table.add([
      firstRun == nil ? "loads/s" : "runs/s", fixed(perSecond, 2),
      "\(what) in \(fixed(repetitions.seconds, 2)) s, after \(warmup) that do not count",
    ])
    return table.lines.map { $0.hasPrefix("p50 ") ? console.styled($0, .green) : $0 }
  }

  private var memoryLines: [String] {
    var table = Table([.left, .right, .left])
    for (name, bytes) in memoryKinds where bytes > 0 {
      table.add([String(name.map { $0 == "_" ? " " : $0 }), readableSize(bytes)])
    }
    if let predicted {
      table.add(["predicted peak", predictedPeak.map(readableSize) ?? "no bound", note(predicted)])
    }
    table.add([
      "measured peak", measuredPeak.map(readableSize) ?? "unknown", "above the tool's own",
    ])
    return table.lines
  }

  private func note(_ predicted: MemoryUse) -> String {
    switch predicted.rest {
    case .none: return ""
    case .atMost(let bytes):
      return "of which at most \(readableSize(bytes)) follow from data"
    case .unbounded(let nodes):
      return "what these make follows from data: \(quoted(nodes))"
    }
  }

  private func operatorLines(_ observed: Observed, _ console: Console) -> [String] {
    var table = Table([.left, .left, .right, .right, .right])
    table.add(["operator", "algorithm", "steps", "ms", "share"])
    func share(_ milliseconds: Double) -> String {
      "\(fixed(milliseconds / observed.milliseconds * 100, 1)) %"
    }
    for time in observed.operators {
      table.add([
        escaped(time.operatorType), escaped(time.algorithm), "\(time.steps)",
        fixed(time.milliseconds, 3), share(time.milliseconds),
      ])
    }
    table.add(["", "between steps", "", fixed(observed.rest, 3), share(observed.rest)])
    let runs = counted(observed.runs, "observed run")
    return table.lines.enumerated().map { $0 == 0 ? console.styled($1, .faint) : $1 }
      + [console.styled("means of \(runs)", .faint)]
  }
}
