// InspectReport for people.
//
// 1. A page fits the terminal; what goes into a pipe is whole, so that it can be searched.
// 2. Every name of the model is escaped.

import LeapGraph
import LeapTensors

extension InspectReport {
  /// The lines: the summary, and the sections that are chosen.
  func text(_ console: Console, _ sections: Set<InspectSection>) -> [String] {
    let page = InspectPage(console)
    var lines = [console.styled(page.fitted(escaped(model)), .bold)] + page.header(self)
    lines += page.costs(self) + page.operators(operators)
    lines += page.problems(problems) + page.findings(findings)
    if sections.contains(.memory), let plan { lines += page.memory(plan, filter) }
    if sections.contains(.nodes) { lines += page.nodes(shownNodes, at: stage) }
    if sections.contains(.attributes) { lines += page.attributes(shownNodes) }
    if sections.contains(.functions) { lines += page.functions(functions) }
    if let weights { lines += page.weights(weights.filter { $0.isAdmitted(by: filter) }) }
    if let changes { lines += page.changes(changes, filter) }
    return lines
  }
}

/// Lays out the parts of a report.
struct InspectPage {
  let console: Console
  /// Characters of a line; nil where lines may be as long as they must.
  let limit: Int?
  /// Where running text is broken.
  let width: Int

  /// Names that are listed of those that something is about.
  private static let shownNames = 3

  init(_ console: Console) {
    self.console = console
    limit = console.environment.outputIsTerminal ? max(console.environment.columns, 20) : nil
    width = min(limit ?? 80, 120)
  }

  /// A line that fits.
  func fitted(_ line: String) -> String { limit.map { shortened(line, to: $0) } ?? line }

  /// Lines under a heading, with an empty one before; none where there are no lines.
  func section(_ title: String, _ lines: [String]) -> [String] {
    lines.isEmpty
      ? [] : ["", console.styled(fitted(title), .bold)] + lines.map { fitted("  \($0)") }
  }

