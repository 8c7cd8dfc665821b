// NodeReport: the nodes of a graph as tools show them, with what each costs.

import LeapGraph
import LeapOperators
import LeapRuntime
import LeapTensors

/// A graph of the model.
package struct GraphReport: Sendable {
  /// `main`; of a subgraph the node and the attribute that hold it, behind the path of the graph around it.
  package var path: String
  package var name: String
  package var inputs: [OperandReport]
  package var outputs: [OperandReport]
  package var nodes: [NodeReport]

  /// All nodes, those of subgraphs behind the node that holds them.
  package var allNodes: [NodeReport] {
    nodes.flatMap { node in [node] + node.subgraphs.flatMap(\.graph.allNodes) }
  }
}

/// A value as a node reads or makes it.
package struct OperandReport: Sendable {
  package var name: String
  package var type: ValueType?
  /// Whether it is the same in every run: a constant of the file, or what nodes make of constants alone.
  package var isConstant: Bool
  /// Whether its elements stand in the file.
  package var isInFile: Bool

  /// Elements that are parameters of whoever reads it; nil where it is none, or its extents are not known.
  package var parameters: Int? {
    guard isConstant, let type = type?.dataType, type.isOfParameters else { return nil }
    return self.type?.fixedShape?.elementCount
  }

  /// Bytes of all elements; nil where they are not known.
  package var byteCount: Int? {
    guard let dataType = type?.dataType, let shape = type?.fixedShape else { return nil }
    return dataType.byteCount(elements: shape.elementCount)
  }
}

/// A node of the model.
package struct NodeReport: Sendable {
  /// Its place in the graph's order, behind those of the nodes around it: `12/else_branch/3`.
  package var index: String
  /// The path of its graph.
  package var graph: String
  /// With its domain, where that is not ONNX's own.
  package var operatorName: String
  package var opset: Int
  package var name: String
  package var inputs: [OperandReport?]
  package var outputs: [OperandReport?]
  /// nil where operator or shapes are not known; of a node with subgraphs its own, without theirs.
  package var multiplyAdds: Int?
  /// Elements of the constants that it reads, as far as they are parameters; 0 for a node that makes another constant.
  package var parameters: Int
  /// Bytes of its inputs, each counted once, constants among them; nil where one is not known.
  package var bytesRead: Int?
  /// Bytes of its outputs; nil where one is not known.
  package var bytesWritten: Int?
  package var isSupported: Bool
  /// Attributes but graphs, by name, as text.
  package var attributes: [(name: String, value: String)]
  /// What passes let it do besides: to its input before, and to its results after.
  package var prologue: String?
  package var epilogue: String?
  /// Names of the model's nodes that it stands for, and the pass that made it so; empty where it stands in the model.
  package var origins: [String]
  package var pass: String?
  /// What a run does with it; nil where there is no plan.
  package var plan: NodePlan?
  package var subgraphs: [(attribute: String, graph: GraphReport)]
}

extension GraphReport {
  /// The report on a graph.
  ///
  /// - Parameters:
  ///   - survey: the graph with its types.
  package init(_ survey: GraphSurvey, path: String = "main") {
    self.init(survey, path: path, prefix: "", captured: [])
  }

