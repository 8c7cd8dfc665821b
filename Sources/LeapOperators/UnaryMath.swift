// UnaryMath: operators that compute each element from one element, without broadcasting: mathematics and activations.
//
// 1. One table says which function an operator is, since when, and where its parameters come from.
// 2. NaN goes through; integers keep their type and wrap.

import LeapGraph
import LeapKernels
import LeapTensors

package enum UnaryMath: OperatorFamily {
  package static let operators: [any Operator.Type] = [UnaryOperator.self, Clip.self]
}

/// A function of one element (Abs, Relu, Sigmoid, Gelu and so on), any opset.
package struct UnaryOperator: Operator {
  /// An operator's function and parameters.
  private struct Entry: Sendable {
    let function: UnaryFunction
    let since: Int
    let parameters: @Sendable (NodeReader) throws -> (Float, Float)

    init(
      _ function: UnaryFunction, since: Int = 1,
      parameters: @escaping @Sendable (NodeReader) throws -> (Float, Float) = { _ in (0, 0) }
    ) {
      self.function = function
      self.since = since
      self.parameters = parameters
    }

    /// A function with the parameter `alpha`.
    static func alpha(
      _ function: UnaryFunction, _ value: Float, since: Int = 1
    ) -> Entry {
      Entry(function, since: since) { (try $0.float("alpha", default: value), 0) }
    }
  }

  private static let entries: [String: Entry] = [
    "Abs": Entry(.abs), "Neg": Entry(.neg), "Sign": Entry(.sign, since: 9),
    "Sqrt": Entry(.sqrt), "Reciprocal": Entry(.reciprocal), "Exp": Entry(.exp), "Log": Entry(.log),
    "Sin": Entry(.sin, since: 7), "Cos": Entry(.cos, since: 7), "Tan": Entry(.tan, since: 7),
    "Asin": Entry(.asin, since: 7), "Acos": Entry(.acos, since: 7), "Atan": Entry(.atan, since: 7),
    "Sinh": Entry(.sinh, since: 9), "Cosh": Entry(.cosh, since: 9), "Tanh": Entry(.tanh),
    "Asinh": Entry(.asinh, since: 9), "Acosh": Entry(.acosh, since: 9),
    "Atanh": Entry(.atanh, since: 9), "Erf": Entry(.erf, since: 9),
    "Floor": Entry(.floor), "Ceil": Entry(.ceil), "Round": Entry(.round, since: 11),
    "Not": Entry(.not), "BitwiseNot": Entry(.bitwiseNot, since: 18),
    "IsNaN": Entry(.isNaN, since: 9),
    "IsInf": Entry(.isInf, since: 10) {
      (
        try $0.flag("detect_positive", default: true) ? 1 : 0,
        try $0.flag("detect_negative", default: true) ? 1 : 0
      )
    },
    "Relu": Entry(.relu), "LeakyRelu": .alpha(.leakyRelu, 0.01), "Elu": .alpha(.elu, 1),
    "Celu": .alpha(.celu, 1, since: 12), "ThresholdedRelu": .alpha(.thresholdedRelu, 1, since: 1),
    "Selu": Entry(.selu) { node in
      // The defaults of opset 1 were rounded more coarsely.
      (
        try node.float("alpha", default: node.opset < 6 ? 1.6732 : 1.67326319217681884765625),
        try node.float("gamma", default: node.opset < 6 ? 1.0507 : 1.05070102214813232421875)
      )
    },
    "Sigmoid": Entry(.sigmoid),
    "HardSigmoid": Entry(.hardSigmoid) {
      (try $0.float("alpha", default: 0.2), try $0.float("beta", default: 0.5))
    },
    "HardSwish": Entry(.hardSwish, since: 14), "Swish": .alpha(.swish, 1, since: 24),
    "Softplus": Entry(.softplus), "Softsign": Entry(.softsign), "Mish": Entry(.mish, since: 18),
    "Shrink": Entry(.shrink, since: 9) {
      (try $0.float("lambd", default: 0.5), try $0.float("bias", default: 0))
    },
    "Gelu": Entry(.gelu, since: 20),
  ]

  private enum Approximation: String, CaseIterable { case none, tanh }

  package static var declarations: [OperatorDeclaration] {
    entries.map {
      OperatorDeclaration($0.key, opsets: $0.value.since...OperatorTable.latestOpset)
    }
  }

  /// The function that the node asks for.
  package let function: UnaryFunction
  /// Its parameters, in the order of `UnaryFunction`'s C declaration.
  package let parameters: (Float, Float)

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    guard let entry = UnaryOperator.entries[node.operatorType] else {
      throw OperatorError("the operator is not known")
    }
    parameters = try entry.parameters(node)
    let approximation: Approximation =
      entry.function == .gelu ? try node.choice("approximate", default: .none) : .none
    function = approximation == .tanh ? .geluTanh : entry.function
  }

  private var isPredicate: Bool { function == .isNaN || function == .isInf || function == .not }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    try function.require(type)
    context.setOutput(0, isPredicate ? .bool : type, context.shape(0))
    if function == .neg, let dimensions = context.dimensions(0) {
      context.setOutput(0, dimensions: dimensions.map { .fixed(0) - $0 })
    }
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (input, output) = try request.onlyInputAndOutput()
    let (a, b) = (Double(parameters.0), Double(parameters.1))
    let function = function
    _ = try ElementwiseKernels.unary(function, a: a, b: b, input: input, output: output)
    return KernelCandidate(
      name: .elementwise, inputs: [.plain], outputs: [.plain],
      inPlace: inPlacePairs(request), cost: elementwiseCost(request, operations: 8)
    ) { request in
      let (input, output) = try request.onlyInputAndOutput()
      return try ElementwiseKernels.unary(function, a: a, b: b, input: input, output: output)
    }.inAnyLayout(request)
  }
}

