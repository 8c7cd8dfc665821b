// RandomsTests: drawn numbers: the same for a seed, others without one, and as NumPy's legacy generator draws them.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct RandomsTests {
  private func draw(_ name: String, _ more: [String: Attribute] = [:]) throws -> [Double] {
    let attributes = more.merging(["shape": .ints([1000]), "dtype": .int(11)]) { first, _ in first }
    return try OperatorHarness(name, attributes: attributes).run([])[0].doubles
  }

  @Test func numbersAreThoseOfNumPy() throws {
    // numpy.random.RandomState(7).rand(3), randn(3)
    let uniform = try draw("RandomUniform", ["seed": .float(7)])
    #expect(relativeDifference(Array(uniform[..<3]), [0.07630829, 0.77991879, 0.43840923]) < 1e-7)
    let normal = try draw("RandomNormal", ["seed": .float(7)])
    #expect(relativeDifference(Array(normal[..<3]), [1.6905257, -0.46593737, 0.03282016]) < 1e-6)
  }

  @Test(arguments: ["RandomUniform", "RandomNormal"])
  func seedsDecide(name: String) throws {
    #expect(try draw(name, ["seed": .float(3)]) == draw(name, ["seed": .float(3)]))
    #expect(try draw(name, ["seed": .float(3)]) != draw(name, ["seed": .float(4)]))
    #expect(try draw(name) != draw(name))
    let operation = try OperatorHarness(
      name, attributes: ["shape": .ints([1]), "seed": .float(1)]
    ).makeOperator(given: [])
    #expect(!operation.isDeterministic)
  }

  @Test func momentsAreAsAskedFor() throws {
    let numbers = try draw(
      "RandomNormal",
      ["seed": .float(1), "mean": .float(5), "scale": .float(2), "shape": .ints([20_000])])
    let mean = numbers.reduce(0, +) / 20_000
    let variance = numbers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 20_000
    #expect(abs(mean - 5) < 0.06)
    #expect(abs(variance - 4) < 0.15)
  }

  @Test func choicesFollowTheirProbabilities() throws {
    let odds = try Tensor([Float](repeating: 0.3, count: 20_000))
    let drawn = try OperatorHarness("Bernoulli", attributes: ["seed": .float(2)]).run([odds])[0]
    #expect(abs(drawn.doubles.reduce(0, +) / 20_000 - 0.3) < 0.02)
    let logits = try Tensor([Float(-50), 3, -.infinity], shape: [1, 3])
    let classes = try OperatorHarness(
      "Multinomial", attributes: ["sample_size": .int(50), "dtype": .int(7)]
    ).run([logits])[0]
    #expect(classes.integers == [Int](repeating: 1, count: 50))
  }

  @Test func hostileAttributesAreRefused() throws {
    for attributes: [String: Attribute] in [
      ["shape": .ints([-1])], ["shape": .ints([.max, .max])],
      ["seed": .float(.nan), "shape": .ints([1])],
      ["dtype": .int(7), "shape": .ints([1])], [:],
    ] {
      #expect(throws: (any Error).self) {
        try OperatorHarness("RandomNormal", attributes: attributes).run([])
      }
    }
  }
}
