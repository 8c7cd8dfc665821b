// IntegerEvaluation: what stands between DequantizeLinear and QuantizeLinear becomes an operator on bytes.
//
// 1. The same numbers: sums are exact where floats round them, so that a result is off by one step at most where it lies
//    between two, and seldom.
// 2. Weights stay bytes: this pass comes before those that would compute DequantizeLinear of a constant.
// 3. What does not match is left as it is.

import LeapGraph
import LeapOperators
import LeapTensors

package struct IntegerEvaluation: Pass {
  package static let name = "integer-evaluation"
  package static let summary =
    "run what stands between DequantizeLinear and QuantizeLinear on quantised bytes"

  package init() {}

  package func run(_ context: inout PassContext) throws {
    guard context.graph.nodes.contains(where: { $0.operatorType == "QuantizeLinear" }) else {
      return
    }
    // Networks that were trained to be quantised have weights in floats, and the node that makes bytes of them; its scales may be
    // nodes too.
    try ConstantFolding().fold(&context) {
      $0.operatorType == "QuantizeLinear" || $0.operatorType == "Constant"
    }
    try context.infer()
    var merger = NodeMerger(context, pass: IntegerEvaluation.name)
    for position in merger.positions {
      guard let result = QuantizedResult(position, in: merger) else { continue }
      try rewrite(result, &merger)
    }
    merger.finish(&context)
    try QuantizedGemm.rewrite(&context)
  }

  private func rewrite(_ result: QuantizedResult, _ merger: inout NodeMerger) throws {
    guard let (source, between) = try producer(of: result, merger),
      let node = merger.node(source), node.epilogue.isEmpty, node.prologue == nil,
      node.domain.isEmpty, node.outputs.count == 1
    else { return }
    guard let made = try quantized(node, result, &merger) else { return }
    merger.absorb([source] + between, into: result.position) {
      $0.name = node.name
      $0.domain = made.domain
      $0.operatorType = made.type
      $0.overload = ""
      $0.opset = made.domain.isEmpty ? max(node.opset, made.opset) : 1
      $0.inputs = made.inputs
      $0.attributes = made.attributes
    }
  }

  /// The node whose result is quantised, and the nodes between that saturation makes needless: clips at the ends of the range.
  private func producer(
    of result: QuantizedResult, _ merger: NodeMerger
  ) throws -> (source: Int, between: [Int])? {
    guard let first = merger.soleProducer(of: result.source, reader: result.position),
      let node = merger.node(first)
    else { return nil }
    guard let bounds = try clipBounds(node, merger) else { return (first, []) }
    guard try result.saturates(outside: bounds, merger), let input = node.inputs[0],
      let source = merger.soleProducer(of: input, reader: first)
    else { return nil }
    return (source, [first])
  }

  /// What a Relu or Clip clips to; nil for other nodes.
  private func clipBounds(
    _ node: Node, _ merger: NodeMerger
  ) throws -> (low: Double, high: Double)? {
    guard node.domain.isEmpty, node.epilogue.isEmpty else { return nil }
    switch node.operatorType {
    case "Relu": return (0, .infinity)
    case "Clip":
      func bound(_ index: Int, _ name: String, _ missing: Double) throws -> Double? {
        if case .float(let value)? = node.attributes[name] { return Double(value) }
        guard index < node.inputs.count, let input = node.inputs[index] else { return missing }
        return try merger.floats(input)?.first
      }
      guard let low = try bound(1, "min", -.infinity), let high = try bound(2, "max", .infinity)
      else { return nil }
      return (low, high)
    default: return nil
    }
  }

  private typealias Made = (
    domain: String, type: String, opset: Int, inputs: [ValueID?], attributes: [String: Attribute]
  )

  private static let microsoft = "com.microsoft"

  /// The operator on bytes that makes the result; nil where there is none.
  private func quantized(
    _ node: Node, _ result: QuantizedResult, _ merger: inout NodeMerger
  ) throws -> Made? {
    switch node.operatorType {
    case "Conv":
      guard
        let inputs = try QuantizedConvolution(node, in: merger)?.inputs(result, &merger)
      else { return nil }
      return ("", "QLinearConv", 10, inputs, node.attributes)
    case "MatMul": return try product(node, result, &merger)
    case "Add", "Mul":
      guard let a = operand(node, 0, merger), let b = operand(node, 1, merger),
        a.type == result.type, b.type == result.type, a.isOfTensor, b.isOfTensor
      else { return nil }
      let inputs = try a.places(&merger) + b.places(&merger) + result.places(&merger)
      return (IntegerEvaluation.microsoft, "QLinear\(node.operatorType)", 1, inputs, [:])
    case "GlobalAveragePool", "Sigmoid", "LeakyRelu":
      guard let x = operand(node, 0, merger), x.type == result.type, x.isOfTensor else {
        return nil
      }
      let inputs = try x.places(&merger) + result.places(&merger)
      return (
        IntegerEvaluation.microsoft, "QLinear\(node.operatorType)", 1, inputs, node.attributes
      )
    case "AveragePool":
      guard let average = QuantizedAverage(node, in: merger) else { return nil }
      return ("", "QLinearConv", 10, try average.inputs(result, &merger), average.attributes)
    case "Concat": return try concat(node, result, &merger)
    case "MaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze":
      guard let x = operand(node, 0, merger), try result.hasQuantization(of: x, merger) else {
        return nil
      }
      // Maxima of bytes came with opset 12.
      let opset = node.operatorType == "MaxPool" ? 12 : node.opset
      return ("", node.operatorType, opset, [x.bytes] + node.inputs.dropFirst(), node.attributes)
    default: return nil
    }
  }

  private func operand(_ node: Node, _ index: Int, _ merger: NodeMerger) -> QuantizedOperand? {
    guard index < node.inputs.count, let value = node.inputs[index] else { return nil }
    return QuantizedOperand(value, in: merger)
  }

  private func product(
    _ node: Node, _ result: QuantizedResult, _ merger: inout NodeMerger
  ) throws -> Made? {
    guard let a = operand(node, 0, merger), let b = operand(node, 1, merger), a.isOfTensor,
      let rank = merger.type(b.bytes)?.shape?.count, rank >= 1,
      b.isOfTensor || rank == 2 && (b.axis == 1 || b.axis == -1)
    else { return nil }
    let inputs = try a.places(&merger) + b.places(&merger) + result.places(&merger)
    return ("", "QLinearMatMul", 10, inputs, [:])
  }

  private func concat(
    _ node: Node, _ result: QuantizedResult, _ merger: inout NodeMerger
  ) throws -> Made? {
    let parts = node.inputs.indices.compactMap { operand(node, $0, merger) }
    guard parts.count == node.inputs.count, !parts.isEmpty,
      parts.allSatisfy({ $0.type == result.type && $0.isOfTensor })
    else { return nil }
    let isAlike = try parts.allSatisfy { try result.hasQuantization(of: $0, merger) }
    if isAlike { return ("", "Concat", node.opset, parts.map(\.bytes), node.attributes) }
    guard let axis = node.attributes["axis"] else { return nil }
    var inputs = try result.places(&merger)
    for part in parts { inputs += try part.places(&merger) }
    return (IntegerEvaluation.microsoft, "QLinearConcat", 1, inputs, ["axis": axis])
  }
}
