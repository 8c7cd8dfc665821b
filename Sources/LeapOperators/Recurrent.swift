// Recurrent: RNN, GRU, LSTM.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Recurrent: OperatorFamily {
  package static var operators: [any Operator.Type] { [RecurrentOperator.self] }
}

/// RNN, GRU and LSTM, ONNX opsets 1 to 22.
///
/// Sequences behind their length give zeros; the last state of an empty one is the initial state.
package struct RecurrentOperator: Operator {
  package static var declarations: [OperatorDeclaration] {
    ["RNN", "GRU", "LSTM"].map { OperatorDeclaration($0) }
  }

  private enum Direction: String, CaseIterable {
    case forward, reverse, bidirectional

    var reversed: [Bool] {
      switch self {
      case .forward: [false]
      case .reverse: [true]
      case .bidirectional: [false, true]
      }
    }
  }

  private let settings: RecurrentSettings
  private let hiddenSize: Int?
  private let isLong: Bool

  package init(_ node: NodeReader) throws {
    isLong = node.operatorType == "LSTM"
    try node.requireInputs(3...(isLong ? 8 : 6))
    hiddenSize = try node.int("hidden_size")
    if let hiddenSize, hiddenSize < 1 || hiddenSize > Int(Int32.max) {
      throw OperatorError("attribute 'hidden_size' is \(hiddenSize); expected 1 or more")
    }
    let reversed = try node.choice("direction", default: Direction.forward).reversed
    let cell: RecurrentCell
    let defaults: [String]
    switch node.operatorType {
    case "LSTM":
      cell = .longShortTerm(couplesForget: try node.flag("input_forget", default: false))
      defaults = ["Sigmoid", "Tanh", "Tanh"]
    case "GRU":
      cell = .gated(linearBeforeReset: try node.flag("linear_before_reset", default: false))
      defaults = ["Sigmoid", "Tanh"]
    default:
      cell = .plain
      defaults = ["Tanh"]
    }
    let clip = try node.float("clip").map(Double.init)
    settings = RecurrentSettings(
      cell: cell, reversed: reversed,
      activations: try RecurrentOperator.activations(
        node, defaults: reversed.flatMap { _ in defaults }),
      clip: clip.flatMap { $0 > 0 && $0.isFinite ? $0 : nil },
      batchFirst: try node.flag("layout", default: false))
  }

  private static func activations(
    _ node: NodeReader, defaults: [String]
  ) throws -> [RecurrentActivation] {
    var names = try node.strings("activations") ?? []
    if names.isEmpty { names = defaults }
    // Some exporters give one direction's for both.
    if names.count * 2 == defaults.count { names += names }
    guard names.count == defaults.count else {
      throw OperatorError(
        "attribute 'activations' has \(names.count) names; expected \(defaults.count)")
    }
    var alphas = (try node.floats("activation_alpha") ?? [])[...]
    var betas = (try node.floats("activation_beta") ?? [])[...]
    return try names.map { try RecurrentActivation($0, alphas: &alphas, betas: &betas) }
  }

  package var packedInputs: [Int] { [1, 2] }

  private var directions: Dimension { .fixed(settings.reversed.count) }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: [.float32, .float64])
    for index in [1, 2, 3, 5, 6, 7] where context.hasInput(index) {
      _ = try context.dataType(index, among: [type])
    }
    if context.hasInput(4) { _ = try context.dataType(4, among: [.int32]) }
    let x = try context.shape(0, ranks: 3...3)
    let r = try context.shape(2, ranks: 3...3)
    let size = hiddenSize.map(Dimension.fixed) ?? r?[2] ?? .unknown
    let batchFirst = settings.batchFirst
    let steps = x?[batchFirst ? 1 : 0] ?? .unknown
    let batch = x?[batchFirst ? 0 : 1] ?? .unknown
    let rows = size * .fixed(settings.cell.gates)
    let state = batchFirst ? [batch, directions, size] : [directions, batch, size]
    let expected: [(Int, [Dimension])] = [
      (1, [directions, rows, x?[2] ?? .unknown]), (2, [directions, rows, size]),
      (3, [directions, rows * 2]), (4, [batch]), (5, state), (6, state),
      (7, [directions, size * 3]),
    ]
    for (index, wanted) in expected { try check(context, index, wanted) }
    context.setOutput(
      0, type,
      batchFirst ? [batch, steps, directions, size] : [steps, directions, batch, size])
    context.setOutput(1, type, state)
    if isLong { context.setOutput(2, type, state) }
  }

  private func check(_ context: InferenceContext, _ index: Int, _ wanted: [Dimension]) throws {
    guard context.hasInput(index), let shape = context.shape(index) else { return }
    guard shape.count == wanted.count,
      zip(shape, wanted).allSatisfy({ ($0.value ?? $1.value) == ($1.value ?? $0.value) })
    else {
      throw OperatorError(
        "input \(index) has shape \(describe(shape)); expected \(describe(wanted))")
    }
  }

  /// The products of each step's input and state with the weights.
  package func multiplyAdds(inputs: [Shape?], outputs: [Shape?]) -> Int? {
    guard let x = inputs[0], let w = inputs[1], let r = inputs[2], x.rank == 3, w.rank == 3,
      r.rank == 3
    else { return nil }
    let depth = saturatingSum(w[2], r[2])
    return Shape.product([x[0], x[1], w[0], w[1], depth])
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let settings = settings
    let adds =
      multiplyAdds(
        inputs: request.inputs.map { $0?.shape }, outputs: request.outputs.map { $0?.shape }) ?? 0
    var candidate = try rowMajorCandidate(
      .recurrent, request,
      cost: Cost(
        operations: 2 * Double(adds), bytes: request.variableBytes, operationsPerNanosecond: 16)
    ) { try RecurrentKernel(settings, $0).kernel() }
    candidate.packing = RecurrentKernel.packing(settings, request)
    return [candidate]
  }
}
