// Movement: candidates for operators that only move elements, all made of strided copies.

import LeapTensors

package enum Movement {
  /// A candidate that copies boxes of its inputs into output 0. `boxes` sees the strides that the operands have in the end.
  ///
  /// - Parameters:
  ///   - read: the inputs whose elements are copied; all others were bound when planning.
  ///   - inPlace: pairs where every element keeps its place.
  package static func candidate(
    _ request: KernelRequest, reading read: Set<Int>, inPlace: [InPlacePair] = [],
    boxes: @escaping @Sendable (KernelRequest) throws -> [(input: Int, box: CopyBox)]
  ) throws -> KernelCandidate {
    guard let output = request.outputs.first ?? nil else {
      throw OperatorError("output 0 is required")
    }
    let width = output.dataType.byteWidth
    guard width > 0 else {
      throw OperatorError.unsupported("elements of type \(output.dataType) cannot be moved")
    }
    let plain: LayoutRequirement = inPlace.isEmpty ? .plain : .contiguous
    return KernelCandidate(
      name: .copy,
      inputs: request.inputs.indices.map { read.contains($0) ? plain : .planned },
      outputs: request.outputs.map { _ in plain }, inPlace: inPlace,
      cost: Cost(operations: 0, bytes: 2 * Double(output.byteCount))
    ) { settled in
      try StridedCopy.kernel(boxes: try boxes(settled), width: width)
    }
  }

  /// A candidate whose output is input 0's elements in the same order.
  package static func sameOrder(_ request: KernelRequest) throws -> KernelCandidate {
    try candidate(request, reading: [0], inPlace: [InPlacePair(input: 0, output: 0)]) { settled in
      let count = settled.outputs[0]?.shape.elementCount ?? 0
      return [(0, CopyBox(extents: [count], sourceStrides: [1], targetStrides: [1]))]
    }
  }

  /// Strides of an operand, which the requirements of these candidates make plain.
  package static func strides(_ operand: Operand?) throws -> [Int] {
    guard let strides = operand?.strides else {
      throw OperatorError("an operand in a blocked layout reached a kernel for plain ones")
    }
    return strides
  }

  /// A candidate that fills output 0 with copies of one element.
  package static func fill(_ request: KernelRequest, with element: Tensor) throws -> KernelCandidate
  {
    guard let output = request.outputs.first ?? nil, output.dataType.byteWidth > 0,
      element.elementCount == 1
    else { throw OperatorError("a fill needs one element of a type of whole bytes") }
    return KernelCandidate(
      name: .fill, inputs: request.inputs.map { _ in .planned }, outputs: [.contiguous],
      cost: Cost(operations: 0, bytes: Double(output.byteCount))
    ) { settled in
      let count = settled.outputs[0]?.shape.elementCount ?? 0
      let box = CopyBox(extents: [count], sourceStrides: [0], targetStrides: [1])
      return Kernel(blocks: count > 0 ? 1 : 0) { invocation, _ in
        element.withUnsafeBytes { bytes in
          guard let base = bytes.baseAddress else { return }
          StridedCopy.copy(box, bytes.count, from: base, to: invocation.output(0))
        }
      }
    }
  }

  /// A candidate that writes a tensor that is known already.
  package static func constant(_ request: KernelRequest, _ tensor: Tensor) throws -> KernelCandidate
  {
    guard tensor.dataType != .string else {
      throw OperatorError("constants of strings have no kernel")
    }
    return KernelCandidate(
      name: .constant, inputs: request.inputs.map { _ in .planned }, outputs: [.contiguous],
      cost: Cost(operations: 0, bytes: Double(tensor.byteCount))
    ) { _ in
      Kernel(blocks: tensor.byteCount > 0 ? 1 : 0) { invocation, _ in
        tensor.withUnsafeBytes { bytes in
          guard let base = bytes.baseAddress else { return }
          invocation.output(0).copyMemory(from: base, byteCount: bytes.count)
        }
      }
    }
  }
}
