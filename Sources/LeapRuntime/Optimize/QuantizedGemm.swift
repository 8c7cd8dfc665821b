// QuantizedGemm: a Gemm of dequantised bytes with constant weights and a quantised result, as the pointwise convolution that it is.

import LeapGraph
import LeapOperators
import LeapTensors

enum QuantizedGemm {
  /// Puts Reshape, QLinearConv, Reshape in the places of such nodes.
  static func rewrite(_ context: inout PassContext) throws {
    guard context.graph.nodes.contains(where: { $0.operatorType == "Gemm" }) else { return }
    try context.infer()
    for position in context.graph.nodes.indices.reversed() {
      // Each change moves the nodes behind it: what is known of nodes is found anew.
      var merger = NodeMerger(context, pass: IntegerEvaluation.name)
      guard let result = QuantizedResult(position, in: merger),
        let source = merger.soleProducer(of: result.source, reader: position),
        let node = merger.node(source), isPlain(node), merger.constant(node.inputs[1]!) == nil,
        let product = QuantizedConvolution(node, in: merger, channelAxis: channelAxis(node)),
        let weights = merger.constant(product.w.bytes), weights.shape.rank == 2,
        merger.type(product.x.bytes)?.shape?.count == 2,
        let inputs = try product.inputs(result, &merger),
        isVector(inputs, weights.shape[channelAxis(node)], merger)
      else { continue }
      replace(
        source, position, inputs, product,
        try filters(weights, channelAxis: channelAxis(node)), merger, &context)
      try context.infer()
    }
  }

  private static func number(_ name: String, of node: Node) -> Double? {
    switch node.attributes[name] {
    case .float(let value)?: Double(value)
    case .int(let value)?: Double(value)
    default: nil
    }
  }

  /// A product with A and C as they are.
  private static func isPlain(_ node: Node) -> Bool {
    node.operatorType == "Gemm" && node.domain.isEmpty && node.epilogue.isEmpty
      && (number("transA", of: node) ?? 0) == 0 && (number("alpha", of: node) ?? 1) == 1
      && (number("beta", of: node) ?? 1) == 1 && node.inputs.count >= 2 && node.inputs[1] != nil
  }

  /// The axis of B along which the results' columns lie.
  private static func channelAxis(_ node: Node) -> Int {
    (number("transB", of: node) ?? 0) == 0 ? 1 : 0
  }

  /// B as filters [outputs, inputs, 1, 1].
  private static func filters(_ weights: Constant, channelAxis: Int) throws -> Constant {
    if channelAxis == 0 { return weights.reshaped(Shape(weights.shape.dimensions + [1, 1])) }
    let (depth, channels) = (weights.shape[0], weights.shape[1])
    let bytes = try weights.tensor().withUnsafeBytes { source in
      (0..<channels).flatMap { channel in (0..<depth).map { source[$0 * channels + channel] } }
    }
    let shape = Shape([channels, depth, 1, 1])
    return Constant(
      weights.dataType == .int8
        ? try Tensor(bytes.map { Int8(bitPattern: $0) }, shape: shape)
        : try Tensor(bytes, shape: shape))
  }

  /// Whether the bias, if there is one, has an element for each row of the weights.
  private static func isVector(
    _ inputs: [ValueID?], _ channels: Int, _ merger: NodeMerger
  ) -> Bool {
    guard inputs.count > 8, let bias = inputs[8] else { return true }
    return merger.constant(bias)?.shape == [channels]
  }

  private static func replace(
    _ source: Int, _ position: Int, _ inputs: [ValueID?], _ product: QuantizedConvolution,
    _ filters: Constant, _ merger: consuming NodeMerger, _ context: inout PassContext
  ) {
    merger.finish(&context)
    var graph = context.graph
    let (gemm, quantize) = (graph.nodes[source], graph.nodes[position])
    func constant(_ name: String, _ constant: Constant) -> ValueID {
      let id = graph.addValue(
        Value(
          name: graph.freshName("\(gemm.name)_\(name)"),
          type: .tensor(constant.dataType, shape: constant.shape.map(Dimension.fixed)),
          origin: Origin([gemm.name], pass: IntegerEvaluation.name)))
      graph.constants[id] = constant
      return id
    }
    func value(_ name: String) -> ValueID {
      graph.addValue(
        Value(
          name: graph.freshName("\(gemm.name)_\(name)"), type: nil,
          origin: Origin([gemm.name], pass: IntegerEvaluation.name)))
    }
    guard let image = try? Tensor([Int64(0), -1, 1, 1]),
      let rows = try? Tensor([Int64(0), -1])
    else { return }
    var operands = inputs
    let (pixels, results) = (value("pixels"), value("results"))
    operands[0] = pixels
    operands[3] = constant("filters", filters)
    let imageShape = constant("image", Constant(image))
    let rowShape = constant("rows", Constant(rows))
    let origin = Origin(
      gemm.origin.names + quantize.origin.names, pass: IntegerEvaluation.name)
    graph.updateNode(at: position) {
      $0.operatorType = "Reshape"
      $0.domain = ""
      $0.opset = max(gemm.opset, 13)
      $0.inputs = [results, rowShape]
      $0.attributes = [:]
      $0.origin = origin
    }
    graph.updateNode(at: source) {
      $0.operatorType = "QLinearConv"
      $0.opset = max(gemm.opset, 10)
      $0.inputs = operands
      $0.outputs = [results]
      $0.attributes = [:]
      $0.origin = origin
    }
    graph.addNode(
      name: "\(gemm.name)_pixels", operatorType: "Reshape", opset: max(gemm.opset, 13),
      inputs: [product.x.bytes, imageShape], outputs: [pixels], origin: origin, at: source)
    context.graph = graph
  }
}
