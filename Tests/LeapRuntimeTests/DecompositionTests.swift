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

  @Test(
    arguments: [
      ("FusedConv", "com.microsoft", ["activation": Attribute.string(Array("Wave".utf8))]),
      ("FusedConv", "com.microsoft", ["activation": .string(Array("LeakyRelu".utf8))]),
      ("Crop", "", ["border": .ints([1, 2])]), ("Crop", "", ["border": .ints([-1, 0, 0, 0])]),
      ("SwiGLU", "", [:]),
    ] as [(String, String, [String: Attribute])])
  func hostileAttributesAreRefused(
    name: String, domain: String, attributes: [String: Attribute]
  ) throws {
    let x = try Tensor(zeros: .float32, shape: [1, 1, 3, 3])
    let inputs = name == "FusedConv" ? [x, x] : [x]
    #expect(throws: ModelError.self) { try run(name, domain: domain, inputs, attributes) }
  }
}
