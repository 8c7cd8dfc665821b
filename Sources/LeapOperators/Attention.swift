// Attention: operators of transformers: Attention, LinearAttention, CausalConvWithState, RotaryEmbedding, TensorScatter.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Attentions: OperatorFamily {
  package static var operators: [any Operator.Type] {
    [
      Attention.self, AttentionBias.self, LinearAttention.self, CausalConvWithState.self,
      RotaryEmbedding.self,
      TensorScatter.self,
    ]
  }

  /// A number of heads; nil where it is not given. Throws `OperatorError` where it is not positive.
  package static func heads(_ node: NodeReader, _ name: String) throws -> Int? {
    guard let heads = try node.int(name) else { return nil }
    guard heads >= 1, heads <= Int(Int32.max) else {
      throw OperatorError("attribute '\(name)' is \(heads); expected 1 or more")
    }
    return heads
  }
}

extension InferenceContext {
  /// Throws `OperatorError` where an input is given whose shape is known to be another.
  func requireShape(_ index: Int, _ wanted: [Dimension]) throws {
    guard hasInput(index), let shape = shape(index) else { return }
    guard shape.count == wanted.count,
      zip(shape, wanted).allSatisfy({ ($0.value ?? $1.value) == ($1.value ?? $0.value) })
    else {
      throw OperatorError(
        "input \(index) has shape \(describe(shape)); expected \(describe(wanted))")
    }
  }
}

/// Throws `OperatorError` where a known extent cannot be split into `heads` parts.
private func split(_ extent: Dimension, _ heads: Int, _ what: String) throws -> Dimension {
  if let value = extent.value, value % heads != 0 {
    throw OperatorError("\(value) \(what) cannot be split into \(heads) heads")
  }
  return extent / .fixed(heads)
}

