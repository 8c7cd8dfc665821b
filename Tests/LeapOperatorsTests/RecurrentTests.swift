// RecurrentTests: what ONNX Runtime's cases do not show: a sequence does not depend on its batch, empty sequences, both layouts,
// and operands that do not go together.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct RecurrentTests {
  static let gates = [("RNN", 1), ("GRU", 3), ("LSTM", 4)]

  private func weights(_ gates: Int, inputs: Int, size: Int) throws -> [Tensor?] {
    var noise = Noise(3)
    return [
      try noise.tensor(.float32, [1, gates * size, inputs]),
      try noise.tensor(.float32, [1, gates * size, size]),
    ]
  }

  private func harness(_ name: String, _ more: [String: Attribute] = [:]) -> OperatorHarness {
    OperatorHarness(
      name, attributes: more.merging(["hidden_size": .int(5)]) { $1 }, outputCount: 2)
  }

  @Test(arguments: gates)
  func sequencesDoNotDependOnTheirBatch(name: String, gates: Int) throws {
    let weights = try weights(gates, inputs: 3, size: 5)
    var noise = Noise(1)
    let x = try noise.tensor(.float32, [4, 37, 3])
    let all = try harness(name).run([x] + weights)
    let values = try #require(x.elements(as: Float.self))
    for sequence in [0, 13, 36] {
      var own: [Float] = []
      for step in 0..<4 {
        let first = (step * 37 + sequence) * 3
        own += values[first..<(first + 3)]
      }
      let alone = try harness(name).run([Tensor(own, shape: [4, 1, 3])] + weights)
      let last = try #require(all[1].elements(as: Float.self))
      #expect(
        alone[1].elements(as: Float.self) == Array(last[(sequence * 5)..<(sequence * 5 + 5)]))
    }
  }

  @Test(arguments: gates)
  func emptySequencesKeepTheirState(name: String, gates: Int) throws {
    let weights = try weights(gates, inputs: 3, size: 5)
    let x = try Tensor([Float](repeating: 1, count: 6), shape: [2, 1, 3])
    let state = try Tensor([Float(1), 2, 3, 4, 5], shape: [1, 1, 5])
    let results = try harness(name)
      .run([x] + weights + [nil, Tensor([Int32(0)]), state])
    #expect(results[0].doubles.allSatisfy { $0 == 0 })
    #expect(results[1].doubles == [1, 2, 3, 4, 5])
  }

  @Test(arguments: gates)
  func layoutsAgree(name: String, gates: Int) throws {
    let weights = try weights(gates, inputs: 3, size: 5)
    var noise = Noise(2)
    let x = try noise.tensor(.float32, [4, 1, 3])
    let timeFirst = try harness(name).run([x] + weights)
    let batchFirst = try harness(name, ["layout": .int(1)])
      .run([x.reshaped([1, 4, 3])] + weights)
    #expect(timeFirst[0].doubles == batchFirst[0].doubles)
    #expect(batchFirst[0].shape == [1, 4, 1, 5])
  }

  @Test func lengthsOutOfRangeAreRefused() throws {
    let weights = try weights(1, inputs: 3, size: 5)
    let x = try Tensor(zeros: .float32, shape: [2, 1, 3])
    for length in [Int32(-1), 3, .max] {
      #expect(throws: OperatorError.self) {
        try harness("RNN").run([x] + weights + [nil, Tensor([length])])
      }
    }
  }

  @Test func operandsThatDoNotFitAreRefused() throws {
    let weights = try weights(4, inputs: 3, size: 5)
    let x = try Tensor(zeros: .float32, shape: [2, 1, 4])
    #expect(throws: OperatorError.self) { try harness("LSTM").run([x] + weights) }
    let right = try Tensor(zeros: .float32, shape: [2, 1, 3])
    for attributes: [String: Attribute] in [
      ["direction": .string(Array("bidirectional".utf8))],
      ["activations": .strings([Array("Sigmoid".utf8)])],
      ["activations": .strings(["Sigmoid", "Tanh", "Wave"].map { Array($0.utf8) })],
    ] {
      #expect(throws: OperatorError.self) {
        try harness("LSTM", attributes).run([right] + weights)
      }
    }
  }
}
