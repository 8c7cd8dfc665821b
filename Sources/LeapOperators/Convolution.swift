// Convolution: Conv.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Convolution: OperatorFamily {
  package static let operators: [any Operator.Type] = [
    Conv.self, ConvTranspose.self, DeformConv.self,
  ]
}

/// Conv, opset 1 to 28: a cross-correlation with a bias, over 1 to 3 spatial dimensions.
package struct Conv: EpilogueOperator {
  package static let declarations = [OperatorDeclaration("Conv")]
  private let attributes: SpatialAttributes
  private let groups: Int
  private let hasBias: Bool

  package var packedInputs: [Int] { [1] }

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...3)
    attributes = try SpatialAttributes(node)
    groups = try groupCount(node)
    hasBias = node.inputCount > 2 && node.hasInput(2)
  }

  package var epilogueCapabilities: EpilogueCapabilities { .all }

  /// Whether its input may be scaled, shifted and clipped on the way.
  package var takesPrologue: Bool { groups == 1 }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try convolutionType(&context, hasBias: hasBias)
    guard let x = context.shape(0), let w = context.shape(1) else {
      context.setOutput(0, type, nil)
      return
    }
    try checkRanks(x, w)
    try check(x[1], equals: w[1] * .fixed(groups), "input channels", "weights for \(groups) groups")
    if let outputs = w[0].value, outputs % groups != 0 {
      throw OperatorError("\(outputs) output channels cannot be split into \(groups) groups")
    }
    if hasBias { try checkBias(context.shape(2), channels: w[0]) }
    let kernel = try attributes.kernel(weights: Array(w[2...]))
    let resolved = try attributes.resolved(rank: x.count - 2)
    let spatial = try kernel.indices.map {
      try attributes.outputExtent(input: x[$0 + 2], kernel: kernel[$0], axis: $0, resolved)
    }
    context.setOutput(0, type, [x[0], w[0]] + spatial)
  }

  /// Each element of the output is a sum over a filter: the channels of a group, and the kernel.
  package func multiplyAdds(inputs: [Shape?], outputs: [Shape?]) -> Int? {
    sumsOfProducts(outputs.first ?? nil, terms: inputs[1]?.dimensions.dropFirst())
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (x, w, y) = (request.inputs[0]!, request.inputs[1]!, request.outputs[0]!)
    let resolved = try attributes.resolved(rank: x.shape.rank - 2)
    let (input, output) = (Array(x.shape[2...]), Array(y.shape[2...]))
    let kernel = Array(w.shape[2...])
    let geometry = try ConvolutionGeometry(
      batch: x.shape[0], inputChannels: x.shape[1], outputChannels: w.shape[0], groups: groups,
      input: input, output: output, kernel: kernel, strides: resolved.strides,
      dilations: resolved.dilations,
      pads: input.indices.map {
        attributes.padBegin(
          input: input[$0], output: output[$0], kernel: kernel[$0], axis: $0, resolved)
      })
    let blocked =
      DepthwiseConvolution.applies(to: geometry)
      ? BlockedDepthwise.candidates(geometry, request)
      : BlockedConvolution.candidates(geometry, request)
    return [plainCandidate(geometry, request)] + blocked
  }

  private func plainCandidate(
    _ geometry: ConvolutionGeometry, _ request: KernelRequest
  ) -> KernelCandidate {
    if DepthwiseConvolution.applies(to: geometry) {
      return LeapOperators.plainCandidate(.depthwisePlanes, geometry, request, speed: 3) {
        try DepthwiseConvolution.kernel(geometry, $0)
      }
    }
    // A product with few columns takes as long as one with about eight. Writing and reading an element of the matrix costs about
    // as much as 16 operations.
    return LeapOperators.plainCandidate(
      .im2col, geometry, request, speed: 50 * min(1, Double(geometry.outputPixels) / 8),
      overhead: 16 * Im2colConvolution.matrixElements(geometry)
    ) {
      try PlainPrologue.kernel($0) { try Im2colConvolution.kernel(geometry, $0) }
    }
  }
}

/// Attribute `group`. Throws `OperatorError` where it is not positive.
func groupCount(_ node: NodeReader) throws -> Int {
  let groups = try node.int("group", default: 1)
  guard groups >= 1, groups <= Int(Int32.max) else {
    throw OperatorError("attribute 'group' is \(groups); expected at least 1")
  }
  return groups
}

/// The type that all inputs of a convolution have. Throws `OperatorError` for one that has no kernel, or where they differ.
func convolutionType(_ context: inout InferenceContext, hasBias: Bool) throws -> DataType {
  let type = try context.dataType(0, among: [.float32, .float64])
  for index in 1...(hasBias ? 2 : 1) {
    _ = try context.dataType(index, among: [type])
  }
  return type
}

/// Checks that image and weights have the same rank, of at least 3, and of 5 at most. Throws `OperatorError`.
func checkRanks(_ x: [Dimension], _ w: [Dimension]) throws {
  guard x.count >= 3, x.count == w.count else {
    throw OperatorError(
      "input 0 has rank \(x.count) and the weights rank \(w.count); expected the same, 3 or more")
  }
  guard x.count <= 5 else {
    throw OperatorError.unsupported("\(x.count - 2) spatial dimensions; 1 to 3 are supported")
  }
}

func check(_ got: Dimension, equals expected: Dimension, _ what: String, _ consumer: String) throws
{
  if let got = got.value, let expected = expected.value, got != expected {
    throw OperatorError("\(got) \(what); the \(consumer) take \(expected)")
  }
}

func checkBias(_ shape: [Dimension]?, channels: Dimension) throws {
  guard let shape else { return }
  guard shape.count == 1 else {
    throw OperatorError("the bias has shape \(describe(shape)); expected one dimension")
  }
  try check(shape[0], equals: channels, "bias values", "output channels")
}

/// A candidate in the plain layout: images may lie apart, and a residual may be overwritten.
///
/// - Parameters:
///   - speed: operations a nanosecond.
///   - overhead: operations that are none of the convolution's own.
func plainCandidate(
  _ name: Algorithm, _ geometry: ConvolutionGeometry, _ request: KernelRequest, speed: Double,
  overhead: Double = 0,
  bind: @escaping @Sendable (KernelRequest) throws -> Kernel
) -> KernelCandidate {
  var inputs = [LayoutRequirement](repeating: .contiguous, count: request.inputs.count)
  inputs[0] = .innerContiguous(from: 1)
  let residuals = request.epilogue.residualInputs
  for input in residuals { inputs[input] = .innerContiguous(from: 1) }
  return KernelCandidate(
    name: name, inputs: inputs, outputs: [.innerContiguous(from: 1)],
    inPlace: residuals.map { InPlacePair(input: $0, output: 0) }, epilogue: .all,
    cost: Cost(
      operations: geometry.operations + overhead, bytes: request.variableBytes,
      weightBytes: Double(geometry.batch) * Double(request.inputs[1]?.byteCount ?? 0),
      operationsPerNanosecond: speed),
    bind: bind)
}

extension [EpilogueStage] {
  /// The inputs that residual stages add.
  var residualInputs: [Int] {
    compactMap { if case .residual(let input) = $0 { input } else { nil } }
  }
}
