// Generators: operators that make tensors from attributes, shapes and single values, or spread one over a shape.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Generators: OperatorFamily {
  package static var operators: [any Operator.Type] {
    [ConstantNode.self, ConstantOfShape.self, Expand.self, Gather.self]
  }
}

/// Constant, ONNX opsets 1 to 25: one of the `value` attributes.
package struct ConstantNode: Operator {
  package static var declarations: [OperatorDeclaration] { [OperatorDeclaration("Constant")] }
  private let value: Tensor

  package init(_ node: NodeReader) throws {
    try node.requireInputs(0...0)
    if let tensor = try node.tensor("value") ?? node.tensor("sparse_value") {
      value = tensor
    } else if let number = try node.float("value_float") {
      value = try Tensor(scalar: number)
    } else if let numbers = try node.floats("value_floats") {
      value = try Tensor(numbers)
    } else if let number = try node.int("value_int") {
      value = try Tensor(scalar: Int64(number))
    } else if let numbers = try node.ints("value_ints") {
      value = try Tensor(numbers.map(Int64.init))
    } else if let text = try node.string("value_string") {
      value = try Tensor(strings: [text], shape: [])
    } else if let texts = try node.strings("value_strings") {
      value = try Tensor(strings: texts)
    } else {
      throw OperatorError("none of the value attributes is given")
    }
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = ValueType.tensor(value.dataType, shape: value.shape.map(Dimension.fixed))
    context.setOutput(0, type: type, known: .tensor(value))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    [try Movement.constant(request, value)]
  }
}

/// ConstantOfShape, ONNX opsets 9 to 25.
package struct ConstantOfShape: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("ConstantOfShape", opsets: 9...OperatorTable.latestOpset)]
  }
  private let value: Tensor

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    value = try node.tensor("value") ?? Tensor([Float(0)])
    guard value.elementCount == 1 else {
      throw OperatorError("attribute 'value' has \(value.elementCount) elements; expected 1")
    }
  }

  package var valueInputs: [Int] { [0] }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(0, among: [.int64, .int32])
    guard let shape = context.dimensions(0) else {
      return context.setOutput(0, value.dataType, nil)
    }
    if let extent = shape.compactMap(\.value).first(where: { $0 < 0 }) {
      throw OperatorError("shape \(describe(shape)) has the extent \(extent)")
    }
    context.setOutput(0, value.dataType, shape)
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    [try Movement.fill(request, with: value)]
  }
}

/// Expand, ONNX opsets 8 to 13: multidirectional broadcasting to a shape.
package struct Expand: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("Expand", opsets: 8...OperatorTable.latestOpset)]
  }

  package init(_ node: NodeReader) throws { try node.requireInputs(2...2) }

  package var valueInputs: [Int] { [1] }

  package var movedOutputs: Int { 1 }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    try context.requireIntegers(valueInputs)
    guard let shape = context.shape(0), let target = context.dimensions(1) else {
      return context.setOutput(0, type, nil)
    }
    if let extent = target.compactMap(\.value).first(where: { $0 < 0 }) {
      throw OperatorError("shape \(describe(target)) has the extent \(extent)")
    }
    context.setOutput(0, type, try broadcast(shape, target))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    [
      try Movement.candidate(request, reading: [0]) { settled in
        guard let input = settled.inputs[0], let output = settled.outputs[0] else { return [] }
        let missing = output.shape.rank - input.shape.rank
        let own = zip(input.shape, try Movement.strides(input)).map { $0 == 1 ? 0 : $1 }
        return [
          (
            0,
            CopyBox(
              extents: output.shape.dimensions,
              sourceStrides: Array(repeating: 0, count: missing) + own,
              targetStrides: try Movement.strides(output))
          )
        ]
      }
    ]
  }
}

/// Gather, ONNX opsets 1 to 13: slices of an axis by index; negative indices count from the end.
package struct Gather: Operator {
  package static var declarations: [OperatorDeclaration] { [OperatorDeclaration("Gather")] }
  private let axis: Int

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...2)
    axis = try node.int("axis", default: 0)
  }

  private init(axis: Int) { self.axis = axis }

  /// The slices of a tensor at some indices of an axis.
  static func slices(of tensor: Tensor, axis: Int, at indices: [Int]) throws -> Tensor {
    try Evaluator.evaluate(
      Gather(axis: axis), inputs: [tensor, Tensor(indices.map(Int64.init))], outputCount: 1)[0]
  }

  package var movedOutputs: Int { 1 }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    _ = try context.dataType(1, among: [.int32, .int64])
    guard let shape = context.shape(0), let indices = context.shape(1) else {
      return context.setOutput(0, type, nil)
    }
    guard !shape.isEmpty else { throw OperatorError("a scalar cannot be gathered from") }
    let axis = try normalizedAxis(axis, rank: shape.count)
    context.setOutput(0, type, Array(shape[..<axis]) + indices + Array(shape[(axis + 1)...]))
    guard shape.count == 1, indices.count <= 1, let elements = context.dimensions(0),
      let chosen = context.integers(1)
    else { return }
    let picked = try chosen.map { elements[try Gather.checked($0, elements.count)] }
    context.setOutput(0, dimensions: picked)
  }

  private static func checked(_ index: Int, _ extent: Int) throws -> Int {
    guard index >= -extent, index < extent else {
      throw OperatorError("index \(index) is out of range for an extent of \(extent)")
    }
    return index < 0 ? index + extent : index
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    guard let input = request.inputs[0], let indices = request.inputs[1],
      input.dataType.byteWidth > 0
    else { throw OperatorError.unsupported("elements of this type cannot be moved") }
    let axis = try normalizedAxis(axis, rank: input.shape.rank)
    let extent = input.shape[axis]
    let run = input.shape.inner(from: axis + 1) * input.dataType.byteWidth
    let count = indices.shape.elementCount
    let isWide = indices.dataType == .int64
    return [
      KernelCandidate(
        name: .gather, inputs: [.contiguous, .contiguous], outputs: [.contiguous],
        cost: Cost(operations: 0, bytes: 2 * Double(request.outputs[0]?.byteCount ?? 0))
      ) { _ in
        Kernel(blocks: input.shape.outer(axis)) { invocation, outer in
          let source = invocation.input(0) + outer * extent * run
          let target = invocation.output(0) + outer * count * run
          let table = invocation.input(1)
          for place in 0..<count {
            let raw =
              isWide
              ? Int(table.load(fromByteOffset: place * 8, as: Int64.self))
              : Int(table.load(fromByteOffset: place * 4, as: Int32.self))
            let index = try Gather.checked(raw, extent)
            (target + place * run).copyMemory(from: source + index * run, byteCount: run)
          }
        }
      }
    ]
  }
}
