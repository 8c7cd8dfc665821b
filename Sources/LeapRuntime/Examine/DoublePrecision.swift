// DoublePrecision: the exact reference path: a model whose floats are all float64, to be run as it stands, without passes.
//
// 1. Names stay: a value of the model is the value of the same name, at twice the width or more.
// 2. A node that has no kernel for float64 computes in its own type, and is named.
// 3. Constants are widened when they are read.
// 4. Graphs of nodes are widened as the graph around them.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors

/// A model with its floats widened.
package struct WidenedModel: Sendable {
  package var model: Model
  /// Nodes that compute in the types that the model gives them.
  package var narrowNodes: [NodeDescription] = []
}

extension DataType {
  /// Whether the exact reference path computes elements of this type in float64 instead.
  package var isWidened: Bool { isFloatingPoint && self != .float64 }
}

extension ValueType {
  /// The type with its floats as float64.
  package var widened: ValueType {
    switch self {
    case .tensor(let type, let shape): .tensor(type.isWidened ? .float64 : type, shape: shape)
    case .sequence(let element): .sequence(element.widened)
    case .optional(let element): .optional(element.widened)
    case .sparseTensor, .map: self
    }
  }
}

package enum DoublePrecision {
  /// The opset of the casts around nodes that stay narrow.
  private static let castOpset = 13

  /// A model with its floats as float64. O(nodes), besides inference.
  ///
  /// - Throws: what inference throws for the model as it is.
  package static func widened(
    _ model: Model, table: OperatorTable = .standard
  ) throws -> WidenedModel {
    var whole = try model.withoutFunctionsAndHalves(table: table)
    var widening = try GraphWidening(whole.graph, table)
    for node in whole.graph.nodes { try widening.add(node) }
    whole.graph = widening.graph
    return WidenedModel(model: whole, narrowNodes: widening.narrowNodes)
  }

  /// A tensor with its floats as float64; any other as it is. Exact.
  ///
  /// - Throws: `ModelError.outOfMemory`.
  package static func widened(_ tensor: Tensor) throws -> Tensor {
    guard tensor.dataType.isWidened else { return tensor }
    if let floats = tensor.elements(as: Float.self) {
      return try Tensor(floats.map(Double.init), shape: tensor.shape)
    }
    var floats = [Float](repeating: 0, count: tensor.elementCount)
    tensor.withUnsafeBytes {
      ElementCodec.decode(tensor.dataType, $0, count: floats.count, to: &floats)
    }
    return try Tensor(floats.map(Double.init), shape: tensor.shape)
  }

  /// A value of any kind with its floats as float64.
  ///
  /// - Throws: `ModelError.outOfMemory`.
  package static func widened(_ value: RunValue) throws -> RunValue {
    switch value {
    case .tensor(let tensor): .tensor(try widened(tensor))
    case .sequence(let items, let type): .sequence(try items.map(widened), of: type?.widened)
    case .optional(let item, let type): .optional(try item.map(widened), of: type?.widened)
    }
  }

  /// Builds the widened graph node by node.
  private struct GraphWidening {
    private(set) var graph: Graph
    private(set) var narrowNodes: [NodeDescription] = []
    /// The model's graph, with inferred types.
    private let source: Graph
    private var known: [ValueID: KnownValue]
    private let table: OperatorTable
    /// Values in the type that the model gives them, for nodes that stay narrow.
    private var narrowed: [ValueID: ValueID] = [:]

    init(_ source: Graph, _ table: OperatorTable) throws {
      self.source = source
      self.table = table
      graph = Graph(name: source.name)
      for value in source.values {
        var value = value
        value.type = value.type?.widened
        graph.addValue(value)
      }
      graph.inputs = source.inputs
      graph.outputs = source.outputs
      graph.captures = source.captures
      graph.documentation = source.documentation
      graph.constants = source.constants.mapValues(DoublePrecision.widened)
      known = try ShapeInference.knownConstants(of: graph)
    }

    /// Adds a node that computes in float64 where it can, and otherwise in its own types.
    mutating func add(_ node: Node) throws {
      if !node.subgraphs.isEmpty {
        if try appendWithBodies(node) { return }
      } else {
        var wide = node
        wide.attributes = try DoublePrecision.widened(node)
        if let inferred = infer(wide) { return append(wide, inferred) }
      }
      let touches = (node.uses + node.outputs.compactMap { $0 }).contains {
        source[$0].type?.widened != source[$0].type
      }
      if touches { narrowNodes.append(node.description(in: source)) }
      try appendNarrow(node)
    }

    /// What a node's outputs are; nil where there is no kernel for them, or their types are not those of the widened graph.
    private func infer(_ node: Node) -> InferenceContext? {
      guard let operation = try? table.makeOperator(for: node, in: graph),
        let context = try? ShapeInference.infer(node, operation, in: graph, known: known)
      else { return nil }
      for (output, inferred) in zip(node.outputs, context.outputs) {
        guard let output, let inferred else { continue }
        guard inferred.type.withoutShapes == source[output].type?.widened.withoutShapes else {
          return nil
        }
      }
      return context
    }

    /// Adds a node with its graphs widened.
    ///
    /// - Returns: false, and nothing is added, where what it makes then has other types than the widened graph says.
    private mutating func appendWithBodies(_ node: Node) throws -> Bool {
      let before = self
      var wide = node
      wide.attributes = try node.attributes.mapValues { attribute in
        try attribute.mapGraphs { body in
          var widening = try GraphWidening(body, table)
          for node in body.nodes { try widening.add(node) }
          narrowNodes += widening.narrowNodes
          return widening.graph
        }
      }
      insert(wide)
      do {
        let operation = try table.makeOperator(for: wide, in: graph)
        try ShapeInference.infer(
          graph.nodes.count - 1, operation, in: &graph, known: &known, table: table)
        let fits = node.outputs.compactMap { $0 }.allSatisfy {
          graph[$0].type?.withoutShapes == source[$0].type?.widened.withoutShapes
        }
        if fits { return true }
      } catch is ModelError {}
      self = before
      return false
    }

    private mutating func append(_ node: Node, _ inferred: InferenceContext) {
      for (output, value) in zip(node.outputs, inferred.outputs) {
        guard let output, let value else { continue }
        graph[output].type = ShapeInference.merge(
          inferred: value.type, declared: graph[output].type)
        known[output] = value.known
      }
      insert(node)
    }

    private mutating func insert(_ node: Node) {
      graph.addNode(
        name: node.name, domain: node.domain, operatorType: node.operatorType,
        overload: node.overload, opset: node.opset, inputs: node.inputs, outputs: node.outputs,
        attributes: node.attributes, origin: node.origin)
    }

    // MARK: nodes in their own types

    private mutating func appendNarrow(_ node: Node) throws {
      var own = node
      own.inputs = node.inputs.map { $0.map { narrow($0) } }
      own.attributes = node.attributes.mapValues { attribute in
        attribute.mapGraphs { subgraph in
          var subgraph = subgraph
          subgraph.captures = subgraph.captures.map {
            Capture(inner: $0.inner, outer: narrow($0.outer))
          }
          return subgraph
        }
      }
      var casts: [(from: ValueID, to: ValueID)] = []
      own.outputs = node.outputs.map { output in
        guard let output, source[output].type?.dataType?.isWidened == true else { return output }
        let made = addValue(for: output)
        casts.append((made, output))
        return made
      }
      insert(own)
      for (made, output) in casts { addCast(from: made, to: output, type: .float64, of: own) }
    }

    /// A value as the model has it.
    private mutating func narrow(_ value: ValueID) -> ValueID {
      guard let type = source[value].type?.dataType, type.isWidened else { return value }
      if let made = narrowed[value] { return made }
      let made = addValue(for: value)
      narrowed[value] = made
      // What is constant stays so: kernels want their weights known.
      if let constant = source.constants[value], !source.inputs.contains(value) {
        graph.constants[made] = constant
      } else {
        addCast(from: value, to: made, type: type, of: nil)
      }
      return made
    }

    private mutating func addValue(for value: ValueID) -> ValueID {
      let name = graph.freshName("\(source[value].name) as it is")
      return graph.addValue(
        Value(name: name, type: source[value].type, origin: source[value].origin))
    }

    private mutating func addCast(from: ValueID, to: ValueID, type: DataType, of node: Node?) {
      graph.addNode(
        name: graph.freshName("cast of \(graph[from].name)"), operatorType: "Cast",
        opset: DoublePrecision.castOpset, inputs: [from], outputs: [to],
        attributes: ["to": .int(Int64(type.rawValue))],
        origin: node.map { $0.origin } ?? graph[from].origin)
    }
  }
}

