// Decomposition+Training: one step of an optimiser of ai.onnx.preview.training: Adagrad, Adam, Momentum. Every one takes a learning
// rate R, the number T of updates before, and then of each tensor that it optimises X, its gradient G and its averages: all Xs, all Gs, and so on.

import LeapGraph
import LeapOperators
import LeapTensors

extension Decomposition {
  /// A tensor that is optimised: what is read of it, and the places of what becomes of it.
  private struct Optimised {
    /// X, G and the averages.
    let inputs: [ValueID]
    /// X and the averages; nil for what nobody reads.
    let outputs: [ValueID?]
  }

  /// The tensors that a step optimises.
  ///
  /// - Parameter averages: how many there are of each tensor.
  private func optimised(_ node: NodeReader, averages: Int) throws -> [Optimised] {
    let values = node.inputCount - 2
    let parts = 2 + averages
    guard values > 0, values % parts == 0 else {
      throw OperatorError(
        "\(node.inputCount) inputs; expected 2, and \(parts) for each tensor that is optimised")
    }
    let count = values / parts
    return try (0..<count).map { index in
      Optimised(
        inputs: try (0..<parts).map { try requiredInput(2 + $0 * count + index) },
        outputs: (0..<1 + averages).map { output($0 * count + index) })
    }
  }

  /// x times a number. Unlike `scaled`, it takes any number as it is given.
  private mutating func product(_ x: ValueID, _ factor: Double) throws -> ValueID {
    try add("Mul", opset: 14, [x, precise(factor, like: x)])
  }

  /// A number in the element type of another value, rounded once.
  private mutating func precise(_ value: Double, like other: ValueID) throws -> ValueID {
    try add("CastLike", opset: 15, [constant(Tensor(scalar: value)), other])
  }

  /// G, and X times a coefficient.
  private mutating func regularised(_ tensor: Optimised, _ coefficient: Double) throws -> ValueID {
    let (x, g) = (tensor.inputs[0], tensor.inputs[1])
    return coefficient == 0 ? g : try add("Add", opset: 14, [product(x, coefficient), g])
  }

  /// The root of a value, and a small number.
  private mutating func root(_ value: ValueID, _ epsilon: Double, like x: ValueID) throws -> ValueID
  {
    try add("Add", opset: 14, [add("Sqrt", opset: 13, [value]), precise(epsilon, like: x)])
  }

  /// decay * average + share * value, as an output.
  private mutating func average(
    _ average: ValueID, _ decay: Double, _ value: ValueID, _ share: Double, output: ValueID?
  ) throws -> ValueID {
    try add(
      "Add", opset: 14, [product(average, decay), product(value, share)],
      outputs: output.map { [$0] })
  }

  /// One choice where T is 0 or less, another above.
  private mutating func afterFirst(_ later: ValueID, else first: ValueID) throws -> ValueID {
    let isLater = try add(
      "Greater", opset: 13, [requiredInput(1), constant(Tensor(scalar: Int64(0)))])
    return try add("Where", opset: 16, [isLater, later, first])
  }

  private func double(_ node: NodeReader, _ name: String, default value: Float) throws -> Double {
    Double(try node.float(name, default: value))
  }

  mutating func adagrad(_ node: NodeReader) throws {
    let coefficient = try double(node, "norm_coefficient", default: 0)
    let decay = try double(node, "decay_factor", default: 0)
    let epsilon = try double(node, "epsilon", default: 1e-6)
    for tensor in try optimised(node, averages: 1) {
      let x = tensor.inputs[0]
      let updates = try add("CastLike", opset: 15, [input(1), x])
      let divisor = try add("Add", opset: 14, [precise(1, like: x), product(updates, decay)])
      let rate = try add(
        "Div", opset: 14, [add("CastLike", opset: 15, [requiredInput(0), x]), divisor])
      let g = try regularised(tensor, coefficient)
      let squares = try add(
        "Add", opset: 14, [tensor.inputs[2], add("Mul", opset: 14, [g, g])],
        outputs: tensor.outputs[1].map { [$0] })
      let step = try add(
        "Div", opset: 14, [add("Mul", opset: 14, [rate, g]), root(squares, epsilon, like: x)])
      try add("Sub", opset: 14, [x, step], outputs: tensor.outputs[0].map { [$0] })
    }
  }

