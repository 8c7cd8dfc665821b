// RecurrentKernel: RNN, GRU and LSTM: the products of all inputs first, then one step of time after another.
//
// 1. A sequence's results depend on it alone: not on the batch, its place in it, or the workers.
// 2. Weights are packed once where they are constants, and otherwise at the start of a run.

import CLeapKernels
import LeapTensors

package enum RecurrentCell: Sendable {
  case plain
  case gated(linearBeforeReset: Bool)
  case longShortTerm(couplesForget: Bool)

  /// Gates, which are rows of the weights.
  package var gates: Int {
    switch self {
    case .plain: 1
    case .gated: 3
    case .longShortTerm: 4
    }
  }

  /// Activations of one direction.
  package var activations: Int {
    switch self {
    case .plain: 1
    case .gated: 2
    case .longShortTerm: 3
    }
  }
}

/// What is known of a recurrent node besides its operands.
package struct RecurrentSettings: Sendable {
  package var cell: RecurrentCell
  /// Whether each direction runs from the end of a sequence to its start.
  package var reversed: [Bool]
  /// Of all directions, one after the other.
  package var activations: [RecurrentActivation]
  package var clip: Double?
  /// Whether the batch comes first, before the time.
  package var batchFirst: Bool

  package init(
    cell: RecurrentCell, reversed: [Bool], activations: [RecurrentActivation], clip: Double?,
    batchFirst: Bool
  ) {
    self.cell = cell
    self.reversed = reversed
    self.activations = activations
    self.clip = clip
    self.batchFirst = batchFirst
  }
}

