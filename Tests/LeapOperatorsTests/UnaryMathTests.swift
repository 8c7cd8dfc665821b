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
  var text: [String: String] = [:]
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

  /// Functions of float32 that are within two units in the last place.
  static let accurate: [UnaryCase] = [
    UnaryCase(name: "Exp") { exp($0) }, UnaryCase(name: "Log") { log($0) },
    UnaryCase(name: "Sin") { sin($0) }, UnaryCase(name: "Cos") { cos($0) },
    UnaryCase(name: "Tan") { tan($0) }, UnaryCase(name: "Asin") { asin($0) },
    UnaryCase(name: "Acos") { acos($0) }, UnaryCase(name: "Atan") { atan($0) },
    UnaryCase(name: "Sinh") { sinh($0) }, UnaryCase(name: "Cosh") { cosh($0) },
    UnaryCase(name: "Tanh") { tanh($0) }, UnaryCase(name: "Asinh") { asinh($0) },
    UnaryCase(name: "Acosh") { acosh($0) }, UnaryCase(name: "Atanh") { atanh($0) },
    UnaryCase(name: "Erf") { erf($0) }, UnaryCase(name: "Sqrt") { $0.squareRoot() },
    UnaryCase(name: "Elu", attributes: ["alpha": 1.5]) { $0 < 0 ? 1.5 * expm1($0) : $0 },
    UnaryCase(name: "Selu", attributes: ["alpha": 1.5, "gamma": 1.25]) {
      1.25 * ($0 < 0 ? 1.5 * expm1($0) : $0)
    },
    UnaryCase(name: "Celu", attributes: ["alpha": 1.5]) { $0 < 0 ? 1.5 * expm1($0 / 1.5) : $0 },
    UnaryCase(name: "Sigmoid") { sigmoid($0) }, UnaryCase(name: "Swish") { $0 * sigmoid($0) },
    UnaryCase(name: "Swish", attributes: ["alpha": 1.75]) { $0 * sigmoid(1.75 * $0) },
    UnaryCase(name: "HardSwish") { $0 * (min(max($0 + 3, 0), 6) / 6) },
    UnaryCase(name: "Softplus") { max($0, 0) + log1p(exp(-abs($0))) },
    UnaryCase(name: "Mish") {
      let e = exp(min($0, 40))
      return $0 * (e * (e + 2) / (e * (e + 2) + 2))
    },
    UnaryCase(name: "Gelu") { 0.5 * $0 * erfc(-$0 * 0.5.squareRoot()) },
    UnaryCase(name: "Gelu", text: ["approximate": "tanh"]) {
      $0 * sigmoid(2 * (2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))
    },
  ]

  private static func sigmoid(_ x: Double) -> Double {
    x > 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x))
  }

  /// Floats of every exponent and both signs.
  @Test(arguments: accurate)
  func isWithinTwoUnitsInTheLastPlace(_ unary: UnaryCase) throws {
    let values = stride(from: UInt32(0), to: .max - 9973, by: 9973).map { Float(bitPattern: $0) }
      .filter(\.isFinite)
    var attributes = unary.attributes.mapValues { Attribute.float($0) }
    attributes.merge(unary.text.mapValues { .string(Array($0.utf8)) }) { $1 }
    let harness = OperatorHarness(unary.name, attributes: attributes)
    let results = try #require(try harness.run([Tensor(values)])[0].elements(as: Float.self))
    var worst = (units: 0.0, at: Float(0))
    for (value, result) in zip(values, results) {
      let expected = unary.function(Double(value))
      let nearest = Float(expected)
      if nearest.isNaN || nearest.isInfinite || result.isInfinite {
        #expect(
          result == nearest || (result.isNaN && nearest.isNaN)
            || abs(result) == .greatestFiniteMagnitude || abs(nearest) == .greatestFiniteMagnitude,
          "\(value) gives \(result); expected \(nearest)")
        continue
      }
      let units = abs(Double(result) - expected) / Double(nearest.ulp)
      if !(units <= worst.units) { worst = (units, value) }
    }
    #expect(worst.units <= 2, "\(worst.units) units at \(worst.at)")
  }

  @Test func limitsAtInfinity() throws {
    let limits: [(name: String, below: Double, above: Double)] = [
      ("Atan", -Double.pi / 2, .pi / 2), ("Sinh", -.infinity, .infinity),
      ("Cosh", .infinity, .infinity), ("Asinh", -.infinity, .infinity), ("Tanh", -1, 1),
      ("Erf", -1, 1), ("Sigmoid", 0, 1), ("Swish", 0, .infinity), ("Mish", 0, .infinity),
      ("Gelu", 0, .infinity), ("Softplus", 0, .infinity), ("Elu", -1, .infinity),
      ("Sin", .nan, .nan), ("Tan", .nan, .nan), ("Log", .nan, .infinity),
      ("Acosh", .nan, .infinity), ("Atanh", .nan, .nan), ("Asin", .nan, .nan),
    ]
    for limit in limits {
      let result = try OperatorHarness(limit.name).run([Tensor([-Float.infinity, .infinity])])[0]
      expectClose(result, [limit.below, limit.above])
    }
  }

  @Test(arguments: [
    "Exp", "Tanh", "Sigmoid", "Erf", "Relu", "Mish", "Gelu", "Clip", "Log", "Sin", "Cos", "Tan",
    "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh", "Elu", "Selu", "Celu",
    "Softplus", "Swish", "HardSwish",
  ])
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

  @Test(arguments: [
    "Exp", "Tanh", "Sigmoid", "Erf", "Relu", "LeakyRelu", "Clip", "Sign", "Mish", "Log", "Sin",
    "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh", "Elu", "Selu",
    "Celu", "Softplus", "Swish", "HardSwish", "Gelu", "Sqrt",
  ])
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
