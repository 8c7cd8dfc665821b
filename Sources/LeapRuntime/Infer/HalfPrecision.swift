// HalfPrecision: float16 and bfloat16 where there are kernels for float32 alone: a node without a kernel for halves computes
// in float32, between casts.
//
// 1. One mechanism for all operators: none of them knows of it.
// 2. A value that one such node makes and another reads is not rounded between them: what lies between nodes that compute in
//    float32 does so too, so that they fuse as those of a float32 model.
// 3. Every value of the model is still made, and models without halves are left alone.
// 4. What goes into the graphs of nodes and comes out of them keeps its type; what they compute is treated as the graph around.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors

extension DataType {
  /// float16 and bfloat16.
  var isHalf: Bool { self == .float16 || self == .bfloat16 }
}

package enum HalfPrecision {
  /// What the origin of casts names as their maker.
  static let name = "half-precision"
  /// The opset of the casts.
  fileprivate static let castOpset = 13

  /// The model with casts around the nodes that have no kernel for halves; as it is where it has none. O(nodes), besides
  /// inference. What is wrong with a node, or cannot be computed even so, is left for inference to say.
  package static func computedInSingle(
    _ model: Model, table: OperatorTable = .standard
  ) throws -> Model {
    guard touches(model.graph) else { return model }
    var result = model
    result.graph = try computedInSingle(model.graph, table)
    return result
  }

  private static func computedInSingle(_ graph: Graph, _ table: OperatorTable) throws -> Graph {
    var rewriting = try Rewriting(graph, table)
    for node in graph.nodes { try rewriting.add(node) }
    rewriting.finish()
    return rewriting.isChanged ? rewriting.graph : graph
  }

  /// Whether a graph may hold halves: what it declares, its constants, or what its nodes make.
  private static func touches(_ graph: Graph) -> Bool {
    graph.values.contains { $0.type?.dataType?.isHalf == true }
      || graph.constants.values.contains { $0.dataType.isHalf }
      || graph.nodes.contains { node in
        node.attributes.contains { name, attribute in
          switch attribute {
          case .int(let number):
            (name == "to" || name.contains("dtype") || name.contains("datatype"))
              && Int32(exactly: number).flatMap(DataType.init)?.isHalf == true
          case .tensor(let constant): constant.dataType.isHalf
          default: false
          }
        } || node.subgraphs.contains { touches($0.graph) }
      }
  }

  /// Builds the graph with casts, node by node.
  private struct Rewriting {
    private(set) var graph: Graph
    private(set) var isChanged = false
    private let table: OperatorTable
    private var known: [ValueID: KnownValue]
    private var names: Set<String>
    /// The float32 value that stands for a half.
    private var singles: [ValueID: ValueID] = [:]
    /// Halves that are not made yet: only their float32 values are.
    private var pending: Set<ValueID> = []

    init(_ source: Graph, _ table: OperatorTable) throws {
      graph = source
      graph.removeNodes { _ in true }
      self.table = table
      known = try ShapeInference.knownConstants(of: source, skipsAbsent: true)
      names = Set(source.values.map(\.name))
    }

    /// Adds a node, in its own types or between casts.
    mutating func add(_ node: Node) throws {
      if !node.subgraphs.isEmpty { return append(try withBodiesInSingle(node)) }
      let halves = node.inputs.compactMap { $0 }.filter { graph[$0].type?.dataType?.isHalf == true }
      guard !halves.isEmpty,
        let operation = try? table.makeOperator(for: node, in: graph)
      else { return append(node) }
      let own = infer(node, operation)
      let isBetween = halves.contains {
        pending.contains($0) || singles[$0] != nil && !isConstant($0)
      }
      if case .found(let context) = own, !isBetween || operation.keepsHalves {
        return append(node, context)
      }
      if case .wrong = own { return append(node) }
      var wide = node
      wide.inputs = node.inputs.map { $0.map { single($0) } }
      guard case .found(let context) = infer(wide, operation) else { return append(node) }
      // In its own types the node says what its outputs are; otherwise they are what its first half is.
      var wanted: [DataType?] = []
      for (index, output) in node.outputs.enumerated() {
        let inferred = index < context.outputs.count ? context.outputs[index]?.type.dataType : nil
        if case .found(let context) = own {
          wanted.append(context.outputs[index]?.type.dataType)
        } else if inferred != .float32 || operation.singleOutputs.contains(index) {
          wanted.append(inferred)
        } else {
          let declared = output.flatMap { graph[$0].type?.dataType }
          wanted.append(declared?.isHalf == true ? declared : graph[halves[0]].type?.dataType)
        }
      }
      appendWide(wide, context, wanted)
    }

    /// A node with its graphs rewritten, the types of what they read from this one known.
    private mutating func withBodiesInSingle(_ node: Node) throws -> Node {
      var node = node
      node.attributes = try node.attributes.mapValues { attribute in
        try attribute.mapGraphs { body in
          var body = body
          for capture in body.captures {
            if let type = graph[capture.outer].type { body[capture.inner].type = type }
          }
          return try HalfPrecision.computedInSingle(body, table)
        }
      }
      isChanged = true
      return node
    }

    private enum Inference {
      case found(InferenceContext)
      /// There is no kernel.
      case unsupported
      case wrong
    }

    private func infer(_ node: Node, _ operation: any Operator) -> Inference {
      do {
        return .found(try ShapeInference.infer(node, operation, in: graph, known: known))
      } catch ModelError.unsupportedOperators { return .unsupported } catch { return .wrong }
    }

    private func isConstant(_ value: ValueID) -> Bool {
      graph.constants[value] != nil && !graph.inputs.contains(value)
    }

    // MARK: nodes

    /// Adds a node as it is, inferred where that can be done.
    private mutating func append(_ node: Node) {
      guard let operation = try? table.makeOperator(for: node, in: graph) else {
        return insert(node)
      }
      if operation is any BodyOperator {
        insert(node)
        try? ShapeInference.infer(
          graph.nodes.count - 1, operation, in: &graph, known: &known, table: table)
      } else if case .found(let context) = infer(node, operation) {
        append(node, context)
      } else {
        insert(node)
      }
    }

    private mutating func append(_ node: Node, _ context: InferenceContext) {
      insert(node)
      for (output, inferred) in zip(node.outputs, context.outputs) {
        guard let output, let inferred else { continue }
        graph[output].type = ShapeInference.merge(
          inferred: inferred.type, declared: graph[output].type)
        known[output] = inferred.known
      }
    }

    private mutating func insert(_ node: Node) {
      for value in node.uses where pending.contains(value) { make(value) }
      graph.addNode(
        name: node.name, domain: node.domain, operatorType: node.operatorType,
        overload: node.overload, opset: node.opset, inputs: node.inputs, outputs: node.outputs,
        attributes: node.attributes, origin: node.origin)
    }

    /// Adds a node on float32 values; its outputs that the model has as halves are kept in float32 until they are asked for.
    private mutating func appendWide(
      _ node: Node, _ context: InferenceContext, _ wanted: [DataType?]
    ) {
      isChanged = true
      var wide = node
      var context = context
      for (index, output) in node.outputs.enumerated() {
        guard let output, let half = wanted[index], half.isHalf,
          let inferred = context.outputs[index], inferred.type.dataType == .float32
        else { continue }
        let shape = inferred.type.shape
        graph[output].type = ShapeInference.merge(
          inferred: .tensor(half, shape: shape), declared: graph[output].type)
        let made = addValue(for: output, shape: graph[output].type?.shape)
        wide.outputs[index] = made
        singles[output] = made
        pending.insert(output)
        context.setOutput(
          index, type: .tensor(.float32, shape: graph[output].type?.shape), known: inferred.known)
      }
      append(wide, context)
    }

    // MARK: values

    /// The float32 value of a half; any other value is itself.
    private mutating func single(_ value: ValueID) -> ValueID {
      guard let type = graph[value].type, type.dataType?.isHalf == true else { return value }
      if let made = singles[value] { return made }
      let made = addValue(for: value, shape: type.shape)
      singles[value] = made
      if isConstant(value), let constant = graph.constants[value] {
        // What is constant stays so: kernels want their weights known.
        graph.constants[made] = HalfPrecision.widened(constant)
        if case .tensor(let tensor)? = known[value], let wide = try? HalfPrecision.widened(tensor) {
          known[made] = .tensor(wide)
        }
      } else {
        addCast(from: value, to: made, .float32)
      }
      return made
    }

    private mutating func make(_ half: ValueID) {
      pending.remove(half)
      guard let single = singles[half], let type = graph[half].type?.dataType else { return }
      addCast(from: single, to: half, type)
    }

    /// Makes what nobody asked for: outputs of the graph, and values that somebody may name.
    mutating func finish() {
      for value in pending.sorted() { make(value) }
    }

    private mutating func addValue(for value: ValueID, shape: [Dimension]?) -> ValueID {
      var name = "\(graph[value].name) in float32"
      while !names.insert(name).inserted { name += "'" }
      var origin = graph[value].origin
      origin.pass = HalfPrecision.name
      return graph.addValue(
        Value(name: name, type: .tensor(.float32, shape: shape), origin: origin))
    }

    private mutating func addCast(from: ValueID, to: ValueID, _ type: DataType) {
      graph.addNode(
        name: "cast of \(graph[from].name)", operatorType: "Cast", opset: HalfPrecision.castOpset,
        inputs: [from], outputs: [to], attributes: ["to": .int(Int64(type.rawValue))],
        origin: Origin(graph[from].origin.names, pass: HalfPrecision.name))
    }
  }

  /// A constant of halves in float32, widened whenever it is read.
  private static func widened(_ constant: Constant) -> Constant {
    Constant(dataType: .float32, shape: constant.shape) { try widened(constant.tensor()) }
  }

  private static func widened(_ tensor: Tensor) throws -> Tensor {
    try Tensor(dataType: .float32, shape: tensor.shape) { target in
      guard let floats = target.bindMemory(to: Float.self).baseAddress else { return }
      tensor.withUnsafeBytes {
        ElementCodec.decode(tensor.dataType, $0, count: tensor.elementCount, to: floats)
      }
    }
  }
}
