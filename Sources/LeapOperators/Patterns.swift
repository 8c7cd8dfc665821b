// Patterns: operators that repeat elements, or lay them out in a fixed pattern.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Patterns: OperatorFamily {
  package static var operators: [any Operator.Type] {
    [Tile.self, Trilu.self, EyeLike.self, OneHot.self, ReverseSequence.self, UnfoldTensor.self]
  }
}

/// Tile, ONNX opsets 1 to 13: one axis at first, all from opset 6 on.
package struct Tile: Operator {
  package static var declarations: [OperatorDeclaration] { [OperatorDeclaration("Tile")] }
  private let isOneAxis: Bool

  package init(_ node: NodeReader) throws {
    isOneAxis = node.opset < 6
    try node.requireInputs(isOneAxis ? 3...3 : 2...2)
  }

  package var valueInputs: [Int] { isOneAxis ? [1, 2] : [1] }

  package var movedOutputs: Int { 1 }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    if !isOneAxis { try context.requireIntegers(valueInputs) }
    guard let shape = context.shape(0) else { return context.setOutput(0, type, nil) }
    guard let repeats = try repeats(context, rank: shape.count) else {
      return context.setOutput(0, type, shape.map { _ in .unknown })
    }
    if let count = repeats.compactMap(\.value).first(where: { $0 < 0 }) {
      throw OperatorError("the number of copies is \(count); expected 0 or more")
    }
    context.setOutput(0, type, zip(shape, repeats).map { $0 * $1 })
    if shape.count == 1, let elements = context.dimensions(0), let count = repeats[0].value,
      count <= 64
    {
      context.setOutput(0, dimensions: (0..<count).flatMap { _ in elements })
    }
  }

  /// How often each axis is repeated, as far as it is known.
  private func repeats(_ context: InferenceContext, rank: Int) throws -> [Dimension]? {
    guard isOneAxis else {
      guard let repeats = context.dimensions(1) else { return nil }
      guard repeats.count == rank else {
        throw OperatorError("input 1 has \(repeats.count) elements; expected \(rank)")
      }
      return repeats
    }
    guard let count = context.tensor(1)?.firstInteger, let axis = context.tensor(2)?.firstInteger
    else { return nil }
    var repeats = [Dimension](repeating: 1, count: rank)
    let index = try normalizedAxis(axis, rank: rank)
    guard index < rank else { throw OperatorError("a scalar has no axis to repeat") }
    repeats[index] = .fixed(count)
    return repeats
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    [
      try Movement.candidate(request, reading: [0]) { settled in
        guard let input = settled.inputs[0], let output = settled.outputs[0] else { return [] }
        let (from, to) = (try Movement.strides(input), try Movement.strides(output))
        let box = CopyBox(
          extents: input.shape.indices.flatMap { axis in
            [
              input.shape[axis] == 0 ? 0 : output.shape[axis] / input.shape[axis],
              input.shape[axis],
            ]
          },
          sourceStrides: from.flatMap { [0, $0] },
          targetStrides: input.shape.indices.flatMap { [to[$0] &* input.shape[$0], to[$0]] })
        return [(0, box)]
      }
    ]
  }
}

/// Trilu, ONNX opset 14: the upper or lower triangle of matrices.
package struct Trilu: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("Trilu", opsets: 14...OperatorTable.latestOpset)]
  }
  private let upper: Bool
  private let hasDiagonal: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...2)
    upper = try node.flag("upper", default: true)
    hasDiagonal = node.hasInput(1)
  }

  package var valueInputs: [Int] { hasDiagonal ? [1] : [] }

  package var movedOutputs: Int { 1 }

  package func infer(_ context: inout InferenceContext) throws {
    if hasDiagonal { _ = try context.dataType(1, among: [.int64]) }
    context.setOutput(0, try context.dataType(0), try context.shape(0, ranks: 2...64))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    guard let diagonal = hasDiagonal ? request.values[1]?.integers?.first : 0 else {
      throw OperatorError("k must be one number, known before the node is planned")
    }
    let upper = upper
    let bind: @Sendable (KernelRequest) throws -> Kernel = { request in
      try PatternKernels.triangle(
        upper: upper, diagonal: diagonal, try request.requiredInput(0))
    }
    _ = try bind(request)
    return [
      KernelCandidate(
        name: .triangle,
        inputs: request.inputs.indices.map { $0 == 0 ? .contiguous : .planned },
        outputs: [.contiguous], inPlace: [InPlacePair(input: 0, output: 0)],
        cost: elementwiseCost(request, operations: 0), bind: bind)
    ]
  }
}

/// EyeLike, ONNX opsets 9 to 22: ones along a diagonal, in the shape of the input, which is not read.
package struct EyeLike: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("EyeLike", opsets: 9...OperatorTable.latestOpset)]
  }
  private let diagonal: Int
  private let type: DataType?

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    diagonal = try node.int("k", default: 0)
    type = try node.int("dtype").map { number in
      guard let type = Int32(exactly: number).flatMap(DataType.init(rawValue:)) else {
        throw OperatorError(
          "attribute 'dtype' is \(number); expected the number of an element type")
      }
      return type
    }
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try type ?? context.dataType(0)
    try PatternKernels.requireIdentity(type)
    context.setOutput(0, type, try context.shape(0, ranks: 2...2))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let diagonal = diagonal
    let bind: @Sendable (KernelRequest) throws -> Kernel = { request in
      try PatternKernels.identity(diagonal: diagonal, try request.requiredOutput(0))
    }
    _ = try bind(request)
    return [
      KernelCandidate(
        name: .identity, inputs: [.planned], outputs: [.contiguous],
        cost: elementwiseCost(request, operations: 0), bind: bind)
    ]
  }
}

