// DecodingTests: what operators around models that write texts refuse, and paths that numbers do not decide. Agreement with ONNX
// Runtime is in the operator cases.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct DecodingTests {
  private func harness(
    _ name: String, _ attributes: [String: Attribute] = [:], outputs: Int = 1
  ) -> OperatorHarness {
    OperatorHarness(
      name, opset: 1, domain: "com.microsoft", attributes: attributes, outputCount: outputs)
  }

  @Test func repeatedNGramsGetNoScore() throws {
    let tokens = try Tensor([Int64(1), 2, 3, 1, 2], shape: [1, 5])
    let scores = try Tensor([Float](repeating: 0, count: 4), shape: [1, 4])
    let y = try harness("NGramRepeatBlock", ["ngram_size": .int(3)]).run([tokens, scores])[0]
    #expect(y.elements(as: Float.self) == [0, 0, 0, -.infinity])
    for size in [Int64.max, 6] {
      let none = try harness("NGramRepeatBlock", ["ngram_size": .int(size)]).run([tokens, scores])
      #expect(none[0].elements(as: Float.self) == [0, 0, 0, 0])
    }
  }

  @Test(arguments: [Int64(-1), 4, .max, .min]) func tokensOutsideTheVocabularyAreRefused(
    token: Int64
  ) throws {
    let tokens = try Tensor([token], shape: [1, 1])
    let scores = try Tensor(zeros: .float32, shape: [1, 4])
    #expect(throws: OperatorError.self) {
      try harness("NGramRepeatBlock", ["ngram_size": .int(1)]).run([tokens, scores])
    }
  }

  @Test func hostileAttributesAreRefused() throws {
    let tokens = try Tensor([Int64(0)], shape: [1, 1])
    let scores = try Tensor(zeros: .float32, shape: [1, 4])
    for size in [Int64(0), -3] {
      #expect(throws: OperatorError.self) {
        try harness("NGramRepeatBlock", ["ngram_size": .int(size)]).run([tokens, scores])
      }
      #expect(throws: OperatorError.self) {
        try harness("BifurcationDetector", ["min_ngram_size": .int(size)])
          .run([Tensor([Int64(1)]), Tensor([Int64(1)]), Tensor([Int64(0)])])
      }
    }
  }

  /// An index beyond the source, and predictions of another length.
  @Test(arguments: [(Int64(-1), 4), (4, 0), (.max, 1), (1, 4), (0, 3)])
  func predictionsThatDoNotFitAreRefused(start: Int64, count: Int) throws {
    let source = try Tensor([Int64(1), 2, 3])
    #expect(throws: OperatorError.self) {
      try harness("BifurcationDetector", outputs: 2).run([
        source, Tensor([Int64(1)]), Tensor([start]), Tensor([Int64](repeating: 1, count: count)),
      ])
    }
  }

  @Test func predictionsCountUpToWhereTheyDiffer() throws {
    let results = try harness("BifurcationDetector", outputs: 2).run([
      Tensor([Int64(1), 5, 3, 4]), Tensor([Int64(2)]), Tensor([Int64(0)]),
      Tensor([Int64(1), 5, 9, 4, 2]),
    ])
    #expect(results[0].integers == [2, 1, 5, 9])
    #expect(results[1].integers == [-1])
    let found = try harness("BifurcationDetector", outputs: 2).run([
      Tensor([Int64(1), 5, 3, 4]), Tensor([Int64(2), 5]), Tensor([Int64(0)]),
    ])
    #expect(found[1].integers == [2])
  }

  @Test func pathsEndWhateverTheCostsAre() throws {
    for cost in [Float.nan, .infinity, -.infinity, 0] {
      let costs = try Tensor([Float](repeating: cost, count: 12), shape: [3, 4])
      let path = try #require(try harness("DynamicTimeWarping").run([costs])[0].integers)
      let steps = path.count / 2
      #expect((4...6).contains(steps))
      #expect(path[0] == 0 && path[steps - 1] == 2 && path[steps] == 0 && path.last == 3)
    }
    #expect(throws: OperatorError.self) {
      try harness("DynamicTimeWarping").run([Tensor(zeros: .float32, shape: [0, 3])])
    }
  }
}
