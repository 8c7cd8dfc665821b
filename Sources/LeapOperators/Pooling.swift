// Pooling: operators that replace windows of pixels, or whole channels, by one number each.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Pooling: OperatorFamily {
  package static let operators: [any Operator.Type] = [
    AveragePool.self, GlobalPool.self, LpPool.self, MaxPool.self, MaxUnpool.self,
  ]
}

/// The attributes that say which windows a pooling has.
struct PoolingWindows: Sendable {
  private let attributes: SpatialAttributes
  private let kernel: [Int]
  private let roundsUp: Bool

  /// Throws `OperatorError` for an attribute that is missing or out of range.
  init(_ node: NodeReader) throws {
    attributes = try SpatialAttributes(node)
    kernel = try node.required("kernel_shape", attributes.kernelShape)
    roundsUp = try node.flag("ceil_mode", default: false)
  }

  /// The shape of the output for an input [N, C, spatial...]. Throws `OperatorError` where windows do not fit it.
  func outputShape(_ x: [Dimension]) throws -> [Dimension] {
    guard x.count == kernel.count + 2 else {
      throw OperatorError(
        "input 0 has rank \(x.count); expected \(kernel.count + 2) for a kernel of \(Shape(kernel))"
      )
    }
    let resolved = try attributes.resolved(rank: kernel.count)
    return try x[..<2]
      + kernel.indices.map {
        try attributes.outputExtent(
          input: x[$0 + 2], kernel: .fixed(kernel[$0]), axis: $0, resolved, roundingUp: roundsUp)
      }
  }

  /// Where the windows lie. Throws `OperatorError` for more than three spatial dimensions.
  func geometry(_ x: Shape, _ y: Shape) throws -> PoolingGeometry {
    let resolved = try attributes.resolved(rank: kernel.count)
    let (input, output) = (Array(x[2...]), Array(y[2...]))
    return try PoolingGeometry(
      input: input, output: output, kernel: kernel, strides: resolved.strides,
      dilations: resolved.dilations,
      pads: kernel.indices.map {
        attributes.padding(
          input: input[$0], output: output[$0], kernel: kernel[$0], axis: $0, resolved)
      })
  }
}

/// MaxPool, ONNX opsets 1 to 22, with the places of the maxima from opset 8 on. A NaN in a window is its maximum.
package struct MaxPool: Operator {
  package static let declarations = [OperatorDeclaration("MaxPool")]
  private let windows: PoolingWindows
  private let isColumnMajor: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    windows = try PoolingWindows(node)
    isColumnMajor = try node.flag("storage_order", default: false)
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: [.float32, .float64, .int8, .uint8])
    let shape = try context.shape(0).map(windows.outputShape)
    context.setOutput(0, type, shape)
    context.setOutput(1, .int64, shape)
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (x, y) = try request.onlyInputAndOutput()
    let geometry = try windows.geometry(x.shape, y.shape)
    if request.outputs.count > 1, request.outputs[1] != nil {
      return [
        try WindowPooling.maxWithIndices(geometry, columnMajor: isColumnMajor, request)
      ]
    }
    return [
      try WindowPooling.candidate(.max, geometry, request),
      BlockedPooling.candidate(.max, geometry, request),
      ByteMaxPooling.candidate(geometry, request),
    ].compactMap { $0 }
  }
}

/// AveragePool, ONNX opsets 1 to 22. A window without a pixel has the average NaN.
package struct AveragePool: Operator {
  package static let declarations = [OperatorDeclaration("AveragePool")]
  private let windows: PoolingWindows
  private let countsPadding: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    windows = try PoolingWindows(node)
    countsPadding = try node.flag("count_include_pad", default: false)
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: [.float32, .float64])
    context.setOutput(0, type, try context.shape(0).map(windows.outputShape))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (x, y) = try request.onlyInputAndOutput()
    let geometry = try windows.geometry(x.shape, y.shape)
    let kind = PoolingKind.average(countsPadding: countsPadding)
    return [
      try WindowPooling.candidate(kind, geometry, request),
      BlockedPooling.candidate(kind, geometry, request),
    ].compactMap { $0 }
  }
}

/// LpPool, ONNX opsets 1 to 22: (Σ |x|^p)^(1/p) of each window. Opset 1 has a real p.
package struct LpPool: Operator {
  package static let declarations = [OperatorDeclaration("LpPool")]
  private let windows: PoolingWindows
  private let exponent: Double

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    windows = try PoolingWindows(node)
    exponent = try normExponent(node)
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: [.float32, .float64])
    context.setOutput(0, type, try context.shape(0).map(windows.outputShape))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (x, y) = try request.onlyInputAndOutput()
    let geometry = try windows.geometry(x.shape, y.shape)
    return [try WindowPooling.candidate(.power(exponent: exponent), geometry, request)]
  }
}

/// The exponent of a norm: attribute `p`, a real number in opset 1 and an integer from opset 2 on. Throws
/// `OperatorError` where it is 0 or not finite.
func normExponent(_ node: NodeReader) throws -> Double {
  let exponent =
    node.opset < 2
    ? Double(try node.float("p", default: 2)) : Double(try node.int("p", default: 2))
  guard exponent != 0, exponent.isFinite else {
    throw OperatorError("attribute 'p' is \(exponent); expected a number other than 0")
  }
  return exponent
}
