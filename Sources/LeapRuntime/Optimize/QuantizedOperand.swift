// QuantizedOperand: values that DequantizeLinear makes of bytes, and results that QuantizeLinear makes bytes of.

import LeapGraph
import LeapOperators
import LeapTensors

extension NodeMerger {
  /// Whether a value is one number: a scalar, or a vector of one.
  func isScalar(_ value: ValueID) -> Bool {
    guard let shape = type(value)?.shape else { return false }
    return shape.count <= 1 && shape.allSatisfy { $0.value == 1 }
  }

  /// Whether two values are known to be the same numbers.
  func areEqual(_ a: ValueID?, _ b: ValueID?) throws -> Bool {
    guard let a, let b, a != b else { return a == b }
    guard let first = try known(a), let second = try known(b),
      first.dataType == second.dataType, first.shape.elementCount == second.shape.elementCount
    else { return false }
    return first.withUnsafeBytes { x in second.withUnsafeBytes { x.elementsEqual($0) } }
  }

  /// The first byte of a small constant, as a number; nil where it is not known.
  func byte(_ value: ValueID) throws -> Int? {
    guard let tensor = try known(value), tensor.shape.elementCount > 0 else { return nil }
    return switch tensor.dataType {
    case .uint8: tensor.withUnsafeBytes { Int($0[0]) }
    case .int8: tensor.withUnsafeBytes { Int(Int8(bitPattern: $0[0])) }
    default: nil
    }
  }
}

/// Whether a node quantises or dequantises with one scale for a tensor, or one for each index of an axis.
private func isLinear(_ node: Node, _ type: String) -> Bool {
  guard node.operatorType == type, node.domain.isEmpty || node.domain == "com.microsoft",
    node.inputs.count >= 2, node.epilogue.isEmpty, node.prologue == nil
  else { return false }
  if case .int(let size)? = node.attributes["block_size"] { return size == 0 }
  return true
}

/// Bytes, or sums of 32 bits, that a DequantizeLinear turns into float32.
struct QuantizedOperand {
  let bytes: ValueID
  let scale: ValueID
  let zero: ValueID?
  let type: DataType
  /// The axis of scales that are no scalar.
  let axis: Int
  /// Whether it has one scale.
  let isOfTensor: Bool

  init?(_ value: ValueID, in merger: NodeMerger) {
    guard let position = merger.producer(of: value), let node = merger.node(position),
      isLinear(node, "DequantizeLinear"), merger.type(value)?.dataType == .float32,
      let bytes = node.inputs[0], let scale = node.inputs[1],
      let type = merger.type(bytes)?.dataType, [.int8, .uint8, .int32].contains(type),
      merger.type(scale)?.dataType == .float32
    else { return nil }
    self.bytes = bytes
    self.scale = scale
    self.type = type
    zero = node.inputs.count > 2 ? node.inputs[2] : nil
    isOfTensor = merger.isScalar(scale)
    guard isOfTensor || merger.type(scale)?.shape?.count == 1 else { return nil }
    if case .int(let axis)? = node.attributes["axis"] {
      self.axis = Int(axis)
    } else {
      axis = 1
    }
  }

  /// The bytes, their scale and their zero point, which is made where it is left out.
  func places(_ merger: inout NodeMerger) throws -> [ValueID?] {
    [bytes, scale, try zero ?? merger.addZero(type, from: scale)]
  }
}

/// A QuantizeLinear whose result has one scale.
struct QuantizedResult {
  let position: Int
  let source: ValueID
  let type: DataType
  private let scale: ValueID
  private let zero: ValueID?

  init?(_ position: Int, in merger: NodeMerger) {
    guard let node = merger.node(position), isLinear(node, "QuantizeLinear"),
      let source = node.inputs[0], let scale = node.inputs[1], let output = node.outputs[0],
      merger.type(source)?.dataType == .float32, merger.type(scale)?.dataType == .float32,
      let type = merger.type(output)?.dataType, [.int8, .uint8].contains(type),
      merger.isScalar(scale)
    else { return nil }
    self.position = position
    self.source = source
    self.scale = scale
    self.type = type
    zero = node.inputs.count > 2 ? node.inputs[2] : nil
  }

  /// Scale and zero point, which is made where it is left out.
  func places(_ merger: inout NodeMerger) throws -> [ValueID?] {
    [scale, try zero ?? merger.addZero(type, from: scale)]
  }

