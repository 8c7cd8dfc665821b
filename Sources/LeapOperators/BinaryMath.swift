// BinaryMath: operators on two or more operands that are broadcast to each other: arithmetic, comparisons, logic.
//
// 1. Broadcasting of every opset: `axis` and `broadcast` before 7, multidirectional from 7 on.
// 2. Integer arithmetic wraps; integer division by zero is an error.
// 3. Shape computations stay symbolic.

import LeapGraph
import LeapKernels
import LeapTensors

package enum BinaryMath: OperatorFamily {
  package static let operators: [any Operator.Type] = [BinaryOperator.self, VariadicOperator.self]
}

/// A function of two elements (Add, Pow, Equal, BitShift and so on), any opset.
package struct BinaryOperator: Operator {
  private static let entries: [String: (function: BinaryFunction, since: Int)] = [
    "Add": (.add, 1), "Sub": (.sub, 1), "Mul": (.mul, 1), "Div": (.div, 1), "Pow": (.pow, 1),
    "Mod": (.mod, 10), "PRelu": (.prelu, 1),
    "BitwiseAnd": (.bitwiseAnd, 18), "BitwiseOr": (.bitwiseOr, 18), "BitwiseXor": (.bitwiseXor, 18),
    "BitShift": (.shiftLeft, 11),
    "Equal": (.equal, 1), "Greater": (.greater, 1), "Less": (.less, 1),
    "GreaterOrEqual": (.greaterOrEqual, 12), "LessOrEqual": (.lessOrEqual, 12),
    "And": (.and, 1), "Or": (.or, 1), "Xor": (.xor, 1),
  ]

  private enum Direction: String, CaseIterable {
    case left = "LEFT"
    case right = "RIGHT"
  }

  /// How the second operand's axes lie over the first's.
  private enum Alignment: Sendable {
    /// The last on the last; both may be broadcast.
    case trailing
    /// As `trailing`, but the second to the first only.
    case toFirst
    /// The second's first axis on this axis of the first.
    case axis(Int)
    /// No broadcasting.
    case none
  }

  package static var declarations: [OperatorDeclaration] {
    entries.map {
      OperatorDeclaration($0.key, opsets: $0.value.since...OperatorTable.latestOpset)
    }
  }

  /// The function that the node asks for.
  package let function: BinaryFunction
  private let alignment: Alignment

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...2)
    guard let entry = BinaryOperator.entries[node.operatorType] else {
      throw OperatorError("the operator is not known")
    }
    switch entry.function {
    case .mod: function = try node.flag("fmod", default: false) ? .fmod : .mod
    case .shiftLeft:
      let direction: Direction? = try node.string("direction").flatMap(Direction.init)
      guard let direction else {
        throw OperatorError("attribute 'direction' is missing or unknown; expected LEFT or RIGHT")
      }
      function = direction == .left ? .shiftLeft : .shiftRight
    default: function = entry.function
    }
    alignment = try BinaryOperator.alignment(node, entry.function)
  }

  private static func alignment(
    _ node: NodeReader, _ function: BinaryFunction
  ) throws -> Alignment {
    if node.opset >= 7 { return function == .prelu ? .toFirst : .trailing }
    // One slope for each channel, or one for all.
    if function == .prelu { return .axis(1) }
    guard try node.flag("broadcast", default: false) else { return .none }
    return try node.int("axis").map(Alignment.axis) ?? .toFirst
  }

  /// How many axes of extent 1 the second operand gets at its end so that its last axis lies where it should.
  private func appendedAxes(_ left: Int, _ right: Int) throws -> Int {
    guard case .axis(let axis) = alignment, right > 0, left > 0 else { return 0 }
    let first = try normalizedAxis(axis, rank: left)
    let (end, overflow) = first.addingReportingOverflow(right)
    guard !overflow, end <= left else {
      // A lone value goes with any rank.
      if right == 1, function == .prelu { return 0 }
      throw OperatorError(
        "an operand of rank \(right) from axis \(axis) on does not fit into rank \(left)")
    }
    return left - end
  }

  /// The shape of the second operand with its last axis over the first operand's last. Throws `OperatorError` where the
  /// attribute `axis` of old opsets is out of range.
  package func rightShape(_ shape: Shape, leftRank: Int) throws -> [Int] {
    shape.dimensions
      + Array(repeating: 1, count: try appendedAxes(leftRank, shape.rank))
  }

  package func hostOperator(for inputs: [DataType?]) -> (any HostOperator)? {
    function == .equal && inputs == [.string, .string] ? StringEquality(self) : nil
  }

  package func infer(_ context: inout InferenceContext) throws {
    let left = try context.dataType(0)
    let right = try context.dataType(1)
    guard left == right || function == .pow else {
      throw OperatorError("the operands are \(left) and \(right); expected one type")
    }
    if hostOperator(for: [left, right]) == nil { try function.require(left, right) }
    let type = function.isPredicate ? DataType.bool : left
    guard let a = context.shape(0), let b = context.shape(1) else {
      context.setOutput(0, type, nil)
      return
    }
    context.setOutput(0, type, try shape(a, b))
    if let known = known(context) { context.setOutput(0, dimensions: known) }
  }

  private func shape(_ left: [Dimension], _ right: [Dimension]) throws -> [Dimension] {
    if case .none = alignment {
      let alike =
        left.count == right.count
        && zip(left, right).allSatisfy { $0.value == nil || $1.value == nil || $0 == $1 }
      guard alike else {
        throw OperatorError(
          "shapes \(describe(left)) and \(describe(right)) differ, and broadcast is 0")
      }
    }
    let ones = [Dimension](repeating: 1, count: try appendedAxes(left.count, right.count))
    let result = try broadcast(left, right + ones)
    if case .trailing = alignment { return result }
    // The second operand may not enlarge the first.
    let larger =
      result.count > left.count
      || zip(result, left).contains { $0.value != nil && $1.value != nil && $0 != $1 }
    guard !larger else {
      throw OperatorError(
        "shape \(describe(right)) cannot be broadcast to \(describe(left))")
    }
    return left
  }

  /// The elements of a scalar or vector of integers, as far as they follow from the operands'.
  private func known(_ context: InferenceContext) -> [Dimension]? {
    guard (context.shape(0)?.count ?? 2) <= 1, (context.shape(1)?.count ?? 2) <= 1,
      let left = context.dimensions(0), let right = context.dimensions(1)
    else { return nil }
    return combineElements(left, right) { a, b in
      switch function {
      case .add: a + b
      case .sub: a - b
      case .mul: a * b
      case .div: quotient(a, b)
      case .equal: equality(a, b)
      default: .unknown
      }
    }
  }

  /// ONNX divides integers towards zero, `Dimension` towards negative infinity.
  private func quotient(_ a: Dimension, _ b: Dimension) -> Dimension {
    guard let a = a.value, let b = b.value else { return a / b }
    if b == 0 { return .unknown }
    let (result, overflow) = a.dividedReportingOverflow(by: b)
    return overflow ? .unknown : .fixed(result)
  }

  /// 1 or 0 where that is certain: an extent equals itself, and is never negative.
  private func equality(_ a: Dimension, _ b: Dimension) -> Dimension {
    switch (a, b) {
    case (.fixed(let a), .fixed(let b)): .fixed(a == b ? 1 : 0)
    case (.symbol, .fixed(..<0)), (.fixed(..<0), .symbol): 0
    case (.unknown, _), (_, .unknown): .unknown
    default: a == b ? 1 : .unknown
    }
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    _ = try kernel(request)
    return KernelCandidate(
      name: .elementwise, inputs: [.plain, .plain], outputs: [.plain],
      inPlace: inPlacePairs(request), cost: elementwiseCost(request, operations: 1), bind: kernel
    ).inAnyLayout(request)
  }

  private func kernel(_ request: KernelRequest) throws -> Kernel {
    let left = try request.requiredInput(0)
    let right = try request.requiredInput(1)
    let aligned = right.appendingUnitAxes(try appendedAxes(left.shape.rank, right.shape.rank))
    return try ElementwiseKernels.binary(
      function, left, aligned, output: try request.requiredOutput(0))
  }
}

