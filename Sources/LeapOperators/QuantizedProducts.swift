// QuantizedProducts: matrix products and convolutions of quantised bytes: MatMulInteger, QLinearMatMul, ConvInteger,
// QLinearConv. Sums are int32 and wrap.

import LeapGraph
import LeapKernels
import LeapTensors

/// How the operands of a product of bytes lie: numpy's `matmul` on their shapes.
private struct ProductShape: Sendable {
  let rows: Int
  let columns: Int
  let depth: Int
  let batch: Shape
  private let left: [Int]
  private let right: [Int]

  init(_ a: Shape, _ b: Shape) throws {
    left = a.rank == 1 ? [1] + a.dimensions : a.dimensions
    right = b.rank == 1 ? b.dimensions + [1] : b.dimensions
    guard left.count >= 2, right.count >= 2,
      let batch = Shape(Array(left.dropLast(2))).broadcast(with: Shape(Array(right.dropLast(2))))
    else { throw OperatorError("shapes \(a) and \(b) cannot be multiplied") }
    self.batch = batch
    (rows, columns, depth) = (
      left[left.count - 2], right[right.count - 1], left[left.count - 1]
    )
  }

  var product: IntegerProduct {
    var product = IntegerProduct(rows: rows, columns: columns, depth: depth)
    product.batch = batch.dimensions
    product.leftStrides = batchStrides(left, rank: batch.rank)
    product.rightStrides = batchStrides(right, rank: batch.rank)
    return product
  }

  /// The shape of the result, as far as it is known.
  static func result(_ a: [Dimension]?, _ b: [Dimension]?) throws -> [Dimension]? {
    guard let a, let b else { return nil }
    guard !a.isEmpty, !b.isEmpty else { throw OperatorError("a scalar cannot be multiplied") }
    let inner = b.count == 1 ? b[0] : b[b.count - 2]
    try check(a[a.count - 1], equals: inner, "columns of A", "rows of B")
    return try broadcast(Array(a.dropLast(2)), Array(b.dropLast(2)))
      + (a.count == 1 ? [] : [a[a.count - 2]]) + (b.count == 1 ? [] : [b[b.count - 1]])
  }
}

extension InferenceContext {
  /// Checks that scales or zero points are one, or one for each of `count` rows, columns or channels, in any shape of as many.
  fileprivate func requireParameters(
    _ index: Int, _ counts: [Dimension?], _ what: String
  ) throws {
    guard hasInput(index), let shape = shape(index) else { return }
    let extents = shape.compactMap(\.value)
    guard extents.count == shape.count else { return }
    let found = Shape.product(extents[...])
    if found == 1 || counts.contains(where: { $0 == nil || $0?.value == nil }) { return }
    guard counts.contains(where: { $0?.value == found }) else {
      throw OperatorError(
        "\(what) has shape \(describe(shape)); expected a scalar, or "
          + Set(counts.compactMap { $0?.description }).sorted().joined(separator: " or ")
          + " elements")
    }
  }

  /// The rows of a left operand, alone and of the whole batch.
  fileprivate func rows(_ index: Int) -> [Dimension?] {
    guard let shape = shape(index) else { return [nil] }
    if shape.count < 2 { return [1] }
    return [shape[shape.count - 2], shape.dropLast().reduce(1, *)]
  }

  fileprivate func columns(_ index: Int) -> [Dimension?] {
    guard let shape = shape(index) else { return [nil] }
    return [shape.count < 2 ? 1 : shape[shape.count - 1]]
  }
}

private func productCost(
  _ request: KernelRequest, _ terms: Int, speed: Double = 60
) -> Cost {
  let results = Double(request.outputs.first??.shape.elementCount ?? 0)
  return Cost(
    operations: 2 * results * Double(terms), bytes: request.variableBytes,
    operationsPerNanosecond: speed)
}

/// The candidate of a product; a constant matrix on the right is packed.
private func productCandidate(
  _ request: KernelRequest, _ product: IntegerProduct
) throws -> KernelCandidate {
  let isPacked =
    request.constantInputs.contains(product.right)
    && request.inputs[product.right]?.shape == [product.depth, product.columns]
    && product.depth * product.columns > 0
  var candidate = try rowMajorCandidate(
    .integerProduct, request,
    cost: productCost(request, product.depth, speed: isPacked ? 180 : 60)
  ) { try isPacked ? product.packedKernel($0) : product.kernel($0) }
  if isPacked { candidate.packing[product.right] = { product.packedColumns($0) } }
  return candidate
}

