// Optionals: operators that make optional values and look into them. ONNX opset 15 on; from opset 18 on a tensor or a sequence
// counts as an optional that has a value.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Optionals: OperatorFamily {
  package static let operators: [any Operator.Type] = [
    OptionalOperator.self, OptionalHasElement.self, OptionalGetElement.self,
  ]
}

private func sinceOpset15(_ name: String) -> [OperatorDeclaration] {
  [OperatorDeclaration(name, opsets: 15...OperatorTable.latestOpset)]
}

/// The first opset whose optionals may be plain values.
private let firstOpsetOfPlainValues = 18

/// Optional: the input as an optional; one without value, of the attribute `type`, where there is no input.
package struct OptionalOperator: HostOperator {
  package static let declarations = sinceOpset15("Optional")

  private let type: ValueType?

  package init(_ node: NodeReader) throws {
    try node.requireInputs(0...1)
    type = try node.type("type")?.withoutShapes
    if !node.hasInput(0) { _ = try node.required("type", type) }
  }

  package func infer(_ context: inout InferenceContext) throws {
    guard context.hasInput(0) else {
      if let type { context.setOutput(0, type: .optional(type)) }
      return
    }
    let input = try context.type(0).withoutShapes
    if case .optional = input { throw OperatorError("input 0 is \(input), an optional already") }
    if let type, type != input {
      throw OperatorError("input 0 is \(input); attribute 'type' is \(type)")
    }
    context.setOutput(0, type: .optional(input))
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? { [] }

  package func run(_ inputs: [RunValue?]) throws -> [RunValue] {
    let input = inputs.first ?? nil
    return [.optional(input, of: type ?? input?.valueType?.withoutShapes)]
  }
}

/// OptionalHasElement: whether there is a value, a bool scalar.
package struct OptionalHasElement: HostOperator {
  package static let declarations = sinceOpset15("OptionalHasElement")

  private let takesPlainValues: Bool

  package init(_ node: NodeReader) throws {
    takesPlainValues = node.opset >= firstOpsetOfPlainValues
    try node.requireInputs((takesPlainValues ? 0 : 1)...1)
  }

  package func infer(_ context: inout InferenceContext) throws {
    if context.hasInput(0), !takesPlainValues { _ = try context.optionalType(0) }
    context.setOutput(0, .bool, [])
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? { [Operand(.bool, [])] }

  package func run(_ inputs: [RunValue?]) throws -> [RunValue] {
    let hasValue =
      switch inputs.first ?? nil {
      case nil, .optional(nil, _)?: false
      case .some: true
      }
    return [.tensor(try Tensor(scalar: hasValue))]
  }
}

/// OptionalGetElement: the value.
package struct OptionalGetElement: HostOperator {
  package static let declarations = sinceOpset15("OptionalGetElement")

  private let takesPlainValues: Bool

  package init(_ node: NodeReader) throws {
    takesPlainValues = node.opset >= firstOpsetOfPlainValues
    try node.requireInputs(1...1)
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.type(0)
    if takesPlainValues, !type.isOptional { return context.setOutput(0, type: type) }
    context.setOutput(0, type: try context.optionalType(0))
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? { [] }

  package func run(_ inputs: [RunValue?]) throws -> [RunValue] {
    let input = try inputs.value(0)
    guard case .optional(let item, _) = input else { return [input] }
    guard let item else { throw OperatorError("input 0 is \(input)") }
    return [item]
  }
}

extension InferenceContext {
  /// The type of the value of an optional. Throws `OperatorError` where the input is something else.
  fileprivate func optionalType(_ index: Int) throws -> ValueType {
    let type = try type(index)
    guard case .optional(let item) = type else {
      throw OperatorError("input \(index) is \(type); expected an optional")
    }
    return item
  }
}

extension ValueType {
  fileprivate var isOptional: Bool {
    if case .optional = self { true } else { false }
  }
}
