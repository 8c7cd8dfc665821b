// InspectReport as comma-separated values: one table, that of the section that is asked for.

import LeapGraph
import LeapTensors

extension InspectReport {
  /// - Parameter section: which table; nil for what the passes did.
  func csv(_ section: InspectSection?) -> String {
    let rows =
      switch section {
      case .nodes: nodeRows
      case .attributes: attributeRows
      case .weights: weightRows
      case .functions: functionRows
      case .memory: memoryRows
      case nil: changeRows
      }
    return rows.map { CSV.line($0) }.joined()
  }

  private var nodeRows: [[String]] {
    [
      [
        "index", "graph", "operator", "name", "outputs", "types", "shapes", "multiply_adds",
        "parameters", "bytes_read", "bytes_written", "state", "algorithm", "merged_into", "stage",
        "arena_offset",
      ]
    ]
      + shownNodes.map { node in
        let outputs = node.outputs.compactMap { $0 }
        func list(_ text: (OperandReport) -> String) -> String {
          outputs.map(text).joined(separator: " ")
        }
        let cost = [node.multiplyAdds, node.parameters, node.bytesRead, node.bytesWritten]
        let plan = [
          node.plan?.state.rawValue, node.plan?.algorithm, node.plan?.mergedInto,
          node.plan?.stage.map(String.init), node.plan?.arenaOffset.map(String.init),
        ]
        return [
          node.index, node.graph, node.operatorName, node.name, list(\.name),
          list { $0.type?.kind ?? "?" }, list { $0.type?.extents ?? "?" },
        ] + cost.map { $0.map(String.init) ?? "" } + plan.map { $0 ?? "" }
      }
  }

  private var attributeRows: [[String]] {
    [["index", "graph", "operator", "name", "attribute", "value"]]
      + shownNodes.flatMap { node in
        node.attributes.map {
          [node.index, node.graph, node.operatorName, node.name, $0.name, $0.value]
        }
      }
  }

  private var weightRows: [[String]] {
    [
      [
        "graph", "name", "type", "shape", "bytes", "readers", "count", "zeros", "denormals", "nan",
        "infinite", "min", "max", "mean", "std", "histogram",
      ]
    ]
      + (weights ?? []).filter { $0.isAdmitted(by: filter) }.map { weight in
        let found = weight.statistics
        let counts = [
          found?.count, found?.zeros, found?.denormals, found?.notNumbers, found?.infinities,
        ]
        let numbers = [found?.minimum, found?.maximum, found?.mean, found?.deviation]
        return [
          weight.graph, weight.name, "\(weight.dataType)", "\(weight.shape)",
          "\(weight.byteCount)", weight.readers.joined(separator: " "),
        ] + counts.map { $0.map(String.init) ?? "" } + numbers.map { $0.map { "\($0)" } ?? "" }
          + [weight.histogram.map(String.init).joined(separator: " ")]
      }
  }

  private var functionRows: [[String]] {
    [["function", "calls", "index", "operator", "name", "inputs", "outputs"]]
      + functions.flatMap { function in
        function.graph.allNodes.map { node in
          func names(_ operands: [OperandReport?]) -> String {
            operands.map { $0?.name ?? "" }.joined(separator: " ")
          }
          return [
            function.name, "\(function.calls)", node.index, node.operatorName, node.name,
            names(node.inputs), names(node.outputs),
          ]
        }
      }
  }

  /// A row for each figure: kinds of memory, stages, what is live at the peak, weights.
  private var memoryRows: [[String]] {
    var rows = [["section", "name", "bytes", "first_stage", "last_stage", "detail"]]
    for (name, bytes) in memory?.kinds ?? [] {
      rows.append(["kind", name, "\(bytes)", "", "", ""])
    }
    if let peak = memory?.peak { rows.append(["kind", "peak", "\(peak)", "", "", ""]) }
    guard let plan else { return rows }
    for (name, bytes) in [
      ("largest_live_set", plan.arena.largestLiveSet),
      ("without_sharing", plan.arena.withoutSharing), ("without_reuse", plan.arena.withoutReuse),
    ] {
      rows.append(["arena", name, "\(bytes)", "", "", ""])
    }
    rows += plan.stages.map {
      let stage = "\($0.index)"
      return ["stage", stage, "\($0.live)", stage, stage, $0.steps.joined(separator: " ")]
    }
    rows += plan.live.map {
      [
        "live", $0.values.joined(separator: " "), "\($0.byteCount)", "\($0.first)", "\($0.last)",
        $0.type,
      ]
    }
    rows += plan.weights.map {
      let held = $0.isMapped ? "mapped" : $0.isPacked ? "packed" : "read"
      return ["weight", $0.name, "\($0.byteCount)", "", "", held]
    }
    return rows
  }

  private var changeRows: [[String]] {
    [["pass", "change", "operator", "node", "detail"]]
      + (changes ?? []).flatMap { pass in
        pass.changes.filter {
          filter.admits(operators: [$0.operatorName], name: $0.node, graph: "main")
        }.map { [pass.name, $0.kind.word, $0.operatorName, $0.node, $0.kind.text] }
      }
  }
}
