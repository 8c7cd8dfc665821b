// InspectReport as a page that stands by itself: a graph to walk about in, and beside it what text tells.
//
// 1. Nothing comes from elsewhere, and nothing of the model becomes markup: names go through `markup` here, and into the page's
//    script as JSON without `<`, which shows them as text alone.
// 2. Without a script, the tables and the memory's picture are there.

import LeapGraph
import LeapPage
import LeapTensors
import Leapstone
import LeapstoneImage

extension InspectReport {
  var html: String {
    let picture = GraphPicture(graph)
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta http-equiv="Content-Security-Policy" \
      content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
      <title>\(markup(model))</title>
      <style>
      \(PageFiles.style)\(MemoryPicture.style)
      </style>
      </head>
      <body>
      <header>
      <h1>\(markup(modelName))</h1>
      <p id="figures">\(markup(figures))</p>
      <div id="tools"></div>
      </header>
      <main>
      <section id="graph" aria-label="Graph"></section>
      <aside id="panel" aria-label="About the model">
      <div id="summary">
      \(PageTables(self, picture).html)<footer>onnx-inspect, Leapstone \(leapstoneVersion)</footer>
      </div>
      <div id="details" hidden></div>
      </aside>
      \(memoryFigure(picture))</main>
      <script type="application/json" id="data">\(PageData(self, picture).json.text().scriptSafe)</script>
      <script>
      \(PageFiles.script)</script>
      </body>
      </html>

      """
  }

  /// The arena over the stages of a run; nothing where no plan can be made.
  private func memoryFigure(_ picture: GraphPicture) -> String {
    guard let plan, plan.arena.byteCount > 0 else { return "" }
    let drawing = MemoryPicture(plan, picture.familiesOfValues, width: 1200, height: 120)
    let peak = plan.stages.indices.contains(plan.peakStage) ? plan.stages[plan.peakStage] : nil
    let step = peak?.steps.first.map { ": \($0)" } ?? ""
    let text =
      "Arena of a run, \(readableSize(plan.arena.byteCount)), over its \(plan.stages.count) stages; "
      + "fullest in stage \(plan.peakStage)\(step)"
    return """
      <figure id="memory">
      <figcaption>\(markup(text))</figcaption>
      <svg viewBox="0 0 1200 120" preserveAspectRatio="none" role="img" aria-label="Memory of a run">
      \(drawing.plot)</svg>
      </figure>

      """
  }

  /// The timeline of a run's memory as a picture of its own; nil where no plan can be made.
  var memorySVG: String? {
    guard let plan else { return nil }
    let families = GraphPicture(graph).familiesOfValues
    let drawing = MemoryPicture(plan, families, width: 1000, height: 320)
    return drawing.svg(
      title: "Arena of a run of \(modelName): \(readableSize(plan.arena.byteCount))")
  }

  private var modelName: String {
    model.split(separator: "/").last.map { escaped(String($0)) } ?? "model"
  }

  private var figures: String {
    var parts = [
      "\(readableCount(size.parameters)) parameters",
      "\(readableCount(size.multiplyAdds)) multiply-adds", "\(size.nodes) nodes",
    ]
    if let peak = memory?.peak { parts.append("\(readableSize(peak)) of memory") }
    if !problems.isEmpty { parts.append("cannot run here") }
    return parts.joined(separator: " · ")
  }
}

extension String {
  /// JSON for a script element, which ends at `</script` whatever stands around it.
  fileprivate var scriptSafe: String {
    var safe = ""
    safe.reserveCapacity(utf8.count)
    for scalar in unicodeScalars {
      switch scalar {
      case "<": safe += "\\u003c"
      case ">": safe += "\\u003e"
      case "&": safe += "\\u0026"
      default: safe.unicodeScalars.append(scalar)
      }
    }
    return safe
  }
}
