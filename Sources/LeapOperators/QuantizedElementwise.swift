// QuantizedElementwise: ONNX Runtime's element-wise operators on quantised bytes, and those that gather them: QLinearAdd,
// QLinearMul, QLinearSigmoid, QLinearLeakyRelu, QLinearConcat, QLinearGlobalAveragePool.

import LeapGraph
import LeapKernels
import LeapTensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

extension InferenceContext {
  /// Checks that the scale and the zero point from `index` on are one number each, the zero point of `type` or left out.
  fileprivate func requireQuantization(_ index: Int, _ type: DataType) throws {
    _ = try dataType(index, among: [.float32])
    try Quantization.requireScalar(self, index, "input \(index)")
    guard hasInput(index + 1) else { return }
    _ = try dataType(index + 1, among: [type])
    try Quantization.requireScalar(self, index + 1, "input \(index + 1)")
  }
}

/// QLinearAdd and QLinearMul (com.microsoft): A, B and C each with a scale and a zero point.
package struct QLinearBinary: Operator {
  package static var declarations: [OperatorDeclaration] {
    ["QLinearAdd", "QLinearMul"].map {
      OperatorDeclaration($0, domain: Quantization.microsoft)
    }
  }
  private let multiplies: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(7...8)
    multiplies = node.operatorType == "QLinearMul"
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: Quantization.bytes)
    _ = try context.dataType(3, among: [type])
    for index in [1, 4, 6] { try context.requireQuantization(index, type) }
    guard let a = context.shape(0), let b = context.shape(3) else {
      return context.setOutput(0, type, nil)
    }
    context.setOutput(0, type, try broadcast(a, b))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let multiplies = multiplies
    return try rowMajorCandidate(
      .quantizedElementwise, request, cost: elementwiseCost(request, operations: 8)
    ) {
      try QuantizedElementwise.binary(
        multiplies: multiplies, $0, a: (0, QuantizationPlaces(scale: 1, zero: 2)),
        b: (3, QuantizationPlaces(scale: 4, zero: 5)), y: QuantizationPlaces(scale: 6, zero: 7))
    }.inAnyLayout(request)
  }
}

/// QLinearSigmoid and QLinearLeakyRelu (com.microsoft): X with scale and zero point, Y's scale and zero point.
package struct QLinearUnary: Operator {
  package static var declarations: [OperatorDeclaration] {
    ["QLinearSigmoid", "QLinearLeakyRelu"].map {
      OperatorDeclaration($0, domain: Quantization.microsoft)
    }
  }
  /// The slope of LeakyRelu below 0; nil for Sigmoid.
  private let slope: Float?

  package init(_ node: NodeReader) throws {
    try node.requireInputs(4...5)
    slope =
      node.operatorType == "QLinearLeakyRelu" ? try node.float("alpha", default: 0.01) : nil
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: Quantization.bytes)
    for index in [1, 3] { try context.requireQuantization(index, type) }
    context.setOutput(0, type, context.shape(0))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let slope = slope
    return [
      try rowMajorCandidate(
        .quantizedElementwise, request, cost: elementwiseCost(request, operations: 1)
      ) {
        let x = try $0.requiredInput(0)
        let count = x.shape.elementCount
        let whole = QuantizedElementwise.Part(
          input: 0, places: QuantizationPlaces(scale: 1, zero: 2), rows: 1, run: count, offset: 0,
          stride: count)
        return QuantizedElementwise.lookUp(
          [whole], y: QuantizationPlaces(scale: 3, zero: 4), isSigned: x.dataType == .int8
        ) { number in
          if let slope { return number < 0 ? number * slope : number }
          return 1 / (1 + expf(-number))
        }
      }
    ]
  }
}

