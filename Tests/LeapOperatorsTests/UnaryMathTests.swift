// UnaryMathTests: functions of one element against libm and against ONNX's definitions.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

struct UnaryCase: Sendable, CustomTestStringConvertible {
  let name: String
  var attributes: [String: Float] = [:]
  let function: @Sendable (Double) -> Double
  var testDescription: String { name }
}

@Suite struct UnaryMathTests {
  /// Numbers on both sides of every branch of the vector functions.
  static let samples: [Double] = [
    -30, -12.5, -4.1, -3, -1, -0.9, -0.625, -0.5, -0.1, -1e-5, 0, 1e-5, 0.1, 0.5, 0.62, 0.7, 0.95,
    1.05, 2, 2.5, 3.9, 4.2, 10, 21, 50,
  ]

  static let cases: [UnaryCase] = [
    UnaryCase(name: "Abs") { abs($0) }, UnaryCase(name: "Neg") { -$0 },
    UnaryCase(name: "Sqrt") { $0.squareRoot() }, UnaryCase(name: "Reciprocal") { 1 / $0 },
    UnaryCase(name: "Exp") { exp($0) }, UnaryCase(name: "Log") { log($0) },
    UnaryCase(name: "Sin") { sin($0) }, UnaryCase(name: "Cos") { cos($0) },
    UnaryCase(name: "Atan") { atan($0) }, UnaryCase(name: "Asin") { asin($0) },
    UnaryCase(name: "Sinh") { sinh($0) }, UnaryCase(name: "Tanh") { tanh($0) },
    UnaryCase(name: "Asinh") { asinh($0) }, UnaryCase(name: "Atanh") { atanh($0) },
    UnaryCase(name: "Erf") { erf($0) }, UnaryCase(name: "Floor") { $0.rounded(.down) },
    UnaryCase(name: "Ceil") { $0.rounded(.up) },
    UnaryCase(name: "Round") { $0.rounded(.toNearestOrEven) },
    UnaryCase(name: "Relu") { max($0, 0) },
    UnaryCase(name: "LeakyRelu", attributes: ["alpha": 0.25]) { $0 < 0 ? 0.25 * $0 : $0 },
    UnaryCase(name: "Elu", attributes: ["alpha": 2]) { $0 < 0 ? 2 * expm1($0) : $0 },
    UnaryCase(name: "Celu", attributes: ["alpha": 2]) { $0 < 0 ? 2 * expm1($0 / 2) : $0 },
    UnaryCase(name: "Selu", attributes: ["alpha": 2, "gamma": 3]) {
      $0 < 0 ? 6 * expm1($0) : 3 * $0
    },
    UnaryCase(name: "ThresholdedRelu", attributes: ["alpha": 2]) { $0 > 2 ? $0 : 0 },
    UnaryCase(name: "Sigmoid") { 1 / (1 + exp(-$0)) },
    UnaryCase(name: "HardSigmoid", attributes: ["alpha": 0.5, "beta": 0.25]) {
      min(max(0.5 * $0 + 0.25, 0), 1)
    },
    UnaryCase(name: "HardSwish") { $0 * min(max($0 / 6 + 0.5, 0), 1) },
    UnaryCase(name: "Swish", attributes: ["alpha": 0.5]) { $0 / (1 + exp(-0.5 * $0)) },
    UnaryCase(name: "Softplus") { log1p(exp($0)) },
    UnaryCase(name: "Softsign") { $0 / (1 + abs($0)) },
    UnaryCase(name: "Mish") { $0 * tanh(log1p(exp($0))) },
    UnaryCase(name: "Gelu") { 0.5 * $0 * (1 + erf($0 / 2.0.squareRoot())) },
    UnaryCase(name: "Shrink", attributes: ["lambd": 1, "bias": 0.5]) {
      $0 < -1 ? $0 + 0.5 : $0 > 1 ? $0 - 0.5 : 0
    },
  ]

  @Test(arguments: cases)
  func agreesWithItsDefinition(_ unary: UnaryCase) throws {
    let harness = OperatorHarness(
      unary.name, attributes: unary.attributes.mapValues { Attribute.float($0) })
    let floats = UnaryMathTests.samples.map(Float.init)
    expectClose(
      try harness.run([Tensor(floats)])[0], floats.map { unary.function(Double($0)) },
      relative: 1e-6, absolute: 1e-6)
    expectClose(
      try harness.run([Tensor(UnaryMathTests.samples)])[0],
      UnaryMathTests.samples.map(unary.function), relative: 1e-12, absolute: 1e-12)
  }

  @Test(arguments: ["Exp", "Tanh", "Sigmoid", "Erf", "Relu", "Mish", "Gelu", "Clip"])
  func positionDoesNotChangeABit(_ name: String) throws {
    let values = (0..<1003).map { Float($0) * 0.017 - 8 }
    let whole = try #require(
      try OperatorHarness(name).run([Tensor(values)])[0].elements(as: Float.self))
    for start in [1, 2, 3, 5, 998, 1002] {
      let part = try OperatorHarness(name).run([Tensor(Array(values[start...]))])[0]
      #expect(
        part.elements(as: Float.self).map { $0.map(\.bitPattern) }
          == whole[start...].map(\.bitPattern))
    }
  }

  @Test(arguments: ["Exp", "Tanh", "Sigmoid", "Erf", "Relu", "LeakyRelu", "Clip", "Sign", "Mish"])
  func notANumberGoesThrough(_ name: String) throws {
    let result = try OperatorHarness(name).run([Tensor([Float.nan])])[0]
    #expect(result.elements(as: Float.self)?[0].isNaN == true)
  }

  @Test func limitsOfTheExponential() throws {
    let result = try OperatorHarness("Exp").run([
      Tensor([Float.infinity, -Float.infinity, 89, -104, -103, 0])
    ])[0]
    expectClose(
      result, [.infinity, 0, .infinity, 0, Double(Float.leastNonzeroMagnitude), 1], absolute: 0)
  }

  @Test func clipTakesBoundsAsAttributesAndAsInputs() throws {
    let x = try Tensor([Float(-3), 0, 3])
    let old = OperatorHarness("Clip", opset: 6, attributes: ["min": .float(-1), "max": .float(2)])
    expectClose(try old.run([x])[0], [-1, 0, 2])
    let new = OperatorHarness("Clip")
    expectClose(
      try new.run([x, Tensor(scalar: Float(-1)), Tensor(scalar: Float(2))])[0], [-1, 0, 2])
    expectClose(try new.run([x, nil, Tensor(scalar: Float(2))])[0], [-3, 0, 2])
    expectClose(
      try new.run([x, Tensor(scalar: Float(5)), Tensor(scalar: Float(2))])[0], [2, 2, 2])
    let bytes = try Tensor([Int8(-128), 0, 127])
    expectClose(try new.run([bytes, Tensor(scalar: Int8(-1)), nil])[0], [-1, 0, 127])
    #expect(throws: OperatorError.self) { try new.run([x, Tensor([Float(1), 2])]) }
  }

  @Test func integersWrap() throws {
    let x = try Tensor([Int8(-128), -3, 5])
    expectClose(try OperatorHarness("Neg").run([x])[0], [-128, 3, -5])
    expectClose(try OperatorHarness("Abs").run([x])[0], [-128, 3, 5])
    expectClose(try OperatorHarness("Sign").run([x])[0], [-1, -1, 1])
    #expect(throws: OperatorError.self) { try OperatorHarness("Exp").run([x]) }
  }
}
