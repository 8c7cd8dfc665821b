// DriftChart: the decibels that each value of a run keeps, as an SVG for pages.

import LeapTensors

struct DriftChart {
  private let steps: [MeasuredStep]
  private let culprit: String?

  private static let (width, height) = (960.0, 260.0)
  private static let (left, bottom, top) = (48.0, 24.0, 12.0)
  private static let highest = 160.0

  init(_ measurement: Measurement, _ culprit: String?) {
    steps = measurement.steps.filter { $0.own != nil || $0.total != nil }
    self.culprit = culprit
  }

  private func x(_ index: Int) -> Double {
    let room = DriftChart.width - DriftChart.left - 12
    return DriftChart.left + room * (Double(index) + 0.5) / Double(max(steps.count, 1))
  }

  private func y(_ snr: Double) -> Double {
    let level = min(max(snr.isNaN ? 0 : snr, 0), DriftChart.highest) / DriftChart.highest
    let room = DriftChart.height - DriftChart.bottom - DriftChart.top
    return DriftChart.top + room * (1 - level)
  }

  var svg: String {
    var text =
      "<svg viewBox=\"0 0 \(Int(DriftChart.width)) \(Int(DriftChart.height))\" role=\"img\" "
      + "width=\"100%\">\n"
    for level in stride(from: 0.0, through: DriftChart.highest, by: 40) {
      let place = fixed(y(level), 1)
      text += "<line x1=\"\(DriftChart.left)\" x2=\"\(DriftChart.width)\" y1=\"\(place)\" "
      text += "y2=\"\(place)\" stroke=\"currentColor\" stroke-opacity=\"0.2\"/>\n"
      text += "<text x=\"4\" y=\"\(fixed(y(level) + 4, 1))\">\(Int(level)) dB</text>\n"
    }
    let line = steps.enumerated().compactMap { index, step in
      step.total.map { "\(fixed(x(index), 1)),\(fixed(y($0.snr), 1))" }
    }
    text += "<polyline fill=\"none\" stroke=\"currentColor\" stroke-opacity=\"0.6\" points=\""
    text += line.joined(separator: " ") + "\"/>\n"
    for (index, step) in steps.enumerated() {
      guard let drift = step.own ?? step.total else { continue }
      let isCulprit = step.value == culprit
      text += "<circle cx=\"\(fixed(x(index), 1))\" cy=\"\(fixed(y(drift.snr), 1))\" "
      text += "r=\"\(isCulprit ? 5 : 2.5)\" fill=\"\(isCulprit ? "#cf222e" : "#3b82f6")\">"
      text += "<title>\(markup("\(step.name) with \(step.algorithm): \(drift.text)"))</title>"
      text += "</circle>\n"
    }
    return text + "</svg>"
  }
}
