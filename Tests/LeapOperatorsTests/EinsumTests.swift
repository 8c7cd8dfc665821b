// EinsumTests: hostile equations, and axes that are broadcast. Agreement with onnx.reference is in the operator cases.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct EinsumTests {
  private func run(_ equation: String, _ inputs: [Tensor]) throws -> Tensor {
    try OperatorHarness("Einsum", attributes: ["equation": .string(Array(equation.utf8))])
      .run(inputs)[0]
  }

  @Test func axesOfOneAreBroadcast() throws {
    let a = try Tensor([Float(1), 2], shape: [2, 1])
    let b = try Tensor([Float(1), 2, 3, 4, 5, 6], shape: [2, 3])
    expectClose(try run("ij,ij->ij", [a, b]), [1, 2, 3, 8, 10, 12], shape: [2, 3])
    expectClose(try run("ij->j", [a]), [3], shape: [1])
  }

  @Test func emptySumsAreZero() throws {
    let a = try Tensor(zeros: .float32, shape: [2, 0])
    let b = try Tensor(zeros: .float32, shape: [0, 3])
    expectClose(try run("ij,jk->ik", [a, b]), [0, 0, 0, 0, 0, 0], shape: [2, 3])
  }

  @Test(
    arguments: [
      "ij,jk->il", "ij,jk->ii", "ij", "ij,jk,kl->il", "i,jk->ik", "i-j,jk", "ij,j%->i",
      "......ij,jk->ik", "ij,kk->ik", "", "->", ",",
    ])
  func hostileEquationsAreRefused(equation: String) throws {
    let a = try Tensor(zeros: .float32, shape: [2, 3])
    let b = try Tensor(zeros: .float32, shape: [3, 4])
    #expect(throws: OperatorError.self) { try run(equation, [a, b]) }
  }

  @Test func narrowIntegersWrap() throws {
    let a = try Tensor([Int8(100), 100, -100, 3], shape: [2, 2])
    let product = try run("ij,jk->ik", [a, a])
    #expect(product.elements(as: Int8.self) == [0, 60, -60, -7])
    #expect(try run("ij->i", [a]).elements(as: Int8.self) == [-56, -97])
    let b = try Tensor([UInt16(60000), 60000])
    #expect(try run("i,i->", [b, b]).elements(as: UInt16.self) == [18432])
  }

  @Test func multiplyAddsCountAllLabels() throws {
    let operation = try OperatorHarness(
      "Einsum", attributes: ["equation": .string(Array("bij,bjk->bik".utf8))]
    ).makeOperator(given: [true, true])
    #expect(operation.multiplyAdds(inputs: [[2, 3, 4], [2, 4, 5]], outputs: [[2, 3, 5]]) == 120)
  }
}
