// DecompositionTests: operators that are made of others: what they become, what they give, and what they refuse.

import LeapGraph
import LeapOperators
import LeapRuntime
import LeapTensors
import LeapTestSupport
import Testing

@Suite struct DecompositionTests {
  /// One operator.
  private func model(
    _ name: String, domain: String = "", inputs: [Tensor?], attributes: [String: Attribute] = [:],
    outputs: [String] = ["y"]
  ) -> Model {
    var builder = ModelBuilder()
    builder.opset = 1
    let values = inputs.enumerated().map { index, tensor in
      tensor.map {
        builder.input("x\(index)", $0.shape.map(Dimension.fixed), type: $0.dataType)
      }
    }
    let made = builder.node(
      name, domain: domain, values, attributes: attributes, outputs: outputs)
    return builder.model(outputs: made)
  }

  private func run(
    _ name: String, domain: String = "", _ inputs: [Tensor?],
    _ attributes: [String: Attribute] = [:], outputs: [String] = ["y"]
  ) throws -> [String: Tensor] {
    let model = model(
      name, domain: domain, inputs: inputs, attributes: attributes, outputs: outputs)
    var feeds: [String: Tensor] = [:]
    for (index, tensor) in inputs.enumerated() { feeds["x\(index)"] = tensor }
    return try SessionCore(model: model, configuration: SessionConfiguration()).run(feeds)
  }

  private func values(_ tensor: Tensor?) -> [Float] { tensor?.elements(as: Float.self) ?? [] }

