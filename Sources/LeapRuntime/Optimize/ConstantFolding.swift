// ConstantFolding: computes once, before any run, what depends on constants alone.
//
// 1. Hostile models stay harmless: what is made counts against a budget and is sized before it is allocated.
// 2. A session gets no larger: results much larger than what they are made from are left to the run, unless they are
//    filters, which a kernel packs; and large results are made when a kernel asks for them.
// 3. What fails is left alone: the run says what is wrong, if it ever gets there.

import LeapGraph
import LeapOperators
import LeapTensors

/// Replaces nodes whose inputs are all constants by their results.
package struct ConstantFolding: Pass {
  package static let name = "constant-folding"
  package static let summary = "compute nodes whose inputs are all constants, within a budget"

  /// Results of up to this many bytes may be larger than what they are made from.
  static let smallResult = 64 << 10
  /// How many times larger than its inputs a large result may be: bytes spread to float32 are four times as large.
  static let largestGrowth = 4
  /// Results from this many bytes on are kept as a recipe, and made anew when they are read.
  static let recipeThreshold = 1 << 20

  package init() {}

  package func run(_ context: inout PassContext) throws { try fold(&context) { _ in true } }

  /// Folds the nodes that a condition admits.
  func fold(_ context: inout PassContext, where isAdmitted: (Node) -> Bool) throws {
    let overridable = Set(context.graph.inputs)
    let filters = filters(in: context)
    var folded: Set<NodeID> = []
    for (position, node) in context.graph.nodes.enumerated() where isAdmitted(node) {
      guard let operation = context.operators[position], operation.isDeterministic,
        node.subgraphs.isEmpty,
        node.inputs.allSatisfy({ id in
          id.map { context.graph.constants[$0] != nil && !overridable.contains($0) } ?? true
        }),
        let results = try results(
          of: node, operation, growthIsLimited: !node.outputs.contains { filters.contains($0) },
          &context)
      else { continue }
      for (output, constant) in zip(node.outputs, results) {
        guard let output else { continue }
        context.graph.constants[output] = constant
        context.graph[output].type = .tensor(
          constant.dataType, shape: constant.shape.map(Dimension.fixed))
        context.graph[output].origin.pass = ConstantFolding.name
      }
      folded.insert(node.id)
    }
    if !folded.isEmpty { context.graph.removeNodes { folded.contains($0.id) } }
  }

  /// The values that nodes read as filters.
  private func filters(in context: PassContext) -> Set<ValueID?> {
    var filters: Set<ValueID?> = []
    for (position, node) in context.graph.nodes.enumerated() {
      for index in context.operators[position]?.packedInputs ?? [] where index < node.inputs.count {
        if let input = node.inputs[index] { filters.insert(input) }
      }
    }
    return filters
  }

  /// The constants that stand for a node's outputs; nil where it is to stay.
  private func results(
    of node: Node, _ operation: any Operator, growthIsLimited: Bool, _ context: inout PassContext
  ) throws -> [Constant]? {
    if let carried = ConstantFolding.carriedConstant(node, operation) { return [carried] }
    let inputs = node.inputs.map { $0.flatMap { context.graph.constants[$0] } }
    if let view = try view(of: node, operation, inputs) { return [view] }
    let inputBytes = inputs.reduce(0) { sum, constant in
      let (next, overflow) = sum.addingReportingOverflow(constant?.byteCount ?? 0)
      return overflow ? .max : next
    }
    // Reading the inputs takes memory too.
    guard inputBytes <= context.foldingBudget else { return nil }
    let growth = inputBytes.multipliedReportingOverflow(by: ConstantFolding.largestGrowth)
    let largest =
      growthIsLimited && !growth.overflow
      ? max(ConstantFolding.smallResult, growth.partialValue) : .max
    let limit = min(context.foldingBudget, largest)
    guard
      let tensors = try evaluate(node, operation, inputs, limit), tensors.allSatisfy(isOfBytes)
    else { return nil }
    let total = tensors.reduce(0) { $0 + $1.byteCount }
    context.foldingBudget -= total
    if total < ConstantFolding.recipeThreshold { return tensors.map { Constant($0) } }
    return tensors.enumerated().map { index, tensor in
      Constant(dataType: tensor.dataType, shape: tensor.shape) {
        try recompute(node, operation, inputs, limit)[index]
      }
    }
  }

  /// What a Constant node carries: a tensor stays where it lies in the model. nil for other nodes.
  package static func carriedConstant(
    _ node: Node, _ operation: @autoclosure () throws -> any Operator
  ) -> Constant? {
    guard node.domain.isEmpty, node.operatorType == "Constant" else { return nil }
    if case .tensor(let constant) = node.attributes["value"] { return constant }
    var inference = InferenceContext(inputs: [], given: [], outputCount: 1)
    guard (try? operation().infer(&inference)) != nil,
      case .tensor(let tensor) = inference.outputs[0]?.known
    else { return nil }
    return Constant(tensor)
  }

  /// The first input under another shape, where that is all that a node does.
  private func view(
    of node: Node, _ operation: any Operator, _ inputs: [Constant?]
  ) throws -> Constant? {
    guard operation.viewInput == 0, node.epilogue.isEmpty, node.outputs.count == 1,
      let source = inputs.first ?? nil
    else { return nil }
    let types = inputs.map { constant in
      constant.map { ValueType.tensor($0.dataType, shape: $0.shape.map(Dimension.fixed)) }
    }
    let isShape = Set(operation.valueInputs)
    let values = try inputs.enumerated().map { index, constant in
      isShape.contains(index) ? try constant?.tensor() : nil
    }
    var inference = InferenceContext(
      inputs: zip(types, values).map { type, tensor in
        type.map { InferredValue($0, known: tensor.map(KnownValue.tensor)) }
      },
      given: inputs.map { $0 != nil }, outputCount: 1)
    do { try operation.infer(&inference) } catch is OperatorError { return nil }
    guard let shape = inference.outputs[0]?.type.fixedShape,
      shape.elementCount == source.shape.elementCount
    else { return nil }
    return source.reshaped(shape)
  }

  private func evaluate(
    _ node: Node, _ operation: any Operator, _ inputs: [Constant?], _ limit: Int
  ) throws -> [Tensor]? {
    if let host = operation.hostOperator(for: inputs.map { $0?.dataType }) {
      let operands = inputs.map { $0.map { Operand($0.dataType, $0.shape) } }
      guard let bound = host.outputBound(operands), bound <= limit else { return nil }
    }
    do { return try recompute(node, operation, inputs, limit) } catch is OperatorError {
      return nil
    } catch ModelError.outOfMemory { return nil }
  }

  /// Strings have no bytes that kernels could read.
  private func isOfBytes(_ tensor: Tensor) -> Bool { tensor.dataType != .string }
}

/// Computes a node on constants. Throws what the operator and reading the constants throw.
private func recompute(
  _ node: Node, _ operation: any Operator, _ inputs: [Constant?], _ limit: Int
) throws -> [Tensor] {
  let tensors = try Evaluator.evaluate(
    operation, inputs: try inputs.map { try $0?.tensor() }, outputCount: node.outputs.count,
    epilogue: node.epilogue, byteLimit: limit)
  guard tensors.count == node.outputs.count else {
    throw OperatorError("expected \(node.outputs.count) outputs, got \(tensors.count)")
  }
  return tensors
}
