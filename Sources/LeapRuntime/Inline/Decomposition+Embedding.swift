// Decomposition+Embedding: ONNX Runtime's tables of words: rows gathered, summed and normalised, or kept as a few bits a number.

import LeapGraph
import LeapOperators
import LeapTensors

extension Decomposition {
  /// The tables that a network of language begins with; they are inputs 2 to 4.
  private enum Table: Int { case words, positions, segments }

  /// Rows of a table at places, as floats.
  private typealias Rows = (inout Decomposition, Table, _ places: ValueID) throws -> ValueID

  /// EmbedLayerNormalization (com.microsoft): the sum of the rows of words, positions and segments, normalised; how many numbers of each
  /// row of the mask are 1, int32; and the sum itself.
  ///
  /// Inputs: words and segments [batch, length], their tables around that of positions, scale and shift of the normalisation, a mask,
  /// positions.
  mutating func embeddedNormalization(_ node: NodeReader) throws {
    try node.requireInputs(1...9)
    try normalizeRows(node, scale: requiredInput(5), shift: requiredInput(6), positions: input(8)) {
      body, table, places in
      try body.add("Gather", opset: 13, [body.requiredInput(2 + table.rawValue), places])
    }
  }

  /// QEmbedLayerNormalization: the same of bytes. Inputs 8 to 12 are the scales of tables, scale and shift, 13 to 17 their zero points.
  mutating func quantizedEmbedding(_ node: NodeReader) throws {
    try node.requireInputs(1...18)
    func floats(_ body: inout Decomposition, _ bytes: ValueID, _ operand: Int) throws -> ValueID {
      try body.add(
        "DequantizeLinear", opset: 13, [bytes, body.input(8 + operand), body.input(13 + operand)])
    }
    let scale = try floats(&self, requiredInput(5), 3)
    let shift = try floats(&self, requiredInput(6), 4)
    try normalizeRows(node, scale: scale, shift: shift, positions: nil) { body, table, places in
      let bytes = try body.requiredInput(2 + table.rawValue)
      return try floats(&body, body.add("Gather", opset: 13, [bytes, places]), table.rawValue)
    }
  }

  private mutating func normalizeRows(
    _ node: NodeReader, scale: ValueID, shift: ValueID, positions: ValueID?, _ rows: Rows
  ) throws {
    let words = try requiredInput(0)
    let places = try positions ?? firstPlaces(of: words)
    let hasSegments = input(1) != nil
    let sumOutput = output(2).map { [$0] }
    var sum = try add(
      "Add", opset: 14, [rows(&self, .words, words), rows(&self, .positions, places)],
      outputs: hasSegments ? nil : sumOutput)
    if let segments = input(1) {
      sum = try add("Add", opset: 14, [sum, rows(&self, .segments, segments)], outputs: sumOutput)
    }
    try finish(
      "LayerNormalization", opset: 17, [sum, scale, shift],
      ["axis": .int(-1), "epsilon": .float(try node.float("epsilon", default: 1e-12))])
    if let count = output(1) { try countMarks(of: words, as: count) }
  }

  /// 0, 1, ... for each column of a matrix.
  private mutating func firstPlaces(of matrix: ValueID) throws -> ValueID {
    let length = try add("Shape", opset: 15, [matrix], ["start": .int(1), "end": .int(2)])
    let end = try add("Reshape", opset: 14, [length, constant(Tensor([Int64]()))])
    return try add(
      "Range", opset: 11,
      [constant(Tensor(scalar: Int64(0))), end, constant(Tensor(scalar: Int64(1)))])
  }

  /// How many numbers of each row of the mask, input 7, are 1; 0 without a mask.
  private mutating func countMarks(of words: ValueID, as output: ValueID) throws {
    guard let mask = input(7) else {
      let batch = try add("Shape", opset: 15, [words], ["start": .int(0), "end": .int(1)])
      try add("Expand", opset: 13, [constant(Tensor(scalar: Int32(0))), batch], outputs: [output])
      return
    }
    let one = try add("CastLike", opset: 15, [constant(Tensor(scalar: Int32(1))), mask])
    let marks = try add(
      "Cast", opset: 13, [add("Equal", opset: 13, [mask, one])],
      ["to": .int(Int64(DataType.int32.rawValue))])
    try add(
      "ReduceSum", opset: 13, [marks, constant(Tensor([Int64(1)]))], ["keepdims": .int(0)],
      outputs: [output])
  }

  /// GatherBlockQuantized: rows of a table of a few bits a number, each `block_size` numbers along an axis having one scale and zero
  /// point.
  ///
  /// Inputs: the table, int4, uint4, or bytes that hold 8 / `bits` numbers along the last axis; indices; scales; zero points like the
  /// table.
  mutating func blockedGather(_ node: NodeReader) throws {
    try node.requireInputs(3...4)
    let bits = try node.int("bits", default: 4)
    guard [2, 4, 8].contains(bits) else {
      throw OperatorError("attribute 'bits' is \(bits); expected 2, 4 or 8")
    }
    let (table, scales) = (try requiredInput(0), try requiredInput(2))
    guard let shape = target.graph.constants[table]?.shape,
      let scaleShape = target.graph.constants[scales]?.shape,
      let type = target.graph.constants[table]?.dataType
    else { throw OperatorError.unsupported("the table and its scales are no constants") }
    guard (shape.dimensions + scaleShape.dimensions).allSatisfy({ $0 < 1 << 40 }) else {
      throw OperatorError("the table has shape \(shape), its scales \(scaleShape): too large")
    }
    let isBytes = type == .uint8
    let numbers = isBytes ? try wide(table, bits: bits, to: widened(shape, by: 8 / bits)) : table
    let zeros = isBytes ? try byteZeros(bits: bits, scaleShape) : input(3)
    let floats = try add(
      "DequantizeLinear", opset: 21, [numbers, scales, zeros],
      [
        "axis": .int(Int64(try node.int("quantize_axis", default: 1))),
        "block_size": .int(Int64(try node.int("block_size", default: 128))),
      ])
    try finish(
      "Gather", opset: 13, [floats, input(1)],
      ["axis": .int(Int64(try node.int("gather_axis", default: 0)))])
  }

  /// The zero points of numbers in bytes, of the scales' shape: half of the range where none are given.
  private mutating func byteZeros(bits: Int, _ shape: Shape) throws -> ValueID {
    if let given = input(3) { return try wide(given, bits: bits, to: shape) }
    let half = try constant(Tensor(scalar: UInt8(1 << (bits - 1))))
    return try add("Expand", opset: 13, [half, constant(Tensor(shape.map(Int64.init)))])
  }

  /// A shape whose last axis is longer by a factor.
  private func widened(_ shape: Shape, by factor: Int) -> Shape {
    guard let last = shape.dimensions.last else { return shape }
    return Shape(shape.dimensions.dropLast() + [last * factor])
  }

  /// The numbers of bytes, each byte holding several along the last axis, in a shape whose last axis may end before the last byte.
  private mutating func wide(_ bytes: ValueID, bits: Int, to shape: Shape) throws -> ValueID {
    guard let last = shape.dimensions.last else { return bytes }
    let fields = 8 / bits
    let padded = (last + fields - 1) / fields * fields
    let all = try unpacked(bytes, bits: bits, to: shape.dimensions.dropLast() + [padded])
    return try sliced(all, from: padded, to: last)
  }
}