/// Inputs: X, W, R, then B, lengths, initial state, and for an LSTM the initial cell and peepholes. Outputs: Y, the last state,
/// and an LSTM's last cell.
package struct RecurrentKernel: Sendable {
  let settings: RecurrentSettings
  let steps: Int
  let batch: Int
  let inputSize: Int
  let size: Int
  let width: Int
  let math: VectorMath
  let inputColumns: PackedColumns
  let stateColumns: PackedColumns
  private let packed: (input: Bool, state: Bool)
  /// How many outputs the node has, those that nobody reads included.
  private let outputCount: Int

  var gates: Int { settings.cell.gates }
  var directions: Int { settings.reversed.count }

  /// - Throws: `OperatorError` for an element type without a kernel, and for sizes that no memory has.
  package init(_ settings: RecurrentSettings, _ request: KernelRequest) throws {
    self.settings = settings
    let (x, w, r) = (
      try request.requiredInput(0), try request.requiredInput(1), try request.requiredInput(2)
    )
    for extent in x.shape.dimensions + w.shape.dimensions + r.shape.dimensions
    where extent > Int(Int32.max) {
      throw OperatorError("an extent of \(extent) exceeds the limit of \(Int32.max)")
    }
    steps = x.shape[settings.batchFirst ? 1 : 0]
    batch = x.shape[settings.batchFirst ? 0 : 1]
    inputSize = x.shape[2]
    size = r.shape[2]
    width = x.dataType.byteWidth
    math = VectorMath(x.dataType)
    (inputColumns, stateColumns) = try RecurrentKernel.columns(
      settings, w, r, request.instructionSet)
    outputCount = request.outputs.count
    packed = (request.constantInputs.contains(1), request.constantInputs.contains(2))
    guard
      Shape.product([directions, steps, batch, gates, max(size, 1), width]) < 1 << 48,
      Shape.product([gates + 6, max(size, 1), width, 64]) < 1 << 48
    else { throw OperatorError("\(steps) steps of \(batch) x \(size) are too large") }
  }

  /// The layouts of packed weights: what a GRU multiplies after the reset is a group of its own.
  private static func columns(
    _ settings: RecurrentSettings, _ w: Operand, _ r: Operand, _ instructionSet: InstructionSet
  ) throws -> (input: PackedColumns, state: PackedColumns) {
    let size = r.shape[2]
    let gates = settings.cell.gates
    var groups = [gates * size]
    if case .gated = settings.cell { groups = [2 * size, size] }
    return (
      try PackedColumns(
        w.dataType, count: settings.reversed.count, depth: w.shape[2], groups: [gates * size],
        instructionSet: instructionSet),
      try PackedColumns(
        r.dataType, count: settings.reversed.count, depth: size, groups: groups,
        instructionSet: instructionSet)
    )
  }

  /// The recipes of constant weights, by input.
  package static func packing(
    _ settings: RecurrentSettings, _ request: KernelRequest
  ) -> [Int: @Sendable (KernelRequest) throws -> PackingRecipe] {
    var recipes: [Int: @Sendable (KernelRequest) throws -> PackingRecipe] = [:]
    for input in 1...2 where request.constantInputs.contains(input) {
      recipes[input] = { settled in
        let (w, r) = (try settled.requiredInput(1), try settled.requiredInput(2))
        let columns = try columns(settings, w, r, settled.instructionSet)
        return input == 1 ? columns.input.recipe : columns.state.recipe
      }
    }
    return recipes
  }

  // MARK: phases

  /// Parts of the scratch that workers share, in bytes.
  private var sharedInput: Int { 0 }
  private var sharedState: Int { aligned(packed.input ? 0 : inputColumns.byteCount) }
  private var sharedProducts: Int {
    sharedState + aligned(packed.state ? 0 : stateColumns.byteCount)
  }
  private var productBytes: Int { directions * steps * batch * gates * size * width }
  private func aligned(_ bytes: Int) -> Int { (bytes + 63) / 64 * 64 }

  /// Sequences that a block computes together.
  private var chunk: Int { max(1, min(batch, stateColumns.kernel.rows)) }
  /// Rows of the input that a block multiplies.
  private static let inputChunk = 48

  package func kernel() -> Kernel {
    let weights = Phase(blockCount: directions) { invocation, direction in
      pack(invocation, direction)
    }
    let rows = steps * batch
    let inputBlocks =
      rows == 0 || size == 0 ? 0 : (rows - 1) / RecurrentKernel.inputChunk + 1
    let products = Phase(blockCount: inputBlocks * directions) { invocation, block in
      let (direction, part) = block.quotientAndRemainder(dividingBy: inputBlocks)
      let first = part * RecurrentKernel.inputChunk
      let count = min(RecurrentKernel.inputChunk, rows - first)
      let row = gates * size
      inputColumns.multiply(
        invocation.input(0) + first * inputSize * width, count: count,
        packed: inputWeights(invocation) + inputColumns.offset(direction, group: 0), group: 0,
        result: invocation.sharedScratch + sharedProducts + (direction * rows + first) * row
          * width,
        strides: (inputSize, row), tile: invocation.scratch)
    }
    let chunks = batch == 0 ? 0 : (batch - 1) / chunk + 1
    let run = Phase(blockCount: size == 0 ? 0 : chunks * directions) { invocation, block in
      let (direction, part) = block.quotientAndRemainder(dividingBy: chunks)
      try RecurrentRun(self, invocation, direction, first: part * chunk, chunk: chunk).run(
        count: min(chunk, batch - part * chunk))
    }
    let tile = aligned(max(inputColumns.tileBytes, stateColumns.tileBytes))
    return Kernel(
      phases: packed.input && packed.state ? [products, run] : [weights, products, run],
      scratchPerWorker: tile + RecurrentRun.scratchBytes(self, chunk),
      sharedScratch: sharedProducts + productBytes)
  }

  private func pack(_ invocation: Invocation, _ direction: Int) {
    let bytes = gates * size * width
    if !packed.input {
      inputColumns.pack(
        direction, from: invocation.input(1) + direction * bytes * inputSize,
        into: invocation.sharedScratch + sharedInput)
    }
    if !packed.state {
      stateColumns.pack(
        direction, from: invocation.input(2) + direction * bytes * size,
        into: invocation.sharedScratch + sharedState)
    }
  }

  private func inputWeights(_ invocation: Invocation) -> UnsafeRawPointer {
    packed.input ? invocation.input(1) : UnsafeRawPointer(invocation.sharedScratch + sharedInput)
  }

  func stateWeights(_ invocation: Invocation) -> UnsafeRawPointer {
    packed.state ? invocation.input(2) : UnsafeRawPointer(invocation.sharedScratch + sharedState)
  }

  /// An output, where the node has it and somebody reads it.
  func output(_ invocation: Invocation, _ index: Int) -> UnsafeMutableRawPointer? {
    index < outputCount ? invocation.optionalOutput(index) : nil
  }

  /// The products of an input, for one sequence and step.
  func products(
    _ invocation: Invocation, _ direction: Int, sequence: Int, step: Int
  ) -> UnsafeRawPointer {
    let row = settings.batchFirst ? sequence * steps + step : step * batch + sequence
    let place = (direction * steps * batch + row) * gates * size * width
    return UnsafeRawPointer(invocation.sharedScratch + sharedProducts + place)
  }

  /// Where a state goes: [directions][batch][size], or [batch][directions][size].
  func statePlace(_ direction: Int, sequence: Int) -> Int {
    let row =
      settings.batchFirst ? sequence * directions + direction : direction * batch + sequence
    return row * size * width
  }

  /// Where a step's state goes in Y.
  func stepPlace(_ direction: Int, sequence: Int, step: Int) -> Int {
    let row =
      settings.batchFirst
      ? (sequence * steps + step) * directions + direction
      : (step * directions + direction) * batch + sequence
    return row * size * width
  }

  var tileOffset: Int { aligned(max(inputColumns.tileBytes, stateColumns.tileBytes)) }
}
