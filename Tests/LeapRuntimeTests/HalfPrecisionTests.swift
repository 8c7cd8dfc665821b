// HalfPrecisionTests: that nodes without a kernel for halves compute in float32, that nothing between two of them is rounded, and
// that models without halves are left alone.

import Foundation
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

  /// A loop whose graph has a node without a kernel for halves, and reads a half from outside, in the branch of a choice.
  @Test(arguments: [DataType.float16, .bfloat16])
  func graphsOfNodesComputeInFloatsToo(type: DataType) throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [1, 4], type: type)
    let condition = builder.input("c", [], type: .bool)
    var then = ModelBuilder()
    let outer = then.capture(x, as: "outer")
    let count = then.constant("count", try Tensor(scalar: Int64(3)))
    var body = ModelBuilder()
    _ = body.input("i", [], type: .int64)
    let on = body.input("on", [], type: .bool)
    let value = body.input("value", [1, 4], type: type)
    let captured = body.capture(outer, as: "captured")
    let weights = body.node("Softmax", [value], output: "weights")
    let next = body.node("Add", [weights, captured], output: "next")
    let stays = body.node("Identity", [on], output: "stays")
    let looped = then.node(
      "Loop", [count, nil, outer], attributes: ["body": body.body(outputs: [stays, next])],
      output: "looped")
    var other = ModelBuilder()
    let same = other.capture(x, as: "same")
    let result = builder.node(
      "If", [condition],
      attributes: [
        "then_branch": then.body(outputs: [looped]), "else_branch": other.body(outputs: [same]),
      ], output: "result")
    let session = try SessionCore(
      model: builder.model(outputs: [result]), configuration: SessionConfiguration())
    let numbers: [Float] = [1, 2, 0.5, -1]
    let input = RunValue.tensor(try half(numbers, [1, 4], type))
    func run(_ choice: Bool) throws -> Tensor {
      let results = try session.run(
        values: ["x": input, "c": .tensor(try Tensor(scalar: choice))])
      return try #require(results["result"]?.tensor)
    }
    var expected = numbers
    for _ in 0..<3 {
      let best = expected.max() ?? 0
      let exponentials = expected.map { exp($0 - best) }
      let sum = exponentials.reduce(0, +)
      expected = zip(exponentials, numbers).map { $0 / sum + $1 }
    }
    let looped16 = try run(true)
    #expect(looped16.dataType == type)
    let tolerance: Float = type == .float16 ? 2e-3 : 2e-2
    for (got, wanted) in zip(floats(looped16), expected) { #expect(abs(got - wanted) < tolerance) }
    #expect(floats(try run(false)) == numbers)
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
