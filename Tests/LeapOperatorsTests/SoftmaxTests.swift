// SoftmaxTests: Softmax, LogSoftmax and Hardmax along every axis, flattened before opset 13.

import Foundation
import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct SoftmaxTests {
  /// What the operator's definition gives, by LogSoftmax's or Softmax's sums over groups of elements.
  private func check(
    _ name: String, _ values: [Double], _ result: [Double], groups: [[Int]],
    tolerance: Double = 1e-12
  ) {
    for group in groups {
      let best = group.map { values[$0] }.max() ?? 0
      if name == "Hardmax" {
        let winner = group.first { values[$0] == best }
        #expect(group.allSatisfy { result[$0] == ($0 == winner ? 1 : 0) })
      } else {
        // Probabilities add to 1, and logarithms of their ratios are differences of scores.
        let logarithms = name == "LogSoftmax" ? group.map { result[$0] } : []
        if name == "Softmax" {
          let sum = group.reduce(0) { $0 + result[$1] }
          #expect(abs(sum - 1) < 1e-6)
        }
        for (place, index) in group.enumerated() where name == "LogSoftmax" {
          let difference = logarithms[place] - logarithms[0]
          #expect(abs(difference - (values[index] - values[group[0]])) < tolerance)
        }
      }
    }
  }

  /// Indices of the elements that are normalised together.
  private func groups(_ shape: Shape, axis: Int, flattened: Bool) -> [[Int]] {
    let inner = flattened ? 1 : shape.inner(from: axis + 1)
    let extent = flattened ? shape.inner(from: axis) : shape[axis]
    return (0..<shape.outer(axis) * inner).map { unit in
      (0..<extent).map { unit / inner * extent * inner + $0 * inner + unit % inner }
    }
  }

  @Test(
    arguments: ["Softmax", "LogSoftmax", "Hardmax"],
    [(11, 0), (11, 1), (11, -1), (13, 0), (13, 1), (13, -1)])
  func normalisesAlongTheAxis(_ name: String, _ place: (opset: Int, axis: Int)) throws {
    let (opset, axis) = place
    let shape: Shape = [3, 4, 300]
    var noise = Noise(5)
    let values = noise.doubles(shape.elementCount).map { $0 * 8 }
    let harness = OperatorHarness(
      name, opset: opset, attributes: ["axis": .int(Int64(axis))])
    let result = try harness.run([Tensor(values, shape: shape)])[0]
    #expect(result.shape == shape)
    let groups = groups(shape, axis: axis < 0 ? axis + 3 : axis, flattened: opset < 13)
    check(name, values, result.doubles, groups: groups)
    let single = try harness.run([Tensor(values.map { Float($0) }, shape: shape)])[0]
    expectClose(single, result.doubles, shape: shape, relative: 1e-5, absolute: 1e-6)
  }

  @Test(arguments: [0, 1])
  func knownValues(_ axis: Int) throws {
    let scores: [Float] = [0, 1, 2, 1000, 1001, 1002]
    let x =
      try axis == 1
      ? Tensor(scores, shape: [2, 3])
      : Tensor([scores[0], scores[3], scores[1], scores[4], scores[2], scores[5]], shape: [3, 2])
    let p = [0.0900305732, 0.2447284711, 0.6652409558]
    func laid(_ list: [Double]) -> [Double] {
      axis == 1 ? list + list : list.flatMap { [$0, $0] }
    }
    let attributes = ["axis": Attribute.int(Int64(axis))]
    expectClose(
      try OperatorHarness("Softmax", attributes: attributes).run([x])[0], laid(p))
    expectClose(
      try OperatorHarness("LogSoftmax", attributes: attributes).run([x])[0],
      laid([-2.407605964, -1.407605964, -0.407605964]), relative: 2e-6)
    expectClose(
      try OperatorHarness("Hardmax", attributes: attributes).run([x])[0], laid([0, 0, 1]))
  }

  @Test func defaultAxesDependOnTheOpset() throws {
    let x = try Tensor([Float](repeating: 0, count: 12), shape: [2, 3, 2])
    expectClose(
      try OperatorHarness("Softmax", opset: 11).run([x])[0],
      Array(repeating: 1.0 / 6, count: 12))
    expectClose(
      try OperatorHarness("Softmax", opset: 13).run([x])[0], Array(repeating: 0.5, count: 12))
  }

  @Test func hardmaxTakesTheFirstOfEquals() throws {
    let x = try Tensor([Float(1), 3, 3, 2, 2, 2], shape: [2, 3])
    expectClose(try OperatorHarness("Hardmax").run([x])[0], [0, 1, 0, 1, 0, 0])
  }

  @Test func emptyInputsGiveEmptyOutputs() throws {
    for shape in [[0, 3], [3, 0], [2, 0, 3]] as [Shape] {
      let result = try OperatorHarness("Softmax", attributes: ["axis": .int(1)])
        .run([Tensor([Float](), shape: shape)])[0]
      #expect(result.shape == shape)
    }
  }

  @Test func longRowsSumToOne() throws {
    var noise = Noise(9)
    let x = try noise.tensor(.float32, [1, 150_001])
    let result = try OperatorHarness("Softmax").run([x])[0]
    #expect(abs(result.doubles.reduce(0, +) - 1) < 1e-6)
  }

  /// In units in the last place of the result, whatever the scores' range.
  @Test(arguments: [1.0, 10, 40], [0, 1])
  func singleResultsAreWithinTwoUnits(range: Double, axis: Int) throws {
    var noise = Noise(17)
    let (rows, columns) = (257, 31)
    let values = noise.doubles(rows * columns).map { Float($0 * range) }
    let attributes = ["axis": Attribute.int(Int64(axis))]
    let result = try OperatorHarness("Softmax", attributes: attributes)
      .run([Tensor(values, shape: [rows, columns])])[0].doubles
    for group in groups([rows, columns], axis: axis, flattened: false) {
      let best = group.map { values[$0] }.max() ?? 0
      let exponentials = group.map { exp(Double(values[$0]) - Double(best)) }
      let sum = exponentials.reduce(0, +)
      for (index, exponential) in zip(group, exponentials) {
        let exact = exponential / sum
        guard exact > Double(Float.leastNormalMagnitude) else { continue }
        let error = abs(result[index] - exact) / Double(Float(exact).ulp)
        #expect(error <= 2, "\(values[index]): \(result[index]), \(exact)")
      }
    }
  }

  /// What is masked out has no part, whatever the rest.
  @Test(arguments: [0, 1]) func infiniteScores(axis: Int) throws {
    let scores: [Float] = [-.infinity, 1, -.infinity, 2]
    let x = try Tensor(scores, shape: axis == 1 ? [1, 4] : [4, 1])
    let result = try OperatorHarness("Softmax", attributes: ["axis": .int(Int64(axis))]).run([x])[0]
    expectClose(result, [0, 0.2689414214, 0, 0.7310585786])
  }

  @Test func scalarsAndAxesBeyondTheRankAreRefused() throws {
    #expect(throws: OperatorError.self) {
      try OperatorHarness("Softmax", attributes: ["axis": .int(0)]).run([Tensor(scalar: Float(1))])
    }
    #expect(throws: OperatorError.self) {
      try OperatorHarness("Softmax", attributes: ["axis": .int(2)])
        .run([Tensor([Float(1), 2], shape: [1, 2])])
    }
    #expect(throws: OperatorError.self) { try OperatorHarness("Softmax").run([Tensor([Int32(1)])]) }
  }
}
