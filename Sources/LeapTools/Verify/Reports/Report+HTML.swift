// Report as one self-contained page: no script, no other file, light or dark as the reader likes it.

import LeapTensors
import Leapstone

extension Report {
  var html: String {
    var text = """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>\(markup(command)): \(markup(model))</title>
      <style>\(Report.style)</style>
      </head>
      <body>
      <main>
      <h1>\(markup(model))</h1>

      """
    for (index, sentence) in summary.enumerated() {
      let kind = index == 0 ? " class=\"verdict \(verdict.name)\"" : ""
      text += "<p\(kind)>\(markup(sentence))</p>\n"
    }
    if !facts.isEmpty {
      text += "<dl>\n"
      for fact in facts { text += "<dt>\(markup(fact.name))</dt><dd>\(markup(fact.text))</dd>\n" }
      text += "</dl>\n"
    }
    for figure in figures {
      text +=
        "<figure>\n\(figure.svg)\n<figcaption>\(markup(figure.title))</figcaption>\n</figure>\n"
    }
    for table in tables where !table.rows.isEmpty { text += table.html }
    for detail in details { text += "<pre>\(markup(detail))</pre>\n" }
    text += "<footer>onnx-verify \(markup(command)), Leapstone \(leapstoneVersion)</footer>\n"
    return text + "</main>\n</body>\n</html>\n"
  }

  private static let style = """
    :root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #cf222e; }
    @media (prefers-color-scheme: dark) { :root { --good: #57ab5a; --bad: #f47067; } }
    body { font: 15px/1.5 system-ui, sans-serif; margin: 0; }
    main { max-width: 72rem; margin: 0 auto; padding: 1.5rem; }
    h1 { font-size: 1.4rem; overflow-wrap: anywhere; }
    h2 { font-size: 1.1rem; margin-top: 2rem; }
    .verdict { font-weight: 600; }
    .passed { color: var(--good); }
    .failed, .error { color: var(--bad); }
    dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; }
    dt { opacity: .7; } dd { margin: 0; overflow-wrap: anywhere; }
    .scroll { overflow-x: auto; }
    table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
    th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: right; }
    th { position: sticky; top: 0; opacity: .7; font-weight: 500; }
    .left { text-align: left; }
    pre { overflow-x: auto; border-left: 3px solid var(--bad); padding: .4rem .8rem; }
    figure { margin: 1.5rem 0; overflow-x: auto; }
    figcaption, footer { opacity: .7; font-size: .85rem; }
    footer { margin-top: 3rem; }
    svg text { fill: currentColor; font: 11px system-ui, sans-serif; }
    """
}

extension ReportTable {
  fileprivate var html: String {
    func opening(_ tag: String, _ column: Int) -> String {
      columns[column].alignment == .left ? "<\(tag) class=\"left\">" : "<\(tag)>"
    }
    var text = title.isEmpty ? "" : "<h2>\(markup(title))</h2>\n"
    text += "<div class=\"scroll\"><table>\n<thead><tr>"
    for (index, column) in columns.enumerated() {
      text += opening("th", index) + markup(column.title) + "</th>"
    }
    text += "</tr></thead>\n<tbody>\n"
    for row in rows {
      text += "<tr>"
      for (index, cell) in row.enumerated() where index < columns.count {
        let words = markup(cell.text)
        let verdict = cell.verdict.map { "<span class=\"\($0.name)\">\(words)</span>" }
        text += opening("td", index) + (verdict ?? words) + "</td>"
      }
      text += "</tr>\n"
    }
    return text + "</tbody>\n</table></div>\n"
  }
}
