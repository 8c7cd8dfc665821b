// BatchNormalizationTests: inference and training of every opset, for any rank and mix of types.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct BatchNormalizationTests {
  private let scale = [0.5, -2, 1.5]
  private let bias = [1, 0.25, -1]
  private let mean = [0.1, -0.3, 0.7]
  private let variance = [0.5, 1, 2.5]

  private func parameters(_ type: DataType = .float64) throws -> [Tensor] {
    try [scale, bias, mean, variance].map {
      type == .float64 ? try Tensor($0) : try Tensor($0.map { Float($0) })
    }
  }

  /// What three channels become with these statistics.
  private func expected(
    _ x: [Double], pixels: Int, mean: [Double], variance: [Double]
  ) -> [Double] {
    x.enumerated().map { index, value in
      let channel = index / pixels % 3
      return (value - mean[channel]) / (variance[channel] + 1e-5).squareRoot() * scale[channel]
        + bias[channel]
    }
  }

  /// The batch's own mean and variance of three channels.
  private func statistics(_ x: [Double], pixels: Int) -> (mean: [Double], variance: [Double]) {
    let groups = (0..<3).map { channel in
      x.indices.filter { $0 / pixels % 3 == channel }.map { x[$0] }
    }
    let means = groups.map { $0.reduce(0, +) / Double($0.count) }
    let variances = zip(groups, means).map { group, mean in
      group.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(group.count)
    }
    return (means, variances)
  }

  private func attributes(_ opset: Int) -> [String: Attribute] {
    opset < 7 ? ["is_test": .int(1)] : [:]
  }

  @Test(arguments: [1, 6, 7, 9, 14, 15, 28], [[4, 3], [2, 3, 7], [2, 3, 4, 5]] as [Shape])
  func usesTheGivenStatistics(_ opset: Int, _ shape: Shape) throws {
    var noise = Noise(1)
    let x = noise.doubles(shape.elementCount)
    let harness = OperatorHarness(
      "BatchNormalization", opset: opset, attributes: attributes(opset))
    let wanted = expected(x, pixels: shape.inner(from: 2), mean: mean, variance: variance)
    let double = try harness.run([Tensor(x, shape: shape)] + parameters())[0]
    expectClose(double, wanted, shape: shape, relative: 1e-9, absolute: 1e-9)
    let float = try harness.run(
      [Tensor(x.map { Float($0) }, shape: shape)] + parameters(.float32))[0]
    expectClose(float, wanted, shape: shape, relative: 1e-5, absolute: 1e-5)
  }

  @Test func aNodeOfOneOutputBeforeOpset7IsInference() throws {
    let x = [1.0, 2, 3]
    let result = try OperatorHarness("BatchNormalization", opset: 6)
      .run([Tensor(x, shape: [1, 3])] + parameters())[0]
    expectClose(result, expected(x, pixels: 1, mean: mean, variance: variance), relative: 1e-9)
  }

  @Test func aVectorHasOneChannel() throws {
    let result = try OperatorHarness("BatchNormalization").run(
      [Tensor([1.0, 2, 3]), Tensor([2.0]), Tensor([1.0]), Tensor([2.0]), Tensor([4.0 - 1e-5])])[0]
    expectClose(result, [0, 1, 2], shape: [3], relative: 1e-6)
  }

  @Test(arguments: [DataType.float32, .float64], [DataType.float32, .float64])
  func statisticsMayHaveTypesOfTheirOwn(_ type: DataType, _ other: DataType) throws {
    var noise = Noise(2)
    let x = try noise.tensor(type, [2, 3, 5])
    let result = try OperatorHarness("BatchNormalization").run([x] + parameters(other))[0]
    #expect(result.dataType == type)
    let wanted = expected(x.doubles, pixels: 5, mean: mean, variance: variance)
    expectClose(result, wanted, relative: 1e-5, absolute: 1e-5)
    if type != other {
      #expect(throws: OperatorError.self) {
        try OperatorHarness("BatchNormalization", opset: 9).run([x] + parameters(other))
      }
    }
  }

  @Test(arguments: [6, 8])
  func withoutSpatialEachElementHasStatistics(_ opset: Int) throws {
    let x = [1.0, 2, 3, 4, 5, 6, 7, 8]
    let parameter = { (values: [Double]) in try Tensor(values, shape: [2, 2]) }
    let inputs = [
      try Tensor(x, shape: [2, 2, 2]), try parameter([1, 2, 3, 4]), try parameter([1, 1, 2, 2]),
      try parameter([1, 0, -1, 0]), try parameter([1, 1, 4, 4]),
    ]
    var harness = OperatorHarness(
      "BatchNormalization", opset: opset,
      attributes: ["spatial": .int(0), "epsilon": .float(0)])
    expectClose(
      try harness.run(inputs)[0], [1, 5, 8, 10, 5, 13, 14, 18], shape: [2, 2, 2], relative: 1e-9)
    harness.outputCount = 5
    let trained = try harness.run(inputs)
    // Two images: each element is one deviation from the mean of the two.
    expectClose(trained[0], [0, -1, -1, -2, 2, 3, 5, 6], relative: 1e-9)
    expectClose(trained[3], [3, 4, 5, 6], shape: [2, 2], relative: 1e-9)
    expectClose(trained[4], [4, 4, 4, 4], shape: [2, 2], relative: 1e-9)
  }

  @Test(arguments: [14, 15, 28], [[4, 3], [5, 3, 7], [2, 3, 200, 220]] as [Shape])
  func trainingUsesTheBatch(_ opset: Int, _ shape: Shape) throws {
    var noise = Noise(3)
    let x = noise.doubles(shape.elementCount).map { $0 + 2 }
    let pixels = shape.inner(from: 2)
    let results = try OperatorHarness(
      "BatchNormalization", opset: opset,
      attributes: ["training_mode": .int(1), "momentum": .float(0.75)], outputCount: 3
    ).run([Tensor(x, shape: shape)] + parameters())
    let batch = statistics(x, pixels: pixels)
    let wanted = expected(x, pixels: pixels, mean: batch.mean, variance: batch.variance)
    #expect(relativeDifference(results[0].doubles, wanted) < 1e-9)
    expectClose(
      results[1], zip(mean, batch.mean).map { 0.75 * $0 + 0.25 * $1 }, shape: [3], relative: 1e-9)
    expectClose(
      results[2], zip(variance, batch.variance).map { 0.75 * $0 + 0.25 * $1 }, shape: [3],
      relative: 1e-9)
  }

  @Test(arguments: [1, 6, 7, 9])
  func olderOpsetsTrainWhereTheyMakeStatistics(_ opset: Int) throws {
    var noise = Noise(4)
    let x = noise.doubles(30)
    let inputs = [try Tensor(x, shape: [2, 3, 5])] + (try parameters())
    var harness = OperatorHarness("BatchNormalization", opset: opset, outputCount: 5)
    let results = try harness.run(inputs)
    let batch = statistics(x, pixels: 5)
    expectClose(
      results[0], expected(x, pixels: 5, mean: batch.mean, variance: batch.variance),
      relative: 1e-8, absolute: 1e-9)
    let momentum = Double(Float(0.9))
    expectClose(
      results[1], zip(mean, batch.mean).map { momentum * $0 + (1 - momentum) * $1 },
      relative: 1e-9)
    expectClose(results[3], batch.mean, relative: 1e-9)
    expectClose(results[4], batch.variance, relative: 1e-9)
    guard opset < 7 else { return }
    harness.attributes = ["is_test": .int(1)]
    #expect(throws: OperatorError.self) { try harness.run(inputs) }
  }

  @Test func wrongStatisticsAreRefused() throws {
    let x = try Tensor([1.0, 2, 3, 4], shape: [1, 4])
    #expect(throws: OperatorError.self) {
      try OperatorHarness("BatchNormalization").run([x] + parameters())
    }
    #expect(throws: OperatorError.self) {
      try OperatorHarness("BatchNormalization", outputCount: 3)
        .run([Tensor([1.0, 2, 3], shape: [1, 3])] + parameters())
    }
  }
}
