// AttentionKernel: scaled dot-product attention: products of queries and keys, a softmax over each row, products with values.
//
// 1. A query's result depends on it and its keys alone: not on the batch, or the workers.
// 2. Keys and values are read where they lie, unless older ones stand in another tensor.

import CLeapKernels
import LeapTensors

/// The attributes of ONNX's Attention.
package struct AttentionSettings: Sendable {
  /// What output 3 holds.
  package enum Scores: Int, Sendable, CaseIterable { case raw, capped, biased, probabilities }

  package var queryHeads: Int?
  package var keyHeads: Int?
  package var scale: Double?
  package var softcap: Double
  package var isCausal: Bool
  package var scores: Scores
  /// How far a query sees to the left and to the right; nil for all the way.
  package var leftWindow: Int?
  package var rightWindow: Int?

  package init(
    queryHeads: Int?, keyHeads: Int?, scale: Double?, softcap: Double, isCausal: Bool,
    scores: Scores, leftWindow: Int?, rightWindow: Int?
  ) {
    self.queryHeads = queryHeads
    self.keyHeads = keyHeads
    self.scale = scale
    self.softcap = softcap
    self.isCausal = isCausal
    self.scores = scores
    self.leftWindow = leftWindow
    self.rightWindow = rightWindow
  }
}

/// The extents of an attention, and how its operands lie.
struct AttentionShape: Sendable {
  let batch: Int
  let queryHeads: Int
  let keyHeads: Int
  let queries: Int
  /// Keys of this step, of older ones, and all.
  let keys: Int
  let past: Int
  let headSize: Int
  let valueSize: Int
  /// Whether heads lie side by side in a row: [batch, length, heads · size].
  let isFlat: Bool

  var total: Int { keys + past }
  var group: Int { queryHeads / keyHeads }

  /// Inputs: Q, K, V, mask, older keys and values, numbers of keys.
  ///
  /// - Throws: `OperatorError` where heads do not go together, or sizes are too large.
  init(_ settings: AttentionSettings, _ request: KernelRequest) throws {
    let (q, k, v) = (
      try request.requiredInput(0).shape, try request.requiredInput(1).shape,
      try request.requiredInput(2).shape
    )
    isFlat = q.rank == 3
    batch = q[0]
    if isFlat {
      queryHeads = settings.queryHeads ?? 1
      keyHeads = settings.keyHeads ?? 1
      (queries, keys) = (q[1], k[1])
      (headSize, valueSize) = (q[2] / queryHeads, v[2] / keyHeads)
    } else {
      (queryHeads, keyHeads) = (q[1], k[1])
      (queries, keys) = (q[2], k[2])
      (headSize, valueSize) = (q[3], v[3])
    }
    past = request.inputs.count > 4 ? request.inputs[4]?.shape[2] ?? 0 : 0
    guard keyHeads > 0, queryHeads % keyHeads == 0 else {
      throw OperatorError(
        "\(queryHeads) heads of queries for \(keyHeads) of keys; expected a multiple")
    }
    guard Shape.product([batch, queryHeads, queries, max(keys + past, 1)]) < 1 << 40 else {
      throw OperatorError("\(queries) queries of \(keys + past) keys are too many")
    }
  }

  /// From one batch, key head and query head of a group to the next, and from row to row, of queries (and results).
  func queryStrides(_ size: Int) -> (batch: [Int], row: Int) {
    isFlat
      ? ([queries * queryHeads * size, group * size, size], queryHeads * size)
      : ([queryHeads * queries * size, group * queries * size, queries * size], size)
  }

  /// The same of keys or values of `length`, which all queries of a group share.
  func keyStrides(_ size: Int, length: Int, isFlat: Bool) -> (batch: [Int], row: Int) {
    isFlat
      ? ([length * keyHeads * size, size, 0], keyHeads * size)
      : ([keyHeads * length * size, length * size, 0], size)
  }
}

