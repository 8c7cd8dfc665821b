// Decomposition+Attention: ONNX Runtime's attention of transformers: what is done before and after ONNX's own.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors

extension Decomposition {
  /// Attention (com.microsoft) of queries, keys and values that are made of one input: weights for all three lie side by side.
  ///
  /// Inputs: X [batch, length, inputs], weights, a bias, a mask, keys and values of the past [2, batch, heads, past, size], numbers
  /// that are added to the scores, and the length of the past in a shared buffer (not supported).
  mutating func packedAttention(_ node: NodeReader) throws {
    try node.requireInputs(2...7)
    try refuse([(6, "past_sequence_length")])
    guard try !node.flag("do_rotary", default: false) else {
      throw OperatorError.unsupported("attribute 'do_rotary' is 1; only 0 is supported")
    }
    var product = try add("MatMul", opset: 13, [requiredInput(0), requiredInput(1)])
    if let bias = input(2) { product = try add("Add", opset: 14, [product, bias]) }
    var sizes: ValueID?
    if let given = try node.ints("qkv_hidden_sizes"), !given.isEmpty {
      guard given.count == 3, given.allSatisfy({ $0 > 0 }) else {
        throw OperatorError("attribute 'qkv_hidden_sizes' is \(given); expected three sizes")
      }
      sizes = try constant(Tensor(given.map(Int64.init)))
    }
    try jointAttention(
      node, AttentionOperands(parts(of: product, axis: -1, sizes), mask: input(3), bias: input(5)),
      past: input(4))
  }

  /// QAttention: attention whose product with the weights is one of bytes.
  ///
  /// Inputs: X, weights, a bias, the scales of X and the weights, a mask, their zero points, keys and values of the past.
  mutating func quantizedAttention(_ node: NodeReader) throws {
    try node.requireInputs(5...9)
    guard try !node.flag("do_rotary", default: false) else {
      throw OperatorError.unsupported("attribute 'do_rotary' is 1; only 0 is supported")
    }
    let product = try dequantizedProduct(
      (requiredInput(0), requiredInput(3), input(6)),
      (requiredInput(1), requiredInput(4), input(7)))
    let biased = try add("Add", opset: 14, [product, requiredInput(2)])
    try jointAttention(
      node, AttentionOperands(parts(of: biased, axis: -1, nil), mask: input(5), bias: nil),
      past: input(8))
  }

  /// Attention whose keys and values of the past, and those it gives back, lie in one tensor [2, batch, heads, length, size].
  private mutating func jointAttention(
    _ node: NodeReader, _ operands: AttentionOperands, past: ValueID?
  ) throws {
    var operands = operands
    if let past {
      operands.past = try (0..<2).map {
        try add("Gather", opset: 13, [past, constant(Tensor(scalar: Int64($0)))])
      }
    }
    guard let present = output(1) else {
      return try attention(node, operands, outputs: [output(0)])
    }
    let made = (0..<2).map { target.addValue("\(call.name)/present_\($0)") }
    try attention(node, operands, outputs: [output(0), made[0], made[1]])
    let first = try constant(Tensor([Int64(0)]))
    let parts = try made.map { try add("Unsqueeze", opset: 13, [$0, first]) }
    try add("Concat", opset: 13, parts, ["axis": .int(0)], outputs: [present])
  }

  /// MultiHeadAttention: attention of queries, keys and values, a bias for each beforehand.
  ///
  /// Inputs: queries [batch, queries, heads · size], keys and values alike or [batch, heads, keys, size], biases side by side, a mask,
  /// numbers that are added to the scores, keys and values of the past; two more (not supported).
  mutating func multiHeadAttention(_ node: NodeReader) throws {
    try node.requireInputs(3...10)
    try refuse([(8, "past_sequence_length"), (9, "cache_indirection")])
    var operands = AttentionOperands(
      try (0..<3).map { try requiredInput($0) }, mask: input(4), bias: input(5))
    let hasHeads = rank(of: operands.values[1]) == 4
    if let bias = input(3) {
      let biases = try parts(of: bias, axis: 0, nil)
      // Keys and values that have heads have their bias already.
      for index in 0..<(hasHeads ? 1 : 3) {
        operands.values[index] = try add(
          "Add", opset: 14, [operands.values[index], biases[index]])
      }
    }
    if input(6) != nil || input(7) != nil { operands.past = [input(6), input(7)] }
    var outputs = Array(call.outputs.prefix(4))
    while outputs.count > 1, case .some(.none) = outputs.last { outputs.removeLast() }
    guard hasHeads else { return try attention(node, operands, outputs: outputs) }
    operands.values[0] = try splitHeads(operands.values[0], heads: heads(node))
    let result = target.addValue("\(call.name)/heads")
    outputs[0] = result
    try attention(node, operands, outputs: outputs)
    let order = try add("Transpose", opset: 13, [result], ["perm": .ints([0, 2, 1, 3])])
    try finish("Reshape", opset: 14, [order, constant(Tensor([Int64(0), 0, -1]))])
  }

  /// RotaryEmbedding (com.microsoft): X, the positions of its steps or the first of them, tables of cosines and sines.
  mutating func rotaryEmbedding(_ node: NodeReader) throws {
    try node.requireInputs(4...4)
    guard try !node.flag("is_packed_batching", default: false) else {
      throw OperatorError.unsupported("attribute 'is_packed_batching' is 1; only 0 is supported")
    }
    var x = try requiredInput(0)
    let isFlat = rank(of: x) != 4
    if isFlat {
      let isGiven = try node.int("num_heads", default: 0) != 0
      x = try isGiven ? splitHeads(x, heads: heads(node)) : splitHeads(x, size: headSize(tables: 2))
    }
    let own: Set<String> = ["is_packed_batching", "scale", "num_heads"]
    let attributes = call.attributes.filter { !own.contains($0.key) }
    let operands = [x, input(2), input(3), try positions(of: x)]
    guard isFlat else { return try finish("RotaryEmbedding", opset: 23, operands, attributes) }
    let turned = try add("RotaryEmbedding", opset: 23, operands, attributes)
    let order = try add("Transpose", opset: 13, [turned], ["perm": .ints([0, 2, 1, 3])])
    try finish("Reshape", opset: 14, [order, constant(Tensor([Int64(0), 0, -1]))])
  }

