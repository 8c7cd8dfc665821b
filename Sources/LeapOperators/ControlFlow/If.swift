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
    try bodies[inputs.condition(0) ? 0 : 1].run([], keeping: 0)
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

/// What the runs of a graph leave for one output of its node: a slice each.
struct Slices {
  private(set) var byteCount = 0
  private var tensors: [Tensor] = []

  mutating func append(_ value: RunValue, output index: Int) throws {
    guard let tensor = value.tensor else {
      throw OperatorError("output \(index) of the graph is \(value); expected a tensor")
    }
    guard tensors.first.map({ $0.dataType == tensor.dataType && $0.shape == tensor.shape }) ?? true
    else {
      throw OperatorError(
        "output \(index) of the graph is \(tensor); it was \(tensors[0]) before: slices that differ "
          + "cannot be put together")
    }
    tensors.append(tensor)
    byteCount = saturatingSum(byteCount, tensor.byteCount)
  }

  /// The slices along a new axis.
  ///
  /// - Parameters:
  ///   - axis: of the result; from its end where negative.
  ///   - isReversed: whether the last slice comes first.
  ///   - type: of a slice, for when there is none.
  func stacked(axis: Int, isReversed: Bool = false, type: ValueType?) throws -> Tensor {
    guard let first = tensors.first else { return try empty(axis, type) }
    let axis = try normalizedAxis(axis, rank: first.shape.rank + 1)
    let slices = tensors.map { slice in
      var shape = slice.shape.dimensions
      shape.insert(1, at: axis)
      return slice.reshaped(Shape(shape))
    }
    return try Tensor.joined(isReversed ? slices.reversed() : slices, axis: axis)
  }

  /// No slices. Extents that nobody knows are 0.
  private func empty(_ axis: Int, _ type: ValueType?) throws -> Tensor {
    guard case .tensor(let dataType, let slice)? = type else {
      throw OperatorError("the graph never ran, and the type of what it makes is not known")
    }
    var shape = (slice ?? []).map { $0.value ?? 0 }
    shape.insert(0, at: try normalizedAxis(axis, rank: shape.count + 1))
    return try Tensor(zeros: dataType, shape: Shape(shape))
  }
}
