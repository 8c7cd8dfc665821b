// Kernel: the contract between maths on buffers, the planner that chooses among candidates, and the executor
// that hands out blocks.
//
// 1. Nothing is allocated while a kernel runs: shapes, strides and constants are bound when it is planned;
//    what comes at run time are pointers.
// 2. The number of blocks and what each computes depend on operands alone, never on the number of workers:
//    that is what makes results the same to the bit for any width.
// 3. Kernels never start threads.

import LeapTensors

/// What a kernel is handed when it runs.
///
/// Pointers are to the first element of each operand; an input that is left out is nil. An input that was
/// packed (see `PackingRecipe`) is the packed copy.
package struct Invocation: @unchecked Sendable {
  package let operands: UnsafePointer<UnsafeMutableRawPointer?>
  package let inputCount: Int
  /// This worker's own scratch, aligned to 64 bytes, `Kernel.scratchPerWorker` long. Holds nothing between blocks.
  package let scratch: UnsafeMutableRawPointer
  /// Scratch that all workers see, `Kernel.sharedScratch` long. Lives from the first phase to the last.
  package let sharedScratch: UnsafeMutableRawPointer

  package init(
    operands: UnsafePointer<UnsafeMutableRawPointer?>, inputCount: Int,
    scratch: UnsafeMutableRawPointer, sharedScratch: UnsafeMutableRawPointer
  ) {
    self.operands = operands
    self.inputCount = inputCount
    self.scratch = scratch
    self.sharedScratch = sharedScratch
  }

  /// The first element of an input that is there.
  package func input(_ index: Int) -> UnsafeRawPointer { UnsafeRawPointer(operands[index]!) }

  /// The first element of an input, nil where it is left out.
  package func optionalInput(_ index: Int) -> UnsafeRawPointer? {
    index < inputCount ? operands[index].map { UnsafeRawPointer($0) } : nil
  }

  /// The first element of an output.
  package func output(_ index: Int) -> UnsafeMutableRawPointer { operands[inputCount + index]! }

  /// The first element of an output, nil where nobody reads it.
  package func optionalOutput(_ index: Int) -> UnsafeMutableRawPointer? {
    operands[inputCount + index]
  }
}

/// A part of a kernel's work: blocks that may run in any order on any worker. All blocks of a phase are done before
/// the next phase begins.
package struct Phase: Sendable {
  package let blockCount: Int
  /// Computes one block. Throws `OperatorError` for values that the operator cannot take, an index out of bounds say.
  package let body: @Sendable (Invocation, _ block: Int) throws -> Void

  package init(
    blockCount: Int, body: @escaping @Sendable (Invocation, _ block: Int) throws -> Void
  ) {
    self.blockCount = blockCount
    self.body = body
  }
}

/// A kernel bound to its operands: ready to run, any number of times, on many threads at once.
package struct Kernel: Sendable {
  package var phases: [Phase]
  /// Bytes of scratch that each worker needs.
  package var scratchPerWorker: Int
  /// Bytes of scratch that the workers share.
  package var sharedScratch: Int
  /// A bound on the bytes that BLAS packs for each worker, in memory of its own: see `BLASProduct.workspace`.
  package var blasPerWorker = 0

  package init(phases: [Phase], scratchPerWorker: Int = 0, sharedScratch: Int = 0) {
    self.phases = phases
    self.scratchPerWorker = scratchPerWorker
    self.sharedScratch = sharedScratch
  }

  /// A kernel of one phase.
  package init(
    blocks: Int, scratchPerWorker: Int = 0, blasPerWorker: Int = 0,
    body: @escaping @Sendable (Invocation, _ block: Int) throws -> Void
  ) {
    self.init(
      phases: [Phase(blockCount: blocks, body: body)], scratchPerWorker: scratchPerWorker)
    self.blasPerWorker = blasPerWorker
  }
}

/// How much work a kernel is, for choosing between candidates and for deciding whether helpers are worth waking.
package struct Cost: Sendable, Hashable {
  /// Floating-point operations at this kernel's speed: multiply-adds count two.
  package var operations: Double
  /// Bytes read and written.
  package var bytes: Double
  /// Bytes of packed weights, which come from memory with every run; those of a batch count once for each image, so that its
  /// size decides nothing.
  package var weightBytes: Double
  /// Operations a nanosecond that one core reaches with this kernel.
  package var operationsPerNanosecond: Double

  package init(
    operations: Double, bytes: Double, weightBytes: Double = 0, operationsPerNanosecond: Double = 4
  ) {
    self.operations = operations
    self.bytes = bytes
    self.weightBytes = weightBytes
    self.operationsPerNanosecond = operationsPerNanosecond
  }

  /// The estimated time on one core: the larger of computing and moving operands at 12 bytes a nanosecond; and reading weights
  /// at 14, of which about two thirds is hidden behind the rest, or hides it.
  package var nanoseconds: Double {
    let work = max(operations / operationsPerNanosecond, bytes / 12)
    let reading = weightBytes / 14
    return max(work, reading) + 0.35 * min(work, reading)
  }
}

