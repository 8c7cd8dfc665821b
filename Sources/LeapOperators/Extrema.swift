// Extrema: operators that find the largest or smallest elements along an axis.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Extrema: OperatorFamily {
  package static var operators: [any Operator.Type] { [ArgExtreme.self, TopK.self] }

  static let orderedTypes: Set<DataType> = [
    .float32, .float64, .int8, .int16, .int32, .int64, .uint8, .uint16,
    .uint32, .uint64,
  ]
}

/// ArgMax and ArgMin, ONNX opsets 1 to 13.
package struct ArgExtreme: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("ArgMax"), OperatorDeclaration("ArgMin")]
  }

  private let largest: Bool
  private let axis: Int
  private let keepsDimensions: Bool
  private let takesLast: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    largest = node.operatorType == "ArgMax"
    axis = try node.int("axis", default: 0)
    keepsDimensions = try node.flag("keepdims", default: true)
    takesLast = try node.opset >= 12 && node.flag("select_last_index", default: false)
  }

  private func axis(rank: Int) throws -> Int {
    guard rank > 0 else { throw OperatorError("input 0 is a scalar; expected a rank of 1 or more") }
    return try normalizedAxis(axis, rank: rank)
  }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(0, among: Extrema.orderedTypes)
    guard var shape = context.shape(0) else { return context.setOutput(0, .int64, nil) }
    let axis = try axis(rank: shape.count)
    if keepsDimensions { shape[axis] = 1 } else { shape.remove(at: axis) }
    context.setOutput(0, .int64, shape)
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let axis = try axis(rank: try request.requiredInput(0).shape.rank)
    let (largest, takesLast) = (largest, takesLast)
    let bind: @Sendable (KernelRequest) throws -> Kernel = { request in
      let (input, output) = try request.onlyInputAndOutput()
      return try OrderingKernels.argExtreme(
        largest: largest, takesLast: takesLast, input, output, axis: axis)
    }
    _ = try bind(request)
    return [
      KernelCandidate(
        name: .argExtreme, inputs: [.innerContiguous(from: axis)],
        outputs: [.innerContiguous(from: keepsDimensions ? axis + 1 : axis)],
        cost: Cost(
          operations: Double(request.inputs[0]?.shape.elementCount ?? 0),
          bytes: Double(request.inputs[0]?.byteCount ?? 0), operationsPerNanosecond: 1),
        bind: bind)
    ]
  }
}

/// TopK, ONNX opsets 1 to 24: k is an attribute at first, an input from opset 10 on. The result is in order, whatever
/// `sorted` says.
package struct TopK: Operator {
  package static var declarations: [OperatorDeclaration] { [OperatorDeclaration("TopK")] }

  private let axis: Int
  private let largest: Bool
  /// nil where k is an input.
  private let attributeK: Int?

  package init(_ node: NodeReader) throws {
    axis = try node.int("axis", default: -1)
    largest = try node.opset < 11 || node.flag("largest", default: true)
    if node.opset < 10 {
      try node.requireInputs(1...1)
      attributeK = try node.required("k", try node.int("k"))
    } else {
      try node.requireInputs(2...2)
      attributeK = nil
    }
  }

  package var valueInputs: [Int] { attributeK == nil ? [1] : [] }

  private func axis(rank: Int) throws -> Int {
    guard rank > 0 else { throw OperatorError("input 0 is a scalar; expected a rank of 1 or more") }
    return try normalizedAxis(axis, rank: rank)
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: Extrema.orderedTypes)
    if attributeK == nil { _ = try context.dataType(1, among: [.int64]) }
    guard var shape = context.shape(0) else {
      context.setOutput(0, type, nil)
      return context.setOutput(1, .int64, nil)
    }
    let axis = try axis(rank: shape.count)
    let k = attributeK.map(Dimension.fixed) ?? context.dimensions(1)?.first ?? .unknown
    if let count = k.value {
      guard count >= 0 else { throw OperatorError("k is \(count); expected 0 or more") }
      if let extent = shape[axis].value, count > extent {
        throw OperatorError("k is \(count); axis \(axis) has \(extent) elements")
      }
    }
    shape[axis] = k
    context.setOutput(0, type, shape)
    context.setOutput(1, .int64, shape)
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let input = try request.requiredInput(0)
    guard let k = attributeK ?? request.values[1]?.integers?.first else {
      throw OperatorError("k must be known before the node is planned")
    }
    let axis = try axis(rank: input.shape.rank)
    let largest = largest
    let bind: @Sendable (KernelRequest) throws -> Kernel = { request in
      try OrderingKernels.topK(k, largest: largest, try request.requiredInput(0), axis: axis)
    }
    _ = try bind(request)
    return [
      KernelCandidate(
        name: .heap,
        inputs: request.inputs.indices.map { $0 == 0 ? .innerContiguous(from: axis) : .planned },
        outputs: request.outputs.map { _ in .contiguous },
        cost: Cost(
          operations: Double(input.shape.elementCount), bytes: Double(input.byteCount),
          operationsPerNanosecond: 0.5),
        bind: bind)
    ]
  }
}
