// Decomposition+GroupedAttention: the attention of networks that write text: groups of query heads share keys and values, which are
// put into a cache.

import LeapGraph
import LeapOperators
import LeapTensors

extension Decomposition {
  /// Heads, and what sees what.
  private struct GroupedAttention {
    let heads: Int
    let keyHeads: Int
    let isCausal: Bool
    /// How many keys up to its own a query sees; nil for all.
    let window: Int?

    init(_ node: NodeReader) throws {
      heads = try node.required("num_heads", Attentions.heads(node, "num_heads"))
      keyHeads = try node.required("kv_num_heads", Attentions.heads(node, "kv_num_heads"))
      guard heads % keyHeads == 0 else {
        throw OperatorError(
          "\(heads) heads of queries for \(keyHeads) of keys; expected a multiple")
      }
      isCausal = try node.flag("causal", default: true)
      let size = try node.int("local_window_size", default: -1)
      window = size > 0 ? size : nil
      guard isCausal || window == nil else {
        throw OperatorError(
          "attribute 'local_window_size' is \(size); only causal attention has one")
      }
      for name in ["smooth_softmax", "sliding_window_cache", "qk_output"]
      where try node.int(name, default: 0) > 0 {
        throw OperatorError.unsupported("attribute '\(name)'")
      }
    }
  }

  /// GroupQueryAttention (com.microsoft).
  ///
  /// Inputs: queries [batch, length, heads · size], or with keys and values beside them; keys and values [batch, length,
  /// key heads · size]; those of the past [batch, key heads, room, size]; of each image the number of all its keys less one; the
  /// largest of these numbers, which is the length of the cache where that of the past is no larger; tables of cosines and sines; positions;
  /// numbers that are added to the scores.
  ///
  /// Outputs: the result, and the caches of keys and values. What ONNX Runtime leaves unspecified (results of padding, places of a cache
  /// behind the last key) may differ.
  mutating func groupedAttention(_ node: NodeReader) throws {
    try node.requireInputs(1...18)
    if let index = (11..<max(call.inputs.count, 11)).first(where: { input($0) != nil }) {
      throw OperatorError.unsupported("input \(index) is given; only inputs 0 to 10 are supported")
    }
    let settings = try GroupedAttention(node)
    var (q, k, v) = try groupedOperands(settings)
    let length = try extent(of: q, 2)
    let counts = try add(
      "Add", opset: 14, [long(requiredInput(5)), constant(Tensor(scalar: Int64(1)))])
    // The place of the first new key of each image.
    let starts = try add(
      "Max", opset: 13,
      [add("Sub", opset: 14, [counts, length]), constant(Tensor(scalar: Int64(0)))])
    if try node.flag("do_rotary", default: false) {
      let places = try input(9) ?? places(from: starts, length)
      q = try rotated(q, places, node)
      k = try rotated(k, places, node)
    }
    let total = try add(
      "Reshape", opset: 14, [long(requiredInput(6)), constant(Tensor([Int64(1)]))])
    k = try cached(k, past: input(3), total, starts, output: output(1))
    v = try cached(v, past: input(4), total, starts, output: output(2))
    let mask = try groupMask(settings, starts, counts, queries: length, keys: extent(of: k, 2))
    var attributes = call.attributes.filter { $0.key == "softcap" }
    // 0 stands for the usual one.
    if let scale = try node.float("scale"), scale != 0 { attributes["scale"] = .float(scale) }
    let result = try add("Attention", opset: 23, [q, k, v, mask], attributes)
    let order = try add("Transpose", opset: 13, [result], ["perm": .ints([0, 2, 1, 3])])
    try finish("Reshape", opset: 14, [order, constant(Tensor([Int64(0), 0, -1]))])
  }

  /// Queries, keys and values [batch, heads, length, size].
  private mutating func groupedOperands(
    _ settings: GroupedAttention
  ) throws -> (ValueID, ValueID, ValueID) {
    let query = try requiredInput(0)
    guard let key = input(1) else {
      let all = settings.heads + 2 * settings.keyHeads
      let heads = try splitHeads(query, heads: all)
      let parts = (0..<3).map { target.addValue("\(call.name)/part_\($0)") }
      let sizes = [settings.heads, settings.keyHeads, settings.keyHeads].map(Int64.init)
      try add(
        "Split", opset: 13, [heads, constant(Tensor(sizes))], ["axis": .int(1)], outputs: parts)
      return (parts[0], parts[1], parts[2])
    }
    return (
      try splitHeads(query, heads: settings.heads), try splitHeads(key, heads: settings.keyHeads),
      try splitHeads(requiredInput(2), heads: settings.keyHeads)
    )
  }

