// BatchNormalizationFolding: a normalisation, or a factor and shift for each channel, after a convolution or matrix product
// becomes part of its weights and bias.
//
// 1. Each weight is computed in double precision and rounded once.
// 2. Big weights are made when a plan asks for them, straight into the copy that stays.
// 3. Weights that several nodes read are left alone: they would lie in memory twice.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors

package struct BatchNormalizationFolding: Pass {
  package static let name = "batch-normalization-folding"
  package static let summary =
    "put BatchNormalization and arithmetic with a constant for each channel into the weights before it"

  package init() {}

  package func run(_ context: inout PassContext) throws {
    var merger = NodeMerger(context, pass: BatchNormalizationFolding.name)
    for position in merger.positions { try fold(position, &merger) }
    merger.finish(&context)
  }

  private func fold(_ position: Int, _ merger: inout NodeMerger) throws {
    guard let input = ChannelAffine.input(of: position, in: merger),
      let producer = merger.soleProducer(of: input, reader: position),
      let weighted = WeightedNode(producer, in: merger),
      let affine = try ChannelAffine(position, of: input, weighted.channels, in: merger),
      let bias = try weighted.bias(in: merger)
    else { return }
    let moved = weighted.moved(bias, by: affine)
    guard moved.allSatisfy({ weighted.dataType == .float64 || Float($0).isFinite }) else { return }
    var node = weighted.node
    if let scale = affine.scale {
      guard merger.hasOneReader(weighted.weights), let source = merger.constant(weighted.weights)
      else { return }
      let scaled = try source.scaled(by: scale, along: weighted.scaling)
      node.inputs[1] = merger.addConstant(scaled, from: [weighted.weights] + affine.sources)
      merger.dropConstant(weighted.weights)
    }
    if affine.shift != nil || weighted.biasInput != nil {
      let sources = (weighted.biasInput.map { [$0] } ?? []) + affine.sources
      let value = try merger.addVector(moved, weighted.dataType, from: sources)
      node.inputs = Array(node.inputs.prefix(2)) + [value]
      if node.operatorType == "Gemm" { node.attributes["beta"] = .float(1) }
    }
    merger.extend(producer, through: position) {
      $0.inputs = node.inputs
      $0.attributes = node.attributes
    }
  }
}

/// A convolution or matrix product whose weights have an output channel for each factor.
private struct WeightedNode {
  let node: Node
  let weights: ValueID
  let dataType: DataType
  let scaling: ChannelScaling
  let channels: ChannelAffine.Channels

  /// nil for any other node, or where shapes are not known.
  init?(_ position: Int, in merger: NodeMerger) {
    guard let node = merger.node(position), node.domain.isEmpty, node.epilogue.isEmpty,
      node.inputs.count >= 2, let weights = node.inputs[1], let type = merger.type(weights),
      let dataType = type.dataType, [.float32, .float64].contains(dataType),
      let shape = type.fixedShape, shape.rank >= 2,
      (1..<Int.max).contains(shape.elementCount)
    else { return nil }
    var groups = 1
    var transposed = false
    if case .int(let value)? = node.attributes["group"] { groups = Int(value) }
    if case .int(let value)? = node.attributes["transB"] { transposed = value != 0 }
    let scaling: ChannelScaling
    switch node.operatorType {
    case "Gemm" where transposed, "Conv":
      scaling = ChannelScaling(
        outer: 1, groupOuter: 1, channels: shape[0], inner: shape.inner(from: 1))
    case "Gemm":
      scaling = ChannelScaling(
        outer: shape[0], groupOuter: max(1, shape[0]), channels: shape[1], inner: 1)
    case "ConvTranspose":
      guard groups >= 1, shape[0] > 0, shape[0] % groups == 0 else { return nil }
      scaling = ChannelScaling(
        outer: shape[0], groupOuter: shape[0] / groups, channels: shape[1],
        inner: shape.inner(from: 2))
    default: return nil
    }
    self.node = node
    self.weights = weights
    self.dataType = dataType
    self.scaling = scaling
    channels = .init(
      count: max(1, scaling.outer / scaling.groupOuter) * scaling.channels, axis: 1,
      rank: shape.rank)
    // A model's word for an extent is not believed without bounds: a vector of that many numbers is made.
    guard channels.count <= NodeMerger.vectorLimit else { return nil }
  }

  /// The bias input, where there is one that counts.
  var biasInput: ValueID? {
    node.inputs.count > 2 && beta != 0 ? node.inputs[2] : nil
  }

  /// What the bias is multiplied by.
  private var beta: Double {
    guard node.operatorType == "Gemm", case .float(let beta)? = node.attributes["beta"] else {
      return 1
    }
    return Double(beta)
  }

  /// A value for each output channel: zeros where there is no bias; nil where it is no constant of that kind.
  ///
  /// - Throws: what reading the constant throws.
  func bias(in merger: NodeMerger) throws -> [Double]? {
    guard let input = biasInput else { return Array(repeating: 0, count: channels.count) }
    guard let shape = merger.constant(input)?.shape, let elements = try merger.floats(input),
      // A product's C is broadcast from its last axis, a convolution's bias is one vector.
      let values = ChannelAffine.Channels(count: channels.count, axis: 1, rank: 2)
        .vector(elements, shape.dimensions)
    else { return nil }
    return beta == 1 ? values : values.map { beta * $0 }
  }

  /// The bias after a factor and a shift.
  func moved(_ bias: [Double], by affine: ChannelAffine) -> [Double] {
    bias.indices.map { channel in
      let scaled = affine.scale.map { bias[channel] * $0[channel] } ?? bias[channel]
      return affine.shift.map { scaled + $0[channel] } ?? scaled
    }
  }
}

extension Constant {
  /// This constant with each output channel multiplied by a factor. What lies in a file, or is made when it is needed, is
  /// made when it is needed again; what lies in memory, and what is small, at once.
  ///
  /// - Throws: `OperatorError` where weights and factors do not go together, and what reading the constant throws.
  func scaled(by factors: [Double], along scaling: ChannelScaling) throws -> Constant {
    let make: @Sendable (Range<Int>, UnsafeMutableRawBufferPointer) throws -> Void = {
      rows, bytes in
      try self.read(rows: rows, into: bytes)
      let first = rows.lowerBound * (self.shape.elementCount / max(1, self.rows))
      try scaling.apply(factors, to: bytes, of: dataType, firstElement: first)
    }
    let scaled = Constant(dataType: dataType, shape: shape, source: .derivedRows(make))
    if case .tensor = source { return Constant(try scaled.tensor()) }
    if shape.elementCount <= ShapeInference.knownElementLimit {
      return Constant(try scaled.tensor())
    }
    if case .derived(let whole) = source {
      return Constant(dataType: dataType, shape: shape) {
        try Constant(try whole()).scaled(by: factors, along: scaling).tensor()
      }
    }
    return scaled
  }
}
