// Selection: operators that choose, copy or convert elements: Where, Identity, Dropout, and Cast and CastLike, which have a
// file of their own.
//
// 1. Movement takes every type of whole bytes.
// 2. Shape computations stay symbolic.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Selection: OperatorFamily {
  package static let operators: [any Operator.Type] = [
    Where.self, Cast.self, CastLike.self, Identity.self, BitCast.self, Dropout.self,
  ]
}

/// Where, from opset 9 on.
package struct Where: Operator {
  package static let declarations = [
    OperatorDeclaration("Where", opsets: 9...OperatorTable.latestOpset)
  ]

  package init(_ node: NodeReader) throws { try node.requireInputs(3...3) }

  package var movedOutputs: Int { 1 }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(0, among: [.bool])
    let type = try context.dataType(1)
    let other = try context.dataType(2)
    guard type == other else { throw OperatorError("input 2 is \(other); expected \(type)") }
    guard let condition = context.shape(0), let a = context.shape(1), let b = context.shape(2)
    else {
      context.setOutput(0, type, nil)
      return
    }
    context.setOutput(0, type, try broadcast(try broadcast(condition, a), b))
    guard condition.count <= 1, a.count <= 1, b.count <= 1,
      let chosen = context.dimensions(0), let left = context.dimensions(1),
      let right = context.dimensions(2)
    else { return }
    if let known = select(chosen, left, right) { context.setOutput(0, dimensions: known) }
  }

  private func select(
    _ condition: [Dimension], _ left: [Dimension], _ right: [Dimension]
  ) -> [Dimension]? {
    let count = [condition.count, left.count, right.count].first { $0 != 1 } ?? 1
    guard [condition, left, right].allSatisfy({ $0.count == count || $0.count == 1 }) else {
      return nil
    }
    func element(_ list: [Dimension], _ index: Int) -> Dimension {
      list[list.count == 1 ? 0 : index]
    }
    return (0..<count).map { index in
      let (a, b) = (element(left, index), element(right, index))
      guard let chosen = element(condition, index).value else { return a == b ? a : .unknown }
      return chosen != 0 ? a : b
    }
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    _ = try kernel(request)
    return [
      KernelCandidate(
        name: .elementwise, inputs: [.plain, .plain, .plain], outputs: [.plain],
        inPlace: inPlacePairs(request, inputs: 1..<3),
        cost: elementwiseCost(request, operations: 1), bind: kernel)
    ]
  }

  private func kernel(_ request: KernelRequest) throws -> Kernel {
    try ElementwiseKernels.select(
      condition: try request.requiredInput(0), try request.requiredInput(1),
      try request.requiredInput(2), output: try request.requiredOutput(0))
  }
}

/// Identity, any opset.
package struct Identity: Operator {
  package static let declarations = [OperatorDeclaration("Identity")]

  package init(_ node: NodeReader) throws { try node.requireInputs(1...1) }

  package func infer(_ context: inout InferenceContext) throws {
    guard let input = context.inputs[0] else { throw OperatorError("input 0 is required") }
    context.setOutput(0, type: input.type, known: input.known)
  }

  package func hostOperator(for inputs: [DataType?]) -> (any HostOperator)? {
    guard let type = inputs.first ?? nil, type != .string else { return IdentityOnHost() }
    return nil
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    try conversionCandidates(request)
  }
}

/// BitCast, from ONNX opset 26 on: the same bytes as elements of another type of the same width.
package struct BitCast: Operator {
  package static let declarations = [
    OperatorDeclaration("BitCast", opsets: 26...OperatorTable.latestOpset)
  ]
  private let type: DataType

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    type = try node.required("to", Quantization.type(node, "to"))
    guard type != .string else { throw OperatorError("strings have no bits to be read") }
  }

  package func infer(_ context: inout InferenceContext) throws {
    let own = try context.dataType(0)
    guard own.bitWidth == type.bitWidth else {
      throw OperatorError("\(own) and \(type) differ in width")
    }
    context.setOutput(0, type, context.shape(0))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let grain = 1 << 18
    let copy: @Sendable (Invocation, Int, Int) -> Void = { invocation, first, count in
      (invocation.output(0) + first).copyMemory(
        from: invocation.input(0) + first, byteCount: count)
    }
    return [
      try rowMajorCandidate(.copy, request, cost: elementwiseCost(request, operations: 0)) {
        let bytes = try $0.requiredOutput(0).byteCount
        return Kernel(blocks: bytes == 0 ? 0 : (bytes - 1) / grain + 1) { invocation, block in
          copy(invocation, block * grain, min(grain, bytes - block * grain))
        }
      }
    ]
  }
}