  /// Whether bytes mean the same numbers in it as in an operand.
  func hasQuantization(of operand: QuantizedOperand, _ merger: NodeMerger) throws -> Bool {
    guard operand.type == type, operand.isOfTensor, try merger.areEqual(scale, operand.scale)
    else { return false }
    if try merger.areEqual(zero, operand.zero) { return true }
    // A zero point that is left out is 0.
    return try zeroPoint(zero, merger) == zeroPoint(operand.zero, merger)
      && zeroPoint(zero, merger) != nil
  }

  private func zeroPoint(_ value: ValueID?, _ merger: NodeMerger) throws -> Int? {
    try value.map { try merger.byte($0) } ?? 0
  }

  /// Whether all numbers below and above these bounds become the ends of the range anyway.
  func saturates(
    outside bounds: (low: Double, high: Double), _ merger: NodeMerger
  ) throws -> Bool {
    guard let scale = try merger.floats(scale)?.first, scale > 0,
      let zero = try zeroPoint(zero, merger)
    else { return false }
    let (least, greatest) = type == .int8 ? (-128.0, 127.0) : (0, 255)
    func quantized(_ number: Double) -> Double {
      (Double(Float(number) / Float(scale)).rounded(.toNearestOrEven)) + Double(zero)
    }
    return quantized(bounds.low) <= least && quantized(bounds.high) >= greatest
  }
}

extension NodeMerger {
  /// A zero point of 0.
  mutating func addZero(_ type: DataType, from source: ValueID) throws -> ValueID {
    addConstant(Constant(try Tensor(zeros: type, shape: [])), from: [source])
  }
}

/// A convolution or product of dequantised bytes with constant weights.
struct QuantizedConvolution {
  let x: QuantizedOperand
  let w: QuantizedOperand
  private let bias: ValueID?

  /// - Parameter channelAxis: the axis of the weights whose indices make the results' channels.
  init?(_ node: Node, in merger: NodeMerger, channelAxis: Int = 0) {
    guard node.inputs.count >= 2, let image = node.inputs[0], let filters = node.inputs[1],
      let x = QuantizedOperand(image, in: merger), let w = QuantizedOperand(filters, in: merger),
      x.type != .int32, w.type != .int32, x.isOfTensor, merger.constant(w.bytes) != nil,
      w.isOfTensor || w.axis == channelAxis
        || w.axis == channelAxis - (merger.type(w.bytes)?.shape?.count ?? 0)
    else { return nil }
    self.x = x
    self.w = w
    bias = node.inputs.count > 2 ? node.inputs[2] : nil
  }

  /// The inputs of a QLinearConv; nil where the bias does not go with the sums.
  func inputs(_ result: QuantizedResult, _ merger: inout NodeMerger) throws -> [ValueID?]? {
    var inputs = try x.places(&merger) + w.places(&merger) + result.places(&merger)
    guard let bias else { return inputs }
    guard let sums = try sums(of: bias, &merger) else { return nil }
    inputs.append(sums)
    return inputs
  }

  /// The bias in units of the sums: as it is where its scale is theirs, or a float constant rounded.
  private func sums(of bias: ValueID, _ merger: inout NodeMerger) throws -> ValueID? {
    guard let left = try merger.floats(x.scale)?.first, let right = try merger.floats(w.scale)
    else { return nil }
    let units = right.map { left * $0 }
    func unit(_ index: Int) -> Double { units.count == 1 ? units[0] : units[index] }
    if let operand = QuantizedOperand(bias, in: merger) {
      guard operand.type == .int32, merger.constant(operand.bytes) != nil,
        let scales = try merger.floats(operand.scale), try isZero(operand.zero, merger),
        scales.count == 1 || units.count == 1 || scales.count == units.count
      else { return nil }
      let isAlike = (0..<max(scales.count, units.count)).allSatisfy { index in
        let scale = scales.count == 1 ? scales[0] : scales[index]
        return (scale - unit(index)).magnitude <= 1e-5 * unit(index).magnitude
      }
      return isAlike ? operand.bytes : nil
    }
    guard let numbers = try merger.floats(bias),
      units.count == 1 || units.count == numbers.count
    else { return nil }
    let sums = numbers.indices.map { (numbers[$0] / unit($0)).rounded(.toNearestOrEven) }
    guard sums.allSatisfy({ $0.magnitude < 0x1p30 }) else { return nil }
    return merger.addConstant(Constant(try Tensor(sums.map { Int32($0) })), from: [bias])
  }

  private func isZero(_ value: ValueID?, _ merger: NodeMerger) throws -> Bool {
    guard let value else { return true }
    guard let tensor = merger.constant(value) else { return false }
    return try tensor.tensor().withUnsafeBytes { $0.allSatisfy { $0 == 0 } }
  }
}
