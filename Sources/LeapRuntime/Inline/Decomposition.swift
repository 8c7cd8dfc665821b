// Decomposition: operators that are a few others in a row: those of ONNX Runtime's optimiser, of early exporters, and of ONNX
// that have a function body. They are rewritten before anything is inferred, so that passes see what they are made of.

import LeapGraph
import LeapOperators
import LeapTensors

/// The nodes that stand for one node.
struct Decomposition {
  /// What the origin of such nodes and values names as their maker.
  static let name = "decomposition"

  let call: Node
  private(set) var nodes: [Node] = []
  var target: InliningTarget

  /// The nodes that stand for a node; nil where it is an operator of its own.
  ///
  /// - Throws: `ModelError.inference` for attributes and inputs that the operator does not take.
  static func body(of node: Node, in target: inout InliningTarget) throws -> [Node]? {
    guard let rule = rule(of: node) else { return nil }
    var decomposition = Decomposition(call: node, target: target)
    do { try rule.rewrite(&decomposition, NodeReader(node)) } catch let error as OperatorError {
      throw ModelError.inference(node.description(in: target.graph), reason: error.reason)
    }
    target = decomposition.target
    return decomposition.nodes
  }

  /// Whether any node of a graph, or of graphs in it, has a rule.
  static func applies(to graph: Graph) -> Bool {
    graph.nodes.contains { node in
      rule(of: node) != nil || node.subgraphs.contains { applies(to: $0.graph) }
    }
  }

  /// Every operator that has a rule, with the versions that it has one for.
  static var operators: [OperatorDeclaration] {
    rules.map { key, rule in
      OperatorDeclaration(
        key.name, domain: key.domain, opsets: rule.since...OperatorTable.latestOpset)
    }
  }

  /// The rule of a node; nil where there is none, or none of its version.
  private static func rule(of node: Node) -> Rule? {
    rules[Key(node)].flatMap { node.opset >= $0.since ? $0 : nil }
  }

  private struct Key: Hashable {
    let domain: String
    let name: String

    init(_ domain: String, _ name: String) { (self.domain, self.name) = (domain, name) }
    init(_ node: Node) { self.init(node.domain, node.operatorType) }
  }

  /// What an operator is rewritten by.
  private struct Rule: Sendable {
    /// The first version of its domain in which it has this meaning.
    let since: Int
    let rewrite: @Sendable (inout Decomposition, NodeReader) throws -> Void

    init(
      since: Int = 1,
      _ rewrite: @escaping @Sendable (inout Decomposition, NodeReader) throws -> Void
    ) {
      self.since = since
      self.rewrite = rewrite
    }
  }

  private init(call: Node, target: InliningTarget) {
    self.call = call
    self.target = target
  }

  // MARK: building

  func input(_ index: Int) -> ValueID? {
    index < call.inputs.count ? call.inputs[index] : nil
  }

  func requiredInput(_ index: Int) throws -> ValueID {
    guard let value = input(index) else { throw OperatorError("input \(index) is required") }
    return value
  }

  func output(_ index: Int) -> ValueID? {
    index < call.outputs.count ? call.outputs[index] : nil
  }

  /// Adds a node.
  ///
  /// - Parameter outputs: its outputs, where they are those of the call; otherwise it has one of its own.
  @discardableResult
  mutating func add(
    _ type: String, domain: String = "", opset: Int, _ inputs: [ValueID?],
    _ attributes: [String: Attribute] = [:], outputs: [ValueID?]? = nil
  ) throws -> ValueID {
    let name = "\(call.name)/\(type)"
    let outputs = outputs ?? [target.addValue(name)]
    var given = inputs
    while case .some(.none) = given.last { given.removeLast() }
    nodes.append(
      Node(
        id: call.id, name: nodes.isEmpty ? name : "\(name)_\(nodes.count)", domain: domain,
        operatorType: type, opset: opset, inputs: given, outputs: outputs, attributes: attributes,
        origin: Origin(call.origin.names, pass: Decomposition.name)))
    guard let made = outputs.first ?? nil else {
      throw OperatorError("output 0 is required")
    }
    return made
  }

