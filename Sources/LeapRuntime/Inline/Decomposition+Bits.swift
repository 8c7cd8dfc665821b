// Decomposition+Bits: products with weights of a few bits, as ONNX Runtime's quantiser of weights writes them.

import LeapGraph
import LeapOperators
import LeapTensors

extension Decomposition {
  /// MatMulNBits (com.microsoft): A times the transpose of a matrix [N, K] of 2, 4 or 8 bits, `block_size` numbers of a row having one
  /// scale and zero point; and a bias.
  ///
  /// Inputs: A [..., K], B of bytes [N, blocks, bytes of a block], the scales, zero points as B is packed or as numbers, g_idx
  /// (not supported), the bias.
  mutating func blockedProduct(_ node: NodeReader) throws {
    try node.requireInputs(3...6)
    let bits = try node.int("bits", default: 4)
    let rows = try node.required("N", node.int("N"))
    let depth = try node.required("K", node.int("K"))
    let size = try node.required("block_size", node.int("block_size"))
    guard [2, 4, 8].contains(bits) else {
      throw OperatorError("attribute 'bits' is \(bits); expected 2, 4 or 8")
    }
    for (name, extent) in [("N", rows), ("K", depth), ("block_size", size)]
    where !(1...1 << 31).contains(extent) {
      throw OperatorError("attribute '\(name)' is \(extent); expected 1 to \(1 << 31)")
    }
    guard input(4) == nil else {
      throw OperatorError.unsupported(
        "input 4 (g_idx) is given; columns can have no order of their own")
    }
    let blocks = (depth - 1) / size + 1
    // What is cut before it is multiplied would not stay in its bits.
    let kept =
      blocks * size == depth
      ? try dequantized(bits: bits, rows: rows, blocks: blocks, size: size) : nil
    let weights = try kept ?? scaled(bits: bits, rows: rows, blocks: blocks, size: size)
    let whole = try sliced(weights, from: blocks * size, to: depth)
    let turned = try add("Transpose", opset: 13, [whole], ["perm": .ints([1, 0])])
    guard let bias = input(5) else {
      return try finish("MatMul", opset: 13, [input(0), turned])
    }
    let product = try add("MatMul", opset: 13, [input(0), turned])
    try finish("Add", opset: 14, [product, bias])
  }

  /// The floats [rows, blocks · size] of constants as DequantizeLinear makes them, of numbers that stay in their bits; nil where they
  /// are no constants, or DequantizeLinear does not take them.
  private mutating func dequantized(
    bits: Int, rows: Int, blocks: Int, size: Int
  ) throws -> ValueID? {
    let type: DataType = bits == 8 ? .uint8 : bits == 4 ? .uint4 : .uint2
    let shape: Shape = [rows, blocks]
    guard let scales = fixed(2), scales.dataType == .float32,
      scales.shape.elementCount == shape.elementCount,
      let numbers = fixed(1)?.viewed(as: type, [rows, blocks * size])
    else { return nil }
    let zeros: Constant
    if input(3) == nil {
      // Half of the range, as often as a byte holds it.
      let pattern = UInt8(bits == 8 ? 0x80 : bits == 4 ? 0x88 : 0xAA)
      zeros = Constant(dataType: type, shape: shape) {
        try Tensor(dataType: type, shape: shape) { bytes in
          for index in bytes.indices { bytes[index] = pattern }
        }
      }
    } else {
      // Rows of zero points begin at whole bytes.
      guard let given = fixed(3)?.viewed(as: type, shape) else { return nil }
      zeros = given
    }
    let inputs = [numbers, scales.reshaped(shape), zeros].map {
      target.addConstant("\(call.name)/weights", $0)
    }
    return try add(
      "DequantizeLinear", opset: 21, inputs, ["axis": .int(1), "block_size": .int(Int64(size))])
  }

  /// A constant that no caller can replace.
  private func fixed(_ index: Int) -> Constant? {
    input(index).flatMap { value in
      target.graph.inputs.contains(value) ? nil : target.graph.constants[value]
    }
  }

