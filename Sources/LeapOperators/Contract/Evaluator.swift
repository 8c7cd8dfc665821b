// Evaluator: computes one node on tensors in memory, on the caller alone: for constant folding and for tests of operators.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Evaluator {
  /// Computes a node.
  ///
  /// - Parameters:
  ///   - operation: the node's operator.
  ///   - inputs: its inputs; nil where an optional one is left out.
  ///   - outputCount: how many outputs the node has.
  ///   - epilogue: the node's epilogue.
  ///   - byteLimit: what the outputs may take together, in bytes.
  /// - Throws: `OperatorError`; `ModelError.outOfMemory`.
  package static func evaluate(
    _ operation: any Operator, inputs: [Tensor?], outputCount: Int,
    epilogue: [EpilogueStage] = [], byteLimit: Int = .max
  ) throws -> [Tensor] {
    if let host = operation.hostOperator(for: inputs.map { $0?.dataType }) {
      return try host.run(inputs.map { $0.map(RunValue.tensor) }).map { output in
        guard let tensor = output.tensor else { throw OperatorError("\(output) is no tensor") }
        return tensor
      }
    }
    let outputs = try infer(operation, inputs, outputCount)
    var total = 0
    for output in outputs {
      let (sum, overflow) = total.addingReportingOverflow(output.byteCount)
      total = overflow ? .max : sum
    }
    guard total <= byteLimit else {
      throw OperatorError("the outputs would take \(total) bytes; the limit is \(byteLimit)")
    }
    var values: [Int: Tensor] = [:]
    for (index, input) in inputs.enumerated() { values[index] = input }
    let request = KernelRequest(
      inputs: inputs.map { $0.map { Operand($0.dataType, $0.shape) } }, outputs: outputs,
      values: values, epilogue: epilogue)
    let kernel = try plainCandidate(operation, request).bind(request)
    return try run(kernel, inputs, outputs)
  }

  /// What the outputs will be, as far as inference can tell from the inputs' values.
  ///
  /// - Throws: `OperatorError` where it cannot, or no memory is as large.
  static func infer(
    _ operation: any Operator, _ inputs: [Tensor?], _ outputCount: Int
  ) throws -> [Operand] {
    var context = InferenceContext(
      inputs: inputs.map { tensor in
        tensor.map {
          InferredValue(
            .tensor($0.dataType, shape: $0.shape.map(Dimension.fixed)), known: .tensor($0))
        }
      },
      given: inputs.map { $0 != nil }, outputCount: outputCount)
    try operation.infer(&context)
    return try context.outputs.enumerated().map { index, output in
      guard let type = output?.type, let dataType = type.dataType, let shape = type.fixedShape
      else {
        throw OperatorError("the type or shape of output \(index) cannot be inferred")
      }
      guard shape.span(of: dataType) != nil else {
        throw OperatorError("output \(index) would be \(type): no memory is as large")
      }
      return Operand(dataType, shape)
    }
  }

  private static func plainCandidate(
    _ operation: any Operator, _ request: KernelRequest
  ) throws -> KernelCandidate {
    let fitting = try operation.candidates(request).first { candidate in
      candidate.packing.isEmpty
        && zip(candidate.inputs, request.inputs).allSatisfy { $1.map($0.admits) ?? true }
        && zip(candidate.outputs, request.outputs).allSatisfy { $1.map($0.admits) ?? true }
    }
    guard let fitting else { throw OperatorError("there is no kernel for plain operands") }
    return fitting
  }

  private static func run(
    _ kernel: Kernel, _ inputs: [Tensor?], _ outputs: [Operand]
  ) throws -> [Tensor] {
    let buffers = try outputs.map { try TensorStorage(byteCount: $0.byteCount) }
    let scratch = try TensorStorage(byteCount: kernel.scratchPerWorker)
    let shared = try TensorStorage(byteCount: kernel.sharedScratch)
    let pointers: [UnsafeMutableRawPointer?] =
      inputs.map { tensor in
        guard let tensor, case .bytes(let storage, let offset) = tensor.contents else { return nil }
        return storage.base + offset
      } + buffers.map(\.base)
    BLASThreads.enter()
    defer { BLASThreads.leave() }
    try pointers.withUnsafeBufferPointer { operands in
      let invocation = Invocation(
        operands: operands.baseAddress!, inputCount: inputs.count, scratch: scratch.base,
        sharedScratch: shared.base)
      for phase in kernel.phases {
        for block in 0..<phase.blockCount { try phase.body(invocation, block) }
      }
    }
    withExtendedLifetime((inputs, buffers, scratch, shared)) {}
    return zip(outputs, buffers).map {
      Tensor(dataType: $0.dataType, shape: $0.shape, storage: $1)
    }
  }
}
