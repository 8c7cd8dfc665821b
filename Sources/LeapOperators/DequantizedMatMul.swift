// DequantizedMatMul: the matrix product with a constant that DequantizeLinear would make floats of, which stays as it is in memory.

import LeapGraph
import LeapKernels
import LeapTensors

/// DequantizedMatMul, an operator of Leapstone's own, which a pass makes: alpha · A · B' + beta · C, where B' is a constant matrix of
/// integers [K, N] (or transposed) with scales and zero points: (number - zero point) · scale. The same bits as MatMul, FusedMatMul or
/// Gemm with what DequantizeLinear makes of it.
///
/// Inputs: A [..., K], float32; the numbers; their scales, float32: one, one for each column [N], or one for each column and
/// `block_size` numbers of K, in a matrix that lies as the numbers do; zero points of the numbers' type and the scales' shape; C [rows, N],
/// float32, or what can be broadcast to it, with a matrix A alone. The last two may be left out.
package struct DequantizedMatMul: EpilogueOperator {
  package static let name = "DequantizedMatMul"
  package static let declarations = [OperatorDeclaration(name, domain: OperatorTable.ownDomain)]
  private let alpha: Double
  private let beta: Double
  private let isTransposed: Bool
  private let blockSize: Int
  private let hasZeros: Bool
  private let hasC: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(3...5)
    alpha = Double(try node.float("alpha", default: 1))
    beta = Double(try node.float("beta", default: 1))
    isTransposed = try node.flag("transB", default: false)
    blockSize = try node.int("block_size", default: 0)
    guard (0...Int(Int32.max)).contains(blockSize) else {
      throw OperatorError("attribute 'block_size' is \(blockSize); expected 0 or more")
    }
    // Inputs of an epilogue come behind its own.
    hasZeros = node.inputCount > 3 && node.hasInput(3)
    hasC = node.inputCount > 4 && node.hasInput(4)
  }

  package var epilogueCapabilities: EpilogueCapabilities { .all }

  package var packedInputs: [Int] { [1, 2, 3] }

  package func epilogueAxis(ranks: [Int?]) -> Int? { ranks[0].map { $0 - 1 } }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: [.float32])
    let numbers = try context.dataType(1, among: NumberPanels.types)
    _ = try context.dataType(2, among: [type])
    if hasZeros { _ = try context.dataType(3, among: [numbers]) }
    if hasC { _ = try context.dataType(4, among: [type]) }
    let matrix = try context.shape(1, ranks: 2...2)
    let columns = matrix?[isTransposed ? 0 : 1] ?? .unknown
    guard let a = try context.shape(0, ranks: hasC ? 2...2 : 1...64) else {
      return context.setOutput(0, type, nil)
    }
    if let matrix {
      try check(a[a.count - 1], equals: matrix[isTransposed ? 1 : 0], "columns of A", "rows of B")
    }
    if hasC { try checkAddend(context.shape(4), [a[0], columns]) }
    context.setOutput(0, type, a.dropLast() + [columns])
  }

  /// Each element of the product is a sum over the columns of A. Making B, scaling, and adding C count none.
  package func multiplyAdds(inputs: [Shape?], outputs: [Shape?]) -> Int? {
    sumsOfProducts(outputs.first ?? nil, terms: inputs[0]?.dimensions.suffix(1))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (a, b) = (try request.requiredInput(0), try request.requiredInput(1))
    let y = try request.requiredOutput(0)
    let panels = try panels(request, b)
    let (depth, columns) = (a.shape[a.shape.rank - 1], y.shape[y.shape.rank - 1])
    let rows = Shape.product(a.shape.dimensions.dropLast())
    var packing: [Int: @Sendable (KernelRequest) throws -> PackingRecipe] = [
      1: { _ in panels.recipe }, 2: { try panels.scaleRecipe($0.instructionSet) },
    ]
    if hasZeros { packing[3] = { _ in panels.zeroRecipe } }
    let residuals = request.epilogue.residualInputs
    let matrix = NumberPanels.operations * Double(depth) * Double(columns)
    let (alpha, beta, hasC) = (alpha, beta, hasC)
    return [
      KernelCandidate(
        name: .numberPanel, inputs: request.inputs.map { _ in .contiguous },
        outputs: [.contiguous], inPlace: residuals.map { InPlacePair(input: $0, output: 0) },
        epilogue: .all, packing: packing,
        cost: Cost(
          operations: 2 * Double(y.shape.elementCount) * Double(depth) + matrix,
          bytes: request.variableBytes + Double(b.byteCount), operationsPerNanosecond: 30)
      ) { bound in
        var product = MatrixProduct(
          a.dataType, rows: rows, columns: columns, depth: depth, aStrides: (depth, 1),
          bStrides: (0, 0), outputRowStride: columns)
        product.numbers = panels
        // One matrix of all rows, so that the weights are read once; rows are images only where the result is a matrix.
        if a.shape.rank != 2 {
          (product.batch, product.aBatchStrides, product.bBatchStrides) = ([1], [0], [0])
        }
        var epilogue = try EpilogueProgram(
          bound, dataType: a.dataType, channels: columns, axis: .columns)
        if hasC, beta != 0 { epilogue.prepend(addend: 4, bound, factor: beta) }
        if alpha != 1 { epilogue.prepend(factor: alpha) }
        return try product.kernel(epilogue, instructionSet: bound.instructionSet)
      }
    ]
  }

  /// How the matrix is packed.
  ///
  /// - Throws: `OperatorError` where it is no constant, or scales and zero points do not go with it.
  private func panels(_ request: KernelRequest, _ b: Operand) throws -> NumberPanels {
    let parameters = hasZeros ? [2, 3] : [2]
    guard ([1] + parameters).allSatisfy(request.constantInputs.contains) else {
      throw OperatorError.unsupported("B, its scales or its zero points are no constants")
    }
    let (depth, columns) = (b.shape[isTransposed ? 1 : 0], b.shape[isTransposed ? 0 : 1])
    let blocks = blockSize == 0 || depth == 0 ? 0 : (depth - 1) / blockSize + 1
    let matrix: Shape = isTransposed ? [columns, blocks] : [blocks, columns]
    let shape = try request.requiredInput(2).shape
    guard try parameters.allSatisfy({ try request.requiredInput($0).shape == shape }),
      let granularity = granularity(shape, columns: columns, matrix: matrix)
    else {
      throw OperatorError(
        "B has shape \(b.shape), its scales \(shape); expected a scalar, a vector of \(columns), or \(matrix),"
          + " and zero points of the same shape")
    }
    return try NumberPanels(
      b.dataType, depth: depth, columns: columns, isTransposed: isTransposed,
      granularity: granularity, hasZeros: hasZeros, instructionSet: request.instructionSet)
  }

  /// How scales of a shape belong to the numbers; nil where they do not.
  private func granularity(
    _ scale: Shape, columns: Int, matrix: Shape
  ) -> NumberPanels.Granularity? {
    if scale.rank <= 1, scale.elementCount == 1 { return .matrix }
    if scale == [columns] { return .column }
    return blockSize > 0 && scale == matrix ? .block(size: blockSize) : nil
  }
}