/// Identity of what no kernel reads: sequences, optionals and strings.
private struct IdentityOnHost: HostOperator {
  static let declarations: [OperatorDeclaration] = []

  init() {}

  init(_ node: NodeReader) throws {
    throw OperatorError("'\(node.operatorType)' is made by the operator that it stands for")
  }

  func infer(_ context: inout InferenceContext) throws {
    context.setOutput(0, type: try context.type(0))
  }

  func largestOutputs(_ inputs: [Operand?]) -> [Operand]? { [] }

  func run(_ inputs: [RunValue?]) throws -> [RunValue] { [try inputs.value(0)] }
}

/// Dropout, ONNX opsets 1 to 28: a copy, and a mask of ones (of the input's type before opset 10, bool from then on). From opset
/// 12 on an input may ask for training, which draws numbers as ONNX's reference implementation does.
package struct Dropout: Operator {
  package static let declarations = [OperatorDeclaration("Dropout")]

  private let opset: Int
  private let hasTrainingMode: Bool
  private let hasRatio: Bool
  private let seed: UInt32?

  package init(_ node: NodeReader) throws {
    opset = node.opset
    try node.requireInputs(1...(opset >= 12 ? 3 : 1))
    hasRatio = node.hasInput(1)
    hasTrainingMode = node.hasInput(2)
    seed = try opset >= 12 ? node.int("seed").map { UInt32(truncatingIfNeeded: $0) } : nil
  }

  package var valueInputs: [Int] { hasTrainingMode ? (hasRatio ? [1, 2] : [2]) : [] }
  package var isDeterministic: Bool { !hasTrainingMode || seed != nil }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    if !type.isAddressable {
      throw OperatorError.unsupported("there is no kernel for copying \(type)")
    }
    context.setOutput(0, type, context.shape(0))
    context.setOutput(1, opset < 10 ? type : .bool, context.shape(0))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (ratio, seed) = (try trainingRatio(request), seed)
    let bind: @Sendable (KernelRequest) throws -> Kernel = { request in
      let input = try request.requiredInput(0)
      guard ratio != 0 else {
        return try ElementwiseKernels.copyWithOnes(input, outputs: request.outputs)
      }
      _ = try request.requiredOutput(0)
      let hasMask = request.outputs.count > 1 && request.outputs[1] != nil
      return try DropoutKernel.kernel(input, hasMask: hasMask, ratio: ratio, seed: seed)
    }
    _ = try bind(request)
    let layout: LayoutRequirement = ratio == 0 ? .plain : .contiguous
    return [
      KernelCandidate(
        name: ratio == 0 ? .elementwise : .dropout,
        inputs: request.inputs.indices.map { $0 == 0 ? layout : .planned },
        outputs: request.outputs.map { _ in layout },
        inPlace: inPlacePairs(request, inputs: 0..<1),
        cost: elementwiseCost(request, operations: ratio == 0 ? 1 : 20), bind: bind)
    ]
  }

  /// The part of the elements that is dropped: 0 in inference.
  private func trainingRatio(_ request: KernelRequest) throws -> Double {
    guard let mode = request.values[2]?.integers?.first, mode != 0 else { return 0 }
    let ratio = request.values[1].map { $0.firstFloat ?? .nan } ?? 0.5
    guard ratio >= 0, ratio < 1 else {
      throw OperatorError("the ratio is \(ratio); expected a number from 0 up to, but not, 1")
    }
    return ratio
  }
}
