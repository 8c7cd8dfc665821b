// SequenceMap: a graph that runs once for each item of a sequence.

import LeapGraph
import LeapKernels
import LeapTensors

/// SequenceMap, from ONNX opset 17 on: outputs are sequences of what the graph makes of each item of input 0. Other inputs are
/// sequences of as many items, or tensors that every run gets.
package struct SequenceMap: BodyOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("SequenceMap", opsets: 17...OperatorTable.latestOpset)]
  }
  package static let bodyNames = ["body"]

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...max(node.inputCount, 1))
    for index in 0..<node.inputCount where !node.hasInput(index) {
      throw OperatorError("input \(index) is left out")
    }
    let body = try node.required("body", node.graph("body"))
    guard body.inputs.count == node.inputCount, body.outputs.count >= node.outputCount else {
      throw OperatorError(
        "body has \(body.inputs.count) inputs and \(body.outputs.count) outputs; the node has "
          + "\(node.inputCount) and \(node.outputCount)")
    }
  }

  package func infer(_ context: inout InferenceContext, bodies: [BodyInference]) throws {
    _ = try context.itemType(0)
    let items = context.inputs.map { input -> ValueType? in
      if case .sequence(let item)? = input?.type { item } else { input?.type }
    }
    for (index, type) in try bodies[0](items).enumerated() {
      guard let type else { continue }
      guard type.dataType != nil else {
        throw OperatorError("output \(index) of the body is \(type); expected a tensor")
      }
      context.setOutput(index, type: .sequence(type.withoutShapes))
    }
  }

  package func run(_ inputs: [RunValue?], bodies: [any Body]) throws -> [RunValue] {
    let count = try inputs.sequence(0).items.count
    let arguments = try inputs.indices.map { try argument(inputs, $0, count: count) }
    let types = bodies[0].outputTypes
    var made = types.map { _ in [RunValue]() }
    var kept = 0
    for item in 0..<count {
      let outputs = try bodies[0].run(
        arguments.map { $0.item(item) }, keeping: kept, into: [:])
      for (index, output) in outputs.enumerated() {
        guard let tensor = output.tensor else {
          throw OperatorError("output \(index) of the graph is \(output); expected a tensor")
        }
        kept = saturatingSum(kept, tensor.byteCount)
        made[index].append(output)
      }
    }
    return zip(made, types).map { .sequence($0, of: $1?.withoutShapes) }
  }

  private enum Argument {
    case items([RunValue])
    case same(RunValue)

    func item(_ index: Int) -> RunValue {
      switch self {
      case .items(let items): items[index]
      case .same(let value): value
      }
    }
  }

  private func argument(_ inputs: [RunValue?], _ index: Int, count: Int) throws -> Argument {
    let value = try inputs.value(index)
    guard case .sequence(let items, _) = value else { return .same(value) }
    guard items.count == count else {
      throw OperatorError(
        "input \(index) is a sequence of \(items.count); expected \(count), as many as input 0")
    }
    return .items(items)
  }
}