/// Clip: bounds are attributes to opset 10, scalar inputs from 11 on.
package struct Clip: Operator {
  package static let declarations = [OperatorDeclaration("Clip")]

  /// The bounds of the attributes; nil where they are inputs.
  package let bounds: (minimum: Float, maximum: Float)?

  package init(_ node: NodeReader) throws {
    if node.opset >= 11 {
      try node.requireInputs(1...3)
      bounds = nil
    } else {
      try node.requireInputs(1...1)
      bounds = (
        try node.float("min", default: -.infinity), try node.float("max", default: .infinity)
      )
    }
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    if bounds == nil {
      try ElementwiseKernels.requireClip(type)
    } else {
      try UnaryFunction.clip.require(type)
    }
    for index in 1...2 where context.hasInput(index) {
      guard try context.dataType(index) == type else {
        throw OperatorError("input \(index) is \(try context.dataType(index)); expected \(type)")
      }
      // A vector of one element is not what ONNX says, but what some exporters write.
      if let shape = context.shape(index), shape.contains(where: { ($0.value ?? 1) != 1 }) {
        throw OperatorError("input \(index) has shape \(describe(shape)); expected a scalar")
      }
    }
    context.setOutput(0, type, context.shape(0))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    _ = try kernel(request)
    let layouts = request.inputs.indices.map { $0 == 0 ? LayoutRequirement.plain : .contiguous }
    return KernelCandidate(
      name: .elementwise, inputs: layouts, outputs: [.plain],
      inPlace: inPlacePairs(request, inputs: 0..<1),
      cost: elementwiseCost(request, operations: 2), bind: kernel
    ).inAnyLayout(request)
  }

  private func kernel(_ request: KernelRequest) throws -> Kernel {
    let input = try request.requiredInput(0)
    let output = try request.requiredOutput(0)
    for index in request.inputs.indices.dropFirst() {
      guard (request.inputs[index]?.shape.elementCount ?? 1) == 1 else {
        throw OperatorError("input \(index) has no single element; expected a scalar")
      }
    }
    guard let bounds else { return try ElementwiseKernels.clip(input: input, output: output) }
    return try ElementwiseKernels.unary(
      .clip, a: Double(bounds.minimum), b: Double(bounds.maximum), input: input, output: output)
  }
}