  /// - Parameter captured: the graph's own values for constants of the graphs around it.
  private init(
    _ survey: GraphSurvey, path: String, prefix: String, captured: Set<ValueID>
  ) {
    let graph = survey.graph
    let fixed = FixedValues(survey, captured: captured)
    self.path = path
    name = graph.name
    func operand(_ id: ValueID) -> OperandReport {
      OperandReport(
        name: graph[id].name, type: graph[id].type, isConstant: fixed.values.contains(id),
        isInFile: fixed.stored.contains(id))
    }
    inputs = graph.inputs.map(operand)
    outputs = graph.outputs.map(operand)
    nodes = graph.nodes.enumerated().map { position, node in
      let operands = node.inputs.map { $0.map(operand) }
      let results = node.outputs.map { $0.map(operand) }
      var report = NodeReport(
        index: "\(prefix)\(position)", graph: path, operatorName: node.qualifiedOperator,
        opset: node.opset, name: node.name, inputs: operands, outputs: results,
        multiplyAdds: survey.operators[position]?.multiplyAdds(
          inputs: operands.map { $0?.type?.fixedShape },
          outputs: results.map { $0?.type?.fixedShape }
        ),
        parameters: fixed.nodes.contains(node.id)
          ? 0 : operands.reduce(0) { saturatingSum($0, $1?.parameters ?? 0) },
        bytesRead: Set(node.inputs.compactMap { $0 }).bytes(operand),
        bytesWritten: Set(node.outputs.compactMap { $0 }).bytes(operand),
        isSupported: survey.operators[position] != nil && !survey.troubled.contains(position),
        attributes: node.attributes.sorted { $0.key < $1.key }.compactMap { name, value in
          value.text.map { (name, $0) }
        },
        prologue: node.prologue?.text,
        epilogue: node.epilogue.isEmpty ? nil : node.epilogue.text,
        origins: node.origin.names == [node.name] ? [] : node.origin.names,
        pass: node.origin.pass, plan: nil, subgraphs: [])
      for (place, (attribute, _)) in node.subgraphs.enumerated() {
        guard let inner = survey.subgraphs[position]?[place] else { continue }
        let captures = inner.graph.captures.filter { fixed.values.contains($0.outer) }
        report.subgraphs.append(
          (
            attribute,
            GraphReport(
              inner, path: "\(path)/\(node.name)/\(attribute)",
              prefix: "\(prefix)\(position)/\(attribute)/", captured: Set(captures.map(\.inner)))
          ))
      }
      return report
    }
  }
}

extension Set<ValueID> {
  /// The bytes of all; nil where those of one are not known.
  fileprivate func bytes(_ operand: (ValueID) -> OperandReport) -> Int? {
    reduce(0 as Int?) { sum, id in
      guard let sum, let bytes = operand(id).byteCount else { return nil }
      return saturatingSum(sum, bytes)
    }
  }
}

extension DataType {
  /// Whether constants of this type are what training found: not shapes, indices and flags.
  var isOfParameters: Bool { self != .int64 && self != .bool && self != .string }
}

extension Attribute {
  /// Elements of a tensor that are shown with its shape.
  private static let shownElements = 8

  /// The value in one line, escaped, small tensors with their elements; nil for graphs.
  fileprivate var text: String? {
    guard case .tensor(let constant) = self,
      constant.shape.elementCount <= Attribute.shownElements, let tensor = try? constant.tensor()
    else { return summary }
    let elements: [String]? =
      tensor.doubles?.map { significant($0) } ?? tensor.integers?.map { "\($0)" }
      ?? tensor.strings?.map { "\"\(escaped($0, limit: 80))\"" }
    return summary.map { type in
      elements.map { "\(type) [\($0.joined(separator: ", "))]" } ?? type
    }
  }
}

/// The values of a graph that are the same in every run.
private struct FixedValues {
  private(set) var values: Set<ValueID>
  /// Those of them whose elements stand in the file.
  private(set) var stored: Set<ValueID>
  /// The nodes that make the others of them.
  private(set) var nodes: Set<NodeID> = []

  init(_ survey: GraphSurvey, captured: Set<ValueID>) {
    values = captured.union(survey.graph.constants.keys)
    stored = values
    for (node, operation) in zip(survey.graph.nodes, survey.operators) {
      guard operation?.isDeterministic == true, node.subgraphs.isEmpty,
        node.inputs.allSatisfy({ $0.map { values.contains($0) } ?? true })
      else { continue }
      nodes.insert(node.id)
      values.formUnion(node.outputs.compactMap { $0 })
      // A Constant node's tensor stands in the file as an initializer does.
      if !node.carriedConstants.isEmpty, node.inputs.isEmpty {
        stored.formUnion(node.outputs.compactMap { $0 })
      }
    }
  }
}

extension Node {
  /// The tensors among its attributes.
  var carriedConstants: [(attribute: String, constant: Constant)] {
    var found: [(attribute: String, constant: Constant)] = []
    for (name, attribute) in attributes.sorted(by: { $0.key < $1.key }) {
      switch attribute {
      case .tensor(let constant), .sparseTensor(let constant): found.append((name, constant))
      case .tensors(let constants): found += constants.map { (name, $0) }
      default: break
      }
    }
    return found
  }
}
