// GraphReader: GraphProto -> Graph, with its subgraphs; and the body of a function.
//
// 1. Every rule that makes a graph computable is checked: one producer for a value, no cycle, nothing read that nobody
//    makes, nothing hidden.
// 2. Errors name the node or value in the model's own words.

import CLeapProto
import LeapGraph
import LeapTensors

/// Reads the graphs that share one set of operator versions: those of a model, or of one function.
struct GraphReader {
  let context: ReadContext
  /// The version of each imported domain; ONNX's own is "".
  let opsets: [String: Int]
  let isFunction: Bool

  /// Reads the model's main graph.
  func mainGraph(_ message: UnsafePointer<GraphMessage>) throws -> Graph {
    try graph(message, parent: nil)
  }

  /// Reads a function's body. Types of its inputs are those of the call.
  func functionBody(_ message: UnsafePointer<FunctionMessage>, label: String) throws -> Graph {
    let function = message.pointee
    let scope = GraphScope(name: string(function.name), parent: nil)
    let types = try declaredTypes([messages(function.value_info, function.n_value_info)])
    for name in strings(function.input, function.n_input) {
      let type = types[name]?.type
      scope.graph.inputs.append(try scope.define(name, type: type, by: "an input of \(label)"))
    }
    try readNodes(messages(function.node, function.n_node), into: scope, types)
    try readOutputs(strings(function.output, function.n_output), into: scope, label)
    return scope.graph
  }

  private typealias Declarations = [String: (type: ValueType?, documentation: String)]

  private func graph(
    _ message: UnsafePointer<GraphMessage>, parent: GraphScope?
  ) throws -> Graph {
    let source = message.pointee
    let scope = GraphScope(name: string(source.name), parent: parent)
    scope.graph.documentation = string(source.doc_string)
    let outputs = messages(source.output, source.n_output)
    let types = try declaredTypes([messages(source.value_info, source.n_value_info), outputs])
    try readInputs(messages(source.input, source.n_input), into: scope, isMain: parent == nil)
    try readInitializers(source, into: scope)
    try readNodes(messages(source.node, source.n_node), into: scope, types)
    try readOutputs(
      outputs.map { string($0.pointee.name) }, into: scope, "graph '\(scope.graph.name)'")
    return scope.graph
  }

  // MARK: Values

  /// The declared types of values, by name. An undefined element type is no declaration: exporters write it where they
  /// know nothing.
  private func declaredTypes(
    _ lists: [[UnsafePointer<ValueInfoMessage>]]
  ) throws -> Declarations {
    var types: Declarations = [:]
    for value in lists.joined() {
      let name = string(value.pointee.name)
      let known = value.pointee.type.map { hasElementType(UnsafePointer($0)) } ?? false
      let type =
        known
        ? try TypeReader.type(
          value.pointee.type.map { UnsafePointer($0) }, label: "value '\(name)'")
        : nil
      types[name] = (type ?? types[name]?.type, string(value.pointee.doc_string))
    }
    return types
  }

  private func hasElementType(_ type: UnsafePointer<TypeMessage>) -> Bool {
    guard type.pointee.value_case == LEAPSTONE__ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE else {
      return true
    }
    return type.pointee.tensor_type?.pointee.elem_type != 0
  }

  private func readInputs(
    _ inputs: [UnsafePointer<ValueInfoMessage>], into scope: GraphScope, isMain: Bool
  ) throws {
    for input in inputs {
      let name = string(input.pointee.name)
      let label = "input '\(name)'"
      let message = input.pointee.type.map { UnsafePointer($0) }
      // In a subgraph the node that owns it says what the inputs are: a declaration may be left out.
      let known = isMain || (message.map(hasElementType) ?? false)
      let type = known ? try TypeReader.type(message, label: label) : nil
      guard type != nil || !isMain else {
        throw ModelError.invalid(location: label, reason: "its type is not declared")
      }
      scope.graph.inputs.append(
        try scope.define(
          name, type: type, documentation: string(input.pointee.doc_string), by: label))
    }
  }

  private func readInitializers(_ source: GraphMessage, into scope: GraphScope) throws {
    for tensor in messages(source.initializer, source.n_initializer) {
      let name = string(tensor.pointee.name)
      let label = "initializer '\(name)'"
      try add(context.tensors.constant(tensor, label: label), name, label, to: scope)
    }
    for sparse in messages(source.sparse_initializer, source.n_sparse_initializer) {
      let name = string(sparse.pointee.values?.pointee.name)
      let label = "sparse initializer '\(name)'"
      try add(context.tensors.sparseConstant(sparse, label: label), name, label, to: scope)
    }
    // Before IR version 4 every initializer had to be listed as an input; none of them was meant to be given.
    if context.irVersion < 4 {
      let constants = Set(scope.graph.constants.keys)
      scope.graph.inputs.removeAll { constants.contains($0) }
    }
  }

