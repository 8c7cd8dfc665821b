// The operators that run graphs of their own: If here; Loop, Scan and SequenceMap beside it.

import LeapGraph
import LeapKernels
import LeapTensors

package enum ControlFlow: OperatorFamily {
  package static var operators: [any Operator.Type] {
    [If.self, Loop.self, Scan.self, BatchedScan.self, SequenceMap.self]
  }
}

/// If, ONNX opsets 1 to 27: one of two graphs, by a condition of one element.
package struct If: BodyOperator {
  package static var declarations: [OperatorDeclaration] { [OperatorDeclaration("If")] }
  package static let bodyNames = ["then_branch", "else_branch"]

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    for name in If.bodyNames {
      let graph = try node.required(name, node.graph(name))
      guard graph.inputs.isEmpty, graph.outputs.count == node.outputCount else {
        throw OperatorError(
          "\(name) has \(graph.inputs.count) inputs and \(graph.outputs.count) outputs; expected "
            + "no input, and \(node.outputCount) outputs as the node has")
      }
    }
  }

  package func infer(_ context: inout InferenceContext, bodies: [BodyInference]) throws {
    _ = try context.dataType(0, among: [.bool])
    let (chosen, other) = (try bodies[0]([]), try bodies[1]([]))
    for (index, types) in zip(chosen, other).enumerated() {
      guard let first = types.0, let second = types.1 else { continue }
      guard let type = first.joined(with: second) else {
        throw OperatorError(
          "output \(index) is \(first) in one branch, and \(second) in the other")
      }
      context.setOutput(index, type: type)
    }
  }

  package func run(_ inputs: [RunValue?], bodies: [any Body]) throws -> [RunValue] {
    try bodies[inputs.condition(0) ? 0 : 1].run([], keeping: 0, into: [:])
  }
}

extension [RunValue?] {
  /// The only element of a bool input.
  func condition(_ index: Int) throws -> Bool {
    guard let value = self[index]?.tensor?.elements(as: Bool.self), value.count == 1 else {
      throw OperatorError("input \(index) is no condition: expected one bool")
    }
    return value[0]
  }
}

extension RunValue {
  /// A value that graphs of loops are told.
  static func scalar<Element: TensorElement>(_ element: Element) throws -> RunValue {
    .tensor(try Tensor(scalar: element))
  }
}