  mutating func constant(_ tensor: Tensor) throws -> ValueID {
    try add("Constant", opset: 13, [], ["value": .tensor(Constant(tensor))])
  }

  /// A number in the element type of another value.
  mutating func number(_ value: Float, like other: ValueID) throws -> ValueID {
    try add("CastLike", opset: 15, [constant(Tensor(scalar: value)), other])
  }

  /// x times a number; x itself for 1.
  mutating func scaled(_ x: ValueID, by factor: Float) throws -> ValueID {
    factor == 1 ? x : try add("Mul", opset: 14, [x, number(factor, like: x)])
  }

  /// The result of an operator of one input as the call's output.
  mutating func finish(
    _ type: String, opset: Int, _ inputs: [ValueID?], _ attributes: [String: Attribute] = [:]
  ) throws {
    try add(type, opset: opset, inputs, attributes, outputs: [output(0)])
  }

  /// Puts the nodes of a graph that an attribute holds here.
  ///
  /// - Parameters:
  ///   - argument: what its one input is.
  /// - Returns: its one output.
  /// - Throws: `OperatorError` where it has other inputs and outputs, or graphs of its own.
  mutating func inline(_ graph: Graph, _ argument: ValueID) throws -> ValueID {
    guard graph.inputs.count == 1, graph.outputs.count == 1 else {
      throw OperatorError(
        "graph '\(graph.name)' has \(graph.inputs.count) inputs and \(graph.outputs.count)"
          + " outputs; expected one of each")
    }
    guard graph.nodes.allSatisfy({ $0.subgraphs.isEmpty }) else {
      throw OperatorError.unsupported("graphs in graph '\(graph.name)'")
    }
    var bound: [ValueID: ValueID] = [graph.inputs[0]: argument]
    for capture in graph.captures { bound[capture.inner] = capture.outer }
    for (inner, tensor) in graph.constants where bound[inner] == nil {
      bound[inner] = target.addConstant("\(call.name)/\(graph[inner].name)", tensor)
    }
    for inner in graph.nodes {
      var node = inner
      node.name = "\(call.name)/\(inner.name)"
      node.origin = Origin(call.origin.names, pass: Decomposition.name)
      node.inputs = inner.inputs.map { $0.flatMap { bound[$0] } }
      node.outputs = inner.outputs.map { output in
        guard let output else { return nil }
        let made = target.addValue("\(call.name)/\(graph[output].name)")
        bound[output] = made
        return made
      }
      nodes.append(node)
    }
    guard let result = bound[graph.outputs[0]] else {
      throw OperatorError("graph '\(graph.name)' does not make its output")
    }
    return result
  }

  // MARK: rules

  private static let microsoft = "com.microsoft"
  private static let classical = "ai.onnx.ml"
  private static let training = "ai.onnx.preview.training"

