// NormalizationAlongAxes: operators that normalise along axes of their own choice, or over neighbouring channels:
// LpNormalization, MeanVarianceNormalization, LRN.

import LeapGraph
import LeapKernels
import LeapTensors

/// LpNormalization, ONNX opsets 1 and 22: elements divided by the norm along one axis; a norm of 0 gives zeros.
package struct LpNormalization: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("LpNormalization")]
  }
  private let axis: Int
  private let isEuclidean: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    axis = try node.int("axis", default: -1)
    let p = try node.int("p", default: 2)
    guard p == 1 || p == 2 else {
      throw OperatorError("attribute 'p' is \(p); expected 1 or 2")
    }
    isEuclidean = p == 2
  }

  package func infer(_ context: inout InferenceContext) throws {
    let shape = try context.shape(0, ranks: 1...64)
    if let shape { _ = try normalizedAxis(axis, rank: shape.count) }
    context.setOutput(0, try context.dataType(0, among: Normalization.types), shape)
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (x, _) = try request.onlyInputAndOutput()
    let axis = try normalizedAxis(axis, rank: x.shape.rank)
    let axes = x.shape.indices.map { $0 == axis }
    let isEuclidean = isEuclidean
    return [
      try Normalization.candidate(request, layout: Standardization.requirement(axes: axes)) {
        let (x, y) = try $0.onlyInputAndOutput()
        return try Standardization(isEuclidean ? .squares : .magnitudes, x, y, axes: axes) {
          let norm = isEuclidean ? $0.sum.squareRoot() : $0.sum
          return norm == 0 ? 0 : 1 / norm
        }
      }
    ]
  }
}

/// MeanVarianceNormalization, ONNX opsets 1 to 13: (x - mean) / (deviation + 1e-9) along axes. Before opset 9 these are all, or all
/// but the channels, of images, and the division can be left out.
package struct MeanVarianceNormalization: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("MeanVarianceNormalization")]
  }
  /// The constant of ONNX's function body.
  private static let epsilon = 1e-9
  private let axes: [Int]
  private let divides: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    let images = [0, 2, 3]
    if node.opset < 9 {
      axes = try node.flag("across_channels", default: false) ? [0, 1, 2, 3] : images
      divides = try node.flag("normalize_variance", default: true)
    } else {
      axes = try node.ints("axes") ?? images
      divides = true
    }
  }

  /// For each axis, whether it is normalised along; no axes stand for all, as in the reductions of the function body.
  private func mask(rank: Int) throws -> [Bool] {
    let places = Set(try distinctAxes(axes.isEmpty ? nil : axes, rank: rank))
    return (0..<rank).map(places.contains)
  }

  package func infer(_ context: inout InferenceContext) throws {
    let shape = try context.shape(0, ranks: 1...64)
    if let shape { _ = try mask(rank: shape.count) }
    context.setOutput(0, try context.dataType(0, among: Normalization.types), shape)
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (x, _) = try request.onlyInputAndOutput()
    let (mask, divides) = (try mask(rank: x.shape.rank), divides)
    return [
      try Normalization.candidate(request, layout: Standardization.requirement(axes: mask)) {
        let (x, y) = try $0.onlyInputAndOutput()
        return try Standardization(.deviations, x, y, axes: mask) {
          divides ? 1 / ($0.variance.squareRoot() + MeanVarianceNormalization.epsilon) : 1
        }
      }
    ]
  }
}

/// LRN, ONNX opsets 1 and 13: each element by the squares of its neighbours in other channels.
package struct LocalResponseNormalization: Operator {
  package static var declarations: [OperatorDeclaration] { [OperatorDeclaration("LRN")] }
  private let settings: LocalResponseKernel.Settings

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    let size = try node.required("size", try node.int("size"))
    guard size >= 1 else {
      throw OperatorError("attribute 'size' is \(size); expected 1 or more")
    }
    settings = LocalResponseKernel.Settings(
      size: size, alpha: Double(try node.float("alpha", default: 1e-4)),
      beta: Double(try node.float("beta", default: 0.75)),
      bias: Double(try node.float("bias", default: 1)))
  }

  package func infer(_ context: inout InferenceContext) throws {
    context.setOutput(
      0, try context.dataType(0, among: Normalization.types), try context.shape(0, ranks: 2...64))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let settings = settings
    let bind: @Sendable (KernelRequest) throws -> Kernel = {
      let (x, y) = try $0.onlyInputAndOutput()
      return try LocalResponseKernel.kernel(settings, x, y)
    }
    _ = try bind(request)
    return [
      KernelCandidate(
        name: .localResponse, inputs: [.innerContiguous(from: 1)],
        outputs: [.innerContiguous(from: 1)],
        cost: elementwiseCost(request, operations: 2 * Double(min(settings.size, 64)) + 40),
        bind: bind)
    ]
  }
}
