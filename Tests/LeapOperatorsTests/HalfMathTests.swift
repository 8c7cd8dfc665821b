// HalfMathTests: float16 and bfloat16 give what float32 does, rounded once.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct HalfMathTests {
  static let types: [DataType] = [.float16, .bfloat16]

  static let unary = [
    "Abs", "Neg", "Sign", "Sqrt", "Reciprocal", "Exp", "Log", "Sin", "Atan", "Acosh", "Tanh", "Erf",
    "Floor", "Round", "Relu", "LeakyRelu", "Elu", "Selu", "Celu", "ThresholdedRelu", "Sigmoid",
    "HardSigmoid", "HardSwish", "Swish", "Softplus", "Softsign", "Mish", "Gelu", "Shrink", "IsNaN",
    "IsInf",
  ]

  static let binary = [
    "Add", "Sub", "Mul", "Div", "Pow", "Mod", "PRelu", "Equal", "Greater", "Less", "GreaterOrEqual",
    "LessOrEqual", "Max", "Min", "Sum",
  ]

  private func cast(_ tensor: Tensor, to type: DataType) throws -> Tensor {
    try OperatorHarness("Cast", attributes: ["to": .int(Int64(type.rawValue))]).run([tensor])[0]
  }

  private func halves(_ type: DataType, _ patterns: [UInt16], _ shape: Shape? = nil) throws
    -> Tensor
  {
    try Tensor(dataType: type, shape: shape ?? [patterns.count]) { bytes in
      patterns.withUnsafeBytes { bytes.copyMemory(from: $0) }
    }
  }

  /// The result's own bits, NaN without a payload.
  private func bits(_ tensor: Tensor) throws -> [UInt16] {
    guard tensor.dataType != .bool else {
      return tensor.withUnsafeBytes { $0.map(UInt16.init) }
    }
    let format = try #require(FloatFormat(tensor.dataType))
    return tensor.withUnsafeBytes { bytes in
      bytes.bindMemory(to: UInt16.self).map { format.decode(UInt32($0)).isNaN ? 0xffff : $0 }
    }
  }

  /// The operator on halves against the same on the numbers that they are.
  private func check(_ harness: OperatorHarness, _ inputs: [Tensor]) throws {
    let type = inputs[0].dataType
    let result = try harness.run(inputs)[0]
    let single = try harness.run(inputs.map { try cast($0, to: .float32) })[0]
    #expect(result.shape == single.shape)
    #expect(result.dataType == (single.dataType == .bool ? .bool : type))
    let expected = single.dataType == .bool ? single : try cast(single, to: type)
    #expect(try bits(result) == bits(expected), "\(harness.name) of \(type)")
  }

  @Test(arguments: unary, types)
  func everyPatternGivesWhatItsNumberDoes(_ name: String, _ type: DataType) throws {
    try check(OperatorHarness(name), [try halves(type, Array(0...UInt16.max))])
  }

  @Test(arguments: binary, types)
  func pairsGiveWhatTheirNumbersDo(_ name: String, _ type: DataType) throws {
    let left = (0..<3000).map { UInt16(truncatingIfNeeded: $0 &* 40_503) }
    let right = (0..<3000).map { UInt16(truncatingIfNeeded: $0 &* 30_011 &+ 77) }
    let harness = OperatorHarness(name)
    try check(harness, [try halves(type, left), try halves(type, right)])
    try check(harness, [try halves(type, left), try halves(type, [0x4120], [])])
    try check(
      harness,
      [try halves(type, left, [3, 1000]), try halves(type, [0x3f80, 0xbe80, 0], [3, 1])])
    guard name != "PRelu" else { return }
    try check(harness, [try halves(type, [0xc120], []), try halves(type, right)])
  }

  @Test(arguments: types) func bounds(_ type: DataType) throws {
    let all = try halves(type, Array(0...UInt16.max))
    let bounds = [try halves(type, [0xbf80], []), try halves(type, [0x4000], [])]
    try check(OperatorHarness("Clip"), [all] + bounds)
    try check(OperatorHarness("Clip"), [all])
    try check(OperatorHarness("Clip", opset: 6, attributes: ["max": .float(0.3)]), [all])
  }

  @Test(arguments: types) func powersOfMixedTypes(_ type: DataType) throws {
    let pow = OperatorHarness("Pow")
    let base = try cast(Tensor([Float(3), -2, 0.5]), to: type)
    let power = try pow.run([base, Tensor([Int64(2), 3, -1])])[0]
    #expect(power.dataType == type)
    expectClose(try cast(power, to: .float32), [9, -8, 2])
    expectClose(
      try pow.run([Tensor([Float(4), 2]), cast(Tensor([Float(0.5), -1]), to: type)])[0], [2, 0.5])
  }

  @Test(arguments: types) func ranges(_ type: DataType) throws {
    let inputs = try [Float(1), 5, 1.5].map { try cast(Tensor(scalar: $0), to: type) }
    let range = try OperatorHarness("Range").run(inputs)[0]
    #expect(range.dataType == type)
    expectClose(try cast(range, to: .float32), [1, 2.5, 4], shape: [3])
  }
}
