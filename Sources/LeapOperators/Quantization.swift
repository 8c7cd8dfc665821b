// Quantization: operators that quantise numbers and turn quantised ones back: QuantizeLinear, DequantizeLinear,
// DynamicQuantizeLinear; products and convolutions of quantised numbers have a file of their own, and so have the
// element-wise operators of ONNX Runtime.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Quantization: OperatorFamily {
  package static var operators: [any Operator.Type] {
    [
      QuantizeLinear.self, DequantizeLinear.self, DynamicQuantizeLinear.self, ConvInteger.self,
      QLinearConv.self, MatMulInteger.self, QLinearMatMul.self, QLinearBinary.self,
      QLinearUnary.self, QLinearConcat.self, QLinearGlobalAveragePool.self,
    ]
  }

  /// The domain of ONNX Runtime's own operators.
  static let microsoft = "com.microsoft"

  /// Types whose elements stand for numbers by a scale.
  static let quantizedTypes: Set<DataType> = [
    .int8, .uint8, .int16, .uint16, .int4, .uint4, .int2, .uint2, .float8e4m3fn, .float8e4m3fnuz,
    .float8e5m2, .float8e5m2fnuz, .float4e2m1, .float6e2m3, .float6e3m2,
  ]
  static let bytes: Set<DataType> = [.int8, .uint8]

  /// Throws `OperatorError` where an input is given that is no scalar, or vector of one element.
  static func requireScalar(_ context: InferenceContext, _ index: Int, _ what: String) throws {
    guard let shape = context.shape(index), context.hasInput(index) else { return }
    guard shape.count <= 1, shape.allSatisfy({ ($0.value ?? 1) == 1 }) else {
      throw OperatorError("\(what) has shape \(describe(shape)); expected a scalar")
    }
  }

  /// An element type by the number of an attribute; nil for 0 and where it is not given.
  static func type(_ node: NodeReader, _ name: String) throws -> DataType? {
    guard let number = try node.int(name), number != 0 else { return nil }
    guard let raw = Int32(exactly: number), let type = DataType(rawValue: raw) else {
      throw OperatorError(
        "attribute '\(name)' is \(number); expected the number of an element type")
    }
    return type
  }
}

/// The attributes that QuantizeLinear and DequantizeLinear share.
private struct QuantizationAttributes: Sendable {
  private let axis: Int
  private let blockSize: Int

  init(_ node: NodeReader) throws {
    axis = try node.int("axis", default: 1)
    blockSize = try node.int("block_size", default: 0)
    guard blockSize >= 0, blockSize <= Int(Int32.max) else {
      throw OperatorError("attribute 'block_size' is \(blockSize); expected 0 or more")
    }
  }

  /// Which scale belongs to an element.
  ///
  /// - Parameters:
  ///   - x: the shape of the tensor.
  ///   - scale: the shape of the scales.
  /// - Throws: `OperatorError` where they do not go together.
  func granularity(_ x: [Dimension], scale: [Dimension]) throws -> QuantizationGranularity {
    if scale.isEmpty || scale == [1] { return .tensor }
    let place = try normalizedAxis(axis, rank: x.count)
    let extent = x.isEmpty ? 1 : x[place]
    let inner = Shape.product(x.dropFirst(place + 1).map { $0.value ?? 1 }[...])
    if scale.count == 1, blockSize == 0 {
      try check(scale[0], equals: extent, "scales", "\(describe([extent])) indices of axis \(axis)")
      return .axis(extent: extent.value ?? 1, inner: inner)
    }
    guard scale.count == x.count else {
      throw OperatorError(
        "the scale has shape \(describe(scale)); expected a scalar, a vector, or rank \(x.count)")
    }
    for (index, (mine, theirs)) in zip(scale, x).enumerated() where index != place {
      try check(mine, equals: theirs, "scales along axis \(index)", "tensor's indices")
    }
    guard let count = scale[place].value, let known = extent.value else {
      return .block(extent: extent.value ?? 1, inner: inner, size: max(blockSize, 1))
    }
    let size = blockSize > 0 ? blockSize : count > 0 ? (known - 1) / count + 1 : 1
    guard known == 0 ? count == 0 : count == (known - 1) / max(size, 1) + 1 else {
      throw OperatorError(
        "\(count) scales along axis \(axis) do not go with \(known) indices in blocks of \(size)")
    }
    return .block(extent: known, inner: inner, size: size)
  }

  func granularity(_ request: KernelRequest) throws -> QuantizationGranularity {
    try granularity(
      request.requiredInput(0).shape.map(Dimension.fixed),
      scale: request.requiredInput(1).shape.map(Dimension.fixed))
  }

  /// Checks the shapes of scale and zero point.
  func check(_ context: InferenceContext) throws {
    guard let scale = context.shape(1) else { return }
    if context.hasInput(2), let zero = context.shape(2) {
      let isAlike =
        zero.count == scale.count
        ? zip(zero, scale).allSatisfy { ($0.value ?? $1.value) == ($1.value ?? $0.value) }
        : (zero + scale).allSatisfy { ($0.value ?? 1) == 1 } && zero.count + scale.count == 1
      guard isAlike else {
        throw OperatorError(
          "the zero point has shape \(describe(zero)); expected \(describe(scale)), the scale's")
      }
    }
    if let x = context.shape(0) { _ = try granularity(x, scale: scale) }
  }

