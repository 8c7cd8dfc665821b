// ShapeFolding: replaces computations of shapes by what inference proves of them.
//
// 1. Only what holds for every input that the model takes. What depends on extents that are known but later is left to
//    planning, which computes it anew for each shape.
// 2. Reshapes to a shape that the model computes from its input get a constant one, so that the computation goes.

import LeapGraph
import LeapOperators
import LeapTensors

/// Makes constants of shapes that are known, and of the targets of reshapes that copy extents.
package struct ShapeFolding: Pass {
  package static let name = "shape-folding"
  package static let summary =
    "replace computations of shapes by constants where inference knows them"

  package init() {}

  package func run(_ context: inout PassContext) throws {
    try foldKnown(&context)
    try simplifyReshapes(&context)
  }

  // MARK: Elements that are known

  private func foldKnown(_ context: inout PassContext) throws {
    var folded: Set<NodeID> = []
    for (position, node) in context.graph.nodes.enumerated() {
      guard context.operators[position]?.isDeterministic == true, !node.inputs.isEmpty,
        node.epilogue.isEmpty
      else { continue }
      let outputs = node.outputs.compactMap { $0 }
      let tensors = try outputs.compactMap { try tensor($0, context) }
      guard !outputs.isEmpty, tensors.count == outputs.count else { continue }
      for (output, tensor) in zip(outputs, tensors) {
        context.graph.constants[output] = Constant(tensor)
        context.graph[output].origin.pass = ShapeFolding.name
      }
      folded.insert(node.id)
    }
    if !folded.isEmpty { context.graph.removeNodes { folded.contains($0.id) } }
  }

  /// The elements of an integer value that are known in full; nil otherwise.
  private func tensor(_ value: ValueID, _ context: PassContext) throws -> Tensor? {
    guard case .dimensions(let dimensions) = context.known[value],
      let type = context.graph[value].type, let shape = type.fixedShape,
      shape.elementCount == dimensions.count
    else { return nil }
    let elements = dimensions.compactMap(\.value)
    guard elements.count == dimensions.count else { return nil }
    switch type.dataType {
    case .int64: return try Tensor(elements.map(Int64.init), shape: shape)
    case .int32:
      let narrow = elements.compactMap { Int32(exactly: $0) }
      return narrow.count == elements.count ? try Tensor(narrow, shape: shape) : nil
    default: return nil
    }
  }

  // MARK: Reshapes

  private func simplifyReshapes(_ context: inout PassContext) throws {
    var names = Set(context.graph.values.map(\.name))
    for (position, node) in context.graph.nodes.enumerated() {
      guard node.domain.isEmpty, node.operatorType == "Reshape", node.opset >= 5,
        node.inputs.count == 2, let input = node.inputs[0], let shape = node.inputs[1],
        context.graph.constants[shape] == nil,
        case .dimensions(let target) = context.known[shape],
        let source = context.graph[input].type?.shape
      else { continue }
      let copiesZeros = try NodeReader(node).int("allowzero", default: 0) == 0
      let rule = ReshapeRule(source: source, target: target, copiesZeros: copiesZeros)
      guard let elements = rule.elements else { continue }
      var name = "\(context.graph[shape].name) for \(node.name)"
      while !names.insert(name).inserted { name += "'" }
      let origin = Origin(context.graph[shape].origin.names, pass: ShapeFolding.name)
      let type = ValueType.tensor(.int64, shape: [.fixed(elements.count)])
      let constant = context.graph.addValue(Value(name: name, type: type, origin: origin))
      context.graph.constants[constant] = Constant(try Tensor(elements.map(Int64.init)))
      context.graph.updateNode(at: position) { $0.inputs[1] = constant }
    }
  }
}

/// Turns the symbolic target of a reshape into one of numbers, 0 (copy) and -1 (what is left), where both always agree.
private struct ReshapeRule {
  let source: [Dimension]
  let target: [Dimension]
  let copiesZeros: Bool

  /// The elements of an equal target; nil where there is none.
  var elements: [Int]? {
    var elements: [Int] = []
    var inferred: Int?
    var hasSymbolicCopy = false
    for (axis, extent) in target.enumerated() {
      if let value = extent.value {
        guard value > 0 else { return nil }
        elements.append(value)
      } else if copiesZeros, axis < source.count, extent == source[axis], extent != .unknown {
        hasSymbolicCopy = true
        elements.append(0)
      } else if inferred == nil {
        inferred = axis
        elements.append(-1)
      } else {
        return nil
      }
    }
    guard let inferred else { return elements }
    // Beside a copied extent of 0, what is left would not be determined.
    guard !hasSymbolicCopy else { return nil }
    let rest = elements.filter { $0 > 0 }.reduce(Dimension.fixed(1)) { $0 * .fixed($1) }
    let total = source.reduce(Dimension.fixed(1)) { $0 * $1 }
    return total != .unknown && total / rest == target[inferred] ? elements : nil
  }
}
