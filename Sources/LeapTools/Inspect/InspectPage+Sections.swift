// InspectPage+Sections: nodes, attributes, functions, weights and changes as rows: one for each, so that they can be searched.

import LeapGraph
import LeapRuntime
import LeapTensors

extension InspectPage {
  /// A table under a heading, its titles faint; a line that says so where it is empty.
  func section(_ title: String, _ table: FittedTable, ifEmpty: String) -> [String] {
    if table.isEmpty { return section(title, [ifEmpty]) }
    let lines = table.lines(limit: limit.map { $0 - 2 })
    return ["", console.styled(fitted(title), .bold)]
      + lines.enumerated().map { $0 == 0 ? console.styled("  \($1)", .faint) : "  \($1)" }
  }

  // MARK: nodes

  func nodes(_ nodes: [NodeReport], at stage: ModelStage) -> [String] {
    var table = FittedTable([
      .init("#", .right), .init("operator", least: 8), .init("name", least: 10),
      .init("output", least: 12), .init("type", least: 7, rank: 2), .init("mult-adds", .right),
      .init("params", .right, rank: 1), .init("read", .right, rank: 5),
      .init("written", .right, rank: 5), .init("algorithm", least: 9),
      .init("stage", .right, rank: 3), .init("arena", .right, rank: 4),
    ])
    for node in nodes {
      let outputs = node.outputs.compactMap { $0 }
      let plan = node.plan
      table.add([
        escaped(node.index), escaped(node.operatorName), escaped(node.name),
        outputs.map { escaped($0.type?.extents ?? "?") }.joined(separator: ","),
        outputs.map { escaped($0.type?.kind ?? "?") }.joined(separator: ","),
        node.multiplyAdds.map(compactCount) ?? "?", compactCount(node.parameters),
        node.bytesRead.map(compactSize) ?? "?", node.bytesWritten.map(compactSize) ?? "?",
        plan.map { escaped($0.label) } ?? (node.isSupported ? "" : "unsupported"),
        plan?.stage.map { "\($0)" } ?? "-", plan?.arenaOffset.map { "\($0)" } ?? "-",
      ])
    }
    return section("nodes (\(stage.rawValue))", table, ifEmpty: "no nodes to show")
  }

  /// A count without blanks, `-` for none.
  private func compactCount(_ count: Int) -> String {
    count == 0 ? "-" : String(readableCount(count).filter { $0 != " " })
  }

  private func compactSize(_ bytes: Int) -> String {
    bytes == 0 ? "-" : String(readableSize(bytes).filter { $0 != " " })
  }

  func attributes(_ nodes: [NodeReport]) -> [String] {
    var table = FittedTable([
      .init("#", .right), .init("operator", least: 8), .init("name", least: 10),
      .init("attribute", least: 10), .init("value", least: 12),
    ])
    for node in nodes {
      var rows = node.attributes
      if let prologue = node.prologue { rows.append(("(before it)", prologue)) }
      if let epilogue = node.epilogue { rows.append(("(after it)", epilogue)) }
      for (name, value) in rows {
        table.add([
          escaped(node.index), escaped(node.operatorName), escaped(node.name), escaped(name), value,
        ])
      }
    }
    return section("attributes", table, ifEmpty: "no attributes to show")
  }

  // MARK: functions

  func functions(_ functions: [FunctionReport]) -> [String] {
    if functions.isEmpty { return section("functions", ["the model has none of its own"]) }
    return functions.flatMap { function -> [String] in
      var table = FittedTable([
        .init("#", .right), .init("operator", least: 8), .init("name", least: 10),
        .init("inputs", least: 10), .init("outputs", least: 10),
      ])
      for node in function.graph.allNodes {
        table.add([
          escaped(node.index), escaped(node.operatorName), escaped(node.name),
          names(node.inputs), names(node.outputs),
        ])
      }
      let attributes = function.attributes.map { name, value in
        escaped(name) + (value.map { " = \($0)" } ?? "")
      }
      let opsets = function.opsets.map {
        $0.domain.isEmpty ? "\($0.version)" : "\(escaped($0.domain)) \($0.version)"
      }
      let signature =
        "(\(function.inputs.map { escaped($0) }.joined(separator: ", "))) gives "
        + "(\(function.outputs.map { escaped($0) }.joined(separator: ", ")))"
        + (attributes.isEmpty ? "" : ", attributes \(attributes.joined(separator: ", "))")
        + ", opset \(opsets.joined(separator: ", ")), "
        + "called \(function.calls == 1 ? "once" : "\(function.calls) times")"
      let lines = section("function \(escaped(function.name))", table, ifEmpty: "it has no nodes")
      return Array(lines.prefix(2)) + wrapped(signature, width: width - 2).map { "  \($0)" }
        + lines.dropFirst(2)
    }
  }

  private func names(_ operands: [OperandReport?]) -> String {
    operands.map { $0.map { escaped($0.name) } ?? "-" }.joined(separator: ",")
  }

  // MARK: weights

