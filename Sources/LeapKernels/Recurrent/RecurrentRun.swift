// RecurrentRun: a few sequences, one direction, from the first step to the last.

import CLeapKernels
import LeapTensors

struct RecurrentRun {
  private let kernel: RecurrentKernel
  private let invocation: Invocation
  private let direction: Int
  private let first: Int
  /// Scratch, all rows of the kernel's size: states, cells, one row of gates each, and one of what the state contributes.
  private let states: UnsafeMutableRawPointer
  private let cells: UnsafeMutableRawPointer
  private let products: UnsafeMutableRawPointer
  private let gates: UnsafeMutableRawPointer
  private let bias: UnsafeMutableRawPointer
  private let spare: UnsafeMutableRawPointer

  private var size: Int { kernel.size }
  private var bytes: Int { kernel.size * kernel.width }
  private var math: VectorMath { kernel.math }

  static func scratchBytes(_ kernel: RecurrentKernel, _ chunk: Int) -> Int {
    let row = kernel.size * kernel.width
    return row * (chunk * (3 + kernel.gates) + 2 * kernel.gates + 2)
  }

  init(
    _ kernel: RecurrentKernel, _ invocation: Invocation, _ direction: Int, first: Int, chunk: Int
  ) {
    self.kernel = kernel
    self.invocation = invocation
    self.direction = direction
    self.first = first
    let row = kernel.size * kernel.width
    states = invocation.scratch + kernel.tileOffset
    cells = states + chunk * row
    spare = cells + chunk * row
    products = spare + (chunk + 2) * row
    gates = products + chunk * kernel.gates * row
    bias = gates + kernel.gates * row
  }

  /// Runs `count` sequences from `first` on.
  ///
  /// - Throws: `OperatorError` where a sequence is longer than there are steps.
  func run(count: Int) throws {
    prepareBias()
    for index in 0..<count {
      start(states + index * bytes, input: 5, first + index)
      if case .longShortTerm = kernel.settings.cell {
        start(cells + index * bytes, input: 6, first + index)
      }
    }
    for index in 0..<count { _ = try length(first + index) }
    for time in 0..<kernel.steps {
      multiply(states, rows: count, group: 0, into: products, column: 0)
      if case .gated(false) = kernel.settings.cell {
        try forEachActive(time, count) { index, step in reset(index, step) }
        multiply(spare, rows: count, group: 1, into: products, column: 2 * size)
      } else if case .gated(true) = kernel.settings.cell {
        multiply(states, rows: count, group: 1, into: products, column: 2 * size)
      }
      try forEachActive(time, count) { index, step in advance(index, step) }
    }
    for index in 0..<count { finish(index) }
  }

  /// Calls `body` for each sequence that has a step left, with its place in time.
  private func forEachActive(
    _ time: Int, _ count: Int, _ body: (_ index: Int, _ step: Int) -> Void
  ) throws {
    for index in 0..<count {
      let length = try length(first + index)
      guard time < length else { continue }
      body(index, kernel.settings.reversed[direction] ? length - 1 - time : time)
    }
  }

  private func length(_ sequence: Int) throws -> Int {
    guard let lengths = invocation.optionalInput(4) else { return kernel.steps }
    let length = Int(lengths.load(fromByteOffset: 4 * sequence, as: Int32.self))
    guard length >= 0, length <= kernel.steps else {
      throw OperatorError(
        "sequence \(sequence) has length \(length); expected 0 to \(kernel.steps)")
    }
    return length
  }

  private func start(_ target: UnsafeMutableRawPointer, input: Int, _ sequence: Int) {
    if let given = invocation.optionalInput(input) {
      target.copyMemory(
        from: given + kernel.statePlace(direction, sequence: sequence), byteCount: bytes)
    } else {
      clear(target, bytes)
    }
  }

  private func clear(_ target: UnsafeMutableRawPointer, _ count: Int) {
    target.initializeMemory(as: UInt8.self, repeating: 0, count: count)
  }

  /// The biases of the input and of the state as one, but a GRU's last one of the state where that is scaled by the reset.
  private func prepareBias() {
    let row = kernel.gates * bytes
    guard let given = invocation.optionalInput(3) else { return clear(bias, row) }
    let own = given + direction * 2 * row
    math.combine(.add, own, own + row, into: bias, kernel.gates * size)
    if case .gated(true) = kernel.settings.cell {
      (bias + 2 * bytes).copyMemory(from: own + 2 * bytes, byteCount: bytes)
    }
  }

  private func multiply(
    _ rows: UnsafeMutableRawPointer, rows count: Int, group: Int,
    into result: UnsafeMutableRawPointer, column: Int
  ) {
    kernel.stateColumns.multiply(
      rows, count: count,
      packed: kernel.stateWeights(invocation) + kernel.stateColumns.offset(direction, group: group),
      group: group, result: result + column * kernel.width,
      strides: (size, kernel.gates * size), tile: invocation.scratch)
  }

  private func activate(_ index: Int, _ x: UnsafeMutableRawPointer) {
    let place = direction * kernel.settings.cell.activations + index
    kernel.settings.activations[place].apply(math, x, size)
  }

  private func clip(_ x: UnsafeMutableRawPointer, _ count: Int) {
    guard let clip = kernel.settings.clip else { return }
    math.apply(.clip, x, count, a: -clip, b: clip)
  }