/// Combines the elements of two vectors of which one may be a lone element; nil where the lengths do not go together.
func combineElements(
  _ left: [Dimension], _ right: [Dimension], _ combine: (Dimension, Dimension) -> Dimension
) -> [Dimension]? {
  guard left.count == right.count || left.count == 1 || right.count == 1 else { return nil }
  let count = left.count == 1 ? right.count : left.count
  return (0..<count).map {
    combine(left[left.count == 1 ? 0 : $0], right[right.count == 1 ? 0 : $0])
  }
}

/// Sum, Mean, Max, Min of any number of operands; multidirectional broadcasting from opset 8 on.
package struct VariadicOperator: Operator {
  package static let declarations = ["Sum", "Mean", "Max", "Min"].map { OperatorDeclaration($0) }

  private let function: BinaryFunction
  private let isMean: Bool
  private let broadcasts: Bool

  package init(_ node: NodeReader) throws {
    guard node.inputCount >= 1 else { throw OperatorError("expected at least one input") }
    for index in 0..<node.inputCount where !node.hasInput(index) {
      throw OperatorError("input \(index) is required")
    }
    isMean = node.operatorType == "Mean"
    broadcasts = node.opset >= 8
    switch node.operatorType {
    case "Max": function = .max
    case "Min": function = .min
    default: function = .add
    }
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    for index in context.given.indices {
      let other = try context.dataType(index)
      guard other == type else {
        throw OperatorError("input \(index) is \(other); expected \(type) as input 0")
      }
    }
    if context.given.count > 1 { try function.require(type, type) }
    if context.given.count > 1, isMean { try UnaryFunction.scale.require(type) }
    let shapes = context.given.indices.compactMap { context.shape($0) }
    guard shapes.count == context.given.count else {
      context.setOutput(0, type, nil)
      return
    }
    let result = try shapes.dropFirst().reduce(shapes[0]) { try broadcast($0, $1) }
    if !broadcasts, let other = shapes.first(where: { $0.count != result.count }) {
      throw OperatorError(
        "shapes \(describe(other)) and \(describe(result)) differ; broadcasting came with opset 8")
    }
    context.setOutput(0, type, result)
    if let known = known(context, shapes) { context.setOutput(0, dimensions: known) }
  }

  private func known(_ context: InferenceContext, _ shapes: [[Dimension]]) -> [Dimension]? {
    let operation: Dimension.Operation =
      switch function {
      case .max: .maximum
      case .min: .minimum
      default: .add
      }
    guard !isMean, shapes.allSatisfy({ $0.count <= 1 }), var result = context.dimensions(0)
    else { return nil }
    for index in shapes.indices.dropFirst() {
      guard let next = context.dimensions(index),
        let combined = combineElements(result, next, { .combine(operation, $0, $1) })
      else { return nil }
      result = combined
    }
    return result
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    _ = try kernel(request)
    // Later inputs are read after the output was first written, so only the first two may lie under it.
    return KernelCandidate(
      name: .elementwise, inputs: request.inputs.map { _ in .plain }, outputs: [.plain],
      inPlace: inPlacePairs(request, inputs: 0..<min(2, request.inputs.count)),
      cost: elementwiseCost(request, operations: Double(request.inputs.count)), bind: kernel
    ).inAnyLayout(request)
  }

  private func kernel(_ request: KernelRequest) throws -> Kernel {
    let inputs = try request.inputs.indices.map { try request.requiredInput($0) }
    return try ElementwiseKernels.variadic(
      function, inputs, output: try request.requiredOutput(0),
      scale: isMean ? 1 / Double(inputs.count) : nil)
  }
}