  func weights(_ weights: [WeightReport]) -> [String] {
    let hasOdd = weights.contains { $0.statistics.map { !$0.oddText.isEmpty } ?? false }
    var columns: [FittedTable.Column] = [
      .init("name", least: 10), .init("type", rank: 4), .init("shape", least: 7),
      .init("size", .right, rank: 3), .init("min", .right), .init("max", .right),
      .init("mean", .right), .init("std", .right), .init("zeros", .right, rank: 1),
      .init("histogram", rank: 2), .init("read by", least: 8, rank: 5),
    ]
    let oddPlace = 9
    if hasOdd { columns.insert(.init("odd", least: 4), at: oddPlace) }
    var table = FittedTable(columns)
    for weight in weights {
      let statistics = weight.statistics
      func number(_ value: Double?) -> String { value.map { significant($0) } ?? "-" }
      let zeros = statistics.map { found in
        found.count == 0 ? "-" : "\(fixed(100 * Double(found.zeros) / Double(found.count), 1))%"
      }
      var cells = [
        escaped(weight.name), "\(weight.dataType)", "\(weight.shape)",
        compactSize(weight.byteCount),
        number(statistics?.minimum), number(statistics?.maximum), number(statistics?.mean),
        number(statistics?.deviation), zeros ?? "-", sparkline(weight.histogram),
        weight.readers.map { escaped($0) }.joined(separator: ","),
      ]
      if hasOdd { cells.insert(statistics?.oddText ?? "", at: oddPlace) }
      table.add(cells)
    }
    return section("weights", table, ifEmpty: "no constants to show")
  }

  /// A bar of one letter for each count; a blank for none.
  private func sparkline(_ counts: [Int]) -> String {
    let bars = Array("▁▂▃▄▅▆▇█")
    guard let largest = counts.max(), largest > 0 else { return "-" }
    return String(
      counts.map { count in
        count == 0 ? "·" : bars[(count - 1) * bars.count / max(largest, 1)]
      })
  }

  // MARK: changes

  func changes(_ changes: [StageChanges], _ filter: NodeFilter) -> [String] {
    var passes = FittedTable([
      .init("pass", least: 12), .init("nodes", .right), .init("removed", .right),
      .init("changed", .right), .init("added", .right), .init("", least: 10, rank: 1),
    ])
    var rows = FittedTable([
      .init("pass", least: 8, rank: 1), .init("", least: 7), .init("operator", least: 8),
      .init("node", least: 10), .init("what", least: 16),
    ])
    for pass in changes {
      func count(_ word: String) -> String {
        let count = pass.changes.filter { $0.kind.word == word }.count
        return count == 0 ? "-" : "\(count)"
      }
      let nodes =
        pass.nodesBefore == pass.nodesAfter
        ? "\(pass.nodesAfter)" : "\(pass.nodesBefore) to \(pass.nodesAfter)"
      passes.add([
        pass.name, nodes, count("removed"), count("changed"), count("added"), pass.summary,
      ])
      for change in pass.changes
      where filter.admits(operators: [change.operatorName], name: change.node, graph: "main") {
        rows.add([
          pass.name, change.kind.word, escaped(change.operatorName), escaped(change.node),
          escaped(change.kind.text),
        ])
      }
    }
    return section("passes", passes, ifEmpty: "there are none between these stages")
      + section("changes", rows, ifEmpty: "no changes to show")
  }
}

extension NodeChange.Kind {
  /// In one word: `added`, `removed` or `changed`.
  var word: String {
    switch self {
    case .added: "added"
    case .removed: "removed"
    case .changed: "changed"
    }
  }

  /// What became of the node.
  var text: String {
    switch self {
    case .added: return ""
    case .removed(.merged(let node)): return "merged into \(node)"
    case .removed(.constant(let value)): return "its output is the constant \(value)"
    case .removed(.replaced(let value)): return "its output is \(value)"
    case .removed(.unread): return "nobody reads its output"
    case .removed(.rewritten): return "others compute its output"
    case .changed(let aspects): return NodeChangeText.text(aspects)
    }
  }
}

enum NodeChangeText {
  /// In what something differs, in one line.
  static func text(_ aspects: [NodeChange.Aspect]) -> String {
    aspects.map { aspect in
      switch (aspect.before, aspect.after) {
      case (let before?, let after?): "\(aspect.name): \(before) -> \(after)"
      case (nil, let after?): "\(aspect.name): \(after)"
      case (let before?, nil): "\(aspect.name): no longer \(before)"
      case (nil, nil): aspect.name
      }
    }.joined(separator: "; ")
  }
}

extension ValueType {
  /// What stands for the shape in a row: `1x64x56x56`, `scalar`, `?`.
  var extents: String {
    guard let shape else { return dataType == nil ? "-" : "?" }
    return shape.isEmpty ? "scalar" : shape.map(\.description).joined(separator: "x")
  }

  /// The type without its shape, and without blanks.
  var kind: String {
    dataType.map { "\($0)" } ?? String(withoutShapes.description.split(separator: " ")[0])
  }
}

extension WeightReport {
  func isAdmitted(by filter: NodeFilter) -> Bool {
    filter.admits(operators: readers, name: name, graph: graph)
  }
}