/// MatMulInteger, from ONNX opset 10 on.
package struct MatMulInteger: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("MatMulInteger", opsets: 10...OperatorTable.latestOpset)]
  }

  package init(_ node: NodeReader) throws { try node.requireInputs(2...4) }

  package func infer(_ context: inout InferenceContext) throws {
    for index in 0...1 {
      let type = try context.dataType(index, among: Quantization.bytes)
      if context.hasInput(index + 2) { _ = try context.dataType(index + 2, among: [type]) }
    }
    try context.requireParameters(2, context.rows(0), "a_zero_point")
    try context.requireParameters(3, context.columns(1), "b_zero_point")
    context.setOutput(0, .int32, try ProductShape.result(context.shape(0), context.shape(1)))
  }

  package func multiplyAdds(inputs: [Shape?], outputs: [Shape?]) -> Int? {
    sumsOfProducts(outputs.first ?? nil, terms: inputs[0]?.dimensions.suffix(1))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let shape = try ProductShape(request.requiredInput(0).shape, request.requiredInput(1).shape)
    var product = shape.product
    (product.leftZero, product.rightZero) = (2, 3)
    return [try productCandidate(request, product)]
  }
}

/// QLinearMatMul, ONNX opsets 10 and 21.
package struct QLinearMatMul: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("QLinearMatMul", opsets: 10...OperatorTable.latestOpset)]
  }

  package init(_ node: NodeReader) throws { try node.requireInputs(8...8) }

  package func infer(_ context: inout InferenceContext) throws {
    for index in [0, 3] {
      let type = try context.dataType(index, among: Quantization.bytes)
      _ = try context.dataType(index + 2, among: [type])
    }
    let scale = try context.dataType(1, among: [.float32, .float16, .bfloat16])
    for index in [4, 6] { _ = try context.dataType(index, among: [scale]) }
    let type = try context.dataType(7, among: Quantization.bytes)
    for index in [1, 2] { try context.requireParameters(index, context.rows(0), "input \(index)") }
    for index in [4, 5] {
      try context.requireParameters(index, context.columns(3), "input \(index)")
    }
    for index in [6, 7] { try context.requireParameters(index, [1], "input \(index)") }
    context.setOutput(0, type, try ProductShape.result(context.shape(0), context.shape(3)))
  }

  package func multiplyAdds(inputs: [Shape?], outputs: [Shape?]) -> Int? {
    sumsOfProducts(outputs.first ?? nil, terms: inputs[0]?.dimensions.suffix(1))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let shape = try ProductShape(request.requiredInput(0).shape, request.requiredInput(3).shape)
    var product = shape.product
    (product.left, product.right) = (0, 3)
    (product.leftZero, product.rightZero) = (2, 5)
    product.requantization = Requantization(
      leftScale: 1, rightScale: 4, resultScale: 6, resultZero: 7)
    return [try productCandidate(request, product)]
  }
}

/// What the two convolutions of bytes share.
private struct ByteConvolution: Sendable {
  let attributes: SpatialAttributes
  let groups: Int

  init(_ node: NodeReader) throws {
    attributes = try SpatialAttributes(node)
    groups = try groupCount(node)
  }

  /// The shape of the output. Throws `OperatorError` where image and filters do not go together.
  func outputShape(_ x: [Dimension]?, _ w: [Dimension]?) throws -> [Dimension]? {
    guard let x, let w else { return nil }
    try checkRanks(x, w)
    try check(x[1], equals: w[1] * .fixed(groups), "input channels", "weights for \(groups) groups")
    if let outputs = w[0].value, outputs % groups != 0 {
      throw OperatorError("\(outputs) output channels cannot be split into \(groups) groups")
    }
    let kernel = try attributes.kernel(weights: Array(w[2...]))
    let resolved = try attributes.resolved(rank: x.count - 2)
    return try [x[0], w[0]]
      + kernel.indices.map {
        try attributes.outputExtent(input: x[$0 + 2], kernel: kernel[$0], axis: $0, resolved)
      }
  }

