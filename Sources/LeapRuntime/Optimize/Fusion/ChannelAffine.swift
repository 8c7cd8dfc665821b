// ChannelAffine: what a node does to each channel of one input, where that is a factor and a shift that constants say:
// BatchNormalization, and arithmetic with a constant for each channel.

import LeapGraph
import LeapOperators
import LeapTensors

/// y = scale · x + shift, for each channel, in double precision.
struct ChannelAffine: Sendable {
  /// nil for 1.
  var scale: [Double]?
  /// nil for 0.
  var shift: [Double]?
  /// Whether a float product by `scale` gives the bits that the node gives.
  var isExact = true
  /// The constants that say it.
  var sources: [ValueID]

  /// The channels of the input that passes through.
  struct Channels {
    var count: Int
    /// The axis along which they lie.
    var axis: Int
    var rank: Int
  }

  /// The input of a node that may pass through it channel by channel: the one that is no constant.
  static func input(of position: Int, in merger: NodeMerger) -> ValueID? {
    guard let node = merger.node(position), node.domain.isEmpty else { return nil }
    if node.operatorType == "BatchNormalization" { return node.inputs.first ?? nil }
    guard merger.operation(position) is BinaryOperator, node.inputs.count == 2 else { return nil }
    let variable = node.inputs.compactMap { $0 }.filter { merger.constant($0) == nil }
    return variable.count == 1 ? variable[0] : nil
  }

  /// Reads the node at a position; nil where it does anything else to `input`.
  ///
  /// - Throws: what reading constants throws.
  init?(
    _ position: Int, of input: ValueID, _ channels: Channels, in merger: NodeMerger
  ) throws {
    guard let node = merger.node(position) else { return nil }
    if node.operatorType == "BatchNormalization" {
      try self.init(normalization: node, channels, in: merger)
    } else if let operation = merger.operation(position) as? BinaryOperator {
      try self.init(node, operation, of: input, channels, in: merger)
    } else {
      return nil
    }
    // What overflows would spread to pixels that the node leaves alone.
    guard (scale ?? []).allSatisfy(\.isFinite), (shift ?? []).allSatisfy(\.isFinite) else {
      return nil
    }
  }

  private init?(normalization node: Node, _ channels: Channels, in merger: NodeMerger) throws {
    guard channels.axis == 1, node.inputs.count == 5, ChannelAffine.isInference(node) else {
      return nil
    }
    var epsilon: Float = 1e-5
    if case .float(let value)? = node.attributes["epsilon"] { epsilon = value }
    var parameters: [[Double]] = []
    for input in node.inputs.dropFirst() {
      guard let input, let values = try merger.floats(input), values.count == channels.count else {
        return nil
      }
      parameters.append(values)
    }
    let scale = (0..<channels.count).map {
      parameters[0][$0] / (parameters[3][$0] + Double(epsilon)).squareRoot()
    }
    self.scale = scale
    shift = (0..<channels.count).map { parameters[1][$0] - parameters[2][$0] * scale[$0] }
    sources = node.inputs.dropFirst().compactMap { $0 }
  }

  /// Whether a BatchNormalization uses the statistics that it is given, one for each channel, and makes no others.
  private static func isInference(_ node: Node) -> Bool {
    func flag(_ name: String, default value: Int64) -> Bool {
      if case .int(let given)? = node.attributes[name] { given != 0 } else { value != 0 }
    }
    if node.outputs.dropFirst().contains(where: { $0 != nil }) { return false }
    if flag("training_mode", default: 0) { return false }
    if node.opset < 7 && !flag("is_test", default: 0) { return false }
    return node.opset >= 9 || flag("spatial", default: 1)
  }

  private init?(
    _ node: Node, _ operation: BinaryOperator, of input: ValueID, _ channels: Channels,
    in merger: NodeMerger
  ) throws {
    guard let left = node.inputs[0], let right = node.inputs[1] else { return nil }
    let isLeft = left == input
    let constant = isLeft ? right : left
    // Before opset 7 the first operand is not broadcast.
    guard isLeft || node.opset >= 7, let shape = merger.constant(constant)?.shape else {
      return nil
    }
    let extents =
      isLeft ? try operation.rightShape(shape, leftRank: channels.rank) : shape.dimensions
    guard let given = try merger.floats(constant),
      let values = channels.vector(given, extents)
    else { return nil }
    sources = [constant]
    switch operation.function {
    case .add: shift = values
    case .sub where isLeft: shift = values.map { -$0 }
    case .sub:
      scale = Array(repeating: -1, count: channels.count)
      shift = values
    case .mul: scale = values
    case .div where isLeft:
      scale = values.map { 1 / $0 }
      isExact = false
    default: return nil
    }
  }
}

extension ChannelAffine.Channels {
  /// One value for each channel, from elements of a shape that is broadcast to the channels' tensor; nil where they
  /// differ along another axis, or would make that tensor larger.
  func vector(_ elements: [Double], _ extents: [Int]) -> [Double]? {
    guard extents.count <= rank else { return nil }
    let first = rank - extents.count
    for (index, extent) in extents.enumerated() where index + first != axis && extent != 1 {
      return nil
    }
    if elements.count == count { return elements }
    return elements.count == 1 ? Array(repeating: elements[0], count: count) : nil
  }
}