  /// gates = input's products + state's products + bias for some gates from `gate` on.
  private func sum(_ index: Int, _ step: Int, from gate: Int, _ count: Int) {
    let place = gate * bytes
    let input = kernel.products(invocation, direction, sequence: first + index, step: step)
    let target = gates + place
    math.combine(
      .add, input + place, products + index * kernel.gates * bytes + place, into: target,
      count * size)
    math.combine(.add, target, bias + place, into: target, count * size)
  }

  private func store(_ index: Int, _ step: Int) {
    guard let y = kernel.output(invocation, 0) else { return }
    (y + kernel.stepPlace(direction, sequence: first + index, step: step)).copyMemory(
      from: states + index * bytes, byteCount: bytes)
  }

  private func finish(_ index: Int) {
    let place = kernel.statePlace(direction, sequence: first + index)
    kernel.output(invocation, 1)?.advanced(by: place)
      .copyMemory(from: states + index * bytes, byteCount: bytes)
    if case .longShortTerm = kernel.settings.cell {
      kernel.output(invocation, 2)?.advanced(by: place)
        .copyMemory(from: cells + index * bytes, byteCount: bytes)
    }
    // What is behind the end of a sequence is zero.
    guard let y = kernel.output(invocation, 0), let length = try? length(first + index) else {
      return
    }
    for step in length..<max(length, kernel.steps) {
      clear(y + kernel.stepPlace(direction, sequence: first + index, step: step), bytes)
    }
  }

  // MARK: cells

  private func advance(_ index: Int, _ step: Int) {
    switch kernel.settings.cell {
    case .plain:
      sum(index, step, from: 0, 1)
      clip(gates, size)
      activate(0, gates)
      (states + index * bytes).copyMemory(from: gates, byteCount: bytes)
    case .gated(let linear): advanceGated(index, step, linear)
    case .longShortTerm(let couples): advanceLong(index, step, couples)
    }
    store(index, step)
  }

  /// The reset state that a GRU multiplies with its last weights.
  private func reset(_ index: Int, _ step: Int) {
    sum(index, step, from: 1, 1)
    clip(gates + bytes, size)
    activate(0, gates + bytes)
    math.combine(
      .mul, gates + bytes, states + index * bytes, into: spare + index * bytes, size)
  }

  /// h = (1 - z) candidate + z h.
  private func advanceGated(_ index: Int, _ step: Int, _ linear: Bool) {
    let (update, resetGate, candidate) = (gates, gates + bytes, gates + 2 * bytes)
    sum(index, step, from: 0, 1)
    clip(update, size)
    activate(0, update)
    if linear {
      sum(index, step, from: 1, 1)
      clip(resetGate, size)
      activate(0, resetGate)
      let own = products + index * kernel.gates * bytes + 2 * bytes
      if let given = invocation.optionalInput(3) {
        let stateBias = given + (direction * 2 * kernel.gates + kernel.gates + 2) * bytes
        math.combine(.add, own, stateBias, into: own, size)
      }
      math.combine(.mul, own, resetGate, into: own, size)
    }
    sum(index, step, from: 2, 1)
    clip(candidate, size)
    activate(1, candidate)
    // candidate + z (h - candidate) would lose digits where z is 1.
    let state = states + index * bytes
    math.combine(.mul, update, state, into: state, size)
    math.combine(.mul, update, candidate, into: update, size)
    math.combine(.sub, candidate, update, into: candidate, size)
    math.combine(.add, candidate, state, into: state, size)
  }

  /// Gates in the order input, output, forget, candidate; peepholes input, output, forget.
  private func advanceLong(_ index: Int, _ step: Int, _ couples: Bool) {
    let (input, output, forget, candidate) = (
      gates, gates + bytes, gates + 2 * bytes, gates + 3 * bytes
    )
    let (state, cell) = (states + index * bytes, cells + index * bytes)
    let peepholes = invocation.optionalInput(7).map { $0 + direction * 3 * bytes }
    let rest = spare + kernelChunkBytes
    sum(index, step, from: 0, 4)
    func peep(_ gate: UnsafeMutableRawPointer, _ place: Int) {
      guard let peepholes else { return }
      math.combine(.mul, peepholes + place * bytes, cell, into: rest, size)
      math.combine(.add, gate, rest, into: gate, size)
    }
    peep(input, 0)
    peep(forget, 2)
    clip(input, size)
    activate(0, input)
    if couples {
      math.apply(.scale, forget.copied(from: input, bytes), size, a: -1)
      math.shift(forget, by: 1, size)
    } else {
      clip(forget, size)
      activate(0, forget)
    }
    clip(candidate, size)
    activate(1, candidate)
    math.combine(.mul, forget, cell, into: cell, size)
    math.combine(.mul, input, candidate, into: candidate, size)
    math.combine(.add, cell, candidate, into: cell, size)
    peep(output, 1)
    clip(output, size)
    activate(0, output)
    state.copyMemory(from: cell, byteCount: bytes)
    activate(2, state)
    math.combine(.mul, output, state, into: state, size)
  }

  /// Behind the rows of `spare` that a GRU uses for all sequences.
  private var kernelChunkBytes: Int { products - spare - 2 * bytes }
}

extension UnsafeMutableRawPointer {
  /// Itself, with a copy of `count` bytes.
  fileprivate func copied(from source: UnsafeMutableRawPointer, _ count: Int) -> Self {
    copyMemory(from: source, byteCount: count)
    return self
  }
}
