// AttentionTests: queries without a key, masks and positions that do not fit. Agreement with onnx.reference is in the operator
// cases.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct AttentionTests {
  private func operands() throws -> [Tensor?] {
    var noise = Noise(5)
    return [
      try noise.tensor(.float32, [1, 2, 3, 4]), try noise.tensor(.float32, [1, 2, 5, 4]),
      try noise.tensor(.float32, [1, 2, 5, 4]),
    ]
  }

  @Test func queriesWithoutAKeyGiveZeros() throws {
    let masked = try OperatorHarness("Attention")
      .run(operands() + [Tensor([Bool](repeating: false, count: 15), shape: [3, 5])])[0]
    #expect(masked.doubles.allSatisfy { $0 == 0 })
    let lengths = try Tensor([Int64(0)])
    let empty = try OperatorHarness("Attention").run(operands() + [nil, nil, nil, lengths])[0]
    #expect(empty.doubles.allSatisfy { $0 == 0 })
    for length in [Int64.min, .max, -7, 9] {
      let odd = try OperatorHarness("Attention", attributes: ["is_causal": .int(1)])
        .run(operands() + [nil, nil, nil, Tensor([length])])[0]
      #expect(odd.doubles.allSatisfy { $0.isFinite })
    }
  }

  @Test func windowsOfAnySizeAreTaken() throws {
    let whole = try OperatorHarness("Attention").run(operands())[0]
    let wide = try OperatorHarness(
      "Attention",
      attributes: ["left_window_size": .int(.max), "right_window_size": .int(.max)]
    ).run(operands())[0]
    #expect(whole.doubles == wide.doubles)
  }

  @Test func operandsThatDoNotFitAreRefused() throws {
    let operands = try operands()
    let mask = try Tensor(zeros: .float32, shape: [3, 6])
    #expect(throws: OperatorError.self) { try OperatorHarness("Attention").run(operands + [mask]) }
    let heads = try Tensor(zeros: .float32, shape: [1, 3, 5, 4])
    #expect(throws: OperatorError.self) {
      try OperatorHarness("Attention").run([operands[0], heads, heads])
    }
    let flat = try Tensor(zeros: .float32, shape: [1, 5, 8])
    #expect(throws: OperatorError.self) {
      try OperatorHarness("Attention").run([flat, flat, flat])
    }
    #expect(throws: OperatorError.self) {
      try OperatorHarness(
        "Attention", attributes: ["q_num_heads": .int(3), "kv_num_heads": .int(1)]
      ).run([flat, flat, flat])
    }
  }

  @Test func positionsOutOfRangeAreRefused() throws {
    let x = try Tensor(zeros: .float32, shape: [1, 2, 1, 4])
    let table = try Tensor(zeros: .float32, shape: [3, 2])
    for position in [Int64(-1), 3, .max] {
      #expect(throws: OperatorError.self) {
        try OperatorHarness("RotaryEmbedding")
          .run([x, table, table, Tensor([position], shape: [1, 1])])
      }
    }
    let cache = try Tensor(zeros: .float32, shape: [1, 4, 2])
    let update = try Tensor(zeros: .float32, shape: [1, 2, 2])
    for index in [Int64(-1), 3, .max] {
      #expect(throws: OperatorError.self) {
        try OperatorHarness("TensorScatter").run([cache, update, Tensor([index])])
      }
    }
  }
}
