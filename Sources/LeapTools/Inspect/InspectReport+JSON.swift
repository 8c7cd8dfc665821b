// InspectReport as JSON, by docs/schema/inspect-1.schema.json.
//
// What is not known is null where it might have been, and absent where it was not asked for.

import LeapGraph
import LeapRuntime
import LeapTensors
import Leapstone
import LeapstoneImage

extension InspectReport {
  var json: JSON {
    var members: [JSON.Member] = [
      .init("schema", "leapstone.inspect/1"), .init("version", .string(leapstoneVersion)),
      .init("model", .string(model)), .init("header", header.json), .init("target", target.json),
      .init("size", size.json), .init("operators", .array(operators.map(\.json))),
      .init("problems", .array(problems.map(\.json))),
      .init("warnings", .array(findings.map(\.json))),
      .init("memory", memory?.json ?? .null), .init("plan", plan?.json ?? .null),
      .init("stage", .string(stage.rawValue)),
      .init("graph", (filter.isEmpty ? graph : graph.filtered(filter)).json),
      .init("functions", .array(functions.map(\.json))),
    ]
    if let weights {
      let shown = weights.filter { $0.isAdmitted(by: filter) }
      members.append(.init("weights", .array(shown.map(\.json))))
    }
    if let changes { members.append(.init("changes", .array(changes.map { $0.json(filter) }))) }
    return .object(members)
  }
}

// MARK: the summary

extension ModelHeader {
  fileprivate var json: JSON {
    func values(_ values: [Value]) -> JSON {
      .array(
        values.map { value in
          [
            "name": .string(value.name), "type": .text(value.declared?.description),
            "planned": .text(value.planned?.description),
          ]
        })
    }
    return [
      "producer": .string(producer), "producer_version": .string(producerVersion),
      "domain": .string(domain), "model_version": .integer(Int(modelVersion)),
      "ir_version": .integer(irVersion),
      "opsets": .versions(opsets), "graph": .string(graphName),
      "documentation": .string(documentation),
      "metadata": .array(
        properties.map { ["key": .string($0.key), "value": .string($0.value)] }),
      "inputs": values(inputs), "optional_inputs": values(optionalInputs),
      "outputs": values(outputs),
    ]
  }
}

extension JSON {
  fileprivate static func text(_ text: String?) -> JSON { text.map { .string($0) } ?? .null }
  fileprivate static func count(_ count: Int?) -> JSON { count.map { .integer($0) } ?? .null }
  fileprivate static func number(_ number: Double?) -> JSON {
    number.map { .number($0) } ?? .null
  }
  fileprivate static func texts(_ texts: [String]) -> JSON { .array(texts.map { .string($0) }) }

  fileprivate static func versions(_ opsets: [(domain: String, version: Int)]) -> JSON {
    .array(opsets.map { ["domain": .string($0.domain), "version": .integer($0.version)] })
  }

  /// The object with those of some further members that have a value.
  fileprivate func with(_ further: KeyValuePairs<String, JSON?>) -> JSON {
    guard case .object(let members) = self else { return self }
    return .object(members + further.compactMap { name, value in value.map { .init(name, $0) } })
  }
}

extension PlanTarget {
  fileprivate var json: JSON {
    [
      "instruction_set": .string(instructionSet), "threads": .integer(threads),
      "memory_policy": .string(memoryPolicy), "concurrency": .integer(concurrency),
    ]
  }
}

extension ModelSize {
  fileprivate var json: JSON {
    [
      "nodes": .integer(nodes), "initializers": .integer(initializers),
      "parameters": .integer(parameters), "computed_parameters": .integer(computedParameters),
      "weight_bytes": .integer(weightBytes), "multiply_adds": .integer(multiplyAdds),
      "uncounted_nodes": .integer(uncounted),
    ]
  }
}

extension OperatorCount {
  fileprivate var json: JSON {
    [
      "operator": .string(name), "nodes": .integer(nodes), "multiply_adds": .count(multiplyAdds),
      "parameters": .integer(parameters), "supported": .bool(isSupported),
    ]
  }
}

