// MatrixProducts: Gemm and MatMul.

import LeapGraph
import LeapKernels
import LeapTensors

package enum MatrixProducts: OperatorFamily {
  package static let operators: [any Operator.Type] = [
    Gemm.self, MatMul.self, FusedMatMul.self, DequantizedMatMul.self,
  ]
  static let types: Set<DataType> = [.float32, .float64, .int32, .int64, .uint32, .uint64]
}

/// Gemm, opset 1 to 28: alpha · A' · B' + beta · C, where A' and B' may be transposed and C is broadcast.
package struct Gemm: EpilogueOperator {
  package static let declarations = [OperatorDeclaration("Gemm")]
  private let alpha: Double
  private let beta: Double
  private let transposesA: Bool
  private let transposesB: Bool
  private let hasC: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...3)
    if node.opset < 11 && !node.hasInput(2) { throw OperatorError("input 2 is required") }
    alpha = Double(try node.float("alpha", default: 1))
    beta = Double(try node.float("beta", default: 1))
    transposesA = try node.flag("transA", default: false)
    transposesB = try node.flag("transB", default: false)
    hasC = node.inputCount > 2 && node.hasInput(2)
  }

  package var epilogueCapabilities: EpilogueCapabilities { .all }

  package var packedInputs: [Int] { [1] }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: MatrixProducts.types)
    for index in 1...(hasC ? 2 : 1) { _ = try context.dataType(index, among: [type]) }
    if !type.isFloatingPoint && (alpha != alpha.rounded() || beta != beta.rounded()) {
      throw OperatorError("alpha \(alpha) and beta \(beta) must be integral for \(type)")
    }
    let a = try context.shape(0, ranks: 2...2)
    let b = try context.shape(1, ranks: 2...2)
    let rows = a.map { $0[transposesA ? 1 : 0] } ?? .unknown
    let columns = b.map { $0[transposesB ? 0 : 1] } ?? .unknown
    if let a, let b {
      try check(
        a[transposesA ? 0 : 1], equals: b[transposesB ? 1 : 0], "columns of A", "rows of B")
    }
    if hasC { try checkAddend(context.shape(2), [rows, columns]) }
    context.setOutput(0, type, [rows, columns])
  }

  /// Each element of the product is a sum over the columns of A'. Scaling, and adding C, count none.
  package func multiplyAdds(inputs: [Shape?], outputs: [Shape?]) -> Int? {
    let matrix = inputs[0]?.dimensions
    return sumsOfProducts(
      outputs.first ?? nil, terms: transposesA ? matrix?.prefix(1) : matrix?.suffix(1))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (a, y) = (request.inputs[0]!, request.outputs[0]!)
    let depth = a.shape[transposesA ? 0 : 1]
    let (rows, columns) = (y.shape[0], y.shape[1])
    return [
      productCandidate(
        request, output: .innerContiguous(from: 1), depth: depth, isTransposed: transposesB
      ) { bound in
        var product = MatrixProduct(
          a.dataType, rows: rows, columns: columns, depth: depth,
          aStrides: transposesA ? (1, rows) : (depth, 1),
          bStrides: transposesB ? (1, depth) : (columns, 1),
          outputRowStride: bound.outputs[0]!.imageStride)
        product.isPacked = MatrixProduct.packs(bound)
        var epilogue = try EpilogueProgram(
          bound, dataType: a.dataType, channels: columns, axis: .columns)
        if hasC, beta != 0 { epilogue.prepend(addend: 2, bound, factor: beta) }
        if alpha != 1 { epilogue.prepend(factor: alpha) }
        return try product.kernel(epilogue, instructionSet: bound.instructionSet)
      }
    ]
  }
}

/// Throws `OperatorError` where C is no matrix, vector or scalar that can be broadcast to a product's result.
func checkAddend(_ c: [Dimension]?, _ output: [Dimension]) throws {
  guard let c else { return }
  let fits = zip(c.reversed(), output.reversed()).allSatisfy { mine, theirs in
    guard let mine = mine.value, let theirs = theirs.value else { return true }
    return mine == 1 || mine == theirs
  }
  guard c.count <= 2, fits else {
    throw OperatorError(
      "C has shape \(describe(c)), which cannot be broadcast to \(describe(output))")
  }
}

extension EpilogueProgram {
  /// Puts y = x + factor · C before all other stages; C, an input of rank 2 at most, is broadcast.
  mutating func prepend(addend input: Int, _ request: KernelRequest, factor: Double) {
    guard let c = request.inputs[input] else { return }
    let extents = Array(repeating: 1, count: 2 - c.shape.rank) + c.shape.dimensions
    prepend(
      matrixInput: input, factor: factor, rowStride: extents[0] == 1 ? 0 : extents[1],
      columnStride: extents[1] == 1 ? 0 : 1)
  }
}