  /// A few of many names, escaped and in quotes.
  func names(_ names: [String]) -> String {
    let shown = names.prefix(InspectPage.shownNames).map { "'\(escaped($0, limit: 80))'" }
    let rest = names.count - shown.count
    return shown.joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : "")
  }

  // MARK: what the file says

  func header(_ report: InspectReport) -> [String] {
    let header = report.header
    var rows: [(name: String, text: String)] = []
    func add(_ name: String, _ text: String) { if !text.isEmpty { rows.append((name, text)) } }
    add("producer", escaped("\(header.producer) \(header.producerVersion)").trimmed)
    let opsets = header.opsets.map {
      $0.domain.isEmpty ? "\($0.version)" : "\($0.domain) \($0.version)"
    }
    add(
      "format", "IR version \(header.irVersion), opset \(escaped(opsets.joined(separator: ", ")))")
    for (key, text) in [
      ("graph", header.graphName), ("domain", header.domain),
      ("version", header.modelVersion == 0 ? "" : "\(header.modelVersion)"),
      ("about", header.documentation),
    ] {
      add(key, escaped(text, limit: 200))
    }
    for property in header.properties {
      add("metadata", escaped("\(property.key) = \(property.value)", limit: 200))
    }
    for input in header.inputs { add("input", text(input, "taken as")) }
    if !header.optionalInputs.isEmpty {
      add("input", "\(header.optionalInputs.count) more, which have a default")
    }
    for output in header.outputs { add("output", text(output, "here")) }
    let size = report.size
    add(
      "nodes",
      "\(size.nodes), of \(counted(report.operators.count, "operator"))"
        + (header.functions.isEmpty
          ? "" : "; \(counted(header.functions.count, "function")) of its own"))
    let titles = rows.map(\.name.count).max() ?? 0
    return rows.flatMap { name, text -> [String] in
      let lines = limit == nil ? [text] : wrapped(text, width: max(width - titles - 4, 8))
      return lines.enumerated().map { index, line in
        let title = index == 0 ? name : ""
        return fitted("  \(title)\(String(repeating: " ", count: titles - title.count))  \(line)")
      }
    }
  }

  private func text(_ value: ModelHeader.Value, _ remark: String) -> String {
    let declared = value.declared?.description
    let planned = value.planned.map(\.description)
    let type = declared ?? planned ?? "of unknown type"
    let isOther = planned != nil && planned != type
    return escaped(
      "\(value.name): \(type)" + (isOther ? ", \(remark) \(planned?.shapeText ?? "")" : ""))
  }

  // MARK: what it costs

  func costs(_ report: InspectReport) -> [String] {
    let size = report.size
    var table = Table([.left, .right, .left])
    table.add(["parameters", readableCount(size.parameters), "\(size.parameters), in the file"])
    if size.computedParameters > 0 {
      table.add(["", readableCount(size.computedParameters), "that nodes make of constants"])
    }
    table.add([
      "weights", readableSize(size.weightBytes), counted(size.initializers, "initializer"),
    ])
    let rest =
      size.uncounted == 0
      ? "of one run"
      : "of one run, and those of \(counted(size.uncounted, "node")) that are not known"
    table.add(["multiply-adds", readableCount(size.multiplyAdds), rest])
    return section("size", table.lines) + memory(report)
  }

  private func memory(_ report: InspectReport) -> [String] {
    guard let memory = report.memory else { return [] }
    let target = report.target
    var table = Table([.left, .right, .left])
    for (name, bytes) in memory.kinds where bytes > 0 {
      table.add([String(name.map { $0 == "_" ? " " : $0 }), readableSize(bytes)])
    }
    if let rest = memory.rest, rest > 0 {
      table.add(["what follows from data", readableSize(rest), "at most"])
    }
    let note =
      memory.unbounded.isEmpty
      ? "" : "what these make follows from data: \(names(memory.unbounded))"
    table.add(["peak", memory.peak.map(readableSize) ?? "no bound", note])
    let runs = target.concurrency == 1 ? "a run" : "\(target.concurrency) runs at a time"
    return section(
      "memory of \(runs) (\(target.instructionSet), \(counted(target.threads, "thread")), "
        + "\(target.memoryPolicy))", table.lines)
  }

  // MARK: what is in it

  func operators(_ operators: [OperatorCount]) -> [String] {
    var table = Table([.left, .right, .right, .right, .left])
    table.add(["", "nodes", "multiply-adds", "parameters"])
    func shown(_ count: Int?) -> String { count.map { $0 == 0 ? "-" : readableCount($0) } ?? "?" }
    for count in operators {
      table.add([
        shortened(escaped(count.name), to: 40), "\(count.nodes)", shown(count.multiplyAdds),
        shown(count.parameters), count.isSupported ? "" : "cannot run here",
      ])
    }
    return section("operators", table.lines)
  }

  func problems(_ problems: [InspectProblem]) -> [String] {
    if problems.isEmpty { return section("runs here", ["nothing keeps it from running"]) }
    return ["", console.styled("cannot run here", .red)]
      + problems.flatMap { problem -> [String] in
        let subject = problem.subject.map { "\(escaped($0)): " } ?? ""
        let count =
          problem.names.isEmpty
          ? ""
          : " (\(counted(problem.names.count, problem.kind == .externalData ? "tensor" : "node")): "
            + "\(names(problem.names)))"
        return item("\(subject)\(escaped(problem.reason))\(count)")
      }
  }

  func findings(_ findings: [InspectFinding]) -> [String] {
    if findings.isEmpty { return [] }
    return ["", console.styled("warnings", .yellow)]
      + findings.flatMap { finding in
        item(
          escaped(finding.message) + (finding.names.isEmpty ? "" : ": \(names(finding.names))"))
      }
  }

  /// An entry of a list.
  private func item(_ text: String) -> [String] {
    wrapped("- \(text)", width: width - 2, indent: "  ").map { "  \($0)" }
  }
}

extension String {
  fileprivate var trimmed: String {
    String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
  }

  /// What follows the element type in the text of a tensor's type.
  fileprivate var shapeText: String {
    split(separator: " ", maxSplits: 1).last.map(String.init) ?? self
  }
}