  func geometry(_ x: Shape, _ w: Shape, _ y: Shape) throws -> ConvolutionGeometry {
    let resolved = try attributes.resolved(rank: x.rank - 2)
    let (input, output, kernel) = (Array(x[2...]), Array(y[2...]), Array(w[2...]))
    return try ConvolutionGeometry(
      batch: x[0], inputChannels: x[1], outputChannels: w[0], groups: groups, input: input,
      output: output, kernel: kernel, strides: resolved.strides, dilations: resolved.dilations,
      pads: input.indices.map {
        attributes.padBegin(
          input: input[$0], output: output[$0], kernel: kernel[$0], axis: $0, resolved)
      })
  }
}

/// ConvInteger, from ONNX opset 10 on.
package struct ConvInteger: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("ConvInteger", opsets: 10...OperatorTable.latestOpset)]
  }
  private let convolution: ByteConvolution

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...4)
    convolution = try ByteConvolution(node)
  }

  package func infer(_ context: inout InferenceContext) throws {
    for index in 0...1 {
      let type = try context.dataType(index, among: Quantization.bytes)
      if context.hasInput(index + 2) { _ = try context.dataType(index + 2, among: [type]) }
    }
    try Quantization.requireScalar(context, 2, "x_zero_point")
    try context.requireParameters(3, [context.shape(1)?.first], "w_zero_point")
    context.setOutput(
      0, .int32, try convolution.outputShape(context.shape(0), context.shape(1)))
  }

  package func multiplyAdds(inputs: [Shape?], outputs: [Shape?]) -> Int? {
    sumsOfProducts(outputs.first ?? nil, terms: inputs[1]?.dimensions.dropFirst())
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let geometry = try convolution.geometry(
      request.requiredInput(0).shape, request.requiredInput(1).shape,
      request.requiredOutput(0).shape)
    return [
      try rowMajorCandidate(
        .integerConvolution, request, cost: productCost(request, geometry.depth)
      ) {
        var kernel = IntegerConvolution(geometry)
        (kernel.imageZero, kernel.filterZero) = (2, 3)
        return try kernel.kernel($0)
      }
    ]
  }
}

/// QLinearConv, from ONNX opset 10 on.
package struct QLinearConv: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("QLinearConv", opsets: 10...OperatorTable.latestOpset)]
  }
  private let convolution: ByteConvolution

  package init(_ node: NodeReader) throws {
    try node.requireInputs(8...9)
    convolution = try ByteConvolution(node)
  }

  package func infer(_ context: inout InferenceContext) throws {
    for index in [0, 3] {
      let type = try context.dataType(index, among: Quantization.bytes)
      _ = try context.dataType(index + 2, among: [type])
    }
    for index in [1, 4, 6] { _ = try context.dataType(index, among: [.float32]) }
    let type = try context.dataType(7, among: Quantization.bytes)
    for index in [1, 2, 6, 7] {
      try Quantization.requireScalar(context, index, "input \(index)")
    }
    let channels = context.shape(3)?.first
    for index in [4, 5] { try context.requireParameters(index, [channels], "input \(index)") }
    if context.hasInput(8) {
      _ = try context.dataType(8, among: [.int32])
      if let channels { try checkBias(context.shape(8), channels: channels) }
    }
    context.setOutput(0, type, try convolution.outputShape(context.shape(0), context.shape(3)))
  }

  package func multiplyAdds(inputs: [Shape?], outputs: [Shape?]) -> Int? {
    sumsOfProducts(outputs.first ?? nil, terms: inputs[3]?.dimensions.dropFirst())
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let geometry = try convolution.geometry(
      request.requiredInput(0).shape, request.requiredInput(3).shape,
      request.requiredOutput(0).shape)
    var kernel = IntegerConvolution(geometry)
    (kernel.image, kernel.filters) = (0, 3)
    (kernel.imageZero, kernel.filterZero) = (2, 5)
    kernel.requantization = Requantization(
      leftScale: 1, rightScale: 4, resultScale: 6, resultZero: 7, bias: 8)
    let plain = kernel
    let candidate = try rowMajorCandidate(
      .integerConvolution, request, cost: productCost(request, geometry.depth, speed: 6)
    ) { try plain.kernel($0) }
    return [candidate] + kernel.blockedCandidates(request)
  }
}