/// MatMul, opset 1 to 28: numpy's `matmul`. The channels of an epilogue are the columns of the result.
package struct MatMul: EpilogueOperator {
  package static let declarations = [OperatorDeclaration("MatMul")]

  package init(_ node: NodeReader) throws { try node.requireInputs(2...2) }

  package var epilogueCapabilities: EpilogueCapabilities { .all }

  package var packedInputs: [Int] { [1] }

  /// The last axis, unless the right operand is a vector: then the result has no columns.
  package func epilogueAxis(ranks: [Int?]) -> Int? {
    guard ranks.count >= 2, let left = ranks[0], let right = ranks[1], left >= 1, right >= 2
    else { return nil }
    return left == 1 ? right - 2 : max(left, right) - 1
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: MatrixProducts.types)
    _ = try context.dataType(1, among: [type])
    guard let a = context.shape(0), let b = context.shape(1) else {
      context.setOutput(0, type, nil)
      return
    }
    guard !a.isEmpty, !b.isEmpty else { throw OperatorError("a scalar cannot be multiplied") }
    let inner = b.count == 1 ? b[0] : b[b.count - 2]
    try check(a[a.count - 1], equals: inner, "columns of A", "rows of B")
    let batch = try broadcast(Array(a.dropLast(2)), Array(b.dropLast(2)))
    let rows = a.count == 1 ? [] : [a[a.count - 2]]
    let columns = b.count == 1 ? [] : [b[b.count - 1]]
    context.setOutput(0, type, batch + rows + columns)
  }

  /// Each element of the product is a sum over the columns of A.
  package func multiplyAdds(inputs: [Shape?], outputs: [Shape?]) -> Int? {
    sumsOfProducts(outputs.first ?? nil, terms: inputs[0]?.dimensions.suffix(1))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (a, b) = (request.inputs[0]!, request.inputs[1]!)
    // A vector on the left is a row, one on the right a column.
    let left = a.shape.rank == 1 ? [1] + a.shape.dimensions : a.shape.dimensions
    let right = b.shape.rank == 1 ? b.shape.dimensions + [1] : b.shape.dimensions
    let depth = left[left.count - 1]
    let (rows, columns) = (left[left.count - 2], right[right.count - 1])
    guard
      let batch = Shape(Array(left.dropLast(2))).broadcast(with: Shape(Array(right.dropLast(2))))
    else {
      throw OperatorError("shapes \(a.shape) and \(b.shape) cannot be multiplied")
    }
    return [
      productCandidate(request, output: .contiguous, depth: depth) { bound in
        var product = MatrixProduct(
          a.dataType, rows: rows, columns: columns, depth: depth, aStrides: (depth, 1),
          bStrides: (columns, 1), outputRowStride: columns)
        product.isPacked = MatrixProduct.packs(bound)
        product.batch = batch.dimensions
        product.aBatchStrides = batchStrides(left, rank: batch.rank)
        product.bBatchStrides = batchStrides(right, rank: batch.rank)
        let epilogue = try EpilogueProgram(
          bound, dataType: a.dataType, channels: columns, axis: .columns)
        return try product.kernel(epilogue, instructionSet: bound.instructionSet)
      }
    ]
  }
}

/// How far the matrices of an operand lie apart along each axis of a batch; 0 where it is broadcast.
func batchStrides(_ shape: [Int], rank: Int) -> [Int] {
  batchStrides(shape, Shape(shape).rowMajorStrides, rank: rank)
}

/// The same of operands whose axes do not lie in order.
func batchStrides(_ extents: [Int], _ strides: [Int], rank: Int) -> [Int] {
  let own = zip(extents, strides).dropLast(2).map { $0 == 1 ? 0 : $1 }
  return Array(repeating: 0, count: rank - own.count) + own
}

/// The candidate of a matrix product on row-major operands.
func productCandidate(
  _ request: KernelRequest, output: LayoutRequirement, depth: Int, isTransposed: Bool = false,
  bind: @escaping @Sendable (KernelRequest) throws -> Kernel
) -> KernelCandidate {
  let results = Double(request.outputs[0]!.shape.elementCount)
  let bytes = (request.inputs + request.outputs).reduce(0.0) { $0 + Double($1?.byteCount ?? 0) }
  var inputs = [LayoutRequirement](repeating: .contiguous, count: request.inputs.count)
  let residuals = request.epilogue.residualInputs
  for input in residuals { inputs[input] = output }
  var packing: [Int: @Sendable (KernelRequest) throws -> PackingRecipe] = [:]
  if MatrixProduct.packs(request), let b = request.inputs[1] {
    packing[1] = { settled in
      try MatrixProduct.recipe(
        b.dataType, depth: depth, columns: b.shape[isTransposed ? 0 : 1],
        isTransposed: isTransposed, instructionSet: settled.instructionSet)
    }
  }
  return KernelCandidate(
    name: .panel, inputs: inputs, outputs: [output],
    inPlace: residuals.map { InPlacePair(input: $0, output: 0) }, epilogue: .all,
    packing: packing,
    cost: Cost(
      operations: 2 * results * Double(depth), bytes: bytes, operationsPerNanosecond: 30),
    bind: bind)
}