  private static let rules: [Key: Rule] = [
    Key(microsoft, "FusedConv"): Rule { try $0.fusedConvolution($1) },
    Key(microsoft, "Gelu"): Rule { body, node in
      try node.requireInputs(1...1)
      try body.finish("Gelu", opset: 20, [body.input(0)])
    },
    Key(microsoft, "FastGelu"): Rule { try $0.biasedGelu($1, approximate: "tanh") },
    Key(microsoft, "BiasGelu"): Rule { try $0.biasedGelu($1, approximate: "none") },
    Key(microsoft, "QuickGelu"): Rule { body, node in
      try node.requireInputs(1...1)
      let alpha = try node.float("alpha", default: 1.702)
      try body.finish("Swish", opset: 24, [body.input(0)], ["alpha": .float(alpha)])
    },
    Key(microsoft, "SkipLayerNormalization"): Rule {
      try $0.skipNormalization($1, isCentred: true)
    },
    Key(microsoft, "SkipSimplifiedLayerNormalization"): Rule {
      try $0.skipNormalization($1, isCentred: false)
    },
    Key(microsoft, "DynamicQuantizeMatMul"): Rule { try $0.dynamicProduct($1) },
    Key(microsoft, "MatMulIntegerToFloat"): Rule { try $0.integerProduct($1) },
    Key(microsoft, "QGemm"): Rule { try $0.quantizedGemm($1) },
    Key(microsoft, "MatMulNBits"): Rule { try $0.blockedProduct($1) },
    Key(microsoft, "QLinearWhere"): Rule { try $0.quantizedChoice($1) },
    Key(microsoft, "QLinearConv"): Rule { try $0.quantizedConvolution($1) },
    Key(microsoft, "QLinearAveragePool"): Rule { try $0.quantizedAverage($1) },
    Key(microsoft, "QLinearReduceMean"): Rule {
      try $0.quantizedFunction($1, "ReduceMean", opset: 13)
    },
    Key(microsoft, "QLinearSoftmax"): Rule { body, node in
      let opset = try node.int("opset", default: 13)
      try body.quantizedFunction(
        node, "Softmax", opset: opset < 13 ? 11 : 13, dropping: ["opset"])
    },
    Key(microsoft, "FusedGemm"): Rule { try $0.fusedGemm($1) },
    Key(microsoft, "NhwcMaxPool"): Rule { try $0.channelsLastPool($1) },
    Key(microsoft, "DynamicQuantizeLSTM"): Rule { try $0.quantizedLSTM($1) },
    Key(microsoft, "Attention"): Rule { try $0.packedAttention($1) },
    Key(microsoft, "QAttention"): Rule { try $0.quantizedAttention($1) },
    Key(microsoft, "GroupQueryAttention"): Rule { try $0.groupedAttention($1) },
    Key(microsoft, "MultiHeadAttention"): Rule { try $0.multiHeadAttention($1) },
    Key(microsoft, "RotaryEmbedding"): Rule { try $0.rotaryEmbedding($1) },
    Key(microsoft, "EmbedLayerNormalization"): Rule { try $0.embeddedNormalization($1) },
    Key(microsoft, "QEmbedLayerNormalization"): Rule { try $0.quantizedEmbedding($1) },
    Key(microsoft, "GatherBlockQuantized"): Rule { try $0.blockedGather($1) },
    Key(microsoft, "ExpandDims"): Rule { try $0.expandDims($1) },
    Key(microsoft, "GridSample"): Rule { try $0.renamed($1, "GridSample", opset: 16) },
    Key(microsoft, "GatherND"): Rule { try $0.renamed($1, "GatherND", opset: 11) },
    Key(microsoft, "Pad"): Rule { try $0.renamed($1, "Pad", opset: 13) },
    Key(microsoft, "Range"): Rule { body, node in
      try node.requireInputs(2...3)
      let start = try body.requiredInput(0)
      let step = try body.input(2) ?? body.number(1, like: start)
      try body.finish("Range", opset: 11, [start, body.input(1), step])
    },
    Key(microsoft, "CDist"): Rule { try $0.distances($1) },
    Key(microsoft, "Unique"): Rule { try $0.uniqueInOrder($1) },
    Key(microsoft, "MatMulInteger16"): Rule { try $0.shortProduct($1) },
    Key(microsoft, "ConvTransposeWithDynamicPads"): Rule { try $0.paddedTransposition($1) },
    Key(microsoft, "Trilu"): Rule { try $0.renamed($1, "Trilu", opset: 14) },
    // ONNX Runtime writes it in ONNX's own domain.
    Key("", "SimplifiedLayerNormalization"): Rule { body, node in
      try node.requireInputs(2...2)
      try body.finish(
        "RMSNormalization", opset: 23, [body.input(0), body.input(1)],
        [
          "axis": .int(Int64(try node.int("axis", default: -1))),
          "epsilon": .float(try node.float("epsilon", default: 1e-5)),
        ])
    },
    Key("", "Affine"): Rule { body, node in
      try node.requireInputs(1...1)
      let x = try body.requiredInput(0)
      let scaled = try body.scaled(x, by: node.float("alpha", default: 1))
      let shift = try body.number(node.float("beta", default: 0), like: x)
      try body.finish("Add", opset: 14, [scaled, shift])
    },
    Key("", "Scale"): Rule { body, node in
      try node.requireInputs(1...1)
      let x = try body.requiredInput(0)
      let factor = try body.number(node.float("scale", default: 1), like: x)
      try body.finish("Mul", opset: 14, [x, factor])
    },
    Key("", "DynamicSlice"): Rule { body, node in
      try node.requireInputs(3...4)
      try body.renamed(node, "Slice", opset: 10)
    },
    Key("", "ImageScaler"): Rule { try $0.imageScaler($1) },
    Key("", "ParametricSoftplus"): Rule { try $0.scaledFunction("Softplus", $1) },
    Key("", "ScaledTanh"): Rule { try $0.scaledFunction("Tanh", $1) },
    Key("", "Crop"): Rule { try $0.crop($1) },
    Key("", "SwiGLU"): Rule(since: 28) { body, node in
      try node.requireInputs(2...2)
      let gate = try body.add(
        "Swish", opset: 24, [body.input(0)], ["alpha": .float(try node.float("alpha", default: 1))])
      try body.finish("Mul", opset: 14, [gate, body.input(1)])
    },
    Key("", "SoftmaxCrossEntropyLoss"): Rule(since: 12) { try $0.crossEntropy($1) },
    Key("ai.onnx.preview", "FlexAttention"): Rule { try $0.flexAttention($1) },
    Key(classical, "Scaler"): Rule { try $0.scaler($1) },
    Key(classical, "Imputer"): Rule { try $0.imputer($1) },
    Key(training, "Adagrad"): Rule { try $0.adagrad($1) },
    Key(training, "Adam"): Rule { try $0.adam($1) },
    Key(training, "Momentum"): Rule { try $0.momentum($1) },
  ]

