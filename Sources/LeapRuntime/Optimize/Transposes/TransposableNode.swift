// TransposableNode: what changes in a node that is to compute on transposed operands and give a transposed result.

import LeapGraph
import LeapOperators
import LeapTensors

/// A node that computes the same in any order of axes, and how it is told the other order.
struct TransposableNode {
  /// Inputs that follow the order of axes; others are parameters, or one element for all.
  private(set) var operands: [Int] = []
  /// Attributes that name axes, in the other order.
  private(set) var attributes: [String: Attribute] = [:]
  /// Constant inputs that name axes, or have something for each, in the other order.
  private(set) var vectors: [Int: [Int]] = [:]
  /// Whether the outputs are in the other order too; they are the same in both where an operator drops axes.
  private(set) var transposesOutputs = true

  private let node: Node
  private let context: PassContext
  private let overridable: Set<ValueID>
  private let permutation: Permutation
  private var rank: Int { permutation.axes.count }

  /// - Parameters:
  ///   - position: the node's place in the graph as it stood when the pass began.
  ///   - permutation: makes the order that the node has now of the other one.
  ///   - overridable: the graph's inputs, constants that a caller may replace among them.
  /// - Returns: nil for a node that means its axes, or of whose operands too little is known.
  /// - Throws: `OperatorError` for a malformed attribute; what reading constants throws.
  init?(
    _ position: Int, _ permutation: Permutation, in context: PassContext,
    overridable: Set<ValueID>
  ) throws {
    self.overridable = overridable
    node = context.graph.nodes[position]
    self.context = context
    self.permutation = permutation
    let types = (node.inputs + node.outputs).compactMap { $0.flatMap { context.graph[$0].type } }
    // Strings stay with what the host computes.
    guard node.domain.isEmpty, node.epilogue.isEmpty, node.subgraphs.isEmpty,
      types.allSatisfy({ $0.dataType != .string }), let operation = context.operators[position],
      try describe(operation)
    else { return nil }
  }

  private mutating func describe(_ operation: any Operator) throws -> Bool {
    switch operation {
    case is UnaryOperator, is Clip, is Cast: return follow([0])
    case is BinaryOperator where node.opset >= 7, is VariadicOperator where node.opset >= 8,
      is Where:
      return broadcast()
    case let concat as any ConcatOperator:
      return setAxis("axis", try concat.concatAxis(rank: rank)) && follow(node.inputs.indices)
    case is Split: return try setAxis("axis", default: 0) && follow([0])
    case is SoftmaxOperator where node.opset >= 13:
      return try setAxis("axis", default: -1) && follow([0])
    case is Pad: return try pads() && follow([0])
    case is ReductionOperator: return try reduce() && follow([0])
    default: return false
    }
  }

  // MARK: Operands

  private func shape(_ input: Int) -> [Dimension]? {
    node.inputs[input].flatMap { context.graph[$0].type?.shape }
  }

  /// The constant that an input always is.
  private func constant(_ input: Int) -> Constant? {
    guard input < node.inputs.count, let id = node.inputs[input],
      !overridable.contains(id)
    else { return nil }
    return context.graph.constants[id]
  }

  /// Takes inputs of the full rank as operands; false where one is of another.
  private mutating func follow(_ inputs: some Sequence<Int>) -> Bool {
    operands = Array(inputs)
    return !operands.isEmpty && operands.allSatisfy { shape($0)?.count == rank }
  }

  /// Takes all inputs as operands that are broadcast to each other. Those of a lower rank must be constants.
  private mutating func broadcast() -> Bool {
    for input in node.inputs.indices {
      guard let shape = shape(input), shape.count <= rank else { return false }
      if let constant = constant(input), constant.shape.elementCount == 1 { continue }
      guard shape.count == rank || constant(input) != nil else { return false }
      operands.append(input)
    }
    return operands.contains { shape($0)?.count == rank }
  }

  // MARK: Axes

  private func normalized(_ axis: Int) -> Int? {
    (-rank..<rank).contains(axis) ? (axis + rank) % rank : nil
  }

  private mutating func setAxis(_ name: String, _ axis: Int) -> Bool {
    attributes[name] = .int(Int64(permutation.axes[axis]))
    return true
  }

  private mutating func setAxis(_ name: String, default value: Int) throws -> Bool {
    guard let axis = normalized(try NodeReader(node).int(name, default: value)) else {
      return false
    }
    return setAxis(name, axis)
  }

  private func integers(_ input: Int) throws -> [Int]? { try constant(input)?.tensor().integers }

  private mutating func reduce() throws -> Bool {
    let reader = NodeReader(node)
    let axes: [Int]
    if reader.hasInput(1) {
      guard let given = try integers(1) else { return false }
      axes = given
    } else {
      axes = try reader.ints("axes") ?? []
    }
    let places = axes.compactMap(normalized)
    guard places.count == axes.count else { return false }
    let moved = places.map { permutation.axes[$0] }.sorted()
    if reader.hasInput(1) {
      vectors[1] = moved
    } else if !axes.isEmpty {
      attributes["axes"] = .ints(moved.map(Int64.init))
    }
    if try reader.flag("keepdims", default: true) { return true }
    // What is left must come in the same order either way.
    guard !axes.isEmpty else { return false }
    transposesOutputs = false
    let kept = (0..<rank).filter { !places.contains($0) }.map { permutation.axes[$0] }
    return kept == kept.sorted()
  }

  private mutating func pads() throws -> Bool {
    let reader = NodeReader(node)
    guard !reader.hasInput(3) else { return false }
    let name = node.opset < 2 ? "paddings" : "pads"
    guard let pads = node.opset < 11 ? try reader.ints(name) : try integers(1),
      pads.count == 2 * rank
    else { return false }
    let inverse = permutation.inverse
    let moved = inverse.reorder(Array(pads[..<rank])) + inverse.reorder(Array(pads[rank...]))
    if node.opset < 11 {
      attributes[name] = .ints(moved.map(Int64.init))
    } else {
      vectors[1] = moved
    }
    return true
  }
}