  mutating func adam(_ node: NodeReader) throws {
    let coefficient = try double(node, "norm_coefficient", default: 0)
    let later = try double(node, "norm_coefficient_post", default: 0)
    let alpha = try double(node, "alpha", default: 0.9)
    let beta = try double(node, "beta", default: 0.999)
    let epsilon = try double(node, "epsilon", default: 1e-6)
    for tensor in try optimised(node, averages: 2) {
      let x = tensor.inputs[0]
      let g = try regularised(tensor, coefficient)
      let momentum = try average(
        tensor.inputs[2], alpha, g, 1 - alpha, output: tensor.outputs[1])
      let squares = try average(
        tensor.inputs[3], beta, add("Mul", opset: 14, [g, g]), 1 - beta, output: tensor.outputs[2])
      let rate = try add("CastLike", opset: 15, [adamRate(alpha, beta), x])
      let step = try add(
        "Mul", opset: 14,
        [rate, add("Div", opset: 14, [momentum, root(squares, epsilon, like: x)])])
      let isLast = later == 0
      let moved = try add(
        "Sub", opset: 14, [x, step], outputs: isLast ? tensor.outputs[0].map { [$0] } : nil)
      if isLast { continue }
      try add(
        "Mul", opset: 14, [moved, precise(1 - later, like: x)],
        outputs: tensor.outputs[0].map { [$0] })
    }
  }

  /// R sqrt(1 - beta^T) / (1 - alpha^T), computed in float64; R itself before the first update.
  private mutating func adamRate(_ alpha: Double, _ beta: Double) throws -> ValueID {
    let double: [String: Attribute] = ["to": .int(Int64(DataType.float64.rawValue))]
    let rate = try add("Cast", opset: 13, [requiredInput(0)], double)
    let updates = try add("Cast", opset: 13, [requiredInput(1)], double)
    let one = try constant(Tensor(scalar: 1.0))
    func rest(_ base: Double, _ body: inout Decomposition) throws -> ValueID {
      let power = try body.add("Pow", opset: 15, [body.constant(Tensor(scalar: base)), updates])
      return try body.add("Sub", opset: 14, [one, power])
    }
    let root = try add("Sqrt", opset: 13, [rest(beta, &self)])
    let corrected = try add(
      "Div", opset: 14, [add("Mul", opset: 14, [rate, root]), rest(alpha, &self)])
    return try afterFirst(corrected, else: rate)
  }

  mutating func momentum(_ node: NodeReader) throws {
    let coefficient = Double(try node.required("norm_coefficient", node.float("norm_coefficient")))
    let alpha = Double(try node.required("alpha", node.float("alpha")))
    let beta = Double(try node.required("beta", node.float("beta")))
    let mode = try node.required("mode", node.string("mode"))
    guard mode == "nesterov" || mode == "standard" else {
      throw OperatorError("attribute 'mode' is '\(mode)'; expected nesterov or standard")
    }
    for tensor in try optimised(node, averages: 1) {
      let x = tensor.inputs[0]
      let g = try regularised(tensor, coefficient)
      let share = try afterFirst(precise(beta, like: x), else: precise(1, like: x))
      let momentum = try add(
        "Add", opset: 14,
        [product(tensor.inputs[2], alpha), add("Mul", opset: 14, [share, g])],
        outputs: tensor.outputs[1].map { [$0] })
      let direction =
        mode == "standard"
        ? momentum : try add("Add", opset: 14, [g, product(momentum, alpha)])
      let rate = try add("CastLike", opset: 15, [requiredInput(0), x])
      try add(
        "Sub", opset: 14, [x, add("Mul", opset: 14, [rate, direction])],
        outputs: tensor.outputs[0].map { [$0] })
    }
  }
}
