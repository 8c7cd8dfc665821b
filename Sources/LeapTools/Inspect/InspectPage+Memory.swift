// InspectPage+Memory: where the memory of a run goes, for people.

import LeapRuntime
import LeapTensors

extension InspectPage {
  /// Rows that a timeline has at most.
  private static let timelineRows = 48
  /// Weights that are listed.
  private static let shownWeights = 12

  func memory(_ memory: MemoryReport, _ filter: NodeFilter) -> [String] {
    arena(memory) + live(memory) + timeline(memory) + weights(memory) + sharing(memory, filter)
  }

  private func arena(_ memory: MemoryReport) -> [String] {
    var table = Table([.left, .right, .left])
    func share(_ bytes: Int) -> String {
      guard memory.arena.byteCount > 0 else { return "" }
      return " (\(fixed(Double(bytes) / Double(memory.arena.byteCount), 2)) x)"
    }
    let arena = memory.arena
    table.add(["arena", readableSize(arena.byteCount), "\(arena.byteCount) bytes"])
    table.add([
      "largest live set", readableSize(arena.largestLiveSet),
      "the least for this order\(share(arena.largestLiveSet))",
    ])
    table.add([
      "nothing in place", readableSize(arena.withoutSharing),
      "with buffers overlaid in time\(share(arena.withoutSharing))",
    ])
    table.add([
      "without reuse", readableSize(arena.withoutReuse),
      "every value in memory of its own\(share(arena.withoutReuse))",
    ])
    table.add([
      "inputs", readableSize(memory.inputs), "memory of the caller's, which does not count",
    ])
    let shared =
      memory.sharedScratch > 0 ? ", and \(readableSize(memory.sharedScratch)) for all" : ""
    table.add([
      "scratch", readableSize(memory.scratchPerWorker),
      "for each of \(memory.workers) worker\(memory.workers == 1 ? "" : "s")\(shared)"
        + (memory.scratchStep.map { ", most for \(escaped($0))" } ?? ""),
    ])
    if !memory.laterNodes.isEmpty {
      table.add([
        "planned later", "\(memory.laterNodes.count)", "nodes: \(names(memory.laterNodes))",
      ])
    }
    return section("arena and scratch of a run", table.lines)
  }

  private func live(_ memory: MemoryReport) -> [String] {
    guard memory.stages.indices.contains(memory.peakStage) else { return [] }
    let stage = memory.stages[memory.peakStage]
    var table = FittedTable([
      .init("size", .right), .init("arena", .right, rank: 3), .init("value", least: 12),
      .init("type", least: 10, rank: 2), .init("layout", rank: 4),
      .init("from", least: 10, rank: 1),
      .init("until", least: 10),
    ])
    for buffer in memory.live {
      table.add([
        readableSize(buffer.byteCount), "\(buffer.offset)",
        buffer.values.map { escaped($0) }.joined(separator: ","), buffer.type, buffer.layout,
        "\(buffer.first) \(escaped(buffer.from))", "\(buffer.last) \(escaped(buffer.until))",
      ])
    }
    let steps = stage.steps.map { escaped($0) }.joined(separator: ", ")
    return section(
      "live in the fullest stage, \(stage.index): \(steps)", table,
      ifEmpty: "nothing: the arena is empty")
  }

  // MARK: timeline

  private func timeline(_ memory: MemoryReport) -> [String] {
    let largest = memory.stages.map(\.live).max() ?? 0
    guard largest > 0 else { return [] }
    let group = (memory.stages.count + InspectPage.timelineRows - 1) / InspectPage.timelineRows
    var rows: [(stage: String, size: String, live: Int, step: String)] = []
    for first in stride(from: 0, to: memory.stages.count, by: group) {
      let stages = memory.stages[first..<min(first + group, memory.stages.count)]
      guard let fullest = stages.max(by: { $0.live < $1.live }) else { continue }
      let name = stages.count == 1 ? "\(first)" : "\(first)-\(first + stages.count - 1)"
      rows.append(
        (
          name, readableSize(fullest.live), fullest.live,
          fullest.steps.first.map { escaped($0) } ?? "-"
        ))
    }
    let (titles, sizes) = (rows.map(\.stage.count).max() ?? 0, rows.map(\.size.count).max() ?? 0)
    let bar = max(8, min(40, width - titles - sizes - 30))
    let lines = rows.map { row in
      let left = String(repeating: " ", count: titles - row.stage.count) + row.stage
      let size = String(repeating: " ", count: sizes - row.size.count) + row.size
      return "\(left)  \(size)  \(self.bar(row.live, of: largest, width: bar))  \(row.step)"
    }
    return section(
      "live bytes of the arena by stage" + (group == 1 ? "" : ", the fullest of each \(group)"),
      lines)
  }

  /// A bar of so many letters at most, in eighths of a letter.
  private func bar(_ part: Int, of whole: Int, width: Int) -> String {
    let eighths = Int((Double(part) / Double(whole) * Double(width * 8)).rounded(.up))
    let parts = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
    let full = String(repeating: "█", count: eighths / 8) + parts[eighths % 8]
    return full + String(repeating: " ", count: max(width - full.count, 0))
  }

  // MARK: weights and sharing

  private func weights(_ memory: MemoryReport) -> [String] {
    var table = FittedTable([
      .init("size", .right), .init("unpacked", .right), .init("weight", least: 12),
      .init("held", rank: 1), .init("for", least: 8, rank: 2), .init("read by", least: 10, rank: 3),
    ])
    for weight in memory.weights.prefix(InspectPage.shownWeights) {
      table.add([
        readableSize(weight.byteCount), readableSize(weight.original), escaped(weight.name),
        weight.isMapped ? "mapped" : weight.isPacked ? "packed" : "read",
        weight.algorithms.joined(separator: ","),
        weight.readers.prefix(2).map { escaped($0) }.joined(separator: ",")
          + (weight.readers.count > 2 ? ",…" : ""),
      ])
    }
    let rest = memory.weights.count - InspectPage.shownWeights
    return section(
      "largest weights" + (rest > 0 ? ", of \(memory.weights.count)" : ""), table,
      ifEmpty: "there are none")
  }

  private func sharing(_ memory: MemoryReport, _ filter: NodeFilter) -> [String] {
    var table = FittedTable([
      .init("operator", least: 8), .init("node", least: 10), .init("", least: 9),
      .init("value", least: 10), .init("why not", least: 16),
    ])
    for item in memory.sharing
    where filter.admits(operators: [item.operatorType], name: item.step, graph: "main") {
      table.add([
        escaped(item.operatorType), escaped(item.step), item.label, escaped(item.value),
        item.refusal.map { escaped($0) } ?? "",
      ])
    }
    return section("who shares whose memory", table, ifEmpty: "nobody could")
  }
}

extension MemoryReport.Sharing {
  /// What was decided, in a few words.
  var label: String {
    switch (kind, refusal == nil) {
    case (.view, true): "view of"
    case (.view, false): "no view of"
    case (.part, true): "part \(part ?? 0) in place"
    case (.part, false): "part \(part ?? 0) copied"
    case (.overwrite, true): "overwrites"
    case (.overwrite, false): "not in place"
    }
  }
}