  /// Conv, a residual, and an activation.
  private mutating func fusedConvolution(_ node: NodeReader) throws {
    try node.requireInputs(2...4)
    let fused: Set<String> = ["activation", "activation_params"]
    let parameters = try node.floats("activation_params") ?? []
    var activation: (type: String, attributes: [String: Attribute])?
    func parameter(_ index: Int) throws -> Float {
      guard index < parameters.count else {
        throw OperatorError(
          "attribute 'activation_params' has \(parameters.count) numbers; expected \(index + 1)")
      }
      return parameters[index]
    }
    switch try node.string("activation") {
    case nil, "": break
    case "Relu": activation = ("Relu", [:])
    case "Sigmoid": activation = ("Sigmoid", [:])
    case "Tanh": activation = ("Tanh", [:])
    case "HardSwish": activation = ("HardSwish", [:])
    case "LeakyRelu": activation = ("LeakyRelu", ["alpha": .float(try parameter(0))])
    case "HardSigmoid":
      activation = (
        "HardSigmoid", ["alpha": .float(try parameter(0)), "beta": .float(try parameter(1))]
      )
    case "Clip":
      activation = ("Clip", ["min": .float(try parameter(0)), "max": .float(try parameter(1))])
    case .some(let other):
      throw OperatorError("attribute 'activation' is '\(other)', which is not known")
    }
    let attributes = call.attributes.filter { !fused.contains($0.key) }
    var result = output(0)
    let residual = input(3)
    let isLast = residual == nil && activation == nil
    result = try add(
      "Conv", opset: 11, [input(0), input(1), input(2)], attributes,
      outputs: isLast ? [result] : nil)
    if let residual {
      result = try add(
        "Add", opset: 14, [result, residual], outputs: activation == nil ? [output(0)] : nil)
    }
    guard let activation else { return }
    // Clip takes its bounds as attributes before opset 11.
    let opset = ["Clip": 6, "HardSwish": 14][activation.type] ?? 6
    try finish(activation.type, opset: opset, [result], activation.attributes)
  }

