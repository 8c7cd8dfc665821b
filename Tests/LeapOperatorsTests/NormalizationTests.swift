// NormalizationTests: every normalisation against its definition in double precision, groups beyond 64 Ki elements
// included, and BatchNormalization in every mode.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct NormalizationTests {
  private func single(_ values: [Double], _ shape: Shape) throws -> Tensor {
    try Tensor(values.map { Float($0) }, shape: shape)
  }

  /// Mean and variance of some elements.
  private func moments(_ values: [Double]) -> (mean: Double, variance: Double) {
    let mean = values.reduce(0, +) / Double(values.count)
    return (mean, values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count))
  }

  /// (x - mean) / sqrt(variance + 1e-5) of groups that lie side by side.
  private func standardized(_ values: [Double], group: Int) -> [Double] {
    stride(from: 0, to: values.count, by: group).flatMap { start in
      let part = Array(values[start..<start + group])
      let (mean, variance) = moments(part)
      return part.map { ($0 - mean) / (variance + 1e-5).squareRoot() }
    }
  }

  @Test(arguments: [[2, 3, 5], [1, 3, 300, 301], [2, 3]] as [Shape])
  func instancesAreChannelsOfOneImage(_ shape: Shape) throws {
    var noise = Noise(1)
    let x = noise.doubles(shape.elementCount).map { 3 + $0 }
    let (scale, bias) = (noise.doubles(3), noise.doubles(3))
    let pixels = shape.inner(from: 2)
    let expected = standardized(x, group: pixels).enumerated().map { index, value in
      value * scale[index / pixels % 3] + bias[index / pixels % 3]
    }
    let harness = OperatorHarness("InstanceNormalization")
    let double = try harness.run([Tensor(x, shape: shape), Tensor(scale), Tensor(bias)])[0]
    expectClose(double, expected, shape: shape, relative: 1e-9, absolute: 1e-9)
    let float = try harness.run([single(x, shape), single(scale, [3]), single(bias, [3])])[0]
    expectClose(float, expected, shape: shape, relative: 1e-5, absolute: 2e-5)
  }

  @Test(
    arguments: [(18, 2), (21, 2), (21, 6), (18, 1)], [[2, 6, 4], [1, 6, 200, 201]] as [Shape])
  func groupsAreScaledByGroupOrChannel(_ variant: (opset: Int, groups: Int), _ shape: Shape) throws
  {
    let (opset, groups) = variant
    var noise = Noise(2)
    let x = noise.doubles(shape.elementCount)
    let width = opset < 21 ? groups : 6
    let (scale, bias) = (noise.doubles(width), noise.doubles(width))
    let pixels = shape.inner(from: 2)
    let expected = standardized(x, group: 6 / groups * pixels).enumerated().map { index, value in
      let parameter = index / pixels % 6 * width / 6
      return value * scale[parameter] + bias[parameter]
    }
    let result = try OperatorHarness(
      "GroupNormalization", opset: opset, attributes: ["num_groups": .int(Int64(groups))]
    ).run([Tensor(x, shape: shape), Tensor(scale), Tensor(bias)])[0]
    expectClose(result, expected, shape: shape, relative: 1e-9, absolute: 1e-9)
  }

  @Test(arguments: [0, 1, 2, -1])
  func layersBeginAtTheAxis(_ axis: Int) throws {
    let shape: Shape = [3, 4, 5]
    var noise = Noise(3)
    let x = noise.doubles(60)
    let first = axis < 0 ? axis + 3 : axis
    let group = shape.inner(from: first)
    let inner = Shape(Array(shape[first...]))
    let (scale, bias) = (noise.doubles(group), noise.doubles(group))
    let results = try OperatorHarness(
      "LayerNormalization", attributes: ["axis": .int(Int64(axis))], outputCount: 3
    ).run([Tensor(x, shape: shape), Tensor(scale, shape: inner), Tensor(bias, shape: inner)])
    let expected = standardized(x, group: group).enumerated().map {
      $1 * scale[$0 % group] + bias[$0 % group]
    }
    expectClose(results[0], expected, shape: shape, relative: 1e-9, absolute: 1e-9)
    let groups = stride(from: 0, to: 60, by: group).map { moments(Array(x[$0..<$0 + group])) }
    let statistics = Shape(shape.indices.map { $0 < first ? shape[$0] : 1 })
    // ONNX has them in the type of stash_type, float32 where nothing is said.
    #expect(results[1].dataType == .float32)
    expectClose(results[1], groups.map(\.mean), shape: statistics)
    expectClose(
      results[2], groups.map { 1 / ($0.variance + 1e-5).squareRoot() }, shape: statistics)
  }

  @Test(arguments: [[5], [], [1], [4, 1], [2, 1, 1], [2, 4, 5]] as [Shape])
  func layersBroadcastTheirScale(_ parameter: Shape) throws {
    let shape: Shape = [2, 4, 5]
    var noise = Noise(4)
    let x = noise.doubles(40)
    let scale = noise.doubles(parameter.elementCount)
    let wide = try OperatorHarness("Expand").run([
      Tensor(scale, shape: parameter), Tensor([Int64(2), 4, 5]),
    ])[0]
    let expected = zip(standardized(x, group: 20), wide.doubles).map { $0 * $1 }
    // ONNX has it from opset 17 on, ONNX Runtime's optimiser writes it into models of any.
    for opset in [9, 17] {
      let result = try OperatorHarness(
        "LayerNormalization", opset: opset, attributes: ["axis": .int(1)]
      ).run([Tensor(x, shape: shape), Tensor(scale, shape: parameter)])[0]
      expectClose(result, expected, relative: 1e-9, absolute: 1e-9)
    }
  }

  @Test func longLayersAreOneGroup() throws {
    let count = 150_001
    var noise = Noise(5)
    let x = noise.doubles(2 * count).map { 100 + $0 }
    let ones = [Double](repeating: 1, count: count)
    let harness = OperatorHarness("LayerNormalization", outputCount: 2)
    let expected = standardized(x, group: count)
    let double = try harness.run([Tensor(x, shape: [2, count]), Tensor(ones)])
    #expect(relativeDifference(double[0].doubles, expected) < 1e-10)
    let float = try harness.run([single(x, [2, count]), single(ones, [count])])
    #expect(relativeDifference(float[0].doubles, expected) < 1e-5)
    #expect(abs(double[1].doubles[1] - moments(Array(x[count...])).mean) < 1e-5)
  }

  @Test(arguments: [DataType.float32, .float64], [DataType.float32, .float64])
  func rootMeanSquaresTakeTheTypeOfTheScale(_ type: DataType, _ scaleType: DataType) throws {
    var noise = Noise(6)
    let x = try noise.tensor(type, [3, 7])
    let scale = try noise.tensor(scaleType, [7])
    let result = try OperatorHarness("RMSNormalization").run([x, scale])[0]
    let values = x.doubles
    let expected = values.indices.map { index in
      let row = values[index / 7 * 7..<index / 7 * 7 + 7]
      let square = row.reduce(0) { $0 + $1 * $1 } / 7
      return values[index] / (square + 1e-5).squareRoot() * scale.doubles[index % 7]
    }
    #expect(result.dataType == scaleType)
    expectClose(result, expected, shape: [3, 7])
  }

  @Test(arguments: [1, 2], [0, 1, -1])
  func lpNormsAreOne(_ p: Int, _ axis: Int) throws {
    let shape: Shape = [4, 70, 3]
    var noise = Noise(7)
    var values = noise.doubles(shape.elementCount)
    for index in 0..<70 { for pixel in 0..<3 { values[index * 3 + pixel] *= 5 } }
    let result = try OperatorHarness(
      "LpNormalization", attributes: ["p": .int(Int64(p)), "axis": .int(Int64(axis))]
    ).run([Tensor(values, shape: shape)])[0].doubles
    let place = axis < 0 ? axis + 3 : axis
    let inner = shape.inner(from: place + 1)
    for unit in 0..<shape.outer(place) * inner {
      let group = (0..<shape[place]).map {
        (unit / inner * shape[place] + $0) * inner + unit % inner
      }
      let norm = group.reduce(0) { $0 + (p == 1 ? abs(result[$1]) : result[$1] * result[$1]) }
      #expect(abs(norm - 1) < 1e-9)
      let ratio = result[group[0]] / values[group[0]]
      #expect(group.allSatisfy { abs(result[$0] / values[$0] - ratio) < 1e-9 })
    }
  }

  @Test func normsOfZeroGiveZeros() throws {
    let x = try Tensor([Float(0), 0, 3, 4], shape: [2, 2])
    expectClose(try OperatorHarness("LpNormalization").run([x])[0], [0, 0, 0.6, 0.8])
  }

  @Test(arguments: [[0, 2, 3], [2, 3], [1], [0, 1, 2, 3], [-3], [0, 2]])
  func meanAndVarianceOfAnyAxes(_ axes: [Int]) throws {
    let shape: Shape = [3, 4, 5, 6]
    var noise = Noise(8)
    let x = noise.doubles(shape.elementCount)
    let mask = shape.indices.map { axes.contains($0) || axes.contains($0 - 4) }
    // Elements that have the same place along all other axes are one group.
    var groups: [[Int]: [Int]] = [:]
    for index in x.indices {
      let place = zip(shape.rowMajorStrides, shape).map { index / $0 % $1 }
      groups[zip(place, mask).filter { !$1 }.map(\.0), default: []].append(index)
    }
    var expected = x
    for group in groups.values {
      let (mean, variance) = moments(group.map { x[$0] })
      for index in group { expected[index] = (x[index] - mean) / (variance.squareRoot() + 1e-9) }
    }
    let harness = OperatorHarness(
      "MeanVarianceNormalization", attributes: ["axes": .ints(axes.map(Int64.init))])
    let result = try harness.run([Tensor(x, shape: shape)])[0]
    expectClose(result, expected, shape: shape, relative: 1e-9, absolute: 1e-9)
    let float = try harness.run([single(x, shape)])[0]
    expectClose(float, expected, shape: shape, relative: 1e-5, absolute: 1e-5)
  }

  /// Before opset 9: along channels or not, and perhaps without a division.
  @Test(arguments: [Int64(0), 1], [Int64(0), 1])
  func imagesOfEarlyOpsetsAreNormalized(across: Int64, divides: Int64) throws {
    var noise = Noise(4)
    let x = try Tensor(noise.doubles(2 * 3 * 4 * 5), shape: [2, 3, 4, 5])
    let axes: [Int64] = across == 1 ? [0, 1, 2, 3] : [0, 2, 3]
    let old = try OperatorHarness(
      "MeanVarianceNormalization", opset: 7,
      attributes: ["across_channels": .int(across), "normalize_variance": .int(divides)]
    ).run([x])[0]
    let mean = try OperatorHarness(
      "ReduceMean", opset: 13, attributes: ["axes": .ints(axes), "keepdims": .int(1)]
    ).run([x])[0]
    let expected =
      divides == 1
      ? try OperatorHarness("MeanVarianceNormalization", attributes: ["axes": .ints(axes)]).run([x])
      : try OperatorHarness("Sub").run([x, mean])
    expectClose(old, expected[0].doubles, shape: x.shape, relative: 1e-12, absolute: 1e-12)
  }

  @Test(arguments: [1, 2, 3, 5, 100], [0.75, 0.6] as [Float])
  func responsesOfNeighbours(_ size: Int, _ beta: Float) throws {
    let shape: Shape = [2, 6, 100, 3]
    var noise = Noise(9)
    let x = noise.doubles(shape.elementCount)
    let harness = OperatorHarness(
      "LRN",
      attributes: [
        "size": .int(Int64(size)), "alpha": .float(0.5), "beta": .float(beta), "bias": .float(2),
      ])
    let expected = x.indices.map { index in
      let channel = index / 300 % 6
      let near = max(0, channel - (size - 1) / 2)...min(5, channel + size / 2)
      let sum = near.reduce(0) {
        $0 + x[index + ($1 - channel) * 300] * x[index + ($1 - channel) * 300]
      }
      return x[index] / power(2 + 0.5 / Double(size) * sum, Double(beta))
    }
    expectClose(
      try harness.run([Tensor(x, shape: shape)])[0], expected, shape: shape, relative: 1e-9)
    expectClose(try harness.run([single(x, shape)])[0], expected, relative: 1e-5)
  }

  /// A power, by the operator that has tests of its own.
  private func power(_ base: Double, _ exponent: Double) -> Double {
    (try? OperatorHarness("Pow").run([Tensor(scalar: base), Tensor(scalar: exponent)])[0].doubles[0])
      ?? .nan
  }

  @Test func wrongParametersAreRefused() throws {
    let x = try Tensor([Float](repeating: 1, count: 12), shape: [2, 3, 2])
    let (two, three) = (try Tensor([Float(1), 2]), try Tensor([Float(1), 2, 3]))
    #expect(throws: OperatorError.self) {
      try OperatorHarness("InstanceNormalization").run([x, two, two])
    }
    #expect(throws: OperatorError.self) {
      try OperatorHarness("GroupNormalization", attributes: ["num_groups": .int(2)])
        .run([x, three, three])
    }
    #expect(throws: OperatorError.self) {
      try OperatorHarness("GroupNormalization", attributes: ["num_groups": .int(0)])
        .run([x, three, three])
    }
    #expect(throws: OperatorError.self) {
      try OperatorHarness("LayerNormalization").run([x, three])
    }
    #expect(throws: OperatorError.self) {
      try OperatorHarness("LayerNormalization", attributes: ["stash_type": .int(7)]).run([x, two])
    }
    #expect(throws: OperatorError.self) {
      try OperatorHarness("LpNormalization", attributes: ["p": .int(3)]).run([x])
    }
    #expect(throws: OperatorError.self) {
      try OperatorHarness("MeanVarianceNormalization").run([x])
    }
    #expect(throws: OperatorError.self) {
      try OperatorHarness("LRN", attributes: ["size": .int(0)]).run([x])
    }
  }
}