extension InspectProblem {
  fileprivate var json: JSON {
    [
      "kind": .string(kind.rawValue), "subject": .text(subject), "reason": .string(reason),
      "names": .texts(names),
    ]
  }
}

extension InspectFinding {
  fileprivate var json: JSON {
    ["kind": .string(kind.rawValue), "message": .string(message), "names": .texts(names)]
  }
}

extension MemoryKinds {
  fileprivate var json: JSON {
    .object(
      kinds.map { .init($0.name, .integer($0.bytes)) } + [
        .init("data_dependent", .count(rest)), .init("peak", .count(peak)),
        .init("blas_at_most", .integer(blasAtMost)), .init("unbounded", .texts(unbounded)),
      ])
  }
}

// MARK: nodes

extension GraphReport {
  /// The nodes that fit, and those that hold some that do.
  fileprivate func filtered(_ filter: NodeFilter) -> GraphReport {
    var graph = self
    graph.nodes = nodes.compactMap { node in
      var node = node
      node.subgraphs = node.subgraphs.map { ($0.attribute, $0.graph.filtered(filter)) }
      let holds = node.subgraphs.contains { !$0.graph.nodes.isEmpty }
      return holds || filter.admits(node) ? node : nil
    }
    return graph
  }

  var json: JSON {
    [
      "path": .string(path), "name": .string(name), "inputs": .array(inputs.map(\.json)),
      "outputs": .array(outputs.map(\.json)), "nodes": .array(nodes.map(\.json)),
    ]
  }
}

extension OperandReport {
  fileprivate var json: JSON {
    [
      "name": .string(name), "type": .text(type?.description), "bytes": .count(byteCount),
      "constant": .bool(isConstant),
    ]
  }
}

extension NodeReport {
  fileprivate var json: JSON {
    let own: JSON = [
      "index": .string(index), "operator": .string(operatorName), "opset": .integer(opset),
      "name": .string(name), "inputs": .array(inputs.map { $0?.json ?? .null }),
      "outputs": .array(outputs.map { $0?.json ?? .null }),
      "multiply_adds": .count(multiplyAdds), "parameters": .integer(parameters),
      "bytes_read": .count(bytesRead), "bytes_written": .count(bytesWritten),
      "supported": .bool(isSupported),
      "attributes": .array(
        attributes.map { ["name": .string($0.name), "value": .string($0.value)] }),
    ]
    return own.with([
      "prologue": prologue.map { .string($0) }, "epilogue": epilogue.map { .string($0) },
      "origins": origins.isEmpty ? nil : .texts(origins), "pass": pass.map { .string($0) },
      "plan": plan?.json,
      "subgraphs": subgraphs.isEmpty
        ? nil
        : .array(
          subgraphs.map { ["attribute": .string($0.attribute), "graph": $0.graph.json] }),
    ])
  }
}

extension NodePlan {
  fileprivate var json: JSON {
    (["state": .string(state.rawValue)] as JSON).with([
      "algorithm": algorithm.map { .string($0) }, "merged_into": mergedInto.map { .string($0) },
      "stage": stage.map { .integer($0) }, "arena_offset": arenaOffset.map { .integer($0) },
      "estimated_ns": nanoseconds.map { .number($0) },
    ])
  }
}

extension FunctionReport {
  fileprivate var json: JSON {
    [
      "name": .string(name), "inputs": .texts(inputs), "outputs": .texts(outputs),
      "attributes": .array(
        attributes.map { ["name": .string($0.name), "default": .text($0.value)] }),
      "opsets": .versions(opsets), "calls": .integer(calls), "graph": graph.json,
    ]
  }
}

// MARK: weights and changes

extension WeightReport {
  fileprivate var json: JSON {
    let own: JSON = [
      "graph": .string(graph), "name": .string(name), "type": .string("\(dataType)"),
      "shape": .array(shape.map { .integer($0) }), "bytes": .integer(byteCount),
      "initializer": .bool(isInitializer), "readers": .texts(readers),
    ]
    guard let found = statistics else { return own }
    return own.with([
      "statistics": [
        "count": .integer(found.count), "zeros": .integer(found.zeros),
        "denormals": .integer(found.denormals), "nan": .integer(found.notNumbers),
        "infinite": .integer(found.infinities), "min": .number(found.minimum),
        "max": .number(found.maximum), "mean": .number(found.mean),
        "std": .number(found.deviation),
      ],
      "histogram": .array(histogram.map { .integer($0) }),
    ])
  }
}

