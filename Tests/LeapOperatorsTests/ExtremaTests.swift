// ExtremaTests: ArgMax, ArgMin and TopK along every axis, with ties and NaN.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct ExtremaTests {
  private let scores: [Float] = [3, 1, 3, 2, 2, 5, 0, 5]

  @Test(arguments: [
    ("ArgMax", 1, 0, [0, 1]), ("ArgMax", 1, 1, [2, 3]), ("ArgMin", 1, 0, [1, 2]),
    ("ArgMax", 0, 0, [0, 1, 0, 1]), ("ArgMin", 0, 0, [1, 0, 1, 0]),
    ("ArgMax", -2, 1, [0, 1, 0, 1]),
  ])
  func findsTheFirstOrLastExtreme(_ name: String, _ axis: Int, _ last: Int, _ wanted: [Int])
    throws
  {
    let attributes: [String: Attribute] = [
      "axis": .int(Int64(axis)), "select_last_index": .int(Int64(last)), "keepdims": .int(0),
    ]
    let x = try Tensor(scores, shape: [2, 4])
    let harness = OperatorHarness(name, opset: 13, attributes: attributes)
    #expect(try harness.run([x])[0].integers == wanted)
    let bytes = try Tensor(scores.map { UInt8($0) }, shape: [2, 4])
    #expect(try harness.run([bytes])[0].integers == wanted)
  }

  @Test func keepsDimensionsByDefault() throws {
    let result = try OperatorHarness("ArgMax", opset: 1).run([Tensor(scores, shape: [2, 4])])[0]
    #expect(result.shape == [1, 4])
    #expect(result.integers == [0, 1, 0, 1])
  }

  @Test func aNaNIsTheExtreme() throws {
    let x = try Tensor([Float(1), .nan, 7, .nan])
    #expect(try OperatorHarness("ArgMax").run([x])[0].integers == [1])
    #expect(try OperatorHarness("ArgMin").run([x])[0].integers == [1])
  }

  @Test func nothingHasNoExtreme() throws {
    let x = try Tensor([Float](), shape: [0, 2])
    #expect(throws: OperatorError.self) { try OperatorHarness("ArgMax").run([x]) }
    let none = try OperatorHarness("ArgMax", attributes: ["axis": .int(1)]).run([x])[0]
    #expect(none.shape == [0, 1])
  }

  @Test(arguments: [(1, 5), (0, 5), (1, 7), (0, 7)])
  func topKAgreesWithSorting(_ largest: Int, _ k: Int) throws {
    var noise = Noise(4)
    // Few distinct values, so that there are ties.
    let values = noise.doubles(3 * 7 * 2).map { ($0 * 3).rounded() }
    let x = try Tensor(values, shape: [3, 7, 2])
    let outputs = try OperatorHarness(
      "TopK", opset: 11, attributes: ["axis": .int(1), "largest": .int(Int64(largest))],
      outputCount: 2
    ).run([x, Tensor([Int64(k)])])
    #expect(outputs[0].shape == [3, k, 2])
    let indices = try #require(outputs[1].integers)
    for outer in 0..<3 {
      for inner in 0..<2 {
        func value(_ row: Int) -> Double { values[outer * 14 + row * 2 + inner] }
        let sorted = (0..<7).sorted {
          value($0) == value($1)
            ? $0 < $1 : largest == 1 ? value($0) > value($1) : value($0) < value($1)
        }
        for place in 0..<k {
          let index = outer * k * 2 + place * 2 + inner
          #expect(indices[index] == sorted[place])
          #expect(outputs[0].doubles[index] == value(sorted[place]))
        }
      }
    }
  }

  @Test func oldTopKHasItsKAsAnAttribute() throws {
    let outputs = try OperatorHarness(
      "TopK", opset: 1, attributes: ["k": .int(2)], outputCount: 2
    ).run([Tensor(scores, shape: [2, 4])])
    expectClose(outputs[0], [3, 3, 5, 5], shape: [2, 2])
    #expect(outputs[1].integers == [0, 2, 1, 3])
    #expect(throws: OperatorError.self) {
      try OperatorHarness("TopK", opset: 1, outputCount: 2).run([Tensor(scores)])
    }
  }

  @Test(arguments: [-1, 9, Int64.max])
  func aKOutOfRangeIsRefused(_ k: Int64) throws {
    #expect(throws: OperatorError.self) {
      try OperatorHarness("TopK", outputCount: 2).run([Tensor(scores), Tensor([k])])
    }
  }

  @Test func shapesOfUnknownKStayUnknown() throws {
    let batch = Dimension.symbol("batch")
    let inferred = try OperatorHarness("TopK", outputCount: 2).infer([
      InferredValue(.tensor(.float32, shape: [batch, 10])),
      InferredValue(.tensor(.int64, shape: [1])),
    ])
    #expect(inferred[0]?.type.shape == [batch, .unknown])
    #expect(inferred[1]?.type.dataType == .int64)
  }
}