  private func add(
    _ constant: Constant, _ name: String, _ label: String, to scope: GraphScope
  ) throws {
    let type = ValueType.tensor(constant.dataType, shape: constant.shape.map { .fixed($0) })
    guard let input = scope.own(name) else {
      scope.graph.constants[try scope.define(name, type: type, by: label)] = constant
      return
    }
    guard scope.graph.constants[input] == nil else {
      throw ModelError.invalid(
        location: label, reason: "the name '\(name)' is taken: a value has one producer")
    }
    if let declared = scope.graph[input].type, declared.dataType != constant.dataType {
      throw ModelError.invalid(
        location: label, reason: "it is \(type), the input of that name is declared \(declared)")
    }
    if scope.graph[input].type == nil { scope.graph[input].type = type }
    scope.graph.constants[input] = constant
  }

  private func readOutputs(_ names: [String], into scope: GraphScope, _ label: String) throws {
    for name in names {
      guard let id = scope.resolve(name) else {
        throw ModelError.invalid(
          location: label, reason: "nothing makes its output '\(name)'")
      }
      scope.graph.outputs.append(id)
    }
  }

  // MARK: Nodes

  private func readNodes(
    _ nodes: [UnsafePointer<NodeMessage>], into scope: GraphScope, _ types: Declarations
  ) throws {
    let order = try NodeOrder.order(nodes, graph: scope.graph.name, context: context)
    if order != Array(nodes.indices) {
      context.warnings.append(
        "the nodes of graph '\(scope.graph.name)' are not in topological order; they were sorted")
    }
    for position in order { try readNode(nodes[position], position, into: scope, types) }
  }

  private func readNode(
    _ message: UnsafePointer<NodeMessage>, _ position: Int, into scope: GraphScope,
    _ types: Declarations
  ) throws {
    let node = message.pointee
    let label = nodeLabel(message, position)
    let operatorType = string(node.op_type)
    guard !operatorType.isEmpty else {
      throw ModelError.invalid(location: label, reason: "it has no operator type")
    }
    guard node.n_output > 0 else {
      throw ModelError.invalid(location: label, reason: "it has no outputs")
    }
    let domain = normalisedDomain(string(node.domain))
    let inputs = try readOperands(strings(node.input, node.n_input), into: scope, label)
    let attributes = try readAttributes(
      messages(node.attribute, node.n_attribute), of: label, in: scope)
    let outputs = try strings(node.output, node.n_output).map { name in
      name.isEmpty
        ? nil
        : try scope.define(
          name, type: types[name]?.type, documentation: types[name]?.documentation ?? "",
          by: "an output of \(label)")
    }
    scope.graph.addNode(
      name: nodeName(message, position), domain: domain, operatorType: operatorType,
      overload: string(node.overload), opset: try opset(of: domain, label), inputs: inputs,
      outputs: outputs, attributes: attributes)
  }

  /// The inputs of a node; those left out at the end are dropped.
  private func readOperands(
    _ names: [String], into scope: GraphScope, _ label: String
  ) throws -> [ValueID?] {
    var operands: [ValueID?] = []
    for (index, name) in names.enumerated() {
      if name.isEmpty {
        operands.append(nil)
        continue
      }
      guard let id = scope.resolve(name) else {
        throw ModelError.invalid(
          location: label,
          reason: "its input \(index), '\(name)', is made by no node, input or initializer")
      }
      operands.append(id)
    }
    while case .some(.none) = operands.last { operands.removeLast() }
    return operands
  }

  private func readAttributes(
    _ list: [UnsafePointer<AttributeMessage>], of label: String, in scope: GraphScope
  ) throws -> [String: Attribute] {
    let reader = AttributeReader(tensors: context.tensors, allowsReferences: isFunction) {
      message, _ in try graph(message, parent: scope)
    }
    var attributes: [String: Attribute] = [:]
    for message in list {
      let (name, value) = try reader.attribute(message, of: label)
      guard attributes.updateValue(value, forKey: name) == nil else {
        throw ModelError.invalid(location: label, reason: "its attribute '\(name)' is given twice")
      }
    }
    return attributes
  }

  private func opset(of domain: String, _ label: String) throws -> Int {
    if let version = opsets[domain] { return version }
    // Functions of the model itself have no version that could matter.
    if context.functionDomains.contains(domain) { return 1 }
    if !isFunction, !opsets.isEmpty, let newest = ModelReader.newestOpsets[domain] {
      context.warn(
        once:
          "the model imports no version of domain '\(domain.isEmpty ? "ai.onnx" : domain)'; \(newest) is taken"
      )
      return newest
    }
    throw ModelError.invalid(
      location: label,
      reason: "no version of domain '\(domain.isEmpty ? "ai.onnx" : domain)' is imported")
  }
}

/// ONNX's own domain is spelled empty.
func normalisedDomain(_ domain: String) -> String { domain == "ai.onnx" ? "" : domain }
