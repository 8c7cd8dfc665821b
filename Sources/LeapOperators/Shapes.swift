// Shapes: operators that give the same elements another shape, or say what the shape is.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Shapes: OperatorFamily {
  package static var operators: [any Operator.Type] {
    [Reshape.self, Flatten.self, Squeeze.self, Unsqueeze.self, ShapeOf.self, Transpose.self]
  }
}

/// Passes the elements that inference knows from input 0 to output 0.
private func passElements(_ context: inout InferenceContext) {
  if let elements = context.dimensions(0) { context.setOutput(0, dimensions: elements) }
}

private func product(_ extents: [Dimension]) -> Dimension {
  extents.reduce(.fixed(1)) { $0 * $1 }
}

/// Reshape, ONNX opsets 1 (attribute `shape`) and 5 to 25 (input; `allowzero` from 14).
package struct Reshape: Operator {
  package static var declarations: [OperatorDeclaration] { [OperatorDeclaration("Reshape")] }
  private let attribute: [Int]?
  private let allowsZero: Bool

  package init(_ node: NodeReader) throws {
    attribute = node.opset < 5 ? try node.required("shape", node.ints("shape")) : nil
    allowsZero = try node.flag("allowzero", default: false)
    try node.requireInputs(attribute == nil ? 2...2 : 1...1)
  }

  package var valueInputs: [Int] { attribute == nil ? [1] : [] }
  package var viewInput: Int? { 0 }

  package var movedOutputs: Int { 1 }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    try context.requireIntegers(valueInputs)
    let target = attribute.map { $0.map(Dimension.fixed) } ?? context.dimensions(1)
    guard let target else {
      let rank = context.shape(1)?.first?.value
      let shape = rank.flatMap {
        (0...64).contains($0) ? Array(repeating: Dimension.unknown, count: $0) : nil
      }
      return context.setOutput(0, type, shape)
    }
    let source = context.shape(0)
    context.setOutput(0, type, try resolve(target, source))
    passElements(&context)
  }

  private func resolve(_ target: [Dimension], _ source: [Dimension]?) throws -> [Dimension] {
    var result: [Dimension] = []
    var inferred: Int?
    for (axis, extent) in target.enumerated() {
      switch extent {
      case .fixed(0) where !allowsZero:
        if let source, axis >= source.count {
          throw OperatorError(
            "shape \(describe(target)) copies dimension \(axis) of an input of rank \(source.count)"
          )
        }
        result.append(source?[axis] ?? .unknown)
      case .fixed(-1):
        guard inferred == nil else {
          throw OperatorError("shape \(describe(target)) has more than one -1")
        }
        inferred = axis
        result.append(.unknown)
      case .fixed(let value) where value < 0:
        throw OperatorError("shape \(describe(target)) has the extent \(value)")
      default: result.append(extent)
      }
    }
    guard let source else { return result }
    if Shape(result.compactMap(\.value)).elementCount == .max {
      throw OperatorError("shape \(describe(target)) has more elements than 64 bits can count")
    }
    let total = product(source)
    let rest = product(result.enumerated().filter { $0.offset != inferred }.map(\.element))
    if let inferred {
      result[inferred] = try quotient(total, rest, target, source)
    } else if let have = total.value, let want = rest.value, have != want {
      throw OperatorError(
        "shape \(describe(target)) has \(want) elements; the input \(describe(source)) has \(have)")
    }
    return result
  }

  private func quotient(
    _ total: Dimension, _ rest: Dimension, _ target: [Dimension], _ source: [Dimension]
  ) throws -> Dimension {
    if let total = total.value, let rest = rest.value {
      guard rest != 0, total % rest == 0 else {
        throw OperatorError(
          "shape \(describe(target)) does not divide the input \(describe(source))")
      }
    }
    return total / rest
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    [try Movement.sameOrder(request)]
  }
}

/// Flatten, ONNX opsets 1 to 25.
package struct Flatten: Operator {
  package static var declarations: [OperatorDeclaration] { [OperatorDeclaration("Flatten")] }
  private let axis: Int

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    axis = try node.int("axis", default: 1)
  }

  package var viewInput: Int? { 0 }

  package var movedOutputs: Int { 1 }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    guard let shape = context.shape(0) else {
      return context.setOutput(0, type, [.unknown, .unknown])
    }
    guard axis >= -shape.count, axis <= shape.count else {
      throw OperatorError("axis \(axis) is out of range for rank \(shape.count)")
    }
    let cut = axis < 0 ? axis + shape.count : axis
    context.setOutput(0, type, [product(Array(shape[..<cut])), product(Array(shape[cut...]))])
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    [try Movement.sameOrder(request)]
  }
}

