// QuantizedAverage: an AveragePool of dequantised bytes with a quantised result, as the depthwise convolution that it is.

import LeapGraph
import LeapOperators
import LeapTensors

struct QuantizedAverage {
  private let x: QuantizedOperand
  private let kernel: [Int]
  private let channels: Int
  let attributes: [String: Attribute]

  /// Taps of all filters at most: they become constants.
  private static let tapLimit = 1 << 20

  /// Nil where windows have different numbers of pixels, or channels are not known.
  init?(_ node: Node, in merger: NodeMerger) {
    guard node.inputs.count == 1, let image = node.inputs[0],
      let x = QuantizedOperand(image, in: merger), x.type != .int32, x.isOfTensor,
      case .ints(let kernel)? = node.attributes["kernel_shape"],
      let shape = merger.type(x.bytes)?.shape, shape.count == kernel.count + 2,
      let channels = shape[1].value, channels > 0, kernel.allSatisfy({ 1...4096 ~= $0 }),
      Shape.product([channels] + kernel.map { Int($0) }) <= QuantizedAverage.tapLimit,
      QuantizedAverage.countsAllPixels(node)
    else { return nil }
    self.x = x
    self.kernel = kernel.map { Int($0) }
    self.channels = channels
    let kept = ["kernel_shape", "strides", "pads", "auto_pad", "dilations"]
    attributes = node.attributes.filter { kept.contains($0.key) }
      .merging(["group": .int(Int64(channels))]) { $1 }
  }

  /// Whether each window's sum is divided by the number of its taps.
  private static func countsAllPixels(_ node: Node) -> Bool {
    func isSet(_ name: String) -> Bool {
      if case .int(let value)? = node.attributes[name] { value != 0 } else { false }
    }
    if isSet("ceil_mode") { return false }
    if isSet("count_include_pad") { return true }
    if case .ints(let pads)? = node.attributes["pads"], pads.contains(where: { $0 != 0 }) {
      return false
    }
    guard case .string(let padding)? = node.attributes["auto_pad"] else { return true }
    return ["NOTSET", "VALID"].contains(String(decoding: padding, as: UTF8.self))
  }

  /// The inputs of a QLinearConv whose filters are ones, with the average's factor as their scale.
  func inputs(_ result: QuantizedResult, _ merger: inout NodeMerger) throws -> [ValueID?] {
    let shape = Shape([channels, 1] + kernel)
    let ones = try Tensor([Int8](repeating: 1, count: shape.elementCount), shape: shape)
    let factor = try Tensor(scalar: 1 / Float(kernel.reduce(1, *)))
    let filters = [
      merger.addConstant(Constant(ones), from: [x.bytes]),
      merger.addConstant(Constant(factor), from: [x.bytes]),
      try merger.addZero(.int8, from: x.bytes),
    ]
    return try x.places(&merger) + filters + result.places(&merger)
  }
}