  /// The floats [rows, blocks · size] of any operands.
  private mutating func scaled(bits: Int, rows: Int, blocks: Int, size: Int) throws -> ValueID {
    let numbers = try unpacked(requiredInput(1), bits: bits, to: [rows, blocks, size])
    let scales = try reshaped(requiredInput(2), [rows, blocks, 1])
    let zeros = try zeroPoints(bits: bits, rows: rows, blocks: blocks, like: scales)
    let centred = try add(
      "Sub", opset: 14, [add("CastLike", opset: 15, [numbers, scales]), zeros])
    return try reshaped(add("Mul", opset: 14, [centred, scales]), [rows, blocks * size])
  }

  /// The zero points [rows, blocks, 1] in the type of the scales: half of the range where none are given.
  private mutating func zeroPoints(
    bits: Int, rows: Int, blocks: Int, like scales: ValueID
  ) throws -> ValueID {
    guard let zeros = input(3) else { return try number(Float(1 << (bits - 1)), like: scales) }
    let type = target.graph.constants[zeros]?.dataType ?? target.graph[zeros].type?.dataType
    guard type == nil || type == .uint8 else { return try reshaped(zeros, [rows, blocks, 1]) }
    let fields = 8 / bits
    let padded = (blocks + fields - 1) / fields * fields
    let all = try unpacked(zeros, bits: bits, to: [rows, padded])
    let own = try reshaped(sliced(all, from: padded, to: blocks), [rows, blocks, 1])
    return try add("CastLike", opset: 15, [own, scales])
  }

  /// The numbers in bytes, the lowest bits first, in a shape.
  mutating func unpacked(_ bytes: ValueID, bits: Int, to shape: [Int]) throws -> ValueID {
    guard bits < 8 else { return try reshaped(bytes, shape) }
    let column = try reshaped(bytes, [-1, 1])
    let mask = try constant(Tensor(scalar: UInt8(1 << bits - 1)))
    let fields = try (0..<8 / bits).map { field in
      let moved =
        field == 0
        ? column
        : try add(
          "BitShift", opset: 11, [column, constant(Tensor(scalar: UInt8(field * bits)))],
          ["direction": .string(Array("RIGHT".utf8))])
      return try add("BitwiseAnd", opset: 18, [moved, mask])
    }
    return try reshaped(add("Concat", opset: 13, fields, ["axis": .int(1)]), shape)
  }

  mutating func reshaped(_ value: ValueID, _ shape: [Int]) throws -> ValueID {
    try add("Reshape", opset: 14, [value, constant(Tensor(shape.map { Int64($0) }))])
  }

  /// The first places of a last axis.
  mutating func sliced(_ value: ValueID, from count: Int, to end: Int) throws -> ValueID {
    if count == end { return value }
    return try add(
      "Slice", opset: 13,
      [
        value, constant(Tensor([Int64(0)])), constant(Tensor([Int64(end)])),
        constant(Tensor([Int64(-1)])),
      ])
  }
}

extension Constant {
  /// Bytes as numbers of a type whose elements fill them, in a shape; nil where this is not uint8 of as many bytes.
  fileprivate func viewed(as type: DataType, _ shape: Shape) -> Constant? {
    guard dataType == .uint8, type.byteCount(elements: shape.elementCount) == byteCount,
      shape.elementCount.isMultiple(of: 8 / type.bitWidth)
    else { return nil }
    let bytes = self
    switch source {
    case .file, .absent: return Constant(dataType: type, shape: shape, source: source)
    case .tensor, .derived, .derivedRows:
      return Constant(dataType: type, shape: shape) {
        let tensor = try bytes.tensor()
        guard case .bytes(let storage, let offset) = tensor.contents else { return tensor }
        return Tensor(dataType: type, shape: shape, storage: storage, byteOffset: offset)
      }
    }
  }
}
