// KernelInstrument: looks at the steps of a plan as they are bound, and may wrap their kernels: to watch values, to disturb them,
// and to put faults in whose discovery a test waits for.
//
// 1. A plan without instruments does nothing for them, when it is made or when it runs.
// 2. What an instrument sees is the plan that would run without it: nothing is chosen differently because of it.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors
import Synchronization

/// A step as it is bound to its operands.
package struct BoundStep: Sendable {
  /// The node's place in the program's graph; nil for a copy or reorder that the planner added.
  package let node: Int?
  /// The node's name in the model; empty for a copy.
  package let name: String
  /// The names of all nodes of the model that it stands for.
  package let origins: [String]
  package let operatorType: String
  package let algorithm: String
  /// The names of all algorithms that could have computed the node, this one included.
  package let algorithms: [String]
  /// Whether its output is its input, or a part of it, in another place or layout.
  package let isCopy: Bool
  /// Operands with the layouts in which the kernel finds them. Constants are as they were before they were packed.
  package let inputs: [Operand?]
  package let outputs: [Operand?]
  /// The graph's values that the operands hold; nil where an operand is left out or is no value of the graph.
  package let inputValues: [String?]
  package let outputValues: [String?]
  /// What the plan was made for.
  package let options: PlanOptions
}

extension BoundStep {
  /// Products that are summed up for one element: of a convolution or matrix product those of its weights; otherwise elements read
  /// for each that is made.
  package var terms: Int {
    guard let output = outputs.first ?? nil, output.shape.elementCount > 0,
      let input = inputs.first ?? nil
    else { return 1 }
    if inputs.count > 1, let weights = inputs[1]?.shape, weights.rank > 1 {
      switch operatorType {
      case "Conv": return weights.elementCount / max(weights[0], 1)
      case "ConvTranspose": return weights.elementCount / max(weights[1], 1)
      case "Gemm", DequantizedMatMul.name:
        return weights.elementCount / max(output.shape[output.shape.rank - 1], 1)
      case "MatMul": return weights[weights.rank - 2]
      default: break
      }
    }
    return max(1, input.shape.elementCount / output.shape.elementCount)
  }
}

/// Something that is asked for each step of each plan. Two instruments are equal where they are the same object.
package final class KernelInstrument: Sendable, Hashable {
  private let wrap: @Sendable (BoundStep, Kernel) throws -> Kernel

  /// - Parameter wrap: gives the kernel that is to run in place of a step's. Throws `OperatorError`.
  package init(_ wrap: @escaping @Sendable (BoundStep, Kernel) throws -> Kernel) {
    self.wrap = wrap
  }

  func wrapped(_ kernel: Kernel, of step: BoundStep) throws -> Kernel { try wrap(step, kernel) }

  package static func == (a: KernelInstrument, b: KernelInstrument) -> Bool { a === b }

  package func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

extension Kernel {
  /// This kernel with a last phase that gets the tensors that it made, in row-major order, and may give others in their place.
  ///
  /// - Parameters:
  ///   - operands: the outputs to look at, each with its place among the step's operands, the inputs first.
  ///   - visit: called by one worker when all blocks are done; what it returns replaces the tensor.
  /// - Throws: `OperatorError` for operands that cannot be read.
  package func followed(
    by operands: [(place: Int, operand: Operand)],
    visit: @escaping @Sendable (_ place: Int, Tensor) throws -> Tensor?
  ) throws -> Kernel {
    let accesses = try operands.map { try OperandAccess($0.operand, place: $0.place) }
    var kernel = self
    kernel.phases.append(
      Phase(blockCount: 1) { invocation, _ in
        for access in accesses {
          guard let address = invocation.operands[access.place] else { continue }
          if let replaced = try visit(access.place, access.read(address)) {
            try access.write(replaced, to: address)
          }
        }
      })
    return kernel
  }
}

/// Reads and writes an operand in row-major order, whatever its layout.
package struct OperandAccess: Sendable {
  /// Its place among the operands of its step.
  package let place: Int
  private let operand: Operand
  private let reader: Kernel
  private let writer: Kernel

  /// - Throws: `OperatorError` for an operand of elements of less than a byte that has gaps.
  package init(_ operand: Operand, place: Int) throws {
    self.place = place
    self.operand = operand
    let plain = Operand(operand.dataType, operand.shape)
    // Elements of less than a byte lie without gaps, and move as bytes.
    if operand.dataType.bitWidth < 8 {
      let bytes = Operand(.uint8, [operand.byteCount])
      (reader, writer) = try (
        Reorder.kernel(from: bytes, to: bytes), Reorder.kernel(from: bytes, to: bytes)
      )
    } else {
      reader = try Reorder.kernel(from: operand, to: plain)
      writer = try Reorder.kernel(from: plain, to: operand)
    }
  }

  /// The elements that lie at an address.
  ///
  /// - Throws: `ModelError.outOfMemory`, `OperatorError`.
  package func read(_ address: UnsafeMutableRawPointer) throws -> Tensor {
    try Tensor(dataType: operand.dataType, shape: operand.shape) { bytes in
      guard let base = bytes.baseAddress, !bytes.isEmpty else { return }
      try OperandAccess.run(reader, from: address, to: base)
    }
  }

  /// Puts the elements of a tensor of the operand's type and shape at an address.
  package func write(_ tensor: Tensor, to address: UnsafeMutableRawPointer) throws {
    guard tensor.dataType == operand.dataType, tensor.shape == operand.shape,
      let source = tensor.address
    else { throw OperatorError("\(tensor) cannot stand for \(operand.dataType) \(operand.shape)") }
    if operand.shape.elementCount == 0 { return }
    try OperandAccess.run(writer, from: source, to: address)
    withExtendedLifetime(tensor) {}
  }

  private static func run(
    _ kernel: Kernel, from source: UnsafeMutableRawPointer, to target: UnsafeMutableRawPointer
  ) throws {
    let scratch = try TensorStorage(byteCount: kernel.scratchPerWorker)
    let shared = try TensorStorage(byteCount: kernel.sharedScratch)
    let operands: [UnsafeMutableRawPointer?] = [source, target]
    try operands.withUnsafeBufferPointer { operands in
      let invocation = Invocation(
        operands: operands.baseAddress!, inputCount: 1, scratch: scratch.base,
        sharedScratch: shared.base)
      for phase in kernel.phases {
        for block in 0..<phase.blockCount { try phase.body(invocation, block) }
      }
    }
    withExtendedLifetime((scratch, shared)) {}
  }
}

extension KernelInstrument {
  /// An instrument that sees every tensor that a step makes, in row-major order, and may put another in its place. Copies that
  /// the planner added are passed over.
  ///
  /// - Parameter visit: gets the step's number in the order in which steps were bound, the step, the output's place, and the
  ///   tensor; what it returns replaces the tensor. Called from any worker.
  package static func visiting(
    _ visit: @escaping @Sendable (_ number: Int, BoundStep, _ output: Int, Tensor) throws -> Tensor?
  ) -> KernelInstrument {
    let count = StepCount()
    return KernelInstrument { step, kernel in
      if step.isCopy { return kernel }
      let number = count.next()
      let outputs = step.outputs.enumerated().compactMap { index, operand in
        operand.map { (place: step.inputs.count + index, operand: $0) }
      }
      return try kernel.followed(by: outputs) { place, tensor in
        try visit(number, step, place - step.inputs.count, tensor)
      }
    }
  }
}

/// Numbers steps in the order in which they are bound.
private final class StepCount: Sendable {
  private let count = Mutex(0)

  func next() -> Int {
    count.withLock { count in
      defer { count += 1 }
      return count
    }
  }
}
