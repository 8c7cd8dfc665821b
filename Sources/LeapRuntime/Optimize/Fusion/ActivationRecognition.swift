// ActivationRecognition: activations that exporters spell as several nodes become the one node that ONNX has for them.
//
// x · Sigmoid(x) is Swish; x · HardSigmoid(x) with 1/6 and 1/2, and x · Clip(x + 3, 0, 6) / 6, are HardSwish.

import LeapGraph
import LeapOperators
import LeapTensors

package struct ActivationRecognition: Pass {
  package static let name = "activation-recognition"
  package static let summary = "spell Swish and HardSwish as one node each"

  package init() {}

  package func run(_ context: inout PassContext) throws {
    var merger = NodeMerger(context, pass: ActivationRecognition.name)
    for position in merger.positions {
      if recognizeGated(position, &merger) { continue }
      try recognizeScaledClip(position, &merger)
    }
    merger.finish(&context)
  }

  /// The product of x with a gate that is computed from x.
  private func recognizeGated(_ position: Int, _ merger: inout NodeMerger) -> Bool {
    guard let node = product(position, merger) else { return false }
    for (gate, x) in [(node.inputs[0], node.inputs[1]), (node.inputs[1], node.inputs[0])] {
      guard let gate, let x, let source = merger.soleProducer(of: gate, reader: position),
        merger.node(source)?.inputs == [x],
        let unary = merger.operation(source) as? UnaryOperator
      else { continue }
      switch unary.function {
      case .sigmoid: merge([source], into: position, as: "Swish", since: 24, x, &merger)
      case .hardSigmoid where unary.parameters == (Float(1.0 / 6.0), 0.5) && isFloat(x, merger):
        merge([source], into: position, as: "HardSwish", since: 14, x, &merger)
      default: continue
      }
      return true
    }
    return false
  }

  /// x · Clip(x + 3, 0, 6), divided by 6 or multiplied by 1/6.
  private func recognizeScaledClip(_ position: Int, _ merger: inout NodeMerger) throws {
    guard let (scaled, factor) = try constantOperand(position, merger),
      let division = merger.operation(position) as? BinaryOperator,
      division.function == .div && factor == 6
        || division.function == .mul && Float(factor) == Float(1.0 / 6.0),
      let product = merger.soleProducer(of: scaled, reader: position),
      let node = self.product(product, merger)
    else { return }
    for (gate, x) in [(node.inputs[0], node.inputs[1]), (node.inputs[1], node.inputs[0])] {
      guard let gate, let x, isFloat(x, merger),
        let clip = merger.soleProducer(of: gate, reader: product),
        try isClipToSix(clip, merger), let moved = merger.node(clip)?.inputs.first ?? nil,
        let sum = merger.soleProducer(of: moved, reader: clip),
        (merger.operation(sum) as? BinaryOperator)?.function == .add,
        let (source, three) = try constantOperand(sum, merger), source == x, three == 3
      else { continue }
      merge([sum, clip, product], into: position, as: "HardSwish", since: 14, x, &merger)
      return
    }
  }

  /// A node that multiplies two different values.
  private func product(_ position: Int, _ merger: NodeMerger) -> Node? {
    guard let node = merger.node(position), node.epilogue.isEmpty, node.inputs.count == 2,
      (merger.operation(position) as? BinaryOperator)?.function == .mul,
      node.inputs[0] != node.inputs[1]
    else { return nil }
    return node
  }

  /// The variable operand of a node and the one number that its other operand is. A number on the left of a division does
  /// not count.
  private func constantOperand(
    _ position: Int, _ merger: NodeMerger
  ) throws -> (variable: ValueID, number: Double)? {
    guard let node = merger.node(position), node.inputs.count == 2,
      let operation = merger.operation(position) as? BinaryOperator
    else { return nil }
    for (variable, constant) in [(0, 1), (1, 0)] where variable == 0 || operation.function != .div {
      guard let value = node.inputs[variable], let number = node.inputs[constant],
        merger.constant(value) == nil, let rank = merger.constant(number)?.shape.rank,
        rank <= merger.type(value)?.shape?.count ?? 0,
        let elements = try merger.floats(number), elements.count == 1
      else { continue }
      return (value, elements[0])
    }
    return nil
  }

  private func isClipToSix(_ position: Int, _ merger: NodeMerger) throws -> Bool {
    guard let node = merger.node(position), let clip = merger.operation(position) as? Clip else {
      return false
    }
    if let bounds = clip.bounds { return bounds == (0, 6) }
    guard node.inputs.count == 3, let low = node.inputs[1], let high = node.inputs[2] else {
      return false
    }
    return try merger.floats(low) == [0] && merger.floats(high) == [6]
  }

  /// The constants of exporters are rounded to float32, which is not enough for float64.
  private func isFloat(_ value: ValueID, _ merger: NodeMerger) -> Bool {
    merger.type(value)?.dataType == .float32
  }

  private func merge(
    _ earlier: [Int], into position: Int, as operatorType: String, since opset: Int, _ x: ValueID,
    _ merger: inout NodeMerger
  ) {
    merger.absorb(earlier, into: position) { node in
      node.domain = ""
      node.operatorType = operatorType
      node.overload = ""
      node.opset = max(node.opset, opset)
      node.inputs = [x]
      node.attributes = [:]
    }
  }
}