/// Attention, ONNX opsets 23 to 25.
package struct Attention: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("Attention", opsets: 23...OperatorTable.latestOpset)]
  }
  private let settings: AttentionSettings

  package init(_ node: NodeReader) throws {
    try node.requireInputs(3...7)
    guard node.hasInput(4) == node.hasInput(5) else {
      throw OperatorError("past_key and past_value go together; one is left out")
    }
    if node.hasInput(6), node.hasInput(4) {
      throw OperatorError("nonpad_kv_seqlen cannot be given together with past_key")
    }
    func window(_ name: String) throws -> Int? {
      let size = try node.int(name, default: -1)
      guard size >= -1 else {
        throw OperatorError("attribute '\(name)' is \(size); expected -1 or more")
      }
      return size < 0 ? nil : size
    }
    let mode = try node.int("qk_matmul_output_mode", default: 0)
    guard let scores = AttentionSettings.Scores(rawValue: mode) else {
      throw OperatorError("attribute 'qk_matmul_output_mode' is \(mode); expected 0 to 3")
    }
    let softcap = Double(try node.float("softcap", default: 0))
    guard softcap.isFinite, softcap >= 0 else {
      throw OperatorError("attribute 'softcap' is \(softcap); expected 0 or more")
    }
    settings = AttentionSettings(
      queryHeads: try Attentions.heads(node, "q_num_heads"),
      keyHeads: try Attentions.heads(node, "kv_num_heads"),
      scale: try node.float("scale").map(Double.init), softcap: softcap,
      isCausal: try node.flag("is_causal", default: false), scores: scores,
      leftWindow: try window("left_window_size"), rightWindow: try window("right_window_size"))
  }

  /// Extents of the operands, as far as they are known.
  private struct Extents {
    var batch: Dimension
    var queryHeads: Dimension
    var keyHeads: Dimension
    var queries: Dimension
    var keys: Dimension
    var headSize: Dimension
    var valueSize: Dimension
    var isFlat: Bool
  }

  private func extents(
    _ q: [Dimension], _ k: [Dimension], _ v: [Dimension]
  ) throws -> Extents {
    guard (3...4).contains(q.count), q.count == k.count, k.count == v.count else {
      throw OperatorError(
        "the ranks of Q, K and V are \(q.count), \(k.count) and \(v.count); expected 3, or 4")
    }
    if q.count == 4 {
      return Extents(
        batch: q[0], queryHeads: q[1], keyHeads: k[1], queries: q[2], keys: k[2],
        headSize: q[3], valueSize: v[3], isFlat: false)
    }
    guard let queryHeads = settings.queryHeads, let keyHeads = settings.keyHeads else {
      throw OperatorError("q_num_heads and kv_num_heads are required for operands of rank 3")
    }
    return Extents(
      batch: q[0], queryHeads: .fixed(queryHeads), keyHeads: .fixed(keyHeads), queries: q[1],
      keys: k[1], headSize: try split(q[2], queryHeads, "numbers of a query"),
      valueSize: try split(v[2], keyHeads, "numbers of a value"), isFlat: true)
  }

  private func check(_ context: InferenceContext, _ e: Extents, past: Dimension) throws {
    if let queries = e.queryHeads.value, let keys = e.keyHeads.value,
      keys == 0 || queries % keys != 0
    {
      throw OperatorError("\(queries) heads of queries for \(keys) of keys; expected a multiple")
    }
    func operand(_ size: Dimension) -> [Dimension] {
      e.isFlat ? [e.batch, e.keys, e.keyHeads * size] : [e.batch, e.keyHeads, e.keys, size]
    }
    try context.requireShape(1, operand(e.headSize))
    try context.requireShape(2, operand(e.valueSize))
    try context.requireShape(4, [e.batch, e.keyHeads, past, e.headSize])
    try context.requireShape(5, [e.batch, e.keyHeads, past, e.valueSize])
    try context.requireShape(6, [e.batch])
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: [.float32, .float64])
    for index in [1, 2, 4, 5] where context.hasInput(index) {
      _ = try context.dataType(index, among: [type])
    }
    if context.hasInput(3) { _ = try context.dataType(3, among: [type, .bool]) }
    if context.hasInput(6) { _ = try context.dataType(6, among: [.int64]) }
    guard let q = try context.shape(0, ranks: 3...4), let k = try context.shape(1, ranks: 3...4),
      let v = try context.shape(2, ranks: 3...4)
    else {
      for index in 0..<4 { context.setOutput(index, type, nil) }
      return
    }
    let e = try extents(q, k, v)
    let past =
      context.hasInput(4) ? try context.shape(4, ranks: 4...4)?[2] ?? .unknown : .fixed(0)
    try check(context, e, past: past)
    let total = past + e.keys
    context.setOutput(
      0, type,
      e.isFlat
        ? [e.batch, e.queries, e.queryHeads * e.valueSize]
        : [e.batch, e.queryHeads, e.queries, e.valueSize])
    context.setOutput(1, type, [e.batch, e.keyHeads, total, e.headSize])
    context.setOutput(2, type, [e.batch, e.keyHeads, total, e.valueSize])
    context.setOutput(3, type, [e.batch, e.queryHeads, e.queries, total])
  }

  /// The products of queries with keys, and of probabilities with values.
  package func multiplyAdds(inputs: [Shape?], outputs: [Shape?]) -> Int? {
    let shapes = inputs.map { $0?.map(Dimension.fixed) }
    guard let q = shapes[0], let k = shapes[1], let v = shapes[2], let e = try? extents(q, k, v)
    else { return nil }
    let older = shapes.count > 4 ? shapes[4] : nil
    let past = older?.count == 4 ? older?[2] ?? 0 : 0
    let rows = e.batch * e.queryHeads * e.queries * (past + e.keys)
    return (rows * (e.headSize + e.valueSize)).value ?? .max
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let settings = settings
    let adds =
      multiplyAdds(inputs: request.inputs.map { $0?.shape }, outputs: []) ?? 0
    return [
      try rowMajorCandidate(
        .attention, request,
        cost: Cost(
          operations: 2 * Double(adds), bytes: request.variableBytes, operationsPerNanosecond: 20)
      ) { try AttentionKernel.kernel(settings, $0) }
    ]
  }
}