package struct AttentionKernel: Sendable {
  private let settings: AttentionSettings
  private let shape: AttentionShape
  private let type: DataType
  private let request: KernelRequest
  private var shared = 0
  private var scratch = 0
  private var phases: [Phase] = []

  /// The kernel: inputs Q, K, V, and perhaps a mask (bool or of Q's type), older keys and values, and the number of keys of each
  /// image, int64; outputs Y, all keys, all values, and scores.
  ///
  /// - Throws: `OperatorError` for a type other than float32 and float64, and operands that do not go together.
  package static func kernel(
    _ settings: AttentionSettings, _ request: KernelRequest
  ) throws -> Kernel {
    var builder = try AttentionKernel(settings, request)
    try builder.build()
    return Kernel(
      phases: builder.phases, scratchPerWorker: builder.scratch, sharedScratch: builder.shared)
  }

  private init(_ settings: AttentionSettings, _ request: KernelRequest) throws {
    self.settings = settings
    self.request = request
    shape = try AttentionShape(settings, request)
    type = try request.requiredInput(0).dataType
  }

  private mutating func allocate(_ extents: [Int]) throws -> OperandPlace {
    let offset = shared
    let bytes = Shape.product((extents + [type.byteWidth])[...])
    guard bytes < 1 << 48 else {
      throw OperatorError("scores or values of \(Shape(extents)) are too large")
    }
    shared += (bytes + 63) / 64 * 64
    return .shared(offset)
  }

  private func hasOutput(_ index: Int) -> Bool {
    index < request.outputs.count && request.outputs[index] != nil
  }

  private mutating func build() throws {
    let (keys, keysAreFlat) = try gather(1, size: shape.headSize, past: 4, output: 1)
    let (values, valuesAreFlat) = try gather(2, size: shape.valueSize, past: 5, output: 2)
    let all = [shape.batch, shape.keyHeads, shape.group]
    let scores = try allocate(all + [shape.queries, shape.total])
    let query = shape.queryStrides(shape.headSize)
    let key = shape.keyStrides(shape.headSize, length: shape.total, isFlat: keysAreFlat)
    try multiply(
      columns: shape.total, depth: shape.headSize, left: query, right: key,
      rightStrides: (1, key.row), from: [.input(0), keys], to: scores,
      factor: settings.scale ?? 1 / Double(shape.headSize).squareRoot())
    phases.append(try AttentionRows(settings, shape, request).phase(scores))
    guard hasOutput(0) else { return }
    let result = shape.isFlat ? try allocate(all + [shape.queries, shape.valueSize]) : .output(0)
    let value = shape.keyStrides(shape.valueSize, length: shape.total, isFlat: valuesAreFlat)
    let matrix = shape.queries * shape.total
    try multiply(
      columns: shape.valueSize, depth: shape.total,
      left: ([shape.queryHeads * matrix, shape.group * matrix, matrix], shape.total),
      right: value, rightStrides: (value.row, 1), from: [scores, values], to: result, factor: 1)
    if shape.isFlat { phases.append(interleave(result)) }
  }

  /// The keys (or values) of all steps, and whether their heads lie side by side.
  private mutating func gather(
    _ input: Int, size: Int, past: Int, output: Int
  ) throws -> (place: OperandPlace, isFlat: Bool) {
    let hasPast = past < request.inputs.count && request.inputs[past] != nil
    guard hasPast || hasOutput(output) else { return (.input(input), shape.isFlat) }
    let target: OperandPlace =
      hasOutput(output)
      ? .output(output) : try allocate([shape.batch, shape.keyHeads, shape.total, size])
    let shape = shape
    let row = size * type.byteWidth
    let new = shape.keyStrides(size, length: shape.keys, isFlat: shape.isFlat)
    let width = type.byteWidth
    phases.append(
      Phase(blockCount: shape.batch * shape.keyHeads) { invocation, block in
        let (image, head) = block.quotientAndRemainder(dividingBy: shape.keyHeads)
        var to = target.address(invocation) + block * shape.total * row
        if hasPast, shape.past > 0 {
          let bytes = shape.past * row
          to.copyMemory(from: invocation.input(past) + block * bytes, byteCount: bytes)
          to += bytes
        }
        let from = invocation.input(input) + (image * new.batch[0] + head * new.batch[1]) * width
        for step in 0..<shape.keys {
          (to + step * row).copyMemory(from: from + step * new.row * width, byteCount: row)
        }
      })
    return (target, false)
  }

  private mutating func multiply(
    columns: Int, depth: Int, left: (batch: [Int], row: Int), right: (batch: [Int], row: Int),
    rightStrides: (row: Int, column: Int), from: [OperandPlace], to: OperandPlace, factor: Double
  ) throws {
    var product = MatrixProduct(
      type, rows: shape.queries, columns: columns, depth: depth, aStrides: (left.row, 1),
      bStrides: rightStrides, outputRowStride: columns)
    product.batch = [shape.batch, shape.keyHeads, shape.group]
    product.aBatchStrides = left.batch
    product.bBatchStrides = right.batch
    let operand = Operand(type, [shape.batch, shape.queryHeads, shape.queries, columns])
    var epilogue = try EpilogueProgram(
      KernelRequest(inputs: [operand, operand], outputs: [operand]), dataType: type,
      channels: columns, axis: .columns)
    if factor != 1 { epilogue.prepend(factor: factor) }
    let kernel = try product.kernel(epilogue, instructionSet: request.instructionSet)
    scratch = max(scratch, kernel.scratchPerWorker)
    phases += kernel.remapped(inputs: from, outputs: [to])
  }

  /// From [batch, heads, queries, size] to [batch, queries, heads, size].
  private func interleave(_ place: OperandPlace) -> Phase {
    let shape = shape
    let row = shape.valueSize * type.byteWidth
    return Phase(blockCount: shape.batch * shape.queryHeads) { invocation, block in
      let (image, head) = block.quotientAndRemainder(dividingBy: shape.queryHeads)
      let from = place.address(invocation) + block * shape.queries * row
      let to = invocation.output(0) + (image * shape.queries * shape.queryHeads + head) * row
      for query in 0..<shape.queries {
        (to + query * shape.queryHeads * row).copyMemory(
          from: from + query * row, byteCount: row)
      }
    }
  }
}
