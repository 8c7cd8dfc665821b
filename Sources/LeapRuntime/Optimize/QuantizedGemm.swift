// QuantizedGemm: a Gemm of dequantised bytes with constant weights and a quantised result, as the pointwise convolution that it is.

import LeapGraph
import LeapOperators
import LeapTensors

enum QuantizedGemm {
  /// A Gemm, the node that quantises its result, and what takes their places.
  private struct Match {
    let gemm: Int
    let quantize: Int
    /// What the Gemm read, as a matrix, and the shape that makes an image of it.
    let matrix: ValueID
    let imageShape: ValueID
    let image: ValueID
    let convolution: [ValueID?]
    let results: ValueID
    let matrixShape: ValueID
  }

  /// Puts Reshape, QLinearConv, Reshape in the places of such nodes. O(nodes).
  static func rewrite(_ context: inout PassContext) throws {
    guard context.graph.nodes.contains(where: { $0.operatorType == "Gemm" }) else { return }
    try context.infer()
    var merger = NodeMerger(context, pass: IntegerEvaluation.name)
    var matches: [Match] = []
    for position in merger.positions {
      if let match = try match(position, &merger) { matches.append(match) }
    }
    if matches.isEmpty { return }
    merger.finish(&context)
    var graph = context.graph
    for match in matches { replace(match, in: &graph) }
    // From the end, since each moves the nodes behind it.
    for match in matches.sorted(by: { $0.gemm > $1.gemm }) { addImage(match, to: &graph) }
    context.graph = graph
  }

  /// The match whose result a node quantises.
  private static func match(_ position: Int, _ merger: inout NodeMerger) throws -> Match? {
    guard let result = QuantizedResult(position, in: merger),
      let source = merger.soleProducer(of: result.source, reader: position),
      let node = merger.node(source), isPlain(node), merger.constant(node.inputs[1]!) == nil,
      let product = QuantizedConvolution(node, in: merger, channelAxis: channelAxis(node)),
      let weights = merger.constant(product.w.bytes), weights.shape.rank == 2,
      merger.type(product.x.bytes)?.shape?.count == 2,
      let inputs = try product.inputs(result, &merger),
      isVector(inputs, weights.shape[channelAxis(node)], merger)
    else { return nil }
    let filters = try filters(weights, channelAxis: channelAxis(node))
    func constant(_ name: String, _ constant: Constant) -> ValueID {
      merger.addConstant(constant, named: "\(node.name)_\(name)", from: [node.name])
    }
    let image = merger.addValue("\(node.name)_pixels", from: [node.name])
    var operands = inputs
    operands[0] = image
    operands[3] = constant("filters", filters)
    return Match(
      gemm: source, quantize: position, matrix: product.x.bytes,
      imageShape: constant("image", Constant(try Tensor([0, -1, 1, 1] as [Int64]))), image: image,
      convolution: operands, results: merger.addValue("\(node.name)_results", from: [node.name]),
      matrixShape: constant("rows", Constant(try Tensor([0, -1] as [Int64]))))
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

  /// Makes a convolution of the Gemm, and a Reshape of the node behind it.
  private static func replace(_ match: Match, in graph: inout Graph) {
    let gemm = graph.nodes[match.gemm]
    let origin = Origin(
      gemm.origin.names + graph.nodes[match.quantize].origin.names, pass: IntegerEvaluation.name)
    graph.updateNode(at: match.quantize) {
      $0.operatorType = "Reshape"
      $0.domain = ""
      $0.opset = max(gemm.opset, 13)
      $0.inputs = [match.results, match.matrixShape]
      $0.attributes = [:]
      $0.origin = origin
    }
    graph.updateNode(at: match.gemm) {
      $0.operatorType = "QLinearConv"
      $0.opset = max(gemm.opset, 10)
      $0.inputs = match.convolution
      $0.outputs = [match.results]
      $0.attributes = [:]
      $0.origin = origin
    }
  }

  /// Puts the Reshape before a convolution that makes an image of what the Gemm read.
  private static func addImage(_ match: Match, to graph: inout Graph) {
    let convolution = graph.nodes[match.gemm]
    graph.addNode(
      name: "\(convolution.name)_pixels", operatorType: "Reshape",
      opset: max(convolution.opset, 13), inputs: [match.matrix, match.imageShape],
      outputs: [match.image], origin: convolution.origin, at: match.gemm)
  }
}
