// PageData: what the page's script draws, as JSON.
//
// Vertices are told by their places; lists stand for what every vertex has, in the order that the script's `data.js` knows.

import LeapGraph
import LeapTensors
import LeapstoneImage

struct PageData {
  private let report: InspectReport
  /// All graphs of the page: the shown one, its subgraphs, and the model's functions.
  private let graphs: [GraphReport]
  private let pictures: [GraphPicture]
  /// The place of a constant among the weights, by graph and name.
  private let weights: [[String]: Int]

  /// - Parameter picture: that of the shown graph.
  init(_ report: InspectReport, _ picture: GraphPicture) {
    self.report = report
    graphs = [report.graph] + report.graph.inner + report.functions.map(\.graph)
    pictures = [picture] + graphs.dropFirst().map { GraphPicture($0) }
    weights = Dictionary(
      (report.weights ?? []).enumerated().map { ([$1.graph, $1.name], $0) }
    ) { first, _ in first }
  }

  var json: JSON {
    [
      "model": .string(report.model), "stage": .string(report.stage.rawValue),
      "multiply_adds": .integer(report.size.multiplyAdds),
      "graphs": .array(zip(graphs, pictures).map(graph)),
      "weights": .array((report.weights ?? []).map(\.pageData)),
      "memory": report.plan.map(memory) ?? .null,
    ]
  }

  // MARK: graphs

  private func graph(_ graph: GraphReport, _ picture: GraphPicture) -> JSON {
    let wiring = picture.wiring
    return [
      "path": .string(graph.path),
      "vertices": .array(wiring.vertices.map { vertex(graph, $0) }),
      "edges": .array(
        wiring.edges.map { edge in
          [
            .integer(edge.from), .integer(edge.to),
            .integer(wiring.made(edge.from).firstIndex(of: edge.value.name) ?? 0),
            .integer(edge.isShape ? 1 : 0),
          ]
        }),
      "links": .array(
        picture.links.map { link in
          [
            .integer(link.from), .integer(link.to), .string(link.family.rawValue),
            .array(link.via.map { .integer($0) }),
          ]
        }),
      "blocks": .array(picture.blocks.map(\.pageData)),
    ]
  }

  private func vertex(_ graph: GraphReport, _ vertex: GraphWiring.Vertex) -> JSON {
    switch vertex {
    case .input(let index):
      return ["kind": "input", "outputs": .array([operand(graph.inputs[index], graph)])]
    case .output(let index):
      return ["kind": "output", "inputs": .array([operand(graph.outputs[index], graph)])]
    case .node(let index): return node(graph.nodes[index], graph)
    }
  }

  private func node(_ node: NodeReport, _ graph: GraphReport) -> JSON {
    func operands(_ values: [OperandReport?]) -> JSON {
      .array(values.map { $0.map { operand($0, graph) } ?? .null })
    }
    var members: [JSON.Member] = [
      .init("kind", "node"), .init("index", .string(node.index)),
      .init("operator", .string(node.operatorName)), .init("opset", .integer(node.opset)),
      .init("name", .string(node.name)), .init("caption", .string(node.caption)),
      .init("inputs", operands(node.inputs)), .init("outputs", operands(node.outputs)),
      .init("attributes", .array(node.attributes.map { [.string($0.name), .string($0.value)] })),
    ]
    func add(_ name: String, _ value: JSON?) { value.map { members.append(.init(name, $0)) } }
    add("multiply_adds", node.multiplyAdds.map { .integer($0) })
    add("parameters", node.parameters > 0 ? .integer(node.parameters) : nil)
    add("read", node.bytesRead.map { .integer($0) })
    add("written", node.bytesWritten.map { .integer($0) })
    add("unsupported", node.isSupported ? nil : true)
    add("hidden", report.filter.admits(node) ? nil : true)
    add("before", node.prologue.map { .string($0) })
    add("after", node.epilogue.map { .string($0) })
    add("origins", node.origins.isEmpty ? nil : .array(node.origins.map { .string($0) }))
    add("pass", node.pass.map { .string($0) })
    if let plan = node.plan {
      add("plan", .string(plan.label))
      add("state", .string(plan.state.rawValue))
      add("merged", plan.mergedInto.map { .string($0) })
      add("stage", plan.stage.map { .integer($0) })
      add("offset", plan.arenaOffset.map { .integer($0) })
      add("ns", plan.nanoseconds.map { .number($0.rounded()) })
    }
    let inner = node.subgraphs.compactMap { attribute, inner -> JSON? in
      guard let place = graphs.firstIndex(where: { $0.path == inner.path }) else { return nil }
      return [.string(attribute), .integer(place)]
    }
    add("subgraphs", inner.isEmpty ? nil : .array(inner))
    return .object(members)
  }

