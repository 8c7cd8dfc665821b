// Progressions: running sums and products, arithmetic progressions, determinants.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Progressions: OperatorFamily {
  package static var operators: [any Operator.Type] {
    [Cumulation.self, RangeNode.self, Determinant.self, Inverse.self]
  }
}

/// CumSum, ONNX opsets 11 to 14, and CumProd, opset 26.
package struct Cumulation: Operator {
  package static var declarations: [OperatorDeclaration] {
    [
      OperatorDeclaration("CumSum", opsets: 11...OperatorTable.latestOpset),
      OperatorDeclaration("CumProd", opsets: 26...OperatorTable.latestOpset),
    ]
  }

  private let multiplies: Bool
  private let exclusive: Bool
  private let reverse: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...2)
    multiplies = node.operatorType == "CumProd"
    exclusive = try node.flag("exclusive", default: false)
    reverse = try node.flag("reverse", default: false)
  }

  package var valueInputs: [Int] { [1] }

  private func axis(_ values: [Int]?, rank: Int) throws -> Int {
    guard let values, values.count == 1 else {
      throw OperatorError("input 1 has \(values?.count ?? 0) elements; expected one axis")
    }
    guard rank > 0 else { throw OperatorError("input 0 is a scalar; expected a rank of 1 or more") }
    return try normalizedAxis(values[0], rank: rank)
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(
      0,
      among: [.float32, .float64, .int32, .int64, .uint32, .uint64])
    _ = try context.dataType(1, among: [.int32, .int64])
    if let shape = context.shape(0), let values = context.integers(1) {
      _ = try axis(values, rank: shape.count)
    }
    context.setOutput(0, type, context.shape(0))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let input = try request.requiredInput(0)
    let axis = try axis(request.values[1]?.integers, rank: input.shape.rank)
    let (multiplies, exclusive, reverse) = (multiplies, exclusive, reverse)
    let bind: @Sendable (KernelRequest) throws -> Kernel = { request in
      let (input, output) = try request.onlyInputAndOutput()
      return try ProgressionKernels.cumulate(
        multiplies: multiplies, exclusive: exclusive, reverse: reverse, input, output, axis: axis)
    }
    _ = try bind(request)
    return [
      KernelCandidate(
        name: .running, inputs: [.innerContiguous(from: axis), .planned],
        outputs: [.innerContiguous(from: axis)], inPlace: [InPlacePair(input: 0, output: 0)],
        cost: elementwiseCost(request, operations: 4), bind: bind)
    ]
  }
}

