// What operators say of their multiply-adds, against counts by hand.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct MultiplyAddsTests {
  struct Count: Sendable {
    let type: String
    var attributes: [String: Attribute] = [:]
    let inputs: [Shape?]
    let output: Shape?
    let expected: Int?
  }

  static let counts: [Count] = [
    // The first layer of a ResNet.
    Count(
      type: "Conv", inputs: [[1, 3, 224, 224], [64, 3, 7, 7]], output: [1, 64, 112, 112],
      expected: 112 * 112 * 64 * 3 * 49),
    // Bias counts none; groups divide the channels; the batch multiplies.
    Count(
      type: "Conv", attributes: ["group": .int(4)], inputs: [[2, 8, 5], [12, 2, 3], [12]],
      output: [2, 12, 3], expected: 2 * 12 * 3 * 2 * 3),
    Count(type: "Conv", inputs: [nil, [4, 2, 1, 1]], output: [1, 4, 3, 3], expected: 72),
    Count(type: "Conv", inputs: [[1, 2, 3, 3], nil], output: [1, 4, 3, 3], expected: nil),
    Count(type: "Conv", inputs: [[1, 2, 3, 3], [4, 2, 1, 1]], output: nil, expected: nil),
    Count(
      type: "Conv", inputs: [[0, 2, 3, 3], [4, 2, 1, 1]], output: [0, 4, 3, 3], expected: 0),
    // Each of 4 x 5 pixels is spread over 6 channels of 2 x 2.
    Count(
      type: "ConvTranspose", attributes: ["strides": .ints([2, 2])],
      inputs: [[3, 7, 4, 5], [7, 6, 2, 2]], output: [3, 6, 8, 10],
      expected: 3 * 7 * 4 * 5 * 6 * 4),
    Count(type: "Gemm", inputs: [[3, 4], [4, 5], [5]], output: [3, 5], expected: 60),
    Count(
      type: "Gemm", attributes: ["transA": .int(1), "transB": .int(1)],
      inputs: [[4, 3], [5, 4]], output: [3, 5], expected: 60),
    Count(type: "Gemm", inputs: [nil, [4, 5]], output: [3, 5], expected: nil),
    Count(
      type: "MatMul", inputs: [[2, 1, 3, 4], [5, 4, 2]], output: [2, 5, 3, 2],
      expected: 2 * 5 * 3 * 2 * 4),
    Count(type: "MatMul", inputs: [[4], [4]], output: [], expected: 4),
    Count(type: "MatMul", inputs: [[4], nil], output: nil, expected: nil),
    // More than 2^63.
    Count(
      type: "MatMul", inputs: [[1 << 30, 1 << 30], [1 << 30, 1 << 30]],
      output: [1 << 30, 1 << 30], expected: .max),
    // What multiplies and does not sum, or sums and does not multiply.
    Count(type: "Mul", inputs: [[3, 4], [4]], output: [3, 4], expected: 0),
    Count(type: "GlobalAveragePool", inputs: [[1, 8, 7, 7]], output: [1, 8, 1, 1], expected: 0),
    Count(
      type: "AveragePool", attributes: ["kernel_shape": .ints([2, 2])], inputs: [[1, 8, 4, 4]],
      output: [1, 8, 3, 3], expected: 0),
    Count(type: "ReduceSum", inputs: [[3, 4]], output: [1, 1], expected: 0),
  ]

  @Test(arguments: counts.indices)
  func countsByHand(index: Int) throws {
    let count = MultiplyAddsTests.counts[index]
    let operation = try OperatorCase(count.type, count.attributes)
      .makeOperator(count.inputs.map { _ in true })
    #expect(
      operation.multiplyAdds(inputs: count.inputs, outputs: [count.output]) == count.expected,
      "\(count)")
  }

  /// A node may have no outputs at all.
  @Test(arguments: ["Conv", "ConvTranspose", "Gemm", "MatMul"])
  func aNodeWithoutOutputs(type: String) throws {
    let operation = try OperatorCase(type).makeOperator([true, true])
    let count = operation.multiplyAdds(inputs: [[1, 1, 1, 1], nil], outputs: [])
    #expect(count == nil)
  }
}
