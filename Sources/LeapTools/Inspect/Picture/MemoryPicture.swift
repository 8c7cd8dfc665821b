// MemoryPicture: the arena of a run as a picture, in SVG: stages from left to right, addresses from bottom to top, a rectangle for each
// buffer, and a line for the bytes that are in use. Buffers of tensors that are passed around layers have the colour of their family.

import LeapTensors

struct MemoryPicture {
  private let memory: MemoryReport
  private let families: [String: SkipLink.Family]
  /// Of the plot, in units of the picture.
  private let width: Double
  private let height: Double

  /// - Parameter families: those of values that are passed around layers, by their names.
  init(
    _ memory: MemoryReport, _ families: [String: SkipLink.Family], width: Double, height: Double
  ) {
    self.memory = memory
    self.families = families
    self.width = width
    self.height = height
  }

  /// Colours, as they are legible on light and on dark ground.
  static let style = """
    .buffer { fill: #8b98a9; fill-opacity: .5; stroke: #8b98a9; stroke-width: .6; vector-effect: non-scaling-stroke; }
    .buffer.add { fill: #3b82f6; stroke: #3b82f6; } .buffer.concat { fill: #e08a1e; stroke: #e08a1e; }
    .buffer.encoder-decoder { fill: #c04fd0; stroke: #c04fd0; } .buffer.gate { fill: #2aa06f; stroke: #2aa06f; }
    .live { fill: none; stroke: currentColor; stroke-width: 1.6; vector-effect: non-scaling-stroke; }
    """

  // MARK: the parts

  private func x(_ stage: Int) -> Double {
    Double(stage) / Double(max(memory.stages.count, 1)) * width
  }

  /// How high so many bytes stand.
  private func y(_ bytes: Int) -> Double {
    let whole = max(memory.arena.byteCount, memory.stages.map(\.live).max() ?? 0, 1)
    return height * (1 - Double(bytes) / Double(whole))
  }

  /// The family whose colour a buffer has: that of the first value in it that has one.
  private func family(_ buffer: MemoryReport.Buffer) -> SkipLink.Family? {
    buffer.values.lazy.compactMap { families[$0.name] }.first
  }

  /// The rectangles and the line, for a picture whose origin is the plot's upper left corner.
  var plot: String {
    var text = ""
    for (place, buffer) in memory.buffers.enumerated() {
      let (left, right) = (x(buffer.first), x(buffer.last + 1))
      let top = y(buffer.offset + buffer.byteCount)
      let kind = family(buffer).map { " \($0.rawValue)" } ?? ""
      text += "<rect class=\"buffer\(kind)\" data-buffer=\"\(place)\" x=\"\(short(left))\" "
      text += "y=\"\(short(top))\" width=\"\(short(right - left))\" "
      text += "height=\"\(short(y(buffer.offset) - top))\"><title>\(title(buffer))</title></rect>\n"
    }
    var line = ""
    for stage in memory.stages {
      line += "\(line.isEmpty ? "M" : "L")\(short(x(stage.index))) \(short(y(stage.live)))"
      line += "H\(short(x(stage.index + 1)))"
    }
    return text + "<path class=\"live\" d=\"\(line)\"/>\n"
  }

  private func title(_ buffer: MemoryReport.Buffer) -> String {
    let names = buffer.values.prefix(3).map { shortened($0.name, to: 60) }
    let rest = buffer.values.count > 3 ? " and \(buffer.values.count - 3) more" : ""
    return markup(
      "\(readableSize(buffer.byteCount)) at \(buffer.offset), stages \(buffer.first) to \(buffer.last): "
        + names.joined(separator: ", ") + rest)
  }

  /// With few digits: a thousandth of a unit is not seen.
  private func short(_ value: Double) -> String { significant((value * 100).rounded() / 100) }

  // MARK: the picture by itself

  /// A file of its own, with a title and axes.
  func svg(title: String) -> String {
    let (left, top, right, bottom) = (76.0, 46.0, 24.0, 64.0)
    let (all, high) = (left + width + right, top + height + bottom)
    var text = """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(short(all)) \(short(high))" \
      width="\(short(all))" height="\(short(high))" font-family="Helvetica, Arial, sans-serif" font-size="12" color="#1f2937">
      <title>\(markup(title))</title>
      <style>\(MemoryPicture.style)</style>
      <rect width="100%" height="100%" fill="#ffffff"/>
      <text x="\(short(left))" y="24" font-size="15" font-weight="bold" fill="currentColor">\(markup(title))</text>
      <g transform="translate(\(short(left)) \(short(top)))">

      """
    let arena = memory.arena.byteCount
    for part in [0, 0.25, 0.5, 0.75, 1] {
      let (bytes, at) = (Int(Double(arena) * part), y(Int(Double(arena) * part)))
      text += "<path d=\"M0 \(short(at))H\(short(width))\" stroke=\"#d1d5db\" stroke-width=\".7\"/>"
      text += label(readableSize(bytes), -8, at + 4, "end")
    }
    text += plot
    for part in 0...4 where !memory.stages.isEmpty {
      let stage = (memory.stages.count - 1) * part / 4
      text += label("\(stage)", x(stage), height + 18, "start")
    }
    text += label("stage", width, height + 34, "end")
    text += legend
    return text + "</g>\n</svg>\n"
  }

  private func label(_ text: String, _ x: Double, _ y: Double, _ anchor: String) -> String {
    "<text x=\"\(short(x))\" y=\"\(short(y))\" text-anchor=\"\(anchor)\" fill=\"currentColor\">"
      + "\(markup(text))</text>\n"
  }

  /// What colours and line mean, as far as they occur.
  private var legend: String {
    let found = Set(memory.buffers.compactMap(family))
    var entries = SkipLink.Family.allCases.filter(found.contains).map {
      (style: "buffer \($0.rawValue)", text: "\($0.rawValue) skip")
    }
    entries.append(("buffer", "other buffers"))
    var (text, left) = ("", 0.0)
    for entry in entries {
      text += "<rect class=\"\(entry.style)\" x=\"\(short(left))\" y=\"\(short(height + 40))\" "
      text += "width=\"12\" height=\"12\"/>" + label(entry.text, left + 18, height + 50, "start")
      left += 34 + 6.5 * Double(entry.text.count)
    }
    text += "<path class=\"live\" d=\"M\(short(left)) \(short(height + 46))h16\"/>"
    return text + label("bytes in use", left + 22, height + 50, "start")
  }
}