  /// Name, type, and of a constant its place among the weights, or -1.
  private func operand(_ operand: OperandReport, _ graph: GraphReport) -> JSON {
    let own: [JSON] = [
      .string(operand.name), .string(operand.type?.description ?? "?"),
    ]
    guard operand.isConstant else { return .array(own) }
    // What a subgraph reads may stand in a graph around it.
    let path = graph.path.hasPrefix("function ") ? graph.path : "main"
    let place = weights[[graph.path, operand.name]] ?? weights[[path, operand.name]]
    return .array(own + [.integer(place ?? -1)])
  }

  // MARK: memory

  private func memory(_ memory: MemoryReport) -> JSON {
    [
      "arena": .integer(memory.arena.byteCount), "peak": .integer(memory.peakStage),
      "stages": .array(
        memory.stages.map { stage in
          [.integer(stage.live), .array(stage.steps.map { .string($0) })]
        }),
      "buffers": .array(
        memory.buffers.map { buffer in
          [
            .integer(buffer.byteCount), .integer(buffer.offset), .integer(buffer.first),
            .integer(buffer.last),
            .array(
              buffer.values.map { value in
                [
                  .string(value.name), value.maker.map { .string($0) } ?? .null,
                  .integer(value.first), .integer(value.last),
                ]
              }),
          ]
        }),
    ]
  }
}

extension GraphReport {
  /// The graphs of its nodes, and those of theirs.
  fileprivate var inner: [GraphReport] {
    nodes.flatMap { $0.subgraphs.flatMap { [$0.graph] + $0.graph.inner } }
  }
}

extension RepeatedBlock {
  fileprivate var pageData: JSON {
    [
      "first": .integer(first), "period": .integer(period), "count": .integer(count),
      "kind": .string(kind.rawValue), "scope": .string(scope),
      "copies": .array(copies.map { .string($0) }),
    ]
  }
}

extension WeightReport {
  fileprivate var pageData: JSON {
    var members: [JSON.Member] = [
      .init("name", .string(name)), .init("type", .string("\(dataType) \(shape)")),
      .init("bytes", .integer(byteCount)),
    ]
    if let found = statistics {
      func number(_ value: Double?) -> JSON { value.map { .string(significant($0)) } ?? .null }
      members += [
        .init(
          "statistics",
          [
            number(found.minimum), number(found.maximum), number(found.mean),
            number(found.deviation), .integer(found.zeros), .integer(found.count),
          ]), .init("histogram", .array(histogram.map { .integer($0) })),
      ]
    }
    return .object(members)
  }
}

extension NodeReport {
  /// The operator with the attributes that tell layers apart: `Conv 3×3 /2`.
  var caption: String {
    func numbers(_ name: String) -> [Substring] {
      guard let text = attributes.first(where: { $0.name == name })?.value else { return [] }
      return text.split { !$0.isNumber && $0 != "-" }
    }
    var caption = operatorName
    let kernel = numbers("kernel_shape")
    if !kernel.isEmpty { caption += " " + kernel.joined(separator: "×") }
    let strides = numbers("strides")
    if strides.contains(where: { $0 != "1" }) {
      caption +=
        " /" + (Set(strides).count == 1 ? String(strides[0]) : strides.joined(separator: "×"))
    }
    if let group = numbers("group").first, group != "1" { caption += " g\(group)" }
    return caption
  }
}