// MARK: constants and attributes

extension DoublePrecision {
  /// A constant with its floats as float64, widened whenever it is read.
  private static func widened(_ constant: Constant) -> Constant {
    guard constant.dataType.isWidened else { return constant }
    return Constant(dataType: .float64, shape: constant.shape) { try widened(constant.tensor()) }
  }

  /// Attributes that name an element type.
  private static let typeAttributes: Set<String> = [
    "to", "dtype", "output_datatype", "output_dtype",
  ]

  /// A node's attributes where they say which floats it makes: types by number, and the tensors of constants.
  private static func widened(_ node: Node) throws -> [String: Attribute] {
    var attributes = node.attributes
    for (name, attribute) in node.attributes {
      if case .int(let number) = attribute, typeAttributes.contains(name),
        let type = Int32(exactly: number).flatMap(DataType.init), type.isWidened
      {
        attributes[name] = .int(Int64(DataType.float64.rawValue))
      }
    }
    guard node.domain.isEmpty else { return attributes }
    switch node.operatorType {
    case "Constant": try widenConstant(&attributes)
    case "ConstantOfShape":
      if case .tensor(let constant)? = attributes["value"] {
        attributes["value"] = .tensor(widened(constant))
      } else {
        attributes["value"] = .tensor(Constant(try Tensor([0.0])))
      }
    default: break
    }
    return attributes
  }

  private static func widenConstant(_ attributes: inout [String: Attribute]) throws {
    for (name, attribute) in attributes {
      switch attribute {
      case .tensor(let constant), .sparseTensor(let constant):
        attributes[name] = .tensor(widened(constant))
      case .float(let number) where name == "value_float":
        attributes = ["value": .tensor(Constant(try Tensor(scalar: Double(number))))]
      case .floats(let numbers) where name == "value_floats":
        attributes = ["value": .tensor(Constant(try Tensor(numbers.map(Double.init))))]
      default: break
      }
    }
  }
}
