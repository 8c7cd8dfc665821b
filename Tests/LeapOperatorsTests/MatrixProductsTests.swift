// Gemm and MatMul against loops in double precision that follow the definition.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors
import Testing

@Suite struct MatrixProductsTests {
  static let shapes: [(a: Shape, b: Shape, y: Shape)] = [
    ([3, 4], [4, 5], [3, 5]), ([4], [4, 5], [5]), ([3, 4], [4], [3]), ([4], [4], []),
    ([2, 3, 4], [4, 5], [2, 3, 5]), ([3, 4], [2, 4, 5], [2, 3, 5]),
    ([2, 1, 3, 4], [5, 4, 2], [2, 5, 3, 2]), ([2, 5, 3, 4], [2, 1, 4, 6], [2, 5, 3, 6]),
    ([5, 4], [3, 4, 2], [3, 5, 2]), ([1, 700], [700, 33], [1, 33]),
    ([200, 17], [17, 50], [200, 50]),
    ([2, 9000], [9000, 3], [2, 3]), ([0, 4], [4, 5], [0, 5]), ([3, 0], [0, 5], [3, 5]),
  ]

  /// numpy's matmul by its definition.
  static func matmul(_ a: [Double], _ aShape: Shape, _ b: [Double], _ bShape: Shape) -> [Double] {
    let left = aShape.rank == 1 ? Shape([1] + aShape.dimensions) : aShape
    let right = bShape.rank == 1 ? Shape(bShape.dimensions + [1]) : bShape
    let (rows, depth, columns) = (left[left.rank - 2], left[left.rank - 1], right[right.rank - 1])
    let (leftBatch, rightBatch) = (left.dimensions.dropLast(2), right.dimensions.dropLast(2))
    let batch = Shape(Array(leftBatch)).broadcast(with: Shape(Array(rightBatch)))!
    var result: [Double] = []
    for position in ConvolutionCase.positions(batch.dimensions) {
      func matrix(_ extents: [Int]) -> Int {
        let own = position.suffix(extents.count)
        return ConvolutionCase.index(zip(own, extents).map { $1 == 1 ? 0 : $0 }, extents)
      }
      let (p, q) = (matrix(Array(leftBatch)), matrix(Array(rightBatch)))
      for row in 0..<rows {
        for column in 0..<columns {
          result.append(
            (0..<depth).reduce(0.0) {
              $0 + a[(p * rows + row) * depth + $1] * b[(q * depth + $1) * columns + column]
            })
        }
      }
    }
    return result
  }

  @Test(arguments: shapes.indices, [DataType.float32, .float64])
  func matMulAgreesWithDefinition(index: Int, type: DataType) throws {
    let (a, b, y) = MatrixProductsTests.shapes[index]
    var noise = Noise(UInt64(index))
    let (left, right) = (try noise.tensor(type, a), try noise.tensor(type, b))
    let result = try OperatorCase("MatMul").run([left, right])[0]
    #expect(result.shape == y)
    let expected = MatrixProductsTests.matmul(left.doubles, a, right.doubles, b)
    #expect(relativeDifference(result.doubles, expected) < (type == .float64 ? 1e-14 : 2e-6))
  }

  @Test func integersWrap() throws {
    let a = try Tensor([Int32.max, 2, -3, 4], shape: [2, 2])
    let b = try Tensor([Int32(2), 1, 5, -6], shape: [2, 2])
    let y = try OperatorCase("MatMul").run([a, b])[0].elements(as: Int32.self)!
    #expect(y == [8, Int32.max - 12, 14, -27])
    let c = try Tensor([UInt64(1) << 63, 3], shape: [1, 2])
    let d = try Tensor([UInt64(2), 7], shape: [2, 1])
    #expect(try OperatorCase("MatMul").run([c, d])[0].elements(as: UInt64.self)! == [21])
  }

