// Reductions: operators that make one element of all those along some axes.
//
// 1. Axes of every opset: an attribute at first, an input later; none means all, unless noop_with_empty_axes says none.
// 2. Sums, products and extrema of shapes stay symbolic.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Reductions: OperatorFamily {
  package static var operators: [any Operator.Type] {
    [ReductionOperator.self, SoftmaxOperator.self]
  }
}

/// ReduceSum, ReduceMean, ReduceMax and so on, ONNX opsets 1 to 28.
package struct ReductionOperator: Operator {
  private static let functions: [String: ReductionFunction] = [
    "ReduceSum": .sum, "ReduceMean": .mean, "ReduceMax": .max, "ReduceMin": .min,
    "ReduceProd": .prod, "ReduceSumSquare": .sumSquare, "ReduceL1": .l1, "ReduceL2": .l2,
    "ReduceLogSum": .logSum, "ReduceLogSumExp": .logSumExp,
  ]
  private static let numbers: Set<DataType> = [
    .float32, .float64, .int32, .int64, .uint32, .uint64,
  ]

  package static var declarations: [OperatorDeclaration] {
    functions.keys.map { OperatorDeclaration($0) }
  }

  /// What becomes of the elements.
  package let function: ReductionFunction
  private let keepsDimensions: Bool
  private let noAxesMeansNone: Bool
  /// nil where the axes are an input.
  private let attributeAxes: [Int]?

  package init(_ node: NodeReader) throws {
    guard let function = ReductionOperator.functions[node.operatorType] else {
      throw OperatorError("the operator is not known")
    }
    self.function = function
    keepsDimensions = try node.flag("keepdims", default: true)
    let inputSince = function == .sum ? 13 : 18
    let hasAxesInput = node.opset >= inputSince && node.hasInput(1)
    try node.requireInputs(1...(node.opset >= inputSince ? 2 : 1))
    attributeAxes = hasAxesInput ? nil : node.opset < inputSince ? try node.ints("axes") ?? [] : []
    noAxesMeansNone =
      try node.opset >= inputSince && node.flag("noop_with_empty_axes", default: false)
  }

  package var valueInputs: [Int] { attributeAxes == nil ? [1] : [] }

  private var types: Set<DataType> {
    let hasOrder = function == .max || function == .min
    return hasOrder
      ? ReductionOperator.numbers.union([.int8, .uint8, .bool]) : ReductionOperator.numbers
  }

  /// For each axis of an input, whether it is reduced.
  private func mask(_ axes: [Int], rank: Int) throws -> [Bool] {
    var mask = [Bool](repeating: axes.isEmpty && !noAxesMeansNone, count: rank)
    for axis in axes {
      let index = try normalizedAxis(axis, rank: rank)
      // A scalar is its own reduction over axis 0.
      if index < rank { mask[index] = true }
    }
    return mask
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: types)
    if attributeAxes == nil { _ = try context.dataType(1, among: [.int64]) }
    guard let shape = context.shape(0) else { return context.setOutput(0, type, nil) }
    guard let axes = attributeAxes ?? context.integers(1) else {
      let extents = shape.map { $0 == 1 ? $0 : .unknown }
      return context.setOutput(0, type, keepsDimensions ? extents : nil)
    }
    let mask = try mask(axes, rank: shape.count)
    let kept = zip(shape, mask).compactMap { extent, isReduced -> Dimension? in
      isReduced ? (keepsDimensions ? 1 : nil) : extent
    }
    context.setOutput(0, type, kept)
    guard shape.count <= 1, let elements = context.dimensions(0) else { return }
    if mask == [true] {
      if let known = folded(elements) { context.setOutput(0, dimensions: [known]) }
    } else if folded([1]) != nil {
      context.setOutput(0, dimensions: elements)
    }
  }

  /// The reduction of known elements; nil for functions that say nothing of extents.
  private func folded(_ elements: [Dimension]) -> Dimension? {
    switch function {
    case .sum: elements.reduce(0, +)
    case .prod: elements.reduce(1, *)
    case .max: elements.dropFirst().reduce(elements.first) { .combine(.maximum, $0 ?? $1, $1) }
    case .min: elements.dropFirst().reduce(elements.first) { .combine(.minimum, $0 ?? $1, $1) }
    default: nil
    }
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (input, _) = try request.onlyInputAndOutput()
    guard let axes = attributeAxes ?? request.values[1]?.integers else {
      throw OperatorError("the axes must be known before the reduction is planned")
    }
    return try reductionCandidates(
      function, request, axes: try mask(axes, rank: input.shape.rank),
      keepsDimensions: keepsDimensions)
  }
}

/// The candidates that reduce input 0 into output 0.
///
/// - Parameters:
///   - axes: for each axis of the input, whether it is reduced.
///   - keepsDimensions: whether the output has extents of 1 for them.
/// - Throws: `OperatorError` for a type that the function does not take.
func reductionCandidates(
  _ function: ReductionFunction, _ request: KernelRequest, axes: [Bool], keepsDimensions: Bool
) throws -> [KernelCandidate] {
  let bind: @Sendable (KernelRequest) throws -> Kernel = { request in
    let (input, output) = try request.onlyInputAndOutput()
    return try ReductionKernel(
      function, input, output, axes: axes, keepsDimensions: keepsDimensions
    ).kernel
  }
  _ = try bind(request)
  let (input, _) = try request.onlyInputAndOutput()
  let layouts = ReductionKernel.requirements(axes: axes, keepsDimensions: keepsDimensions)
  let isOfPixels = axes.enumerated().allSatisfy { $0.element == ($0.offset >= 2) }
  let blocked = function == .mean && isOfPixels ? BlockedPooling.mean(request) : nil
  let plain = KernelCandidate(
    name: .reduction,
    inputs: request.inputs.indices.map { $0 == 0 ? layouts.input : .planned },
    outputs: [layouts.output],
    cost: Cost(
      operations: Double(input.shape.elementCount), bytes: Double(input.byteCount),
      operationsPerNanosecond: 2),
    bind: bind)
  return [plain] + (blocked.map { [$0] } ?? [])
}