/// What layouts a kernel takes for one operand.
package enum LayoutRequirement: Sendable, Hashable {
  /// Row-major without gaps.
  case contiguous
  /// Any plain strides.
  case plain
  /// Plain, with the dimensions from `axis` on row-major without gaps; those before may have any stride.
  case innerContiguous(from: Int)
  /// Blocked channels of this width, with any channel map.
  case blocked(width: Int)
  /// Channels blocked just so.
  case blockedAs(ChannelBlocks)
  /// Not read at run time: its value was bound when the kernel was planned.
  case planned

  /// Whether an operand satisfies it.
  package func admits(_ operand: Operand) -> Bool {
    switch self {
    case .planned: return true
    case .contiguous: return LayoutRequirement.innerContiguous(from: 0).admits(operand)
    case .plain: return operand.strides != nil
    case .blocked(let width): return operand.blocks?.width == width
    case .blockedAs(let blocks): return operand.blocks == blocks
    case .innerContiguous(let axis):
      guard let strides = operand.strides else { return false }
      let rowMajor = operand.shape.rowMajorStrides
      return (min(axis, strides.count)..<strides.count).allSatisfy {
        strides[$0] == rowMajor[$0] || operand.shape[$0] == 1
      }
    }
  }
}

/// What candidates weigh against each other: speed, and memory for packed weights and scratch.
package enum MemoryPolicy: String, Sendable, Hashable, CaseIterable {
  case fast, balanced, lean
}

/// What a kernel is asked to compute: the operands of one step, and what is known of their values.
package struct KernelRequest: Sendable {
  /// nil where an optional input is left out. Inputs that an epilogue added come last.
  package var inputs: [Operand?]
  /// nil where nobody reads an optional output.
  package var outputs: [Operand?]
  /// The layouts in which the inputs are there while candidates are chosen; `inputs` are contiguous then, and have the
  /// settled layouts when a candidate is bound.
  package var available: [Layout?]
  /// The values of inputs that are known when planning, by index: those that decide shapes always are. Large
  /// weights are not here: see `constantInputs`.
  package var values: [Int: Tensor]
  /// The inputs that are constants, which a kernel may have packed.
  package var constantInputs: Set<Int>
  package var epilogue: [EpilogueStage]
  package var prologue: Prologue?
  /// The instruction set whose kernels are to be used; one that has none of a kind gives the portable one.
  package var instructionSet: InstructionSet
  package var memoryPolicy: MemoryPolicy

  package init(
    inputs: [Operand?], outputs: [Operand?], values: [Int: Tensor] = [:],
    constantInputs: Set<Int> = [], epilogue: [EpilogueStage] = [],
    instructionSet: InstructionSet = .preferred, memoryPolicy: MemoryPolicy = .balanced
  ) {
    self.inputs = inputs
    self.outputs = outputs
    self.available = inputs.map { $0?.layout }
    self.values = values
    self.constantInputs = constantInputs
    self.epilogue = epilogue
    self.instructionSet = instructionSet
    self.memoryPolicy = memoryPolicy
  }

  /// Bytes of inputs and outputs, constants left out: what grows with the batch. Costs that candidates are compared by are
  /// made of such figures, so that the choice does not depend on the batch.
  package var variableBytes: Double {
    let read = inputs.enumerated().reduce(0.0) { sum, input in
      constantInputs.contains(input.offset) ? sum : sum + Double(input.element?.byteCount ?? 0)
    }
    return outputs.reduce(read) { $0 + Double($1?.byteCount ?? 0) }
  }

  /// An output that the operator cannot do without.
  package func requiredOutput(_ index: Int) throws -> Operand {
    guard index < outputs.count, let operand = outputs[index] else {
      throw OperatorError("output \(index) is required")
    }
    return operand
  }

  /// An input that the operator cannot do without.
  package func requiredInput(_ index: Int) throws -> Operand {
    guard index < inputs.count, let operand = inputs[index] else {
      throw OperatorError("input \(index) is required")
    }
    return operand
  }
}

/// One way to compute a step.
package struct KernelCandidate: Sendable {
  package var name: Algorithm
  /// Layouts it takes, one for each input of the request.
  package var inputs: [LayoutRequirement]
  /// Layouts it makes, one for each output of the request.
  package var outputs: [LayoutRequirement]
  /// The layouts of blocked outputs, once those of the inputs are settled; nil for channels one behind the other.
  package var outputBlocks: (@Sendable (KernelRequest) -> [ChannelBlocks?])?
  /// Outputs that may lie exactly where an input lies, where that input is read by nobody else later.
  package var inPlace: [InPlacePair]
  /// Which epilogue stages it can take; those of the request are among them.
  package var epilogue: EpilogueCapabilities
  /// Constant inputs it wants packed, by index. The recipe is made once the layouts are settled: it may
  /// depend on the channel map of another operand. Takes what `bind` takes.
  package var packing: [Int: @Sendable (KernelRequest) throws -> PackingRecipe]
  package var cost: Cost
  /// Makes the kernel once the layouts are settled. The request has the same types, shapes, values and
  /// epilogue as the one the candidate was made from; layouts satisfy `inputs` and `outputs`.
  package var bind: @Sendable (KernelRequest) throws -> Kernel

  package init(
    name: Algorithm, inputs: [LayoutRequirement], outputs: [LayoutRequirement],
    outputBlocks: (@Sendable (KernelRequest) -> [ChannelBlocks?])? = nil,
    inPlace: [InPlacePair] = [], epilogue: EpilogueCapabilities = [],
    packing: [Int: @Sendable (KernelRequest) throws -> PackingRecipe] = [:], cost: Cost,
    bind: @escaping @Sendable (KernelRequest) throws -> Kernel
  ) {
    self.name = name
    self.inputs = inputs
    self.outputs = outputs
    self.outputBlocks = outputBlocks
    self.inPlace = inPlace
    self.epilogue = epilogue
    self.packing = packing
    self.cost = cost
    self.bind = bind
  }
}

/// An output that may overwrite an input.
package struct InPlacePair: Sendable, Hashable {
  package var input: Int
  package var output: Int
  package init(input: Int, output: Int) {
    self.input = input
    self.output = output
  }
}