  @Test(arguments: [false, true], [false, true])
  func gemmAgreesWithDefinition(transposesA: Bool, transposesB: Bool) throws {
    let (m, k, n) = (13, 70, 19)
    for c in [nil, [] as Shape, [1], [19], [13, 1], [1, 19], [13, 19]] as [Shape?] {
      var noise = Noise(3)
      let a = try noise.tensor(.float32, transposesA ? [k, m] : [m, k])
      let b = try noise.tensor(.float32, transposesB ? [n, k] : [k, n])
      let bias = try c.map { try noise.tensor(.float32, $0) }
      let y = try OperatorCase(
        "Gemm",
        [
          "transA": .int(transposesA ? 1 : 0), "transB": .int(transposesB ? 1 : 0),
          "alpha": .float(0.5), "beta": .float(-2),
        ]
      ).run([a, b, bias])[0]
      let (p, q, r) = (a.doubles, b.doubles, bias?.doubles)
      let extents = c.map { Array(repeating: 1, count: 2 - $0.rank) + $0.dimensions }
      let expected = ConvolutionCase.positions([m, n]).map { place in
        let (i, j) = (place[0], place[1])
        let sum = (0..<k).reduce(0.0) {
          $0 + (transposesA ? p[$1 * m + i] : p[i * k + $1])
            * (transposesB ? q[j * k + $1] : q[$1 * n + j])
        }
        guard let r, let extents else { return 0.5 * sum }
        let added = ConvolutionCase.index(zip(place, extents).map { $1 == 1 ? 0 : $0 }, extents)
        return 0.5 * sum - 2 * r[added]
      }
      #expect(relativeDifference(y.doubles, expected) < 2e-6)
    }
  }

  @Test(arguments: InstructionSet.available, [DataType.float32, .float64, .int32])
  func packingChangesNoBit(set: InstructionSet, type: DataType) throws {
    var noise = Noise(7)
    func check(_ node: OperatorCase, _ a: Shape, _ b: Shape) throws {
      let inputs = [try noise.tensor(type, a), try noise.tensor(type, b)]
      let results = try [[], [1]].map { constants in
        try CandidateHarness(
          node: node, inputs: inputs, constants: Set(constants), instructionSet: set
        ).run().map { $0.tensor.withUnsafeBytes { Array($0) } }
      }
      #expect(results[0] == results[1], "\(node.type) \(node.attributes) of \(a) and \(b)")
    }
    for (a, b, _) in MatrixProductsTests.shapes { try check(OperatorCase("MatMul"), a, b) }
    for (k, n) in [(5, 3), (70, 19), (40, 65), (4100, 33)] {
      try check(OperatorCase("Gemm"), [3, k], [k, n])
      try check(OperatorCase("Gemm", ["transB": .int(1)]), [3, k], [n, k])
      try check(OperatorCase("Gemm", ["transA": .int(1), "transB": .int(1)]), [k, 7], [n, k])
    }
  }

  @Test func aRowDoesNotDependOnTheOthers() throws {
    var noise = Noise(5)
    let (rows, depth) = (5, 5000)
    let a = try noise.tensor(.float32, [rows, depth])
    let b = try noise.tensor(.float32, [depth, 37])
    let together = try OperatorCase("MatMul").run([a, b])[0].elements(as: Float.self)!
    let elements = a.elements(as: Float.self)!
    for row in 0..<rows {
      let alone = try Tensor(Array(elements[row * depth..<(row + 1) * depth]), shape: [1, depth])
      let y = try OperatorCase("MatMul").run([alone, b])[0].elements(as: Float.self)!
      #expect(y.map(\.bitPattern) == together[row * 37..<(row + 1) * 37].map(\.bitPattern))
    }
  }

  @Test(arguments: ["Gemm", "MatMul"])
  func epilogueEqualsSeparateSteps(type: String) throws {
    var noise = Noise(9)
    let (a, b) = (try noise.tensor(.float32, [21, 30]), try noise.tensor(.float32, [30, 35]))
    let (scale, shift) = (try noise.tensor(.float32, [35]), try noise.tensor(.float32, [35]))
    let residual = try noise.tensor(.float32, [21, 35])
    let plain = try OperatorCase(type).run([a, b])[0].doubles
    let fused = try OperatorCase(
      type,
      epilogue: [.scale(input: 2), .bias(input: 3), .residual(input: 4), .activation(.relu)]
    ).run([a, b, scale, shift, residual])[0].doubles
    let expected = plain.indices.map {
      max(plain[$0] * scale.doubles[$0 % 35] + shift.doubles[$0 % 35] + residual.doubles[$0], 0)
    }
    #expect(relativeDifference(fused, expected) < 1e-6)
  }

  @Test func infersSymbolicShapes() throws {
    let n = Dimension.symbol("n")
    #expect(try OperatorCase("MatMul").inferred([[n, 1, 4, 8], [3, 8, 5]])[0]! == [n, 3, 4, 5])
    #expect(try OperatorCase("Gemm").inferred([[n, 8], [8, 5]])[0]! == [n, 5])
    #expect(throws: (any Error).self) { try OperatorCase("MatMul").inferred([[2, 3], [4, 5]]) }
    #expect(throws: (any Error).self) { try OperatorCase("MatMul").inferred([[], [4, 5]]) }
    #expect(throws: (any Error).self) {
      try OperatorCase("Gemm").inferred([[2, 3], [3, 5], [2, 3]])
    }
  }
}
