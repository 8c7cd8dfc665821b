// EpilogueFusion: what comes after a convolution or matrix product becomes stages of its epilogue: factors and shifts for each
// channel, a residual sum, activations.
//
// 1. The same bits as without: stages compute what the operators compute, in the same order, after the whole sum.
// 2. Only where nobody else sees the results in between.

import LeapGraph
import LeapOperators
import LeapTensors

package struct EpilogueFusion: Pass {
  package static let name = "epilogue-fusion"
  package static let summary =
    "apply bias, residual sum and activation to results before they are stored"

  /// More stages than this are not fused into one node.
  private static let stageLimit = 16

  package init() {}

  package func run(_ context: inout PassContext) throws {
    var merger = NodeMerger(context, pass: EpilogueFusion.name)
    for position in merger.positions {
      guard let node = merger.node(position), node.epilogue.isEmpty,
        node.outputs.compactMap({ $0 }).count == 1
      else { continue }
      if fuseActivation(node, position, &merger) { continue }
      if fuseResidual(node, position, &merger) { continue }
      _ = try fuseChannels(position, &merger)
    }
    merger.finish(&context)
  }

  /// The node that makes `value` and takes these stages too.
  private func host(
    of value: ValueID, reader: Int, adding capabilities: EpilogueCapabilities, count: Int = 1,
    _ merger: NodeMerger
  ) -> Int? {
    guard let position = merger.soleProducer(of: value, reader: reader),
      let node = merger.node(position), node.outputs.compactMap({ $0 }) == [value],
      let operation = merger.operation(position) as? any EpilogueOperator,
      operation.epilogueCapabilities.isSuperset(of: capabilities),
      node.epilogue.count + count <= EpilogueFusion.stageLimit,
      let dataType = merger.type(value)?.dataType, [.float32, .float64].contains(dataType)
    else { return nil }
    return position
  }

  private func fuseActivation(_ node: Node, _ position: Int, _ merger: inout NodeMerger) -> Bool {
    guard let input = node.inputs.first ?? nil,
      let activation = Activation(node, merger.operation(position), in: merger),
      let host = host(of: input, reader: position, adding: .activation, merger)
    else { return false }
    merger.extend(host, through: position) { $0.epilogue.append(.activation(activation)) }
    return true
  }

  /// A sum of two tensors of one shape. Where either operand could take the other, the later one does: the other is there
  /// by then.
  private func fuseResidual(_ node: Node, _ position: Int, _ merger: inout NodeMerger) -> Bool {
    guard let operation = merger.operation(position), operation.isSumOfTwo(node),
      let left = node.inputs[0], let right = node.inputs[1], left != right,
      haveOneShape(merger.type(left), merger.type(right))
    else { return false }
    let hosts = [(left, right), (right, left)].compactMap { sum, residual in
      host(of: sum, reader: position, adding: .residual, merger).map { ($0, residual) }
    }
    guard let (host, residual) = hosts.max(by: { $0.0 < $1.0 }) else { return false }
    merger.extend(host, through: position) {
      $0.inputs.append(residual)
      $0.epilogue.append(.residual(input: $0.inputs.count - 1))
    }
    return true
  }

  private func fuseChannels(_ position: Int, _ merger: inout NodeMerger) throws -> Bool {
    guard let input = ChannelAffine.input(of: position, in: merger),
      let host = host(of: input, reader: position, adding: [.scale, .bias], count: 2, merger),
      let node = merger.node(host), let dataType = merger.type(input)?.dataType,
      let channels = channels(of: input, node, merger.operation(host), merger),
      let affine = try ChannelAffine(position, of: input, channels, in: merger), affine.isExact
    else { return false }
    func vector(_ values: [Double]?) throws -> ValueID? {
      try values.map { try merger.addVector($0, dataType, from: affine.sources) }
    }
    let scale = try vector(affine.scale)
    let shift = try vector(affine.shift)
    merger.extend(host, through: position) {
      if let scale {
        $0.inputs.append(scale)
        $0.epilogue.append(.scale(input: $0.inputs.count - 1))
      }
      if let shift {
        $0.inputs.append(shift)
        $0.epilogue.append(.bias(input: $0.inputs.count - 1))
      }
    }
    return true
  }

  private func channels(
    of value: ValueID, _ node: Node, _ operation: (any Operator)?, _ merger: NodeMerger
  ) -> ChannelAffine.Channels? {
    let ranks = node.inputs.map { $0.flatMap { merger.type($0)?.shape?.count } }
    guard let operation = operation as? any EpilogueOperator,
      let axis = operation.epilogueAxis(ranks: ranks), let shape = merger.type(value)?.shape,
      axis < shape.count, let count = shape[axis].value, count <= NodeMerger.vectorLimit
    else { return nil }
    return .init(count: count, axis: axis, rank: shape.count)
  }

  /// Whether two values are tensors that are known to have the same shape.
  private func haveOneShape(_ left: ValueType?, _ right: ValueType?) -> Bool {
    guard let left = left?.shape, let right = right?.shape, left.count == right.count else {
      return false
    }
    return zip(left, right).allSatisfy { $0 == $1 && $0 != .unknown }
  }
}

extension Operator {
  fileprivate func isSumOfTwo(_ node: Node) -> Bool {
    guard node.inputs.count == 2, node.epilogue.isEmpty else { return false }
    if let binary = self as? BinaryOperator { return binary.function == .add }
    return self is VariadicOperator && node.operatorType == "Sum"
  }
}

extension Activation {
  /// The activation that a node is; nil for any other node, and for one whose parameters a caller may change.
  init?(_ node: Node, _ operation: (any Operator)?, in merger: NodeMerger) {
    if let clip = operation as? Clip {
      self.init(clip, node, in: merger)
      return
    }
    guard let unary = operation as? UnaryOperator else { return nil }
    let (a, b) = (Double(unary.parameters.0), Double(unary.parameters.1))
    switch unary.function {
    case .relu: self = .relu
    case .leakyRelu: self = .leakyRelu(alpha: a)
    case .sigmoid: self = .sigmoid
    case .tanh: self = .tanh
    case .hardSigmoid: self = .hardSigmoid(alpha: a, beta: b)
    case .hardSwish: self = .hardSwish
    case .swish where a == 1: self = .silu
    default: return nil
    }
  }

  private init?(_ clip: Clip, _ node: Node, in merger: NodeMerger) {
    if let bounds = clip.bounds {
      self = .clip(minimum: Double(bounds.minimum), maximum: Double(bounds.maximum))
      return
    }
    func bound(_ index: Int, default value: Double) -> Double? {
      guard index < node.inputs.count, let input = node.inputs[index] else { return value }
      guard let elements = try? merger.floats(input), elements.count == 1 else { return nil }
      return elements[0]
    }
    guard let minimum = bound(1, default: -.infinity), let maximum = bound(2, default: .infinity)
    else { return nil }
    self = .clip(minimum: minimum, maximum: maximum)
  }
}