/// Squeeze, ONNX opsets 1 to 25: axes as an attribute before 13, as an input since.
package struct Squeeze: Operator {
  package static var declarations: [OperatorDeclaration] { [OperatorDeclaration("Squeeze")] }
  private let axes: [Int]?
  private let axesAreInput: Bool

  package init(_ node: NodeReader) throws {
    axesAreInput = node.opset >= 13 && node.hasInput(1)
    axes = node.opset < 13 ? try node.ints("axes") : nil
    try node.requireInputs(1...(node.opset < 13 ? 1 : 2))
  }

  package var valueInputs: [Int] { axesAreInput ? [1] : [] }
  package var viewInput: Int? { 0 }

  package var movedOutputs: Int { 1 }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    try context.requireIntegers(valueInputs)
    let chosen = axesAreInput ? context.integers(1) : axes
    guard let shape = context.shape(0), !axesAreInput || chosen != nil else {
      return context.setOutput(0, type, nil)
    }
    var dropped: Set<Int> = []
    if let chosen {
      for axis in chosen {
        let index = try normalizedAxis(axis, rank: shape.count)
        if let extent = shape.indices.contains(index) ? shape[index].value : 1, extent != 1 {
          throw OperatorError("dimension \(index) has the extent \(extent); expected 1")
        }
        dropped.insert(index)
      }
    } else {
      guard shape.allSatisfy({ $0.value != nil }) else { return context.setOutput(0, type, nil) }
      dropped = Set(shape.indices.filter { shape[$0] == 1 })
    }
    let kept = shape.indices.filter { !dropped.contains($0) }.map { shape[$0] }
    context.setOutput(0, type, kept)
    passElements(&context)
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    [try Movement.sameOrder(request)]
  }
}

/// Unsqueeze, ONNX opsets 1 to 25: axes as an attribute before 13, as an input since.
package struct Unsqueeze: Operator {
  package static var declarations: [OperatorDeclaration] { [OperatorDeclaration("Unsqueeze")] }
  private let axes: [Int]?

  package init(_ node: NodeReader) throws {
    axes = node.opset < 13 ? try node.required("axes", node.ints("axes")) : nil
    try node.requireInputs(axes == nil ? 2...2 : 1...1)
  }

  package var valueInputs: [Int] { axes == nil ? [1] : [] }
  package var viewInput: Int? { 0 }

  package var movedOutputs: Int { 1 }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    try context.requireIntegers(valueInputs)
    guard let shape = context.shape(0), let axes = axes ?? context.integers(1) else {
      return context.setOutput(0, type, nil)
    }
    let rank = shape.count + axes.count
    var places: Set<Int> = []
    for axis in axes {
      guard places.insert(try normalizedAxis(axis, rank: rank)).inserted else {
        throw OperatorError("axis \(axis) is given twice")
      }
    }
    var rest = shape[...]
    context.setOutput(0, type, (0..<rank).map { places.contains($0) ? 1 : rest.removeFirst() })
    passElements(&context)
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    [try Movement.sameOrder(request)]
  }
}

/// Shape (ONNX opsets 1 to 25, `start` and `end` from 15) and Size.
package struct ShapeOf: ShapeReader {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("Shape"), OperatorDeclaration("Size")]
  }
  private let isSize: Bool
  private let start: Int
  private let end: Int?

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    isSize = node.operatorType == "Size"
    start = try node.int("start", default: 0)
    end = try node.int("end")
  }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(0)
    guard let shape = context.shape(0) else {
      return context.setOutput(0, .int64, isSize ? [] : [.unknown])
    }
    if isSize {
      context.setOutput(0, .int64, [])
      return context.setOutput(0, dimensions: [product(shape)])
    }
    func clamped(_ index: Int) -> Int {
      min(max(index < 0 ? index + shape.count : index, 0), shape.count)
    }
    let first = clamped(start)
    let last = max(first, clamped(end ?? shape.count))
    let elements = Array(shape[first..<last])
    context.setOutput(0, .int64, [.fixed(elements.count)])
    context.setOutput(0, dimensions: elements)
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    guard let shape = request.inputs.first??.shape else {
      throw OperatorError("input 0 is required")
    }
    let values: [Int64]
    if isSize {
      values = [Int64(shape.elementCount)]
    } else {
      let first = min(max(start < 0 ? start + shape.rank : start, 0), shape.rank)
      let stop = end ?? shape.rank
      let last = min(max(stop < 0 ? stop + shape.rank : stop, first), shape.rank)
      values = shape[first..<max(first, last)].map { Int64($0) }
    }
    let tensor = try Tensor(values, shape: isSize ? [] : [values.count])
    return [try Movement.constant(request, tensor)]
  }
}

/// Transpose, ONNX opsets 1 to 25.
package struct Transpose: Operator {
  package static var declarations: [OperatorDeclaration] { [OperatorDeclaration("Transpose")] }
  private let permutation: [Int]?

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    permutation = try node.ints("perm")
  }

  /// The permutation for a rank. Throws `OperatorError` where it is none.
  private func order(rank: Int) throws -> [Int] {
    guard let permutation else { return (0..<rank).reversed() }
    guard permutation.sorted() == Array(0..<rank) else {
      throw OperatorError("perm \(permutation) is no permutation of \(rank) dimensions")
    }
    return permutation
  }

  package var movedOutputs: Int { 1 }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    guard let shape = context.shape(0) else { return context.setOutput(0, type, nil) }
    context.setOutput(0, type, try order(rank: shape.count).map { shape[$0] })
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let order = try order(rank: request.outputs[0]?.shape.rank ?? 0)
    return [
      try Movement.candidate(request, reading: [0]) { settled in
        let strides = try Movement.strides(settled.inputs[0])
        return [
          (
            0,
            CopyBox(
              extents: settled.outputs[0]?.shape.dimensions ?? [],
              sourceStrides: order.map { strides[$0] },
              targetStrides: try Movement.strides(settled.outputs[0]))
          )
        ]
      }
    ]
  }
}
