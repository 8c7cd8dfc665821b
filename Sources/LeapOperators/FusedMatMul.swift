// FusedMatMul: ONNX Runtime's matrix product with transposed operands and a factor.

import LeapGraph
import LeapKernels
import LeapTensors

/// FusedMatMul and TransposeMatMul (com.microsoft): alpha · A' · B', the last two axes of either operand exchanged or not.
package struct FusedMatMul: EpilogueOperator {
  package static var declarations: [OperatorDeclaration] {
    ["FusedMatMul", "TransposeMatMul"].map {
      OperatorDeclaration($0, domain: Quantization.microsoft)
    }
  }
  private let alpha: Double
  private let transposesA: Bool
  private let transposesB: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...2)
    alpha = Double(try node.float("alpha", default: 1))
    transposesA = try node.flag("transA", default: false)
    transposesB = try node.flag("transB", default: false)
    for name in ["transBatchA", "transBatchB"] where try node.flag(name, default: false) {
      throw OperatorError.unsupported("attribute '\(name)' is 1; only 0 is supported")
    }
  }

  package var epilogueCapabilities: EpilogueCapabilities { .all }
  package var packedInputs: [Int] { [1] }

  package func epilogueAxis(ranks: [Int?]) -> Int? {
    guard ranks.count >= 2, let left = ranks[0], let right = ranks[1], left >= 2, right >= 2
    else { return nil }
    return max(left, right) - 1
  }

  /// The shape of an operand with its last two axes exchanged where that is asked for; a vector stays one.
  private func turned<Extent>(_ shape: [Extent], _ transposes: Bool) -> [Extent] {
    guard transposes, shape.count >= 2 else { return shape }
    return shape.dropLast(2) + [shape[shape.count - 1], shape[shape.count - 2]]
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: [.float32, .float64])
    _ = try context.dataType(1, among: [type])
    guard let left = context.shape(0), let right = context.shape(1) else {
      return context.setOutput(0, type, nil)
    }
    guard !left.isEmpty, !right.isEmpty else {
      throw OperatorError("a scalar cannot be multiplied")
    }
    let (a, b) = (turned(left, transposesA), turned(right, transposesB))
    let inner = b.count == 1 ? b[0] : b[b.count - 2]
    try check(a[a.count - 1], equals: inner, "columns of A", "rows of B")
    let batch = try broadcast(Array(a.dropLast(2)), Array(b.dropLast(2)))
    context.setOutput(
      0, type,
      batch + (a.count == 1 ? [] : [a[a.count - 2]]) + (b.count == 1 ? [] : [b[b.count - 1]]))
  }

  /// Each element of the product is a sum over the columns of A'.
  package func multiplyAdds(inputs: [Shape?], outputs: [Shape?]) -> Int? {
    let a = inputs[0].map { turned($0.dimensions, transposesA) }
    return sumsOfProducts(outputs.first ?? nil, terms: a?.suffix(1))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (a, b) = (try request.requiredInput(0), try request.requiredInput(1))
    let left = turned(
      a.shape.rank == 1 ? [1] + a.shape.dimensions : a.shape.dimensions,
      transposesA && a.shape.rank > 1)
    let right = turned(
      b.shape.rank == 1 ? b.shape.dimensions + [1] : b.shape.dimensions,
      transposesB && b.shape.rank > 1)
    let depth = left[left.count - 1]
    let (rows, columns) = (left[left.count - 2], right[right.count - 1])
    guard
      let batch = Shape(Array(left.dropLast(2))).broadcast(with: Shape(Array(right.dropLast(2))))
    else { throw OperatorError("shapes \(a.shape) and \(b.shape) cannot be multiplied") }
    let alpha = alpha
    let aStrides = transposesA && a.shape.rank > 1 ? (1, rows) : (depth, 1)
    let isTransposed = transposesB && b.shape.rank > 1
    return [
      productCandidate(
        request, output: .contiguous, depth: depth, isTransposed: isTransposed
      ) { bound in
        var product = MatrixProduct(
          a.dataType, rows: rows, columns: columns, depth: depth, aStrides: aStrides,
          bStrides: isTransposed ? (1, depth) : (columns, 1), outputRowStride: columns)
        product.isPacked = MatrixProduct.packs(bound)
        product.batch = batch.dimensions
        product.aBatchStrides = batchStrides(left, rank: batch.rank)
        product.bBatchStrides = batchStrides(right, rank: batch.rank)
        var epilogue = try EpilogueProgram(
          bound, dataType: a.dataType, channels: columns, axis: .columns)
        if alpha != 1 { epilogue.prepend(factor: alpha) }
        return try product.kernel(epilogue, instructionSet: bound.instructionSet)
      }
    ]
  }
}