/// LinearAttention, from ONNX opset 27 on.
package struct LinearAttention: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("LinearAttention", opsets: 27...OperatorTable.latestOpset)]
  }

  private enum Rule: String, CaseIterable {
    case linear, gated, delta
    case gatedDelta = "gated_delta"
  }

  private let attention: LinearAttentionKernel

  package init(_ node: NodeReader) throws {
    try node.requireInputs(3...6)
    let rule = try node.choice("update_rule", default: Rule.gatedDelta)
    let scale = try node.float("scale", default: 0)
    let queryHeads = try node.required("q_num_heads", Attentions.heads(node, "q_num_heads"))
    let keyHeads = try node.required("kv_num_heads", Attentions.heads(node, "kv_num_heads"))
    guard queryHeads % keyHeads == 0 else {
      throw OperatorError(
        "\(queryHeads) heads of queries for \(keyHeads) of keys; expected a multiple")
    }
    attention = LinearAttentionKernel(
      queryHeads: queryHeads, keyHeads: keyHeads, scale: scale == 0 ? nil : scale,
      decays: rule == .gated || rule == .gatedDelta,
      corrects: rule == .delta || rule == .gatedDelta)
    for (index, name, isTaken) in [
      (4, "decay", attention.decays), (5, "beta", attention.corrects),
    ] where node.hasInput(index) != isTaken {
      throw OperatorError(
        "update rule '\(rule.rawValue)' \(isTaken ? "needs" : "does not take") input \(index), '\(name)'"
      )
    }
  }

  package func infer(_ context: inout InferenceContext) throws {
    for index in 0..<6 where context.hasInput(index) {
      _ = try context.dataType(index, among: [.float32])
    }
    guard let q = try context.shape(0, ranks: 3...3), let v = try context.shape(2, ranks: 3...3)
    else {
      for index in 0...1 { context.setOutput(index, .float32, nil) }
      return
    }
    let (queryHeads, keyHeads) = (
      Dimension.fixed(attention.queryHeads), Dimension.fixed(attention.keyHeads)
    )
    let keySize = try split(q[2], attention.queryHeads, "numbers of a query")
    let valueSize = try split(v[2], attention.keyHeads, "numbers of a value")
    let state = [q[0], keyHeads, keySize, valueSize]
    try context.requireShape(1, [q[0], q[1], keyHeads * keySize])
    try context.requireShape(2, [q[0], q[1], keyHeads * valueSize])
    try context.requireShape(3, state)
    for (index, wanted) in [(4, [keyHeads, keyHeads * keySize]), (5, [keyHeads, 1])] {
      guard let shape = try context.shape(index, ranks: 3...3) else { continue }
      let last = wanted.first { ($0.value ?? shape[2].value) == (shape[2].value ?? $0.value) }
      try context.requireShape(index, [q[0], q[1], last ?? wanted[0]])
    }
    context.setOutput(0, .float32, [q[0], q[1], queryHeads * valueSize])
    context.setOutput(1, .float32, state)
  }

  /// For each step and head: the product of key and value, what is taken off, and the product of query and state.
  package func multiplyAdds(inputs: [Shape?], outputs: [Shape?]) -> Int? {
    guard let q = inputs[0], let v = inputs[2], q.rank == 3, v.rank == 3 else { return nil }
    let (keySize, valueSize) = (q[2] / attention.queryHeads, v[2] / attention.keyHeads)
    let heads = attention.queryHeads + attention.keyHeads * (attention.corrects ? 2 : 1)
    return Shape.product([q[0], q[1], heads, keySize, valueSize])
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let attention = attention
    return [
      try rowMajorCandidate(
        .attention, request, cost: elementwiseCost(request, operations: 200)
      ) { try attention.kernel($0) }
    ]
  }
}

/// CausalConvWithState, from ONNX opset 27 on.
package struct CausalConvWithState: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("CausalConvWithState", opsets: 27...OperatorTable.latestOpset)]
  }

  private enum Function: String, CaseIterable { case none, silu, swish }

  private let takesSiLU: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...4)
    takesSiLU = try node.choice("activation", default: Function.none) != .none
  }

  package func infer(_ context: inout InferenceContext) throws {
    for index in 0..<4 where context.hasInput(index) {
      _ = try context.dataType(index, among: [.float32])
    }
    let x = try context.shape(0, ranks: 3...3)
    let w = try context.shape(1, ranks: 3...3)
    guard let x, let w else {
      context.setOutput(0, .float32, x)
      return context.setOutput(1, .float32, nil)
    }
    try context.requireShape(1, [x[1], 1, w[2]])
    if let taps = w[2].value, taps < 1 {
      throw OperatorError("a filter has \(taps) taps; expected 1 or more")
    }
    try context.requireShape(2, [x[1]])
    let state = [x[0], x[1], w[2] - 1]
    try context.requireShape(3, state)
    context.setOutput(0, .float32, x)
    context.setOutput(1, .float32, state)
  }

  /// Each element of the output is a sum over the taps.
  package func multiplyAdds(inputs: [Shape?], outputs: [Shape?]) -> Int? {
    sumsOfProducts(inputs[0], terms: inputs[1]?.dimensions.suffix(1))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let takesSiLU = takesSiLU
    return [
      try rowMajorCandidate(
        .depthwise, request, cost: elementwiseCost(request, operations: 16)
      ) { try CausalConvolution.kernel($0, takesSiLU: takesSiLU) }
    ]
  }
}

