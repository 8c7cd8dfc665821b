// MaxUnpool: puts maxima back where they came from.

import LeapGraph
import LeapKernels
import LeapTensors

/// MaxUnpool, ONNX opsets 9 to 22.
///
/// Indices count the elements of the shape that kernel, strides and pads say. A larger `output_shape` adds zeros behind
/// them, as onnx.reference and ONNX's own test `maxunpool_export_with_output_shape` have it; ONNX Runtime counts in
/// `output_shape` instead.
package struct MaxUnpool: Operator {
  package static let declarations = [
    OperatorDeclaration("MaxUnpool", opsets: 9...OperatorTable.latestOpset)
  ]
  private let attributes: SpatialAttributes
  private let kernel: [Int]
  private let hasOutputShape: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...3)
    attributes = try SpatialAttributes(node)
    kernel = try node.required("kernel_shape", attributes.kernelShape)
    hasOutputShape = node.hasInput(2)
  }

  package var valueInputs: [Int] { hasOutputShape ? [2] : [] }

  /// The shape whose elements the indices count.
  private func indexedShape(_ x: [Dimension]) throws -> [Dimension] {
    guard x.count == kernel.count + 2 else {
      throw OperatorError(
        "input 0 has rank \(x.count); expected \(kernel.count + 2) for a kernel of \(Shape(kernel))"
      )
    }
    let resolved = try attributes.resolved(rank: kernel.count)
    return try x[..<2]
      + kernel.indices.map { axis in
        let pads = resolved.pads[axis]
        let extent =
          (x[axis + 2] - 1) * .fixed(resolved.strides[axis])
          + .fixed(kernel[axis] - pads.begin - pads.end)
        if let known = extent.value, known < 0 {
          throw OperatorError("the output would have extent \(known) along spatial axis \(axis)")
        }
        return extent
      }
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: [.float32, .float64])
    _ = try context.dataType(1, among: [.int64])
    guard let x = context.shape(0) else { return context.setOutput(0, type, nil) }
    if let indices = context.shape(1) {
      guard indices.count == x.count,
        zip(indices, x).allSatisfy({ ($0.value ?? $1.value) == ($1.value ?? $0.value) })
      else {
        throw OperatorError(
          "the indices have shape \(describe(indices)); expected \(describe(x)), that of input 0")
      }
    }
    let indexed = try indexedShape(x)
    guard hasOutputShape else { return context.setOutput(0, type, indexed) }
    guard let given = context.dimensions(2) else {
      return context.setOutput(0, type, x[..<2] + x[2...].map { _ in .unknown })
    }
    try check(given, holds: indexed)
    context.setOutput(0, type, given)
  }

  /// Throws `OperatorError` where an output of shape `given` has no room for what is indexed.
  private func check(_ given: [Dimension], holds indexed: [Dimension]) throws {
    let fits =
      given.count == indexed.count
      && zip(given, indexed).enumerated().allSatisfy { axis, pair in
        guard let extent = pair.0.value, let needed = pair.1.value else { return true }
        return axis < 2 ? extent == needed : extent >= needed
      }
    guard fits else {
      throw OperatorError(
        "output_shape is \(describe(given)); expected at least \(describe(indexed)), of the same batch and channels"
      )
    }
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (x, _) = try request.onlyInputAndOutput()
    let indexed = try indexedShape(x.shape.map(Dimension.fixed)).map { $0.value ?? .max }
    return [try Unpooling.candidate(request, indexed: Shape(indexed))]
  }
}