extension StageChanges {
  fileprivate func json(_ filter: NodeFilter) -> JSON {
    let shown = changes.filter {
      filter.admits(operators: [$0.operatorName], name: $0.node, graph: "main")
    }
    return [
      "pass": .string(name), "summary": .string(summary), "nodes_before": .integer(nodesBefore),
      "nodes_after": .integer(nodesAfter), "new_constants": .texts(newConstants),
      "changes": .array(shown.map(\.json)),
    ]
  }
}

extension NodeChange {
  fileprivate var json: JSON {
    var aspects: [Aspect]?
    var fate: String?
    switch kind {
    case .added: break
    case .removed: fate = kind.text
    case .changed(let found): aspects = found
    }
    return
      ([
        "node": .string(node), "operator": .string(operatorName), "change": .string(kind.word),
      ] as JSON).with([
        "fate": fate.map { .string($0) },
        "aspects": aspects.map { .array($0.map(\.json)) },
      ])
  }
}

extension NodeChange.Aspect {
  var json: JSON {
    ["name": .string(name), "before": .text(before), "after": .text(after)]
  }
}

// MARK: memory

extension MemoryReport {
  fileprivate var json: JSON {
    [
      "arena": [
        "bytes": .integer(arena.byteCount), "largest_live_set": .integer(arena.largestLiveSet),
        "without_sharing": .integer(arena.withoutSharing),
        "without_reuse": .integer(arena.withoutReuse),
      ],
      "inputs": .integer(inputs), "scratch_per_worker": .integer(scratchPerWorker),
      "shared_scratch": .integer(sharedScratch), "scratch_step": .text(scratchStep),
      "peak_stage": .integer(peakStage),
      "stages": .array(
        stages.map {
          [
            "stage": .integer($0.index), "live": .integer($0.live), "scratch": .integer($0.scratch),
            "steps": .texts($0.steps),
          ]
        }),
      "live_at_peak": .array(live.map(\.json)), "buffers": .array(buffers.map(\.json)),
      "weights": .array(weights.map(\.json)),
      "sharing": .array(sharing.map(\.json)), "planned_later": .texts(laterNodes),
    ]
  }
}

extension MemoryReport.LiveBuffer {
  fileprivate var json: JSON {
    [
      "bytes": .integer(byteCount), "offset": .integer(offset), "values": .texts(values),
      "type": .string(type), "layout": .string(layout), "first_stage": .integer(first),
      "last_stage": .integer(last), "from": .string(from), "until": .string(until),
    ]
  }
}

extension MemoryReport.Buffer {
  fileprivate var json: JSON {
    [
      "bytes": .integer(byteCount), "offset": .integer(offset), "first_stage": .integer(first),
      "last_stage": .integer(last),
      "values": .array(
        values.map {
          [
            "name": .string($0.name), "maker": .text($0.maker), "first_stage": .integer($0.first),
            "last_stage": .integer($0.last),
          ]
        }),
    ]
  }
}

extension MemoryReport.Weight {
  fileprivate var json: JSON {
    [
      "name": .string(name), "unpacked_bytes": .integer(original), "bytes": .integer(byteCount),
      "packed": .bool(isPacked), "mapped": .bool(isMapped), "readers": .texts(readers),
      "algorithms": .texts(algorithms),
    ]
  }
}

extension MemoryReport.Sharing {
  fileprivate var json: JSON {
    [
      "step": .string(step), "operator": .string(operatorType), "kind": .string(kind.rawValue),
      "value": .string(value), "part": part.map { .integer($0) } ?? .null,
      "shared": .bool(refusal == nil), "reason": refusal.map { .string($0) } ?? .null,
    ]
  }
}