  private mutating func long(_ value: ValueID) throws -> ValueID {
    try add("Cast", opset: 13, [value], ["to": .int(Int64(DataType.int64.rawValue))])
  }

  /// The extent of an axis, as a vector of one element.
  private mutating func extent(of value: ValueID, _ axis: Int64) throws -> ValueID {
    try add("Shape", opset: 15, [value], ["start": .int(axis), "end": .int(axis + 1)])
  }

  /// 0, 1, ... before a vector's one element.
  private mutating func range(_ end: ValueID) throws -> ValueID {
    let scalar = try add("Reshape", opset: 14, [end, constant(Tensor([Int64]()))])
    return try add(
      "Range", opset: 11,
      [constant(Tensor(scalar: Int64(0))), scalar, constant(Tensor(scalar: Int64(1)))])
  }

  /// [batch, length]: places that follow each other, from the first of each image on.
  private mutating func places(from starts: ValueID, _ length: ValueID) throws -> ValueID {
    let column = try add("Unsqueeze", opset: 13, [starts, constant(Tensor([Int64(1)]))])
    return try add("Add", opset: 14, [column, range(length)])
  }

  private mutating func rotated(
    _ x: ValueID, _ places: ValueID, _ node: NodeReader
  ) throws -> ValueID {
    let attributes: [String: Attribute] = [
      "interleaved": .int(try node.flag("rotary_interleaved", default: false) ? 1 : 0),
      "rotary_embedding_dim": .int(Int64(try headSize(tables: 7))),
    ]
    return try add("RotaryEmbedding", opset: 23, [x, input(7), input(8), places], attributes)
  }

  /// The cache with new keys or values from their first places on, and room for `total` of them.
  private mutating func cached(
    _ new: ValueID, past: ValueID?, _ total: ValueID, _ starts: ValueID, output: ValueID?
  ) throws -> ValueID {
    let none = try constant(Tensor([Int64](repeating: 0, count: 6)))
    /// With zeros behind its last place.
    func widened(_ body: inout Decomposition, _ value: ValueID) throws -> ValueID {
      let missing = try body.add(
        "Max", opset: 13,
        [
          body.add("Sub", opset: 14, [total, body.extent(of: value, 2)]),
          body.constant(Tensor([Int64(0)])),
        ])
      let end = try body.constant(Tensor([Int64(0)]))
      let pads = try body.add("Concat", opset: 13, [none, missing, end], ["axis": .int(0)])
      return try body.add(
        "Pad", opset: 18, [value, pads], outputs: past == nil ? output.map { [$0] } : nil)
    }
    guard let past else { return try widened(&self, new) }
    return try add(
      "TensorScatter", opset: 24, [widened(&self, past), new, starts],
      outputs: output.map { [$0] })
  }

  /// What each query sees: [batch, 1, queries, keys].
  private mutating func groupMask(
    _ settings: GroupedAttention, _ starts: ValueID, _ counts: ValueID, queries: ValueID,
    keys: ValueID
  ) throws -> ValueID {
    let keyPlaces = try range(keys)
    let inner = try constant(Tensor([Int64(1), 2, 3]))
    var mask: ValueID
    if settings.isCausal {
      let own = try add(
        "Unsqueeze", opset: 13,
        [places(from: starts, queries), constant(Tensor([Int64(1), 3]))])
      mask = try add("LessOrEqual", opset: 16, [keyPlaces, own])
      if let window = settings.window {
        let before = try add("Sub", opset: 14, [own, constant(Tensor(scalar: Int64(window)))])
        let isNear = try add("Greater", opset: 13, [keyPlaces, before])
        mask = try add("And", opset: 7, [mask, isNear])
      }
    } else {
      let ends = try add("Unsqueeze", opset: 13, [counts, inner])
      mask = try add("Less", opset: 13, [keyPlaces, ends])
    }
    guard let bias = input(10) else { return mask }
    return try add("Where", opset: 16, [mask, bias, number(-.infinity, like: bias)])
  }
}
