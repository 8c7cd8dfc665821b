// Einsum: sums of products over labelled axes.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Einsums: OperatorFamily {
  package static var operators: [any Operator.Type] { [Einsum.self] }
}

/// Einsum, from ONNX opset 12 on: any equation, on any number of operands. Integers keep their type and wrap.
package struct Einsum: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("Einsum", opsets: 12...OperatorTable.latestOpset)]
  }
  private static let types = MatrixProducts.types.union([.int8, .int16, .uint8, .uint16])
  private let equation: EinsumEquation

  package init(_ node: NodeReader) throws {
    equation = try EinsumEquation(node.required("equation", node.string("equation")))
    try node.requireInputs(equation.operandCount...equation.operandCount)
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: Einsum.types)
    for index in 1..<max(equation.operandCount, 1) {
      _ = try context.dataType(index, among: [type])
    }
    let shapes = (0..<equation.operandCount).map { context.shape($0) }
    guard shapes.allSatisfy({ $0 != nil }) else { return context.setOutput(0, type, nil) }
    let known = shapes.compactMap { $0 }
    let axes = try equation.axes(ranks: known.map(\.count))
    try axes.checkResult()
    let extents = try Einsum.extents(axes, known)
    context.setOutput(0, type, axes.result.map { extents[$0] ?? .unknown })
  }

  /// The extent of each label; an axis of 1 goes with any other.
  private static func extents(
    _ axes: EinsumEquation.Axes, _ shapes: [[Dimension]]
  ) throws -> [Int: Dimension] {
    var extents: [Int: Dimension] = [:]
    for (labels, shape) in zip(axes.operands, shapes) {
      for (label, extent) in zip(labels, shape) {
        do { extents[label] = try broadcast([extents[label] ?? 1], [extent])[0] } catch {
          throw OperatorError(
            "label '\(EinsumEquation.Axes.name(label))' has the extents"
              + " \(extents[label] ?? 1) and \(extent)")
        }
      }
    }
    return extents
  }

  /// As many as there are elements under all labels, for each operand but the first.
  package func multiplyAdds(inputs: [Shape?], outputs: [Shape?]) -> Int? {
    let shapes = inputs.compactMap { $0?.map(Dimension.fixed) }
    guard shapes.count == inputs.count,
      let axes = try? equation.axes(ranks: shapes.map(\.count)),
      let extents = try? Einsum.extents(axes, shapes)
    else { return nil }
    let all = Shape.product(extents.values.map { $0.value ?? 1 }[...])
    return equation.operandCount < 2 ? 0 : Shape.product([all, equation.operandCount - 1])
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let equation = equation
    let shapes = request.inputs.map { $0?.shape }
    let adds = multiplyAdds(inputs: shapes, outputs: []) ?? 0
    return [
      try rowMajorCandidate(
        .einsum, request,
        cost: Cost(
          operations: 2 * Double(adds), bytes: 3 * request.variableBytes,
          operationsPerNanosecond: 20)
      ) { request in
        let shapes = try (0..<equation.operandCount).map {
          try request.requiredInput($0).shape.map(Dimension.fixed)
        }
        let axes = try equation.axes(ranks: shapes.map(\.count))
        let extents = try Einsum.extents(axes, shapes).mapValues { $0.value ?? 1 }
        return try EinsumKernel.kernel(axes, extents: extents, request)
      }
    ]
  }
}
