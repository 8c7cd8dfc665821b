// AttentionBias: the masks of ONNX Runtime's attention, as numbers that ONNX's own attention adds to its scores.

import LeapGraph
import LeapKernels
import LeapTensors

/// AttentionBias, an operator of Leapstone's own: what `mask_index` of com.microsoft's Attention and `key_padding_mask` of its MultiHeadAttention say.
///
/// Inputs: the mask, int32 or int64; keys of this step [batch, keys, ·] or [batch, heads, keys, ·]; older keys
/// [batch, heads, past, ·], where there are any. The mask is [batch, past + keys] or [batch, queries, past + keys], above 0 for keys
/// that count; or [batch], the place after the last key that counts, or [2 · batch], these and then the places of the first.
///
/// Output: [batch, 1, 1 or queries, past + keys] in the type of the keys, 0 for keys that count and `mask_filter_value` for others.
package struct AttentionBias: Operator {
  package static let name = "AttentionBias"
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration(name, domain: OperatorTable.ownDomain)]
  }
  private let filter: Float

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...3)
    filter = try node.float("mask_filter_value", default: -10_000)
  }

  private struct Extents {
    var batch: Dimension
    var rows: Dimension
    var keys: Dimension
    var form: AttentionBiasKernel.Form
  }

  /// - Throws: `OperatorError` where the mask does not go with the keys.
  private func extents(
    mask: [Dimension], keys: [Dimension], past: [Dimension]?
  ) throws -> Extents {
    let batch = keys[0]
    let total = keys[keys.count - 2] + (past.map { $0[$0.count - 2] } ?? .fixed(0))
    func require(_ wanted: [Dimension]) throws {
      guard zip(mask, wanted).allSatisfy({ ($0.value ?? $1.value) == ($1.value ?? $0.value) })
      else {
        throw OperatorError(
          "the mask has shape \(describe(mask)); expected \(describe(wanted))")
      }
    }
    switch mask.count {
    case 1:
      guard let count = mask[0].value, let images = batch.value else {
        return Extents(batch: batch, rows: .fixed(1), keys: total, form: .ends(hasStarts: false))
      }
      guard count == images || count == 2 * images else {
        throw OperatorError(
          "the mask has \(count) numbers for a batch of \(images); expected one or two for each")
      }
      return Extents(
        batch: batch, rows: .fixed(1), keys: total, form: .ends(hasStarts: count != images))
    case 2:
      try require([batch, total])
      return Extents(batch: batch, rows: .fixed(1), keys: total, form: .perKey)
    default:
      try require([batch, mask[1], total])
      return Extents(batch: batch, rows: mask[1], keys: total, form: .perKey)
    }
  }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(0, among: [.int32, .int64])
    let type = try context.dataType(1, among: [.float32, .float64])
    let mask = try context.shape(0, ranks: 1...3)
    let keys = try context.shape(1, ranks: 3...4)
    let past = context.hasInput(2) ? try context.shape(2, ranks: 4...4) : []
    guard let mask, let keys, let past else { return context.setOutput(0, type, nil) }
    let extents = try extents(mask: mask, keys: keys, past: past.isEmpty ? nil : past)
    context.setOutput(0, type, [extents.batch, .fixed(1), extents.rows, extents.keys])
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (mask, y) = (try request.requiredInput(0), try request.requiredOutput(0))
    let keys = try request.requiredInput(1)
    let past = request.inputs.count > 2 ? request.inputs[2] : nil
    let extents = try extents(
      mask: mask.shape.map(Dimension.fixed), keys: keys.shape.map(Dimension.fixed),
      past: past?.shape.map(Dimension.fixed))
    let kernel = AttentionBiasKernel(
      extents.form, filter: Double(filter), batch: y.shape[0], rows: y.shape[2], keys: y.shape[3])
    return [
      try rowMajorCandidate(
        .elementwise, request, cost: elementwiseCost(request, operations: 1)
      ) { _ in try kernel.kernel(mask: mask.dataType, result: y.dataType) }
    ]
  }
}