  @Test func operatorsOfEarlyExportersStillRun() throws {
    let x = try Tensor([Float(-1), 0, 2])
    #expect(
      values(try run("Affine", [x], ["alpha": .float(2), "beta": .float(1)])["y"]) == [-1, 1, 5])
    let tanh = values(try run("ScaledTanh", [x], ["alpha": .float(2), "beta": .float(0)])["y"])
    #expect(tanh == [0, 0, 0])
    let soft = values(
      try run("ParametricSoftplus", [x], ["alpha": .float(1), "beta": .float(0)])["y"])
    #expect(soft.allSatisfy { abs($0 - 0.6931472) < 1e-6 })
    let image = try Tensor((0..<8).map { Float($0) }, shape: [1, 2, 2, 2])
    let scaled = try run("ImageScaler", [image], ["scale": .float(2), "bias": .floats([1, -1])])
    #expect(values(scaled["y"]) == [1, 3, 5, 7, 7, 9, 11, 13])
    let picture = try Tensor((0..<12).map { Float($0) }, shape: [1, 1, 3, 4])
    let cropped = try run("Crop", [picture], ["border": .ints([1, 1, 1, 0])])
    #expect(values(cropped["y"]) == [5, 6, 9, 10])
    let sized = try run(
      "Crop", [picture], ["border": .ints([1, 1, 0, 0]), "scale": .ints([1, 2])])
    #expect(values(sized["y"]) == [5, 6])
  }

  @Test func fusedConvolutionsBecomeConvolutions() throws {
    let x = try Tensor([Float](repeating: 1, count: 9), shape: [1, 1, 3, 3])
    let w = try Tensor([Float](repeating: -1, count: 4), shape: [1, 1, 2, 2])
    let model = model(
      "FusedConv", domain: "com.microsoft", inputs: [x, w],
      attributes: [
        "activation": .string(Array("LeakyRelu".utf8)), "activation_params": .floats([0.5]),
      ])
    let graph = try SessionConfiguration().prepared(model).graph
    #expect(PassHarness.operators(graph) == "Conv LeakyRelu")
    #expect(graph.nodes.allSatisfy { $0.origin.names == ["FusedConv_y"] })
    let session = try SessionCore(model: model, configuration: SessionConfiguration())
    #expect(values(try session.run(["x0": x, "x1": w])["y"]) == [-2, -2, -2, -2])
  }

  @Test func sumsOfSkipNormalizationsAreOutputs() throws {
    let x = try Tensor([Float(1), 3], shape: [1, 2])
    let ones = try Tensor([Float(1), 1])
    let results = try run(
      "SkipLayerNormalization", domain: "com.microsoft", [x, x, ones, nil, ones],
      outputs: ["y", "mean", "deviation", "sum"])
    #expect(values(results["sum"]) == [3, 7])
    #expect(values(results["y"]).map { $0.rounded() } == [-1, 1])
  }

  /// Queries and keys of one head of two numbers, and the scores of both keys.
  private func scores(mask: Tensor, _ attributes: [String: Attribute] = [:]) throws -> [Float] {
    let query = try Tensor([Float(1), 0], shape: [1, 1, 2])
    let keys = try Tensor([Float(2), 0, 4, 0], shape: [1, 2, 2])
    let given: [String: Attribute] = ["num_heads": .int(1), "scale": .float(0.5)]
    let results = try run(
      "MultiHeadAttention", domain: "com.microsoft", [query, keys, keys, nil, mask],
      given.merging(attributes) { $1 }, outputs: ["y", "", "", "scores"])
    return values(results["scores"])
  }

  @Test func scoresOfAttentionAreThoseBeforeTheSoftmax() throws {
    #expect(try scores(mask: Tensor([Int32(1), 1], shape: [1, 2])) == [1, 2])
    #expect(try scores(mask: Tensor([Int32(0), 1], shape: [1, 2])) == [-9999, 2])
    #expect(
      try scores(mask: Tensor([Int64(1)]), ["mask_filter_value": .float(-3)]) == [1, -1])
    #expect(try scores(mask: Tensor([Int32(1), 0], shape: [1, 1, 2])) == [1, -9998])
  }

  @Test(
    arguments: [
      ([3], "the mask has 3 numbers for a batch of 1; expected one or two for each"),
      ([1, 3], "the mask has shape 1x3; expected 1x2"),
      ([2, 2], "the mask has shape 2x2; expected 1x2"),
      ([2, 1, 2], "the mask has shape 2x1x2; expected 1x1x2"),
      ([1, 1, 1, 2], "input 0 has rank 4"),
    ] as [([Int], String)])
  func masksThatDoNotGoWithTheKeysAreRefused(shape: [Int], reason: String) throws {
    let mask = try Tensor(zeros: .int32, shape: Shape(shape))
    let error = #expect(throws: ModelError.self) { try scores(mask: mask) }
    #expect(
      error.map { "\($0)".contains(reason) } == true, "\(error.map(String.init(describing:)) ?? "")"
    )
  }

  @Test func contributedOperatorsAreMadeOfOthers() throws {
    let a = try Tensor([Float(0), 0, 3, 4], shape: [2, 2])
    let distances = try run(
      "CDist", domain: "com.microsoft", [a, a], ["metric": .string(Array("euclidean".utf8))])
    #expect(values(distances["y"]) == [0, 5, 5, 0])
    let unique = try run(
      "Unique", domain: "com.microsoft", [try Tensor([Float(2), 1, 1, 3])],
      outputs: ["y", "places", "counts"])
    #expect(values(unique["y"]) == [2, 1, 3])
    #expect(unique["places"]?.integers == [0, 1, 1, 2])
    #expect(unique["counts"]?.integers == [1, 2, 1])
    let narrow = try Tensor([Int16(300), -300], shape: [1, 2])
    let column = try Tensor([Int16(300), 1], shape: [2, 1])
    let product = try run("MatMulInteger16", domain: "com.microsoft", [narrow, column])["y"]
    #expect(product?.elements(as: Int32.self) == [89700])
  }

  /// The pads are computed, and so is the shape.
  @Test func transposedConvolutionsTakePadsAsAnInput() throws {
    let x = try Tensor([Float](repeating: 1, count: 9), shape: [1, 1, 3, 3])
    let pads = try Tensor([Int64(1), 0, 1, 2])
    let y = try #require(
      try run(
        "ConvTransposeWithDynamicPads", domain: "com.microsoft", [x, x, pads],
        ["strides": .ints([2, 2])])["y"])
    #expect(y.shape == [1, 1, 5, 5])
    #expect(values(y).prefix(10) == [1, 1, 2, 1, 2, 2, 2, 4, 2, 4])
  }

  @Test func optimisersTakeAStepInFloat64() throws {
    let training = "ai.onnx.preview.training"
    let (rate, first) = (try Tensor(scalar: 0.5), try Tensor(scalar: Int64(0)))
    let (x, g, average) = (try Tensor([1.0]), try Tensor([2.0]), try Tensor([4.0]))
    let moved = try run(
      "Momentum", domain: training, [rate, first, x, g, average],
      [
        "norm_coefficient": .float(0), "alpha": .float(0.25), "beta": .float(0),
        "mode": .string(Array("standard".utf8)),
      ], outputs: ["x", "v"])
    // Before the first update G counts in full, whatever beta is.
    #expect(moved["v"]?.elements(as: Double.self) == [3])
    #expect(moved["x"]?.elements(as: Double.self) == [-0.5])
    let later = try run(
      "Adagrad", domain: training, [rate, try Tensor(scalar: Int64(3)), x, g, try Tensor([12.0])],
      ["decay_factor": .float(1), "epsilon": .float(0)], outputs: ["x", "h"])
    #expect(later["h"]?.elements(as: Double.self) == [16])
    #expect(later["x"]?.elements(as: Double.self) == [0.9375])
    let adam = try run(
      "Adam", domain: training, [rate, first, x, g, average, try Tensor([16.0])],
      ["alpha": .float(0.5), "beta": .float(0.5), "epsilon": .float(0)],
      outputs: ["x", "v", "h"])
    #expect(adam["v"]?.elements(as: Double.self) == [3])
    #expect(adam["h"]?.elements(as: Double.self) == [10])
    let expected = 1 - 0.5 * 3 / 10.0.squareRoot()
    #expect(abs((adam["x"]?.elements(as: Double.self)?.first ?? 0) - expected) < 1e-12)
  }

  @Test(arguments: [0, 2, 3, 4, 6, 9]) func optimisersNeedAllThatBelongsToATensor(count: Int) throws
  {
    let x = try Tensor([Float(1)])
    let inputs: [Tensor?] =
      [try Tensor(scalar: Float(1)), try Tensor(scalar: Int64(1))]
      + Array(repeating: x, count: count)
    for name in ["Adagrad", "Momentum", "Adam"]
    where count % (name == "Adam" ? 4 : 3) != 0 || count == 0 {
      #expect(throws: ModelError.self) {
        try run(name, domain: "ai.onnx.preview.training", inputs)
      }
    }
  }

  @Test func valuesThatAreMissingAreReplaced() throws {
    let x = try Tensor([Float.nan, 1, 2, .nan], shape: [2, 2])
    let y = try run(
      "Imputer", domain: "ai.onnx.ml", [x],
      ["imputed_value_floats": .floats([7, 8]), "replaced_value_float": .float(.nan)])["y"]
    #expect(values(y) == [7, 1, 2, 8])
    let numbers = try run(
      "Imputer", domain: "ai.onnx.ml", [try Tensor([Int32(3), 4])],
      ["imputed_value_int64s": .ints([9]), "replaced_value_int64": .int(4)])["y"]
    #expect(numbers?.elements(as: Int32.self) == [3, 9])
  }

  @Test(
    arguments: [
      ("Scaler", "ai.onnx.ml", ["scale": Attribute.floats([1])]), ("Imputer", "ai.onnx.ml", [:]),
      ("FusedConv", "com.microsoft", ["activation": Attribute.string(Array("Wave".utf8))]),
      ("FusedConv", "com.microsoft", ["activation": .string(Array("LeakyRelu".utf8))]),
      ("Crop", "", ["border": .ints([1, 2])]), ("Crop", "", ["border": .ints([-1, 0, 0, 0])]),
      ("DynamicSlice", "", [:]),
      ("CDist", "com.microsoft", ["metric": .string(Array("cosine".utf8))]),
      (
        "GroupQueryAttention", "com.microsoft",
        ["num_heads": .int(.max), "kv_num_heads": .int(.max)]
      ),
      ("GroupQueryAttention", "com.microsoft", ["num_heads": .int(4), "kv_num_heads": .int(3)]),
      ("RotaryEmbedding", "com.microsoft", ["num_heads": .int(-1)]),
      ("MultiHeadAttention", "com.microsoft", ["num_heads": .int(0)]),
      ("GatherBlockQuantized", "com.microsoft", ["bits": .int(3)]),
    ] as [(String, String, [String: Attribute])])
  func hostileAttributesAreRefused(
    name: String, domain: String, attributes: [String: Attribute]
  ) throws {
    let x = try Tensor(zeros: .float32, shape: [1, 1, 3, 3])
    let counts = [
      "FusedConv": 2, "CDist": 2, "GroupQueryAttention": 7, "RotaryEmbedding": 4,
      "MultiHeadAttention": 3,
      "GatherBlockQuantized": 3,
    ]
    let inputs = Array(repeating: x, count: counts[name] ?? 1)
    #expect(throws: ModelError.self) { try run(name, domain: domain, inputs, attributes) }
  }
}
