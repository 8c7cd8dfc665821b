// Indexing: operators that read or write single elements and runs where indices say, and the one that makes indices of
// data: GatherElements, GatherND, ScatterElements, Scatter, ScatterND, NonZero.
//
// Indices are checked when they are used; negative ones count from the end in every opset.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Indexing: OperatorFamily {
  package static var operators: [any Operator.Type] {
    [
      GatherElements.self, GatherTuples.self, ScatterElements.self, ScatterTuples.self,
      NonZero.self,
    ]
  }
}

/// GatherElements, ONNX opsets 11 and 13.
package struct GatherElements: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("GatherElements", opsets: 11...OperatorTable.latestOpset)]
  }
  private let axis: Int

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...2)
    axis = try node.int("axis", default: 0)
  }

  package var movedOutputs: Int { 1 }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(1, among: [.int32, .int64])
    if let rank = try context.shape(0, ranks: 1...64)?.count {
      _ = try normalizedAxis(axis, rank: rank)
      _ = try context.shape(1, ranks: rank...rank)
    }
    context.setOutput(0, try context.dataType(0), context.shape(1))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let axis = axis
    return try indexedCandidates(request, name: .gatherElements) { request in
      let data = try request.requiredInput(0)
      return try IndexedAccess.gatherElements(
        data, try request.requiredInput(1),
        axis: try normalizedAxis(axis, rank: data.shape.rank))
    }
  }
}

/// A candidate for contiguous operands.
private func indexedCandidates(
  _ request: KernelRequest, name: Algorithm, inPlace: [InPlacePair] = [],
  bind: @escaping @Sendable (KernelRequest) throws -> Kernel
) throws -> [KernelCandidate] {
  _ = try bind(request)
  return [
    KernelCandidate(
      name: name, inputs: request.inputs.map { _ in .contiguous }, outputs: [.contiguous],
      inPlace: inPlace, cost: elementwiseCost(request, operations: 4), bind: bind)
  ]
}

/// GatherND, ONNX opsets 11 to 13.
package struct GatherTuples: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("GatherND", opsets: 11...OperatorTable.latestOpset)]
  }
  private let batchAxes: Int

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...2)
    batchAxes = try node.int("batch_dims", default: 0)
    guard batchAxes >= 0 else {
      throw OperatorError("attribute 'batch_dims' is \(batchAxes); expected 0 or more")
    }
  }

  package var movedOutputs: Int { 1 }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(1, among: [.int64])
    let type = try context.dataType(0)
    guard let data = try context.shape(0, ranks: 1...64),
      let indices = try context.shape(1, ranks: 1...64), let length = indices.last?.value
    else { return context.setOutput(0, type, nil) }
    guard batchAxes < min(data.count, indices.count), batchAxes + length <= data.count else {
      throw OperatorError(
        "indices of shape \(describe(indices)) do not fit data of shape \(describe(data)) with "
          + "\(batchAxes) batch axes")
    }
    context.setOutput(0, type, indices.dropLast() + data.dropFirst(batchAxes + length))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let batchAxes = batchAxes
    return try indexedCandidates(request, name: .gatherNd) {
      try IndexedAccess.gatherTuples(
        try $0.requiredInput(0), try $0.requiredInput(1), batchAxes: batchAxes)
    }
  }
}

/// ScatterElements, ONNX opsets 11 to 18, and Scatter, its name in opset 9.
package struct ScatterElements: Operator {
  package static var declarations: [OperatorDeclaration] {
    [
      OperatorDeclaration("ScatterElements", opsets: 11...OperatorTable.latestOpset),
      OperatorDeclaration("Scatter", opsets: 9...OperatorTable.latestOpset),
    ]
  }
  private let axis: Int
  private let function: ScatterFunction

  package init(_ node: NodeReader) throws {
    try node.requireInputs(3...3)
    axis = try node.int("axis", default: 0)
    function = try node.choice("reduction", default: .none)
  }

  package var movedOutputs: Int { function == .none ? 1 : 0 }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(1, among: [.int32, .int64])
    let shape = try context.shape(0, ranks: 1...64)
    if let shape { _ = try normalizedAxis(axis, rank: shape.count) }
    let type = try context.dataType(0)
    try function.require(type)
    context.setOutput(0, type, shape)
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (axis, function) = (axis, function)
    return try indexedCandidates(
      request, name: .scatterElements, inPlace: [InPlacePair(input: 0, output: 0)]
    ) { request in
      let (data, output) = try request.onlyInputAndOutput()
      return try IndexedAccess.scatterElements(
        function, data, try request.requiredInput(1), try request.requiredInput(2), output,
        axis: try normalizedAxis(axis, rank: data.shape.rank))
    }
  }
}

/// ScatterND, ONNX opsets 11 to 18.
package struct ScatterTuples: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("ScatterND", opsets: 11...OperatorTable.latestOpset)]
  }
  private let function: ScatterFunction

  package init(_ node: NodeReader) throws {
    try node.requireInputs(3...3)
    function = try node.choice("reduction", default: .none)
  }

  package var movedOutputs: Int { function == .none ? 1 : 0 }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(1, among: [.int64])
    let type = try context.dataType(0)
    try function.require(type)
    context.setOutput(0, type, try context.shape(0, ranks: 1...64))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let function = function
    return try indexedCandidates(
      request, name: .scatterNd, inPlace: [InPlacePair(input: 0, output: 0)]
    ) { request in
      let (data, output) = try request.onlyInputAndOutput()
      return try IndexedAccess.scatterTuples(
        function, data, try request.requiredInput(1), try request.requiredInput(2), output)
    }
  }
}

/// NonZero, ONNX opsets 9 and 13: the indices of all elements that are not 0, in row-major order, a column each. A scalar
/// counts as a vector of one element, as in ONNX Runtime. A string is 0 where it is empty, as in onnx.reference.
package struct NonZero: TensorHostOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("NonZero", opsets: 9...OperatorTable.latestOpset)]
  }

  package init(_ node: NodeReader) throws { try node.requireInputs(1...1) }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    if type != .string { try IndexedAccess.requireTruth(of: type) }
    context.setOutput(
      0, .int64, context.shape(0).map { [.fixed(max($0.count, 1)), .unknown] })
  }

  package func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    guard let input = inputs.first ?? nil else { throw OperatorError("input 0 is required") }
    let truth = try input.strings?.map { !$0.isEmpty } ?? IndexedAccess.truth(of: input)
    let shape = input.shape.isEmpty ? [1] : input.shape
    let count = truth.count { $0 }
    let strides = shape.rowMajorStrides
    let output = try Tensor(dataType: .int64, shape: [shape.rank, count]) { bytes in
      let indices = bytes.bindMemory(to: Int64.self)
      var column = 0
      for place in truth.indices where truth[place] {
        for axis in shape.indices {
          indices[axis * count + column] = Int64(place / strides[axis] % shape[axis])
        }
        column += 1
      }
    }
    return [output]
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? {
    guard let shape = inputs.first??.shape else { return nil }
    return [Operand(.int64, [max(shape.rank, 1), shape.elementCount])]
  }
}