/// Range, ONNX opsets 11 to 27: start, limit (not reached) and delta are scalars.
package struct RangeNode: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("Range", opsets: 11...OperatorTable.latestOpset)]
  }
  /// Elements that inference lists one by one at most.
  private static let longestKnown = 64

  package init(_ node: NodeReader) throws { try node.requireInputs(3...3) }

  package var valueInputs: [Int] { [0, 1, 2] }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(
      0, among: [.float16, .bfloat16, .float32, .float64, .int16, .int32, .int64])
    for index in 1...2 {
      guard try context.dataType(index) == type else {
        throw OperatorError("input \(index) is \(try context.dataType(index)); expected \(type)")
      }
    }
    for index in 0...2 where context.shape(index)?.contains(where: { ($0.value ?? 1) != 1 }) == true
    {
      throw OperatorError("input \(index) must be a scalar")
    }
    if let integers = try integerCount(context) {
      context.setOutput(0, type, [integers.count])
      if let known = integers.elements { context.setOutput(0, dimensions: known) }
      return
    }
    let floats = (0...2).compactMap { context.tensor($0)?.firstFloat }
    context.setOutput(
      0, type,
      [floats.count == 3 ? .fixed(try RangeNode.count(floats[0], floats[1], floats[2])) : .unknown])
  }

  /// How many elements, and which, as far as integer inputs tell; nil where one is of another type or unknown.
  private func integerCount(
    _ context: InferenceContext
  ) throws -> (count: Dimension, elements: [Dimension]?)? {
    guard let start = context.dimensions(0)?.first, let limit = context.dimensions(1)?.first,
      let delta = context.dimensions(2)?.first
    else { return nil }
    guard let from = start.value, let to = limit.value, let step = delta.value else {
      // An extent is never negative.
      if case .symbol = limit, start == 0, delta == 1 { return (limit, nil) }
      return (.unknown, nil)
    }
    let count = try RangeNode.count(from, to, step)
    guard count <= RangeNode.longestKnown else { return (.fixed(count), nil) }
    return (.fixed(count), (0..<count).map { start + .fixed($0) * delta })
  }

  /// max(ceil((limit - start) / delta), 0) of integers; `Int.max` where it is more than that.
  private static func count(_ start: Int, _ limit: Int, _ delta: Int) throws -> Int {
    guard delta != 0 else { throw OperatorError("delta is 0") }
    guard delta > 0 ? limit > start : limit < start else { return 0 }
    // Both differ by less than 2^64: exact without a sign.
    let distance = delta > 0 ? UInt(bitPattern: limit &- start) : UInt(bitPattern: start &- limit)
    let count = (distance - 1) / delta.magnitude + 1
    return Int(exactly: count) ?? .max
  }

  /// The same of floats.
  private static func count(_ start: Double, _ limit: Double, _ delta: Double) throws -> Int {
    let count = ((limit - start) / delta).rounded(.up)
    guard delta != 0, !count.isNaN, count < 0x1p62 else {
      throw OperatorError("start \(start), limit \(limit) and delta \(delta) make no range")
    }
    return max(0, Int(max(count, 0)))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    guard let start = request.values[0], let delta = request.values[2] else {
      throw OperatorError("start and delta must be known before the node is planned")
    }
    let bind: @Sendable (KernelRequest) throws -> Kernel = { request in
      try ProgressionKernels.range(start: start, delta: delta, try request.requiredOutput(0))
    }
    _ = try bind(request)
    return [
      KernelCandidate(
        name: .range, inputs: [.planned, .planned, .planned], outputs: [.contiguous],
        cost: elementwiseCost(request, operations: 1), bind: bind)
    ]
  }
}

/// Det, ONNX opsets 11 to 22: determinants of the matrices of the last two axes.
package struct Determinant: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("Det", opsets: 11...OperatorTable.latestOpset)]
  }

  package init(_ node: NodeReader) throws { try node.requireInputs(1...1) }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: [.float32, .float64])
    context.setOutput(0, type, try context.squareMatrices(0).map { Array($0.dropLast(2)) })
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let bind: @Sendable (KernelRequest) throws -> Kernel = { request in
      let (input, output) = try request.onlyInputAndOutput()
      return try ProgressionKernels.determinant(input, output)
    }
    _ = try bind(request)
    let extent = Double(request.inputs[0]?.shape.last ?? 0)
    return [
      KernelCandidate(
        name: .elimination, inputs: [.contiguous], outputs: [.contiguous],
        cost: elementwiseCost(request, operations: extent * extent * extent), bind: bind)
    ]
  }
}

/// Inverse (com.microsoft): the inverses of the matrices of the last two axes. What has none gives numbers that are not finite.
package struct Inverse: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("Inverse", domain: Quantization.microsoft)]
  }

  package init(_ node: NodeReader) throws { try node.requireInputs(1...1) }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: [.float32, .float64])
    context.setOutput(0, type, try context.squareMatrices(0))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let extent = Double(request.inputs[0]?.shape.last ?? 0)
    return [
      try rowMajorCandidate(
        .elimination, request, cost: elementwiseCost(request, operations: 2 * extent)
      ) { try ProgressionKernels.inverse($0.onlyInputAndOutput().0) }
    ]
  }
}

extension InferenceContext {
  /// The shape of an input that is matrices as high as they are wide; nil where it is not known.
  fileprivate func squareMatrices(_ index: Int) throws -> [Dimension]? {
    guard let shape = try shape(index, ranks: 2...64) else { return nil }
    let (rows, columns) = (shape[shape.count - 2], shape[shape.count - 1])
    if let height = rows.value, let width = columns.value, height != width {
      throw OperatorError("the matrices are \(height)x\(width); expected square ones")
    }
    return shape
  }
}
