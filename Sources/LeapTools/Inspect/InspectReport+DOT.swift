// InspectReport as a picture's description in DOT, the language of Graphviz: nodes, and the values that flow between them.
//
// Constants are left out. Subgraphs are boxes beside the node that holds them.

import LeapGraph
import LeapTensors

extension InspectReport {
  var dot: String {
    var writer = DOTWriter(filter)
    writer.write(graph, model)
    return writer.text
  }
}

private struct DOTWriter {
  private(set) var text = ""
  private let filter: NodeFilter
  private var clusters = 0

  /// More nodes are laid out less carefully: connections that lead past many nodes, as those of a DenseNet, take Graphviz minutes
  /// otherwise.
  private static let manyNodes = 200
  private static let quickLayout = "[nslimit=0.2, nslimit1=0.2, mclimit=0.02, splines=line]"

  init(_ filter: NodeFilter) { self.filter = filter }

  mutating func write(_ graph: GraphReport, _ title: String) {
    text += "digraph model {\n"
    text += "  graph [label=\(quoted(title)), labelloc=t, fontname=\"Helvetica\"];\n"
    if graph.allNodes.count > DOTWriter.manyNodes { text += "  graph \(DOTWriter.quickLayout);\n" }
    text +=
      "  node [shape=box, style=\"filled,rounded\", fillcolor=white, fontname=\"Helvetica\"];\n"
    text += "  edge [fontname=\"Helvetica\", fontsize=10];\n"
    write(graph, around: [:], indent: "  ")
    text += "}\n"
  }

  /// - Parameter outer: the places in the picture of values of the graphs around it.
  private mutating func write(_ graph: GraphReport, around outer: [String: String], indent: String)
  {
    var makers = outer
    for (place, input) in graph.inputs.enumerated() where !input.isConstant {
      let id = quoted("\(graph.path) input \(place)")
      makers[input.name] = id
      text +=
        "\(indent)\(id) [label=\(quoted(label(input))), shape=ellipse, fillcolor=lightgrey];\n"
    }
    for node in graph.nodes where filter.admits(node) { write(node, &makers, indent) }
    for (place, output) in graph.outputs.enumerated() {
      guard let maker = makers[output.name] else { continue }
      let id = quoted("\(graph.path) output \(place)")
      text +=
        "\(indent)\(id) [label=\(quoted(label(output))), shape=ellipse, fillcolor=lightgrey];\n"
      text += "\(indent)\(maker) -> \(id);\n"
    }
  }

  private mutating func write(
    _ node: NodeReport, _ makers: inout [String: String], _ indent: String
  ) {
    let id = quoted("\(node.graph) \(node.index)")
    var lines = [node.operatorName, shortened(node.name, to: 40)]
    if let epilogue = node.epilogue { lines.append("then \(epilogue)") }
    if let count = node.multiplyAdds, count > 0 {
      lines.append("\(readableCount(count)) mult-adds")
    }
    if let algorithm = node.plan?.algorithm { lines.append(algorithm) }
    text += "\(indent)\(id) [label=\(quoted(lines)), fillcolor=\(color(node))];\n"
    for operand in node.inputs.compactMap({ $0 }) {
      guard let maker = makers[operand.name] else { continue }
      text += "\(indent)\(maker) -> \(id) [label=\(quoted(operand.type?.extents ?? ""))];\n"
    }
    for (attribute, subgraph) in node.subgraphs {
      clusters += 1
      text += "\(indent)subgraph cluster_\(clusters) {\n"
      text += "\(indent)  label=\(quoted("\(attribute) of \(node.name)"));\n"
      write(subgraph, around: makers, indent: indent + "  ")
      text += "\(indent)}\n"
    }
    for output in node.outputs.compactMap({ $0 }) { makers[output.name] = id }
  }

  private func label(_ operand: OperandReport) -> [String] {
    [operand.name, operand.type?.description ?? ""]
  }

  /// What computes most stands out, and what cannot run.
  private func color(_ node: NodeReport) -> String {
    if !node.isSupported { return "salmon" }
    switch node.plan?.state {
    case .merged, .constant, .removed, .view, .inPlace: return "whitesmoke"
    default: return (node.multiplyAdds ?? 0) > 0 ? "lightblue" : "white"
    }
  }

  private func quoted(_ text: String) -> String { quoted([text]) }

  /// Lines as a string of the language, in which a backslash begins an escape.
  private func quoted(_ lines: [String]) -> String {
    let safe = lines.filter { !$0.isEmpty }.map { line in
      escaped(line).map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : String($0) }.joined()
    }
    return "\"\(safe.joined(separator: "\\n"))\""
  }
}