/// RotaryEmbedding, from ONNX opset 23 on.
package struct RotaryEmbedding: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("RotaryEmbedding", opsets: 23...OperatorTable.latestOpset)]
  }
  private let heads: Int?
  private let turned: Int
  private let interleaved: Bool
  private let hasPositions: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(3...4)
    heads = try node.int("num_heads") == 0 ? nil : Attentions.heads(node, "num_heads")
    turned = try node.int("rotary_embedding_dim", default: 0)
    interleaved = try node.flag("interleaved", default: false)
    hasPositions = node.hasInput(3)
    guard turned >= 0, turned % 2 == 0, turned <= Int(Int32.max) else {
      throw OperatorError(
        "attribute 'rotary_embedding_dim' is \(turned); expected an even number of 0 or more")
    }
  }

  /// Heads, their size, and how many numbers of each are turned.
  private func sizes(
    _ x: [Dimension]
  ) throws -> (heads: Dimension, size: Dimension, turned: Dimension) {
    let heads: Dimension
    let size: Dimension
    if x.count == 3 {
      guard let given = self.heads else {
        throw OperatorError("attribute 'num_heads' is required for an input of rank 3")
      }
      (heads, size) = (.fixed(given), try split(x[2], given, "numbers of a step"))
    } else {
      (heads, size) = (x[1], x[3])
    }
    if let known = size.value {
      guard turned <= known, turned > 0 || known % 2 == 0 else {
        throw OperatorError("\(turned) of \(known) numbers of a head cannot be turned")
      }
    }
    return (heads, size, turned > 0 ? .fixed(turned) : size)
  }

  package func infer(_ context: inout InferenceContext) throws {
    for index in 0..<3 { _ = try context.dataType(index, among: [.float32]) }
    if context.hasInput(3) { _ = try context.dataType(3, among: [.int64]) }
    guard let x = try context.shape(0, ranks: 3...4) else {
      return context.setOutput(0, .float32, nil)
    }
    let sizes = try sizes(x)
    let (batch, steps) = (x[0], x[x.count == 3 ? 1 : 2])
    let half = sizes.turned / 2
    for index in 1...2 {
      let rows: [Dimension] =
        hasPositions ? [context.shape(1)?.first ?? .unknown] : [batch, steps]
      try context.requireShape(index, rows + [half])
    }
    try context.requireShape(3, [batch, steps])
    context.setOutput(0, .float32, x)
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let sizes = try sizes(request.requiredInput(0).shape.map(Dimension.fixed))
    let kernel = RotaryKernel(
      heads: sizes.heads.value ?? 1, headSize: sizes.size.value ?? 1,
      turned: sizes.turned.value ?? 0, interleaved: interleaved)
    return [
      try rowMajorCandidate(
        .elementwise, request, cost: elementwiseCost(request, operations: 8)
      ) { try kernel.kernel($0) }
    ]
  }
}

/// TensorScatter, from ONNX opset 24 on: the steps of each image put into a cache from an index on.
package struct TensorScatter: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("TensorScatter", opsets: 24...OperatorTable.latestOpset)]
  }

  private enum Mode: String, CaseIterable { case linear, circular }

  private let axis: Int
  private let isCircular: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...3)
    axis = try node.int("axis", default: -2)
    isCircular = try node.choice("mode", default: Mode.linear) == .circular
  }

  private func place(rank: Int) throws -> Int {
    let place = try normalizedAxis(axis, rank: rank)
    guard place > 0 else { throw OperatorError("axis \(axis) is the batch; expected another") }
    return place
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    guard type.isAddressable else {
      throw OperatorError.unsupported("there is no kernel for scattering \(type)")
    }
    _ = try context.dataType(1, among: [type])
    if context.hasInput(2) { _ = try context.dataType(2, among: [.int64]) }
    guard let cache = try context.shape(0, ranks: 2...64) else {
      return context.setOutput(0, type, nil)
    }
    let place = try place(rank: cache.count)
    if let update = context.shape(1) {
      var wanted = cache
      if update.count == cache.count { wanted[place] = update[place] }
      try context.requireShape(1, wanted)
      if let steps = update[place].value, let room = cache[place].value, steps > room {
        throw OperatorError("\(steps) steps do not fit a cache of \(room)")
      }
    }
    try context.requireShape(2, [cache[0]])
    context.setOutput(0, type, cache)
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let cache = try request.requiredInput(0).shape
    let update = try request.requiredInput(1).shape
    let place = try place(rank: cache.rank)
    let isCircular = isCircular
    return [
      try rowMajorCandidate(
        .scatter, request, cost: Cost(operations: 0, bytes: request.variableBytes)
      ) {
        let width = try $0.requiredInput(0).dataType.byteWidth
        let row = cache.inner(from: place + 1) * width
        let (room, steps) = (cache[place], update[place])
        let perImage = Shape.product(cache.dimensions[1..<place])
        return Kernel(blocks: cache.outer(place)) { invocation, outer in
          let target = invocation.output(0) + outer * room * row
          target.copyMemory(
            from: invocation.input(0) + outer * room * row, byteCount: room * row)
          var first = 0
          if let indices = invocation.optionalInput(2) {
            first = Int(
              indices.load(fromByteOffset: 8 * (outer / max(perImage, 1)), as: Int64.self))
          }
          guard first >= 0, isCircular || first <= room - steps else {
            throw OperatorError(
              "\(steps) steps from index \(first) on do not fit a cache of \(room)")
          }
          for step in 0..<steps {
            let index = isCircular ? (first % room + step) % room : first + step
            (target + index * row).copyMemory(
              from: invocation.input(1) + (outer * steps + step) * row, byteCount: row)
          }
        }
      }
    ]
  }
}
