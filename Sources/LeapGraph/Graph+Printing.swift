// Graph+Printing: a graph as text, one line for each value that matters and each node, subgraphs indented.
//
// Names come from a model: they are escaped before anyone's terminal sees them.

import LeapTensors

extension Graph: CustomStringConvertible {
  /// The graph as text. O(size of the graph and its subgraphs).
  package var description: String {
    var printer = GraphPrinter()
    printer.print(self)
    return printer.text
  }
}

private struct GraphPrinter {
  private(set) var text = ""
  private var indent = ""

  mutating func print(_ graph: Graph) {
    line("graph \(escaped(graph.name)) {")
    nested { printer in
      for id in graph.inputs {
        printer.line(
          "input \(printer.typed(id, graph))" + (graph.constants[id] == nil ? "" : " = default"))
      }
      for capture in graph.captures {
        printer.line("capture \(printer.typed(capture.inner, graph))")
      }
      let inputs = Set(graph.inputs)
      for id in graph.constants.keys.sorted() where !inputs.contains(id) {
        printer.line("constant \(printer.typed(id, graph))")
      }
      for node in graph.nodes { printer.print(node, graph) }
      for id in graph.outputs { printer.line("output \(printer.typed(id, graph))") }
    }
    line("}")
  }

  private mutating func print(_ node: Node, _ graph: Graph) {
    let outputs = node.outputs.map { $0.map { typed($0, graph) } ?? "_" }.joined(separator: ", ")
    let inputs = node.inputs.map { $0.map { name($0, graph) } ?? "_" }.joined(separator: ", ")
    let domain = node.domain.isEmpty ? "" : "\(escaped(node.domain))."
    let attributes = node.attributes.sorted { $0.key < $1.key }
      .compactMap { key, value in value.summary.map { "\(escaped(key)) = \($0)" } }
    let list = attributes.isEmpty ? "" : " [\(attributes.joined(separator: ", "))]"
    let epilogue =
      node.epilogue.isEmpty ? "" : " then \(node.epilogue.map { "\($0)" }.joined(separator: ", "))"
    let prologue = node.prologue.map { " after \($0)" } ?? ""
    line(
      "\(outputs) = \(domain)\(escaped(node.operatorType))(\(inputs))\(list)\(prologue)\(epilogue)  # \(escaped(node.name))"
    )
    nested { printer in
      for (attribute, subgraph) in node.subgraphs {
        printer.line("\(escaped(attribute)):")
        printer.print(subgraph)
      }
    }
  }

  private func name(_ id: ValueID, _ graph: Graph) -> String { "%\(escaped(graph[id].name))" }

  private func typed(_ id: ValueID, _ graph: Graph) -> String {
    let type = graph[id].type.map { ": \(escaped($0.description))" } ?? ""
    return name(id, graph) + type
  }

  private mutating func line(_ content: String) { text += "\(indent)\(content)\n" }

  private mutating func nested(_ body: (inout GraphPrinter) -> Void) {
    indent += "  "
    body(&self)
    indent.removeLast(2)
  }
}

extension Attribute {
  /// The value in one line, escaped; of tensors type and shape. nil for graphs, which take lines of their own.
  package var summary: String? {
    switch self {
    case .int(let value): "\(value)"
    case .float(let value): "\(value)"
    case .string(let text): Attribute.quoted(text)
    case .tensor(let constant), .sparseTensor(let constant):
      "\(constant.dataType) \(constant.shape)"
    case .type(let type): escaped(type.description)
    case .ints(let values): Attribute.list(values.map { "\($0)" })
    case .floats(let values): Attribute.list(values.map { "\($0)" })
    case .strings(let texts): Attribute.list(texts.map(Attribute.quoted))
    case .tensors(let constants):
      Attribute.list(constants.map { "\($0.dataType) \($0.shape)" })
    case .types(let types): Attribute.list(types.map { escaped($0.description) })
    case .reference(let name): "@\(escaped(name))"
    case .graph, .graphs: nil
    }
  }

  private static func quoted(_ text: [UInt8]) -> String {
    "\"\(escaped(String(decoding: text, as: UTF8.self), limit: 80))\""
  }

  private static func list(_ items: [String]) -> String {
    let shown = items.prefix(16).joined(separator: ", ")
    return items.count > 16 ? "[\(shown), … \(items.count) in all]" : "[\(shown)]"
  }
}
