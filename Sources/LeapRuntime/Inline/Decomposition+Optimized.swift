// Decomposition+Optimized: operators of com.microsoft that ONNX Runtime's optimiser and exporters write, and that ONNX has in another
// form.

import LeapGraph
import LeapOperators
import LeapTensors

extension Decomposition {
  /// An operator of ONNX's own that takes the same inputs and attributes.
  mutating func renamed(_ node: NodeReader, _ type: String, opset: Int) throws {
    try finish(type, opset: opset, call.inputs, call.attributes)
  }

  /// Unsqueeze, with one axis as a scalar.
  mutating func expandDims(_ node: NodeReader) throws {
    try node.requireInputs(2...2)
    let axes = try add("Reshape", opset: 14, [input(1), constant(Tensor([Int64(1)]))])
    try finish("Unsqueeze", opset: 13, [input(0), axes])
  }

  /// Gemm, and an activation.
  mutating func fusedGemm(_ node: NodeReader) throws {
    try node.requireInputs(2...3)
    let own: Set<String> = [
      "activation", "activation_alpha", "activation_beta", "activation_gamma",
    ]
    let attributes = call.attributes.filter { !own.contains($0.key) }
    guard let activation = try node.string("activation"), !activation.isEmpty else {
      return try finish("Gemm", opset: 13, call.inputs, attributes)
    }
    let product = try add("Gemm", opset: 13, call.inputs, attributes)
    let known: [String: (opset: Int, parameters: [String])] = [
      "Relu": (14, []), "Sigmoid": (13, []), "Tanh": (13, []), "Softplus": (1, []),
      "Softsign": (1, []), "LeakyRelu": (16, ["alpha"]), "Elu": (6, ["alpha"]),
      "HardSigmoid": (6, ["alpha", "beta"]), "Selu": (6, ["alpha", "gamma"]),
      "ThresholdedRelu": (10, ["alpha"]),
    ]
    guard let form = known[activation] else {
      throw OperatorError("attribute 'activation' is '\(activation)', which is not known")
    }
    var parameters: [String: Attribute] = [:]
    for name in form.parameters { parameters[name] = call.attributes["activation_\(name)"] }
    try finish(activation, opset: form.opset, [product], parameters)
  }

  /// MaxPool of images whose channels come last.
  mutating func channelsLastPool(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    try throughPlanes(rank: spatialRank(node)) {
      try $0.add("MaxPool", opset: 12, [$1], $0.call.attributes)
    }
  }

  /// QLinearConv of images whose channels come last where an attribute says so. Filters lie as ONNX's do.
  mutating func quantizedConvolution(_ node: NodeReader) throws {
    try node.requireInputs(8...9)
    let attributes = call.attributes.filter { $0.key != "channels_last" }
    guard try node.flag("channels_last", default: false) else {
      return try finish("QLinearConv", opset: 10, call.inputs, attributes)
    }
    try throughPlanes(rank: spatialRank(node, weights: 3)) {
      try $0.add("QLinearConv", opset: 10, [$1] + $0.call.inputs.dropFirst(), attributes)
    }
  }

  /// The rank of images under a kernel: that of its attribute, or of the weights at an input.
  func spatialRank(_ node: NodeReader, weights: Int? = nil) throws -> Int {
    if let kernel = try node.ints("kernel_shape") { return kernel.count + 2 }
    if let filters = weights.flatMap({ input($0) }) {
      if let constant = target.graph.constants[filters] { return constant.shape.rank }
      if let shape = target.graph[filters].type?.shape { return shape.count }
    }
    throw OperatorError("attribute 'kernel_shape' is required where channels come last")
  }

  /// The call's output, of images whose channels come last like those of input 0: what `body` makes of planes.
  mutating func throughPlanes(
    rank: Int, _ body: (inout Decomposition, _ planes: ValueID) throws -> ValueID
  ) throws {
    guard (3...64).contains(rank) else {
      throw OperatorError("images have \(rank) dimensions; expected 3 to 64")
    }
    let toFront: [Int64] = [0, Int64(rank - 1)] + (1..<Int64(rank - 1))
    let toBack: [Int64] = [0] + (2..<Int64(rank)) + [1]
    let planes = try add("Transpose", opset: 13, [input(0)], ["perm": .ints(toFront)])
    let made = try body(&self, planes)
    try finish("Transpose", opset: 13, [made], ["perm": .ints(toBack)])
  }

  /// LSTM, whose weights are bytes: they become floats before it runs. ONNX Runtime rounds what is multiplied with them to bytes too.
  mutating func quantizedLSTM(_ node: NodeReader) throws {
    try node.requireInputs(3...12)
    /// `[directions, inputs, 4 hidden]` with scales for each direction, or for each column of it.
    func weights(_ body: inout Decomposition, _ index: Int, scale: Int) throws -> ValueID {
      // One scale for a direction, or a row of them, stands over all inputs.
      let shape = try body.constant(Tensor([Int64(0), 1, -1]))
      func row(_ value: ValueID) throws -> ValueID {
        try body.add("Reshape", opset: 14, [value, shape])
      }
      let single: [String: Attribute] = ["to": .int(Int64(DataType.float32.rawValue))]
      let integers = try body.add("Cast", opset: 13, [body.requiredInput(index)], single)
      let zero = try body.add("Cast", opset: 13, [row(body.requiredInput(scale + 1))], single)
      let floats = try body.add(
        "Mul", opset: 14,
        [
          body.add("Sub", opset: 14, [integers, zero]), row(body.requiredInput(scale)),
        ])
      return try body.add("Transpose", opset: 13, [floats], ["perm": .ints([0, 2, 1])])
    }
    let (w, r) = (try weights(&self, 1, scale: 8), try weights(&self, 2, scale: 10))
    var outputs = Array(call.outputs.prefix(3))
    while outputs.count > 1, case .some(.none) = outputs.last { outputs.removeLast() }
    try add(
      "LSTM", opset: 14,
      [input(0), w, r, input(3), input(4), input(5), input(6), input(7)], call.attributes,
      outputs: outputs)
  }
}
