// IdentityRemoval: removes nodes whose one output is their first input, element for element and in the same shape.
//
// 1. Only what holds for every input: extents are equal where inference proves it, symbols included.
// 2. Outputs of the graph stay where they are, as the value that they equal.

import LeapGraph
import LeapOperators
import LeapTensors

/// Removes nodes that copy: Identity, Dropout in inference, and operators whose attributes leave nothing to do.
package struct IdentityRemoval: Pass {
  package static let name = "identity-removal"
  package static let summary =
    "remove Identity, Dropout, and casts, reshapes, transposes, pads, slices and concats that change nothing"

  package init() {}

  package func run(_ context: inout PassContext) throws {
    let connections = context.graph.connections()
    var replacements: [ValueID: ValueID] = [:]
    var removed: Set<NodeID> = []
    for (position, node) in context.graph.nodes.enumerated() {
      guard let operation = context.operators[position], node.epilogue.isEmpty,
        let input = node.inputs.first ?? nil, let output = node.outputs.first ?? nil,
        !node.outputs.dropFirst().contains(where: { isRead($0, connections) })
      else { continue }
      let copy = try IdentityCheck(node: node, operation: operation, context: context).holds
      guard copy else { continue }
      let source = replacements[input] ?? input
      replacements[output] = source
      let names = context.graph[output].origin.names
      context.graph[source].origin.names += names
      removed.insert(node.id)
    }
    if removed.isEmpty { return }
    context.graph.replaceUses(replacements)
    context.graph.removeNodes { removed.contains($0.id) }
  }

  private func isRead(_ value: ValueID?, _ connections: Connections) -> Bool {
    guard let value else { return false }
    return connections.isOutput(value) || !connections.consumers(of: value).isEmpty
  }
}

/// Whether one node's first output is its first input.
private struct IdentityCheck {
  let node: Node
  let operation: any Operator
  let context: PassContext

  var holds: Bool {
    get throws {
      guard node.domain.isEmpty else { return false }
      switch node.operatorType {
      case "Identity": return true
      case "Dropout": return isInference
      case "Concat", "Sum", "Max", "Min", "Mean": return node.inputs.count == 1
      case "Cast", "CastLike": return try keepsType
      case "Transpose": return try keepsOrder
      case "Pad": return try padsNothing && keepsShape
      case "Slice": return try keepsDirection && keepsShape
      case "Expand", "Tile": return try keepsShape
      default: return try operation.viewInput == 0 && keepsShape
      }
    }
  }

  /// Dropout drops nothing but where an input that came with opset 12 asks for training.
  private var isInference: Bool {
    guard node.inputs.count > 2, node.inputs[2] != nil else { return true }
    return integers(2)?.first == 0
  }

  private var keepsType: Bool {
    get throws {
      guard let input = inputType?.dataType else { return false }
      return try inferredOutput?.dataType == input
    }
  }

  private var keepsOrder: Bool {
    get throws {
      guard let rank = inputType?.shape?.count else { return false }
      return try NodeReader(node).ints("perm").map { $0 == Array(0..<rank) } ?? (rank <= 1)
    }
  }

  private var padsNothing: Bool {
    get throws {
      let reader = NodeReader(node)
      let pads =
        node.opset < 11 ? try reader.ints(node.opset < 2 ? "paddings" : "pads") : integers(1)
      return pads?.allSatisfy { $0 == 0 } ?? false
    }
  }

  /// Whether a slice takes elements in their own order: one that keeps the shape then keeps all of them.
  private var keepsDirection: Bool {
    guard node.opset >= 10, node.inputs.count > 4, node.inputs[4] != nil else { return true }
    return integers(4)?.allSatisfy { $0 > 0 } ?? false
  }

  /// Whether input and output are proven to have one shape. What the model declares of the output proves nothing.
  private var keepsShape: Bool {
    get throws {
      guard let input = inputType?.shape, !input.contains(.unknown) else { return false }
      return try inferredOutput?.shape == input
    }
  }

  private var inputType: ValueType? {
    node.inputs.first.flatMap { $0 }.flatMap { context.graph[$0].type }
  }

  private var inferredOutput: ValueType? {
    get throws {
      try ShapeInference.infer(node, operation, in: context.graph, known: context.known)
        .outputs.first.flatMap { $0?.type }
    }
  }

  /// The elements of an input, where they are the same in every run.
  private func integers(_ index: Int) -> [Int]? {
    guard index < node.inputs.count, let id = node.inputs[index] else { return nil }
    switch context.known[id] {
    case .tensor(let tensor): return tensor.integers
    case .dimensions(let dimensions):
      let values = dimensions.compactMap(\.value)
      return values.count == dimensions.count ? values : nil
    case nil: return nil
    }
  }
}