/// OneHot, ONNX opsets 9 to 28. Negative indices count from the end from opset 11 on; an index out of range selects
/// nothing.
package struct OneHot: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("OneHot", opsets: 9...OperatorTable.latestOpset)]
  }
  private let axis: Int
  private let wraps: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(3...3)
    axis = try node.int("axis", default: -1)
    wraps = node.opset >= 11
  }

  package var valueInputs: [Int] { [1] }

  package var movedOutputs: Int { 1 }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(2)
    for index in 0...1 where context.inputs[index] != nil {
      let number = try context.dataType(index)
      guard number.isInteger || number.isFloatingPoint else {
        throw OperatorError.unsupported("input \(index) is \(number); expected numbers")
      }
    }
    if let values = context.shape(2), values.count != 1 || (values[0].value ?? 2) != 2 {
      throw OperatorError("input 2 has shape \(describe(values)); expected 2: off and on")
    }
    guard let indices = context.shape(0) else { return context.setOutput(0, type, nil) }
    let depth =
      context.tensor(1)?.firstInteger.map(Dimension.fixed) ?? context.dimensions(1)?.first
      ?? .unknown
    if let value = depth.value, value < 0 {
      throw OperatorError("depth is \(value); expected 0 or more")
    }
    var shape = indices
    shape.insert(depth, at: try normalizedAxis(axis, rank: indices.count + 1))
    context.setOutput(0, type, shape)
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let indices = try request.requiredInput(0)
    let axis = try normalizedAxis(axis, rank: indices.shape.rank + 1)
    let wraps = wraps
    let bind: @Sendable (KernelRequest) throws -> Kernel = { request in
      try PatternKernels.oneHot(
        indices: try request.requiredInput(0), try request.requiredOutput(0), axis: axis,
        wraps: wraps)
    }
    _ = try bind(request)
    return [
      KernelCandidate(
        name: .oneHot, inputs: [.contiguous, .planned, .contiguous], outputs: [.contiguous],
        cost: elementwiseCost(request, operations: 0), bind: bind)
    ]
  }
}

/// ReverseSequence, ONNX opsets 10 to 28.
package struct ReverseSequence: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("ReverseSequence", opsets: 10...OperatorTable.latestOpset)]
  }
  private let timeIsOuter: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...2)
    let time = try node.int("time_axis", default: 0)
    let batch = try node.int("batch_axis", default: 1)
    guard (time, batch) == (0, 1) || (time, batch) == (1, 0) else {
      throw OperatorError(
        "time_axis is \(time) and batch_axis \(batch); expected 0 and 1, or 1 and 0")
    }
    timeIsOuter = time == 0
  }

  package var movedOutputs: Int { 1 }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    _ = try context.dataType(1, among: [.int64])
    let shape = try context.shape(0, ranks: 2...64)
    if let batch = shape?[timeIsOuter ? 1 : 0].value,
      let lengths = try context.shape(1, ranks: 1...1)?[0].value, lengths != batch
    {
      throw OperatorError("input 1 has \(lengths) lengths; expected \(batch), the batch")
    }
    context.setOutput(0, type, shape)
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let timeIsOuter = timeIsOuter
    let bind: @Sendable (KernelRequest) throws -> Kernel = { request in
      try PatternKernels.reverse(try request.requiredInput(0), timeIsOuter: timeIsOuter)
    }
    _ = try bind(request)
    return [
      KernelCandidate(
        name: .reverse, inputs: [.contiguous, .contiguous], outputs: [.contiguous],
        cost: elementwiseCost(request, operations: 0), bind: bind)
    ]
  }
}

/// UnfoldTensor (com.microsoft): all windows of a size along an axis, a step apart; a new last axis runs through each.
package struct UnfoldTensor: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("UnfoldTensor", domain: Quantization.microsoft)]
  }
  private let axis: Int
  private let size: Int
  private let step: Int

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    axis = try node.int("dim", default: -1)
    size = try node.required("size", node.int("size"))
    step = try node.int("step", default: 1)
    for (name, extent) in [("size", size), ("step", step)] where !(1...1 << 31).contains(extent) {
      throw OperatorError("attribute '\(name)' is \(extent); expected 1 to \(1 << 31)")
    }
  }

  package var movedOutputs: Int { 1 }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    guard var shape = try context.shape(0, ranks: 1...63) else {
      return context.setOutput(0, type, nil)
    }
    let axis = try normalizedAxis(axis, rank: shape.count)
    if let extent = shape[axis].value, extent < size {
      throw OperatorError("windows of \(size) do not fit into axis \(axis) of \(extent)")
    }
    shape[axis] = shape[axis].value.map { .fixed(($0 - size) / step + 1) } ?? .unknown
    context.setOutput(0, type, shape + [.fixed(size)])
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (axis, step) = (axis, step)
    return [
      try Movement.candidate(request, reading: [0]) { settled in
        guard let input = settled.inputs[0], let output = settled.outputs[0] else { return [] }
        let axis = try normalizedAxis(axis, rank: input.shape.rank)
        var from = try Movement.strides(input)
        from.append(from[axis])
        from[axis] *= step
        let box = CopyBox(
          extents: Array(output.shape.dimensions), sourceStrides: from,
          targetStrides: try Movement.strides(output))
        return [(0, box)]
      }
    ]
  }
}
