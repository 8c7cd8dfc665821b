// FusedMatMul: ONNX Runtime's matrix product of operands whose axes are exchanged, with a factor.

import LeapGraph
import LeapKernels
import LeapTensors

/// FusedMatMul and TransposeMatMul (com.microsoft): alpha · A' · B'. Of either operand the first axis may be moved behind the others but
/// the last (`transBatch`), and then the last two be exchanged (`trans`); a vector stays one.
package struct FusedMatMul: EpilogueOperator {
  package static var declarations: [OperatorDeclaration] {
    ["FusedMatMul", "TransposeMatMul"].map {
      OperatorDeclaration($0, domain: Quantization.microsoft)
    }
  }

  /// How the axes of an operand are exchanged.
  private struct Turn {
    let movesFirst: Bool
    let exchangesLast: Bool

    init(_ node: NodeReader, _ operand: String) throws {
      movesFirst = try node.flag("transBatch\(operand)", default: false)
      exchangesLast = try node.flag("trans\(operand)", default: false)
    }

    /// A value for each axis, in the order of the axes as they are multiplied.
    func callAsFunction<Value>(_ axes: [Value]) -> [Value] {
      guard axes.count >= 2 else { return axes }
      var turned = axes
      if movesFirst { turned.insert(turned.removeFirst(), at: axes.count - 2) }
      if exchangesLast { turned.swapAt(axes.count - 2, axes.count - 1) }
      return turned
    }
  }

  /// A matrix, or a batch of them, as it is multiplied: the extents of its axes and how far their places lie apart.
  private struct Matrices {
    let extents: [Int]
    let strides: [Int]

    /// - Parameter isRight: a vector on the right is a column, one on the left a row.
    init(_ shape: Shape, _ turn: Turn, isRight: Bool) {
      guard shape.rank > 1 else {
        extents = isRight ? shape.dimensions + [1] : [1] + shape.dimensions
        strides = isRight ? [1, 1] : [shape.elementCount, 1]
        return
      }
      extents = turn(shape.dimensions)
      strides = turn(shape.rowMajorStrides)
    }

    var batch: Shape { Shape(Array(extents.dropLast(2))) }
    var rows: Int { extents[extents.count - 2] }
    var columns: Int { extents[extents.count - 1] }
    /// From row to row and from column to column.
    var inner: (row: Int, column: Int) {
      (strides[strides.count - 2], strides[strides.count - 1])
    }
  }

  private let alpha: Double
  private let turnA: Turn
  private let turnB: Turn

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...2)
    alpha = Double(try node.float("alpha", default: 1))
    turnA = try Turn(node, "A")
    turnB = try Turn(node, "B")
  }

  package var epilogueCapabilities: EpilogueCapabilities { .all }
  package var packedInputs: [Int] { [1] }

  package func epilogueAxis(ranks: [Int?]) -> Int? {
    guard ranks.count >= 2, let left = ranks[0], let right = ranks[1], left >= 2, right >= 2
    else { return nil }
    return max(left, right) - 1
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
    let (a, b) = (turnA(left), turnB(right))
    let inner = b.count == 1 ? b[0] : b[b.count - 2]
    try check(a[a.count - 1], equals: inner, "columns of A", "rows of B")
    let batch = try broadcast(Array(a.dropLast(2)), Array(b.dropLast(2)))
    context.setOutput(
      0, type,
      batch + (a.count == 1 ? [] : [a[a.count - 2]]) + (b.count == 1 ? [] : [b[b.count - 1]]))
  }

  /// Each element of the product is a sum over the columns of A'.
  package func multiplyAdds(inputs: [Shape?], outputs: [Shape?]) -> Int? {
    let a = inputs[0].map { turnA($0.dimensions) }
    return sumsOfProducts(outputs.first ?? nil, terms: a?.suffix(1))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (a, b) = (try request.requiredInput(0), try request.requiredInput(1))
    let left = Matrices(a.shape, turnA, isRight: false)
    let right = Matrices(b.shape, turnB, isRight: true)
    guard let batch = left.batch.broadcast(with: right.batch) else {
      throw OperatorError("shapes \(a.shape) and \(b.shape) cannot be multiplied")
    }
    let alpha = alpha
    let isTransposed = turnB.exchangesLast && b.shape.rank > 1
    return [
      productCandidate(
        request, output: .contiguous, depth: left.columns, isTransposed: isTransposed
      ) { bound in
        var product = MatrixProduct(
          a.dataType, rows: left.rows, columns: right.columns, depth: left.columns,
          aStrides: left.inner, bStrides: right.inner, outputRowStride: right.columns)
        product.isPacked = MatrixProduct.packs(bound)
        product.batch = batch.dimensions
        product.aBatchStrides = batchStrides(
          left.extents, left.strides, rank: batch.rank)
        product.bBatchStrides = batchStrides(
          right.extents, right.strides, rank: batch.rank)
        var epilogue = try EpilogueProgram(
          bound, dataType: a.dataType, channels: right.columns, axis: .columns)
        if alpha != 1 { epilogue.prepend(factor: alpha) }
        return try product.kernel(epilogue, instructionSet: bound.instructionSet)
      }
    ]
  }
}
