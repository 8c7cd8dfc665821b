// PageTables: what the page tells in words and tables, whether scripts run or not.

import LeapTensors

struct PageTables {
  private let report: InspectReport
  private let picture: GraphPicture

  init(_ report: InspectReport, _ picture: GraphPicture) {
    self.report = report
    self.picture = picture
  }

  var html: String {
    facts + problems + skips + blocks + memory + operators + warnings + changes
  }

  // MARK: building

  private func table(_ title: String, _ heads: [String], _ rows: [[String]]) -> String {
    if rows.isEmpty { return "" }
    func cells(_ tag: String, _ row: [String]) -> String {
      row.map { "<\(tag)>\(markup($0))</\(tag)>" }.joined()
    }
    let head = heads.isEmpty ? "" : "<thead><tr>\(cells("th", heads))</tr></thead>\n"
    return "<h2>\(markup(title))</h2>\n<table>\n\(head)<tbody>\n"
      + rows.map { "<tr>\(cells("td", $0))</tr>\n" }.joined() + "</tbody>\n</table>\n"
  }

  private func list(_ title: String, _ kind: String, _ items: [String]) -> String {
    if items.isEmpty { return "" }
    return "<h2 class=\"\(kind)\">\(markup(title))</h2>\n<ul>\n"
      + items.map { "<li>\(markup($0))</li>\n" }.joined() + "</ul>\n"
  }

  /// A few of many names.
  private func names(_ names: [String]) -> String {
    if names.isEmpty { return "" }
    let rest = names.count > 3 ? " and \(names.count - 3) more" : ""
    return ": " + names.prefix(3).joined(separator: ", ") + rest
  }

  // MARK: parts

  private var facts: String {
    let header = report.header
    var rows = [("model", report.model)]
    rows.append(("producer", "\(header.producer) \(header.producerVersion)"))
    rows.append(
      (
        "format",
        "IR version \(header.irVersion), opset "
          + header.opsets.map { $0.domain.isEmpty ? "\($0.version)" : "\($0.domain) \($0.version)" }
          .joined(separator: ", ")
      ))
    for (title, text) in [("graph", header.graphName), ("about", header.documentation)]
    where !text.isEmpty {
      rows.append((title, text))
    }
    for (title, values) in [("input", header.inputs), ("output", header.outputs)] {
      for value in values {
        let type = value.declared ?? value.planned
        let here = value.planned == type ? "" : value.planned.map { ", here \($0.extents)" } ?? ""
        rows.append((title, "\(value.name): \(type?.description ?? "of unknown type")\(here)"))
      }
    }
    for property in header.properties { rows.append((property.key, property.value)) }
    rows.append(("parameters", "\(report.size.parameters)"))
    rows.append(("weights", readableSize(report.size.weightBytes)))
    rows.append(("multiply-adds", "\(report.size.multiplyAdds)"))
    if report.stage != .inferred { rows.append(("shown", "stage \(report.stage.rawValue)")) }
    let constant = picture.wiring.constantNodes
    if constant > 0 { rows.append(("not drawn", "\(constant) nodes that make constants")) }
    return "<dl>\n"
      + rows.map { "<dt>\(markup($0.0))</dt><dd>\(markup($0.1))</dd>\n" }.joined() + "</dl>\n"
  }

  private var skips: String {
    table(
      "Skips", ["family", "count"], picture.families.map { [$0.family.rawValue, "\($0.count)"] })
  }

  private var blocks: String {
    table(
      "Repeated blocks", ["block", "nodes", "where"],
      picture.blocks.map { ["\($0.kind.rawValue) × \($0.count)", "\($0.period)", $0.scope] })
  }

  private var memory: String {
    guard let memory = report.memory else { return "" }
    var rows = memory.kinds.filter { $0.bytes > 0 }.map { name, bytes in
      [String(name.map { $0 == "_" ? " " : $0 }), readableSize(bytes)]
    }
    if let rest = memory.rest, rest > 0 {
      rows.append(["what follows from data, at most", readableSize(rest)])
    }
    rows.append(["peak", memory.peak.map(readableSize) ?? "no bound\(names(memory.unbounded))"])
    let target = report.target
    return table(
      "Memory (\(target.instructionSet), \(target.threads) threads, \(target.memoryPolicy))", [],
      rows)
  }

  private var operators: String {
    func shown(_ count: Int?) -> String { count.map { $0 == 0 ? "" : readableCount($0) } ?? "?" }
    return table(
      "Operators", ["", "nodes", "multiply-adds", "parameters"],
      report.operators.map { found in
        [
          found.name + (found.isSupported ? "" : " (cannot run here)"), "\(found.nodes)",
          shown(found.multiplyAdds), shown(found.parameters),
        ]
      })
  }

  private var problems: String {
    list(
      "Cannot run here", "bad",
      report.problems.map { problem in
        (problem.subject.map { "\($0): " } ?? "") + problem.reason + names(problem.names)
      })
  }

  private var warnings: String {
    list("Warnings", "odd", report.findings.map { $0.message + names($0.names) })
  }

  private var changes: String {
    table(
      "Passes", ["pass", "nodes", "what"],
      (report.changes ?? []).map { pass in
        [pass.name, "\(pass.nodesBefore) to \(pass.nodesAfter)", pass.summary]
      })
  }
}
