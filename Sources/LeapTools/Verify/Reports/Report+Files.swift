// Report as JSON, CSV, JUnit and Markdown.

import LeapTensors
import Leapstone
import LeapstoneImage

extension Report {
  /// By `docs/schema/verify-1.schema.json`.
  var json: JSON {
    [
      "schema": "leapstone.verify/1", "version": .string(leapstoneVersion),
      "model": .string(model), "command": .string(command), "verdict": .string(verdict.name),
      "summary": .array(summary.map { .string($0) }), command: result,
    ]
  }

  /// The first table, with all columns and all digits.
  var csv: String {
    guard let table = tables.first else { return "" }
    let rows = [table.columns.map(\.key)] + table.rows.map { $0.map(\.raw) }
    return rows.map { CSV.line($0) }.joined()
  }

  /// A suite for each model, a case for each check, as build servers read them.
  var junit: String {
    var suites: [String] = []
    for item in cases where !suites.contains(item.suite) { suites.append(item.suite) }
    var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"onnx-verify\" "
    text += Report.counts(cases) + ">\n"
    for suite in suites {
      let own = cases.filter { $0.suite == suite }
      text += "  <testsuite name=\"\(markup(suite))\" \(Report.counts(own))>\n"
      for item in own { text += item.junit }
      text += "  </testsuite>\n"
    }
    return text + "</testsuites>\n"
  }

  private static func counts(_ cases: [ReportCase]) -> String {
    func count(_ verdict: Verdict) -> Int { cases.count { $0.verdict == verdict } }
    let seconds = cases.reduce(0) { $0 + $1.seconds }
    return "tests=\"\(cases.count)\" failures=\"\(count(.failed))\" errors=\"\(count(.error))\" "
      + "time=\"\(fixed(seconds, 4))\""
  }

  /// A page for a pull request or a wiki.
  var markdown: String {
    var text = "## \(Report.quoted(model))\n\n"
    for (index, sentence) in summary.enumerated() {
      let line = Report.quoted(sentence)
      text += index == 0 ? "**\(line)**\n" : "\n\(line)\n"
    }
    if !facts.isEmpty { text += "\n" }
    for fact in facts { text += "- \(fact.name): \(Report.quoted(fact.text))\n" }
    for table in tables where !table.rows.isEmpty {
      if !table.title.isEmpty { text += "\n### \(Report.quoted(table.title))\n" }
      text += "\n| \(table.columns.map(\.title).joined(separator: " | ")) |\n|"
      text += table.columns.map { $0.alignment == .left ? "---|" : "---:|" }.joined() + "\n"
      for row in table.rows {
        text += "| \(row.map { Report.quoted($0.text) }.joined(separator: " | ")) |\n"
      }
    }
    for detail in details { text += "\n```\n\(escapedLines(detail))\n```\n" }
    return text
  }

  /// Text that Markdown shows as it is.
  private static func quoted(_ text: String) -> String {
    escaped(text).map { "\\`*_{}[]<>#|~".contains($0) ? "\\\($0)" : String($0) }.joined()
  }
}

extension ReportCase {
  fileprivate var junit: String {
    var text = "    <testcase classname=\"\(markup(suite))\" name=\"\(markup(name))\" "
    text += "time=\"\(fixed(seconds, 4))\""
    if verdict == .passed { return text + "/>\n" }
    let kind = verdict == .failed ? "failure" : "error"
    let first = message.split(separator: "\n").first.map(String.init) ?? verdict.name
    text += ">\n      <\(kind) message=\"\(markup(first))\">\(markup(message))</\(kind)>\n"
    return text + "    </testcase>\n"
  }
}
