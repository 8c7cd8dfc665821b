// HalfPrecisionTests: that nodes without a kernel for halves compute in float32, that nothing between two of them is rounded, and
// that models without halves are left alone.

import LeapGraph
import LeapOperators
import LeapRuntime
import LeapTensors
import LeapTestSupport
import Testing

@Suite struct HalfPrecisionTests {
  private func half(_ values: [Float], _ shape: Shape, _ type: DataType = .float16) throws -> Tensor
  {
    try Tensor(dataType: type, shape: shape) {
      ElementCodec.encode(type, values, count: values.count, to: $0)
    }
  }

  private func floats(_ tensor: Tensor) -> [Float] {
    var values = [Float](repeating: 0, count: tensor.elementCount)
    tensor.withUnsafeBytes {
      ElementCodec.decode(tensor.dataType, $0, count: values.count, to: &values)
    }
    return values
  }

  /// A convolution, an activation that has a kernel for halves, and a pooling.
  private func network(_ type: DataType) throws -> Model {
    var builder = ModelBuilder()
    let x = builder.input("x", [1, 2, 4, 4], type: type)
    let w = builder.constant(
      "w", try half((0..<36).map { Float($0 % 5) - 2 }, [2, 2, 3, 3], type))
    let c = builder.node("Conv", [x, w], output: "c")
    let r = builder.node("Relu", [c], output: "r")
    let y = builder.node(
      "MaxPool", [r], attributes: ["kernel_shape": .ints([2, 2])], output: "y")
    return builder.model(outputs: [c, y])
  }

  @Test(arguments: [DataType.float16, .bfloat16])
  func resultsAreThoseOfFloatsRoundedOnce(type: DataType) throws {
    let model = try network(type)
    let numbers = (0..<32).map { Float($0 % 7) / 4 }
    try PassHarness.check(
      HalfPrecision.computedInSingle(model), inputs: ["x": half(numbers, [1, 2, 4, 4], type)])
    let results = try SessionCore(model: model, configuration: SessionConfiguration())
      .run(["x": half(numbers, [1, 2, 4, 4], type)])
    let c = try #require(results["c"])
    let y = try #require(results["y"])
    #expect(c.dataType == type && y.dataType == type)
    #expect(floats(y)[0] == max(0, floats(c)[..<4].max() ?? 0))
  }

  @Test func nothingBetweenIsRounded() throws {
    let rewritten = try HalfPrecision.computedInSingle(network(.float16))
    let names = PassHarness.operators(rewritten.graph)
    #expect(names == "Cast Conv Relu MaxPool Cast Cast Cast")
    let optimized = try Optimizer.optimize(rewritten.graph, table: .standard)
    #expect(PassHarness.operators(optimized).split(separator: " ").count { $0 == "Cast" } == 3)
  }

  @Test func modelsWithoutHalvesAreLeftAlone() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [1, 3])
    let y = builder.node("Softmax", [x], output: "y")
    let model = builder.model(outputs: [y])
    let same = try HalfPrecision.computedInSingle(model)
    #expect(same.graph.values.count == model.graph.values.count)
    #expect(PassHarness.operators(same.graph) == "Softmax")
  }

  @Test func valuesBetweenCanBeAskedFor() throws {
    let session = try SessionCore(
      model: network(.float16), configuration: SessionConfiguration())
    let x = try half([Float](repeating: 1, count: 32), [1, 2, 4, 4])
    let results = try session.run(values: ["x": .tensor(x)], outputs: ["r"])
    #expect(results["r"]?.tensor?.dataType == .float16)
  }

  @Test func statisticsStayFloats() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2, 4], type: .float16)
    let scale = builder.constant("scale", try half([1, 1, 1, 1], [4]))
    let outputs = builder.node("LayerNormalization", [x, scale], outputs: ["y", "mean"])
    let results = try SessionCore(
      model: builder.model(outputs: outputs), configuration: SessionConfiguration()
    ).run(["x": half([1, 2, 3, 4, 5, 6, 7, 8], [2, 4])])
    #expect(results["y"]?.dataType == .float16)
    #expect(results["mean"]?.elements(as: Float.self) == [2.5, 6.5])
  }

  @Test func whatIsUnsupportedEvenSoIsNamed() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2], type: .float16)
    let y = builder.node("BitwiseNot", [x], output: "y")
    #expect(throws: ModelError.self) {
      try SessionCore(
        model: builder.model(outputs: [y]), configuration: SessionConfiguration())
    }
  }
}
