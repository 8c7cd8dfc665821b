// ClassicalTests: operators of ai.onnx.ml: what operator cases do not have, and what is refused.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct ClassicalTests {
  private static let ml = "ai.onnx.ml"

  private func strings(_ values: [String]) -> Attribute { .strings(values.map { Array($0.utf8) }) }

  /// x0 <= 0.5 ? first leaf : second leaf, which add something to one or more targets.
  private func tree(_ prefix: String, _ weights: [(node: Int64, target: Int64, value: Float)])
    -> [String: Attribute]
  {
    [
      "nodes_treeids": .ints([4, 4, 4]), "nodes_nodeids": .ints([7, 8, 9]),
      "nodes_featureids": .ints([0, 0, 0]), "nodes_values": .floats([0.5, 0, 0]),
      "nodes_modes": strings(["BRANCH_LEQ", "LEAF", "LEAF"]),
      "nodes_truenodeids": .ints([8, 0, 0]), "nodes_falsenodeids": .ints([9, 0, 0]),
      "\(prefix)_treeids": .ints(weights.map { _ in 4 }),
      "\(prefix)_nodeids": .ints(weights.map(\.node)),
      "\(prefix)_ids": .ints(weights.map(\.target)),
      "\(prefix)_weights": .floats(weights.map(\.value)),
    ]
  }

  private func classified(
    _ weights: [(Int64, Int64, Float)], _ attributes: [String: Attribute], _ x: [Float]
  ) throws -> (labels: Tensor, scores: Tensor) {
    let made = try OperatorHarness(
      "TreeEnsembleClassifier", domain: ClassicalTests.ml,
      attributes: tree("class", weights.map { ($0.0, $0.1, $0.2) }).merging(attributes) { $1 },
      outputCount: 2
    ).run([Tensor(x, shape: [x.count, 1])])
    return (made[0], made[1])
  }

  @Test func ofTwoClassesThatLeavesSpeakOfTheLargerIsTaken() throws {
    let weights: [(Int64, Int64, Float)] = [
      (8, 0, 0.75), (8, 1, 0.25), (9, 0, 0.375), (9, 1, 0.625),
    ]
    let (labels, scores) = try classified(
      weights, ["classlabels_strings": strings(["no", "yes"])], [0, 1])
    #expect(labels.strings == ["no", "yes"])
    expectClose(scores, [0.75, 0.25, 0.375, 0.625], shape: [2, 2])
  }

  @Test(arguments: [5, 3, 1]) func missingFeaturesGoWhereTheNodeSays(opset: Int) throws {
    for (isTrue, expected) in [(1, 2.0), (0, 3.0)] as [(Int64, Double)] {
      var attributes = tree("target", [(8, 0, 2), (9, 0, 3)])
      attributes["n_targets"] = .int(1)
      attributes["nodes_missing_value_tracks_true"] = .ints([isTrue, 0, 0])
      let y = try OperatorHarness(
        "TreeEnsembleRegressor", opset: opset, domain: ClassicalTests.ml, attributes: attributes
      ).run([Tensor([Float.nan, 0, 1], shape: [3, 1])])[0]
      expectClose(y, [expected, 2, 3], shape: [3, 1])
    }
  }

  @Test func integersAreComparedAsTheyAre() throws {
    var attributes = tree("target", [(8, 0, 2), (9, 0, 3)])
    attributes["n_targets"] = .int(1)
    let harness = OperatorHarness(
      "TreeEnsembleRegressor", domain: ClassicalTests.ml, attributes: attributes)
    let y = try harness.run([Tensor([Int64(0), 1, -9], shape: [3, 1])])[0]
    expectClose(y, [2, 3, 2], shape: [3, 1])
    #expect(try harness.run([Tensor([Int32(4)], shape: [1])])[0].shape == [1, 1])
    #expect(try harness.run([Tensor(zeros: .float32, shape: [0, 1])])[0].shape == [0, 1])
  }

  @Test func rowsThatAreTooShortAreRefused() throws {
    var attributes = tree("target", [(8, 0, 2), (9, 0, 3)])
    attributes["n_targets"] = .int(1)
    attributes["nodes_featureids"] = .ints([2, 0, 0])
    let harness = OperatorHarness(
      "TreeEnsembleRegressor", domain: ClassicalTests.ml, attributes: attributes)
    let error = #expect(throws: OperatorError.self) {
      try harness.run([Tensor(zeros: .float32, shape: [1, 2])])
    }
    #expect(error?.reason.contains("read 3 features; input 0 has 2") == true)
    let known = try harness.infer([InferredValue(.tensor(.float32, shape: [.symbol("n"), 3]))])
    #expect(known[0]?.type == .tensor(.float32, shape: [.symbol("n"), 1]))
    #expect(throws: OperatorError.self) {
      try harness.infer([InferredValue(.tensor(.float32, shape: [.symbol("n"), 2]))])
    }
  }

  @Test func categoriesThatAreNotThereMayBeRefused() throws {
    let attributes: [String: Attribute] = ["cats_int64s": .ints([3, 5]), "zeros": .int(0)]
    let harness = OperatorHarness(
      "OneHotEncoder", domain: ClassicalTests.ml, attributes: attributes)
    expectClose(try harness.run([Tensor([Int64(5), 3])])[0], [0, 1, 1, 0], shape: [2, 2])
    #expect(throws: OperatorError.self) { try harness.run([Tensor([Int64(5), 4])]) }
    // Numbers beyond all integers are of no category.
    let open = OperatorHarness(
      "OneHotEncoder", domain: ClassicalTests.ml, attributes: ["cats_int64s": .ints([3])])
    expectClose(try open.run([Tensor([Float.infinity, .nan, 3.5])])[0], [0, 0, 1], shape: [3, 1])
  }

  @Test func featuresAreCutAndFilledUp() throws {
    let made = try OperatorHarness(
      "FeatureVectorizer", domain: ClassicalTests.ml,
      attributes: ["inputdimensions": .ints([1, 3])]
    ).run([Tensor([Float(1), 2, 3, 4], shape: [2, 2]), Tensor([Int64(5), 6], shape: [2, 1])])[0]
    expectClose(made, [1, 5, 0, 0, 3, 6, 0, 0], shape: [2, 4])
  }

  @Test func rowsWithoutElementsTakeNoTime() throws {
    let harness = OperatorHarness("Normalizer", domain: ClassicalTests.ml)
    let many: Shape = [1 << 40, 0]
    #expect(try harness.run([Tensor(zeros: .float32, shape: many)])[0].shape == many)
    // No worker has room for one.
    #expect(throws: OperatorError.self) {
      try harness.run([Tensor(zeros: .float32, shape: [0, 1 << 40])])
    }
  }
}