  private func check(
    _ got: Dimension, equals expected: Dimension, _ what: String, _ consumer: String
  ) throws {
    try LeapOperators.check(got, equals: expected, what, consumer)
  }
}

/// The candidate of a kernel on row-major operands.
func rowMajorCandidate(
  _ name: Algorithm, _ request: KernelRequest, cost: Cost,
  bind: @escaping @Sendable (KernelRequest) throws -> Kernel
) throws -> KernelCandidate {
  _ = try bind(request)
  return KernelCandidate(
    name: name, inputs: request.inputs.map { _ in .contiguous },
    outputs: request.outputs.map { _ in .contiguous }, cost: cost, bind: bind)
}

/// QuantizeLinear, ONNX opsets 10 to 28, and ONNX Runtime's: y = round(x / scale) + zero point within the range of y's type.
package struct QuantizeLinear: Operator {
  package static var declarations: [OperatorDeclaration] {
    [
      OperatorDeclaration("QuantizeLinear", opsets: 10...OperatorTable.latestOpset),
      OperatorDeclaration("QuantizeLinear", domain: Quantization.microsoft),
    ]
  }
  private let attributes: QuantizationAttributes
  private let saturates: Bool
  private let type: DataType?

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...3)
    attributes = try QuantizationAttributes(node)
    saturates = try node.flag("saturate", default: true)
    type = try Quantization.type(node, "output_dtype")
  }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(0, among: [.float32, .float16, .bfloat16, .int32])
    _ = try context.dataType(1, among: [.float32, .float16, .bfloat16, .int32, .float8e8m0])
    var result = type ?? .uint8
    if context.hasInput(2) {
      let zero = try context.dataType(2, among: Quantization.quantizedTypes)
      if let type, type != zero {
        throw OperatorError("the zero point is \(zero); attribute 'output_dtype' says \(type)")
      }
      result = zero
    }
    guard Quantization.quantizedTypes.contains(result) else {
      throw OperatorError("attribute 'output_dtype' is \(result), which holds no quantised numbers")
    }
    try attributes.check(context)
    context.setOutput(0, result, context.shape(0))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (attributes, saturates) = (attributes, saturates)
    return [
      try rowMajorCandidate(
        .quantize, request, cost: elementwiseCost(request, operations: 8)
      ) {
        try LinearQuantization(
          $0, granularity: attributes.granularity($0), isBack: false, saturate: saturates
        ).kernel
      }
    ]
  }
}

/// DequantizeLinear, ONNX opsets 10 to 28, and ONNX Runtime's: y = (x - zero point) · scale.
package struct DequantizeLinear: Operator {
  package static var declarations: [OperatorDeclaration] {
    [
      OperatorDeclaration("DequantizeLinear", opsets: 10...OperatorTable.latestOpset),
      OperatorDeclaration("DequantizeLinear", domain: Quantization.microsoft),
    ]
  }
  private let attributes: QuantizationAttributes
  private let type: DataType?

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...3)
    attributes = try QuantizationAttributes(node)
    type = try Quantization.type(node, "output_dtype")
    if let type, ![.float32, .float16, .bfloat16].contains(type) {
      throw OperatorError(
        "attribute 'output_dtype' is \(type); expected float32, float16, bfloat16")
    }
  }

  package func infer(_ context: inout InferenceContext) throws {
    let quantized = try context.dataType(0, among: Quantization.quantizedTypes.union([.int32]))
    let scale = try context.dataType(1, among: [.float32, .float16, .bfloat16, .float8e8m0])
    if context.hasInput(2) { _ = try context.dataType(2, among: [quantized]) }
    try attributes.check(context)
    context.setOutput(0, type ?? (scale == .float8e8m0 ? .float32 : scale), context.shape(0))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let attributes = attributes
    return [
      try rowMajorCandidate(
        .dequantize, request, cost: elementwiseCost(request, operations: 4)
      ) {
        try LinearQuantization($0, granularity: attributes.granularity($0), isBack: true).kernel
      }
    ]
  }
}

/// DynamicQuantizeLinear, from ONNX opset 11 on: uint8 over the range of the tensor, which always holds 0.
package struct DynamicQuantizeLinear: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("DynamicQuantizeLinear", opsets: 11...OperatorTable.latestOpset)]
  }

  package init(_ node: NodeReader) throws { try node.requireInputs(1...1) }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(0, among: [.float32])
    context.setOutput(0, .uint8, context.shape(0))
    context.setOutput(1, .float32, [])
    context.setOutput(2, .uint8, [])
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    [
      try rowMajorCandidate(
        .quantize, request, cost: elementwiseCost(request, operations: 10)
      ) {
        DynamicQuantization.kernel(
          try $0.requiredInput(0), outputCount: $0.outputs.count, $0.instructionSet)
      }
    ]
  }
}