  private mutating func biasedGelu(_ node: NodeReader, approximate: String) throws {
    try node.requireInputs(approximate == "tanh" ? 1...2 : 2...2)
    var x = try requiredInput(0)
    if let bias = input(1) { x = try add("Add", opset: 14, [x, bias]) }
    try finish("Gelu", opset: 20, [x], ["approximate": .string(Array(approximate.utf8))])
  }

  /// The normalised sum of two tensors, and perhaps a bias; the sum is output 3.
  private mutating func skipNormalization(_ node: NodeReader, isCentred: Bool) throws {
    try node.requireInputs(3...(isCentred ? 5 : 4))
    let epsilon = Attribute.float(try node.float("epsilon", default: 1e-12))
    let bias = input(isCentred ? 4 : 3)
    let total = output(3)
    var sum = try add(
      "Add", opset: 14, [input(0), input(1)],
      outputs: bias == nil ? total.map { [$0] } : nil)
    if let bias { sum = try add("Add", opset: 14, [sum, bias], outputs: total.map { [$0] }) }
    if isCentred {
      var outputs = Array(call.outputs.prefix(3))
      while outputs.count > 1, case .some(.none) = outputs.last { outputs.removeLast() }
      try add(
        "LayerNormalization", opset: 17, [sum, input(2), input(3)],
        ["axis": .int(-1), "epsilon": epsilon], outputs: outputs)
      return
    }
    guard output(1) == nil, output(2) == nil else {
      throw OperatorError("outputs 1 and 2 are statistics of training, which are not supported")
    }
    try finish(
      "RMSNormalization", opset: 23, [sum, input(2)], ["axis": .int(-1), "epsilon": epsilon])
  }

  /// x scale + bias, with a bias for each channel.
  private mutating func imageScaler(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    let x = try requiredInput(0)
    let bias = try node.floats("bias") ?? []
    let scaled = try scaled(x, by: node.float("scale", default: 1))
    let channels = try constant(Tensor(bias, shape: [bias.count, 1, 1]))
    try finish("Add", opset: 14, [scaled, add("CastLike", opset: 15, [channels, x])])
  }

  /// alpha f(beta x).
  private mutating func scaledFunction(_ type: String, _ node: NodeReader) throws {
    try node.requireInputs(1...1)
    let x = try requiredInput(0)
    let inner = try scaled(x, by: node.float("beta", default: 1))
    let result = try add(type, opset: 6, [inner])
    let alpha = try number(node.float("alpha", default: 1), like: x)
    try finish("Mul", opset: 14, [result, alpha])
  }

  /// An image without borders left, top, right, bottom; or of a size from the left and top border on.
  private mutating func crop(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    let border = try node.ints("border") ?? [0, 0, 0, 0]
    guard border.count == 4, border.allSatisfy({ $0 >= 0 && $0 < 1 << 31 }) else {
      throw OperatorError("attribute 'border' is \(border); expected four numbers of 0 or more")
    }
    let (left, top, right, bottom) = (border[0], border[1], border[2], border[3])
    var ends = [bottom == 0 ? Int.max : -bottom, right == 0 ? Int.max : -right]
    if let scale = try node.ints("scale"), !scale.isEmpty {
      guard scale.count == 2, scale.allSatisfy({ $0 >= 0 && $0 < 1 << 31 }) else {
        throw OperatorError("attribute 'scale' is \(scale); expected a height and a width")
      }
      ends = [top + scale[0], left + scale[1]]
    }
    try finish(
      "Slice", opset: 10,
      [
        input(0), constant(Tensor([top, left].map(Int64.init))),
        constant(Tensor(ends.map(Int64.init))), constant(Tensor([Int64(2), 3])),
      ])
  }

  /// The negative log-likelihood of a softmax over the classes; its logarithm is output 1.
  private mutating func crossEntropy(_ node: NodeReader) throws {
    try node.requireInputs(2...3)
    let probabilities = try add(
      "LogSoftmax", opset: 13, [input(0)], ["axis": .int(1)], outputs: output(1).map { [$0] })
    try finish(
      "NegativeLogLikelihoodLoss", opset: 13, [probabilities, input(1), input(2)],
      call.attributes)
  }
}