  // MARK: parts

  /// What an attention reads.
  private struct AttentionOperands {
    /// Queries, keys and values.
    var values: [ValueID]
    /// A mask as `AttentionBias` takes it.
    var mask: ValueID?
    /// What is added to the scores.
    var bias: ValueID?
    /// Keys and values of the past.
    var past: [ValueID?] = [nil, nil]

    init(_ values: [ValueID], mask: ValueID?, bias: ValueID?) {
      (self.values, self.mask, self.bias) = (values, mask, bias)
    }
  }

  private func refuse(_ inputs: [(index: Int, name: String)]) throws {
    for (index, name) in inputs where input(index) != nil {
      throw OperatorError.unsupported("input \(index), \(name), is given")
    }
  }

  /// The rank that the model declares of a value.
  private func rank(of value: ValueID) -> Int? {
    target.graph.constants[value]?.shape.rank ?? target.graph[value].type?.shape?.count
  }

  private func heads(_ node: NodeReader) throws -> Int {
    try node.required("num_heads", Attentions.heads(node, "num_heads"))
  }

  /// [batch, length, heads · size] as [batch, heads, length, size], where the heads or their size is given.
  mutating func splitHeads(
    _ value: ValueID, heads: Int = -1, size: Int = -1
  ) throws -> ValueID {
    let shape = try constant(Tensor([0, 0, Int64(heads), Int64(size)]))
    let split = try add("Reshape", opset: 14, [value, shape])
    return try add("Transpose", opset: 13, [split], ["perm": .ints([0, 2, 1, 3])])
  }

  /// The size of a head of which all numbers are turned: a table has a column for two of them.
  func headSize(tables index: Int) throws -> Int {
    let table = try requiredInput(index)
    let columns =
      target.graph.constants[table]?.shape.dimensions.last
      ?? target.graph[table].type?.shape?.last?.value
    guard let columns, columns <= Int(Int32.max) else {
      throw OperatorError("the width of the tables, input \(index), is not known")
    }
    return 2 * columns
  }

  /// The positions [batch, length] of the steps of X [batch, heads, length, size]: as they are given, or from the first on.
  private mutating func positions(of x: ValueID) throws -> ValueID {
    let given = try requiredInput(1)
    guard rank(of: given) == 1 else { return given }
    let length = try add("Shape", opset: 15, [x], ["start": .int(2), "end": .int(3)])
    let scalar = try constant(Tensor([Int64]()))
    let steps = try add(
      "Range", opset: 11,
      [
        constant(Tensor(scalar: Int64(0))), add("Reshape", opset: 14, [length, scalar]),
        constant(Tensor(scalar: Int64(1))),
      ])
    let batch = try add("Shape", opset: 15, [x], ["start": .int(0), "end": .int(1)])
    let shape = try add("Concat", opset: 13, [batch, length], ["axis": .int(0)])
    return try add(
      "Expand", opset: 13, [add("Add", opset: 14, [steps, given]), shape])
  }

  /// Three parts of a value: of these sizes, or equal ones.
  private mutating func parts(
    of value: ValueID, axis: Int64, _ sizes: ValueID?
  ) throws -> [ValueID] {
    let outputs = (0..<3).map { target.addValue("\(call.name)/part_\($0)") }
    var attributes: [String: Attribute] = ["axis": .int(axis)]
    if sizes == nil { attributes["num_outputs"] = .int(3) }
    try add("Split", opset: 18, [value, sizes], attributes, outputs: outputs)
    return outputs
  }

  /// ONNX's attention, with as many heads of keys as of queries.
  ///
  /// - Parameter outputs: the result, all keys, all values, and the scores.
  private mutating func attention(
    _ node: NodeReader, _ operands: AttentionOperands, outputs: [ValueID?]
  ) throws {
    let heads = Attribute.int(Int64(try heads(node)))
    var attributes: [String: Attribute] = [
      "q_num_heads": heads, "kv_num_heads": heads,
      "is_causal": .int(try node.flag("unidirectional", default: false) ? 1 : 0),
      // Scores as they are before the softmax.
      "qk_matmul_output_mode": .int(Int64(AttentionSettings.Scores.biased.rawValue)),
    ]
    // 0 stands for the usual one.
    if let scale = try node.float("scale"), scale != 0 { attributes["scale"] = .float(scale) }
    try add(
      "Attention", opset: 23, operands.values + [bias(node, operands)] + operands.past, attributes,
      outputs: outputs)
  }

  /// What a mask and a bias add to the scores.
  private mutating func bias(
    _ node: NodeReader, _ operands: AttentionOperands
  ) throws -> ValueID? {
    guard let mask = operands.mask else { return operands.bias }
    let filter = try node.float("mask_filter_value", default: -10_000)
    let masked = try add(
      AttentionBias.name, domain: OperatorTable.ownDomain, opset: 1,
      [mask, operands.values[1], operands.past[0]], ["mask_filter_value": .float(filter)])
    guard let bias = operands.bias else { return masked }
    return try add("Add", opset: 14, [masked, bias])
  }
}