/// QLinearConcat (com.microsoft): Y's scale and zero point, then a tensor, a scale and a zero point for each part.
package struct QLinearConcat: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("QLinearConcat", domain: Quantization.microsoft)]
  }
  private let axis: Int
  private let count: Int

  package init(_ node: NodeReader) throws {
    guard node.inputCount >= 5, (node.inputCount - 2) % 3 == 0 else {
      throw OperatorError(
        "expected 2 inputs and 3 for each part, got \(node.inputCount)")
    }
    try node.requireInputs(node.inputCount...node.inputCount)
    axis = try node.required("axis", try node.int("axis"))
    count = (node.inputCount - 2) / 3
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(1, among: Quantization.bytes)
    try context.requireQuantization(0, type)
    var result: [Dimension]?
    for part in 0..<count {
      _ = try context.dataType(2 + 3 * part, among: [type])
      try context.requireQuantization(3 + 3 * part, type)
      guard let shape = context.shape(2 + 3 * part) else { return context.setOutput(0, type, nil) }
      let place = try normalizedAxis(axis, rank: shape.count)
      guard !shape.isEmpty else { throw OperatorError("a scalar cannot be concatenated") }
      guard var joined = result else {
        result = shape
        continue
      }
      guard joined.count == shape.count else {
        throw OperatorError("part \(part) has rank \(shape.count); expected \(joined.count)")
      }
      for index in joined.indices where index != place {
        try check(shape[index], equals: joined[index], "indices along axis \(index)", "parts")
      }
      joined[place] = joined[place] + shape[place]
      result = joined
    }
    context.setOutput(0, type, result)
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (axis, count) = (axis, count)
    return [
      try rowMajorCandidate(
        .quantizedElementwise, request, cost: elementwiseCost(request, operations: 1)
      ) { request in
        let y = try request.requiredOutput(0)
        let place = try normalizedAxis(axis, rank: y.shape.rank)
        let stride = y.shape.inner(from: place)
        var offset = 0
        let parts = try (0..<count).map { part in
          let shape = try request.requiredInput(2 + 3 * part).shape
          defer { offset += shape.inner(from: place) }
          return QuantizedElementwise.Part(
            input: 2 + 3 * part,
            places: QuantizationPlaces(scale: 3 + 3 * part, zero: 4 + 3 * part),
            rows: shape.outer(place), run: shape.inner(from: place), offset: offset,
            stride: stride)
        }
        return QuantizedElementwise.lookUp(
          parts, y: QuantizationPlaces(scale: 0, zero: 1), isSigned: y.dataType == .int8
        ) { $0 }
      }
    ]
  }
}

/// QLinearGlobalAveragePool (com.microsoft): the average of each channel of each image.
package struct QLinearGlobalAveragePool: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("QLinearGlobalAveragePool", domain: Quantization.microsoft)]
  }
  private let channelsLast: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(4...5)
    channelsLast = try node.flag("channels_last", default: false)
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: Quantization.bytes)
    for index in [1, 3] { try context.requireQuantization(index, type) }
    let channelsLast = channelsLast
    context.setOutput(
      0, type,
      try context.shape(0, ranks: 3...64).map { shape in
        shape.enumerated().map { axis, extent in
          axis == 0 || axis == (channelsLast ? shape.count - 1 : 1) ? extent : 1
        }
      })
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let channelsLast = channelsLast
    return [
      try rowMajorCandidate(
        .quantizedElementwise, request,
        cost: Cost(operations: 0, bytes: request.variableBytes)
      ) {
        let x = try $0.requiredInput(0).shape
        let channels = channelsLast ? x[x.rank - 1] : x[1]
        let spatial = channelsLast ? x.dimensions[1..<(x.rank - 1)] : x.dimensions[2...]
        return try QuantizedElementwise.globalAverage(
          $0, images: x[0], channels: channels, pixels: Shape.product(spatial),
          channelsLast: channelsLast, x: QuantizationPlaces(scale: 1, zero: 2),
          y: QuantizationPlaces(scale: 3, zero: 4))
      }
    ]
  }
}
