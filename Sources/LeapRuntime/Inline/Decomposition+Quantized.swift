// Decomposition+Quantized: operators on quantised numbers that ONNX Runtime's quantiser writes, as what they stand for.

import LeapGraph
import LeapOperators
import LeapTensors

extension Decomposition {
  /// The numbers of a quantised input whose scale and zero point follow it.
  private mutating func dequantized(_ index: Int) throws -> ValueID {
    try add("DequantizeLinear", opset: 13, [input(index), input(index + 1), input(index + 2)])
  }

  /// The call's output: numbers quantised by the scale and the zero point of inputs.
  private mutating func finishQuantized(_ value: ValueID, scale: Int) throws {
    try finish("QuantizeLinear", opset: 13, [value, requiredInput(scale), input(scale + 1)])
  }

  /// A function of floats on one quantised input: X, its scale and zero point, those of Y.
  mutating func quantizedFunction(
    _ node: NodeReader, _ type: String, opset: Int, dropping: Set<String> = []
  ) throws {
    try node.requireInputs(4...5)
    let attributes = call.attributes.filter { !dropping.contains($0.key) }
    let result = try add(type, opset: opset, [dequantized(0)], attributes)
    try finishQuantized(result, scale: 3)
  }

  /// QLinearAveragePool, of images whose channels come last where an attribute says so.
  mutating func quantizedAverage(_ node: NodeReader) throws {
    let own: Set<String> = ["channels_last"]
    guard try node.flag("channels_last", default: false) else {
      return try quantizedFunction(node, "AveragePool", opset: 11, dropping: own)
    }
    try node.requireInputs(4...5)
    let attributes = call.attributes.filter { !own.contains($0.key) }
    try throughPlanes(rank: spatialRank(node)) { body, planes in
      let numbers = try body.add(
        "DequantizeLinear", opset: 13, [planes, body.input(1), body.input(2)])
      let averages = try body.add("AveragePool", opset: 11, [numbers], attributes)
      return try body.add(
        "QuantizeLinear", opset: 13, [averages, body.input(3), body.input(4)])
    }
  }

  /// QLinearWhere: a condition, X and Y with scales and zero points, those of Z.
  mutating func quantizedChoice(_ node: NodeReader) throws {
    try node.requireInputs(8...9)
    let chosen = try add("Where", opset: 9, [input(0), dequantized(1), dequantized(4)])
    try finishQuantized(chosen, scale: 7)
  }

  /// DynamicQuantizeMatMul: A as floats, B, its scale and zero point, a bias.
  mutating func dynamicProduct(_ node: NodeReader) throws {
    try node.requireInputs(3...5)
    let (scale, zero) = (
      target.addValue("\(call.name)/scale"), target.addValue("\(call.name)/zero")
    )
    let bytes = target.addValue("\(call.name)/quantized")
    try add("DynamicQuantizeLinear", opset: 11, [input(0)], outputs: [bytes, scale, zero])
    try finishProduct(
      (bytes, scale, zero), (requiredInput(1), requiredInput(2), input(3)), bias: input(4))
  }

  /// MatMulIntegerToFloat: A, B, their scales, their zero points, a bias.
  mutating func integerProduct(_ node: NodeReader) throws {
    try node.requireInputs(4...7)
    try finishProduct(
      (requiredInput(0), requiredInput(2), input(4)),
      (requiredInput(1), requiredInput(3), input(5)), bias: input(6))
  }

  /// Bytes, the scale and the zero point of them.
  typealias Quantized = (bytes: ValueID, scale: ValueID, zero: ValueID?)

  private mutating func finishProduct(
    _ a: Quantized, _ b: Quantized, bias: ValueID?
  ) throws {
    let product = try dequantizedProduct(a, b, outputs: bias == nil ? [output(0)] : nil)
    if let bias { try finish("Add", opset: 14, [product, bias]) }
  }

  /// The product of two matrices of bytes as floats.
  mutating func dequantizedProduct(
    _ a: Quantized, _ b: Quantized, outputs: [ValueID?]? = nil
  ) throws -> ValueID {
    let sums = try add("MatMulInteger", opset: 10, [a.bytes, b.bytes, a.zero, b.zero])
    let scale = try add("Mul", opset: 14, [a.scale, b.scale])
    let numbers = try add("CastLike", opset: 15, [sums, scale])
    return try add("Mul", opset: 14, [numbers, scale], outputs: outputs)
  }

  /// QGemm: A, B with scales and zero points, C of sums, and perhaps the scale and zero point of Y.
  mutating func quantizedGemm(_ node: NodeReader) throws {
    try node.requireInputs(6...9)
    func turned(_ index: Int, _ attribute: String) throws -> ValueID {
      let value = try requiredInput(index)
      guard try node.flag(attribute, default: false) else { return value }
      return try add("Transpose", opset: 13, [value], ["perm": .ints([1, 0])])
    }
    let (a, b) = (try turned(0, "transA"), try turned(3, "transB"))
    var sums = try add("MatMulInteger", opset: 10, [a, b, input(2), input(5)])
    if let c = input(6) { sums = try add("Add", opset: 14, [sums, c]) }
    let scale = try scaled(
      add("Mul", opset: 14, [input(1), input(4)]), by: node.float("alpha", default: 1))
    let numbers = try add("CastLike", opset: 15, [sums, scale])
    guard input(7) != nil else { return try finish("Mul", opset: 14, [numbers, scale]) }
    try finishQuantized(add("Mul", opset: 14, [numbers, scale]), scale: 7)
  }
}
