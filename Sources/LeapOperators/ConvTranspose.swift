// ConvTranspose: the gradient of a convolution with respect to its input, used to make images larger.

import LeapGraph
import LeapKernels
import LeapTensors

/// ConvTranspose, opset 1 to 28, over 1 to 3 spatial dimensions.
package struct ConvTranspose: EpilogueOperator {
  package static let declarations = [OperatorDeclaration("ConvTranspose")]
  private let attributes: SpatialAttributes
  private let groups: Int
  private let outputPadding: [Int]?
  private let outputShape: [Int]?
  private let hasBias: Bool

  package var packedInputs: [Int] { [1] }

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...3)
    attributes = try SpatialAttributes(node)
    groups = try groupCount(node)
    outputPadding = try SpatialAttributes.list(node, "output_padding", minimum: 0)
    outputShape = try SpatialAttributes.list(node, "output_shape", minimum: 0)
    hasBias = node.inputCount > 2 && node.hasInput(2)
  }

  package var epilogueCapabilities: EpilogueCapabilities { .all }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try convolutionType(&context, hasBias: hasBias)
    guard let x = context.shape(0), let w = context.shape(1) else {
      context.setOutput(0, type, nil)
      return
    }
    try checkRanks(x, w)
    try check(x[1], equals: w[0], "input channels", "weights")
    if let inputs = x[1].value, inputs % groups != 0 {
      throw OperatorError("\(inputs) input channels cannot be split into \(groups) groups")
    }
    let channels = w[1] * .fixed(groups)
    if hasBias { try checkBias(context.shape(2), channels: channels) }
    let kernel = try attributes.kernel(weights: Array(w[2...]))
    let resolved = try attributes.resolved(rank: x.count - 2)
    let spatial = try kernel.indices.map {
      try outputExtent(input: x[$0 + 2], kernel: kernel[$0], axis: $0, resolved)
    }
    context.setOutput(0, type, [x[0], channels] + spatial)
  }

  /// Each element of the input is multiplied with a filter, the output channels of a group and the kernel, and added to what lies
  /// under it; what is cut off in the end counts too.
  package func multiplyAdds(inputs: [Shape?], outputs: [Shape?]) -> Int? {
    sumsOfProducts(inputs[0], terms: inputs[1]?.dimensions.dropFirst())
  }

  /// The extent before anything is cut off: stride (input - 1) + output_padding + (kernel - 1) dilation + 1.
  private func fullExtent(
    input: Dimension, kernel: Dimension, axis: Int, _ resolved: SpatialAttributes.Resolved
  ) throws -> Dimension {
    let padding = try value(outputPadding, "output_padding", axis, resolved) ?? 0
    return (input - 1) * .fixed(resolved.strides[axis]) + .fixed(padding)
      + SpatialAttributes.covered(kernel, resolved.dilations[axis])
  }

  private func value(
    _ list: [Int]?, _ name: String, _ axis: Int, _ resolved: SpatialAttributes.Resolved
  ) throws -> Int? {
    guard let list else { return nil }
    let rank = resolved.strides.count
    // Some exporters write output_shape with batch and channels in front.
    guard list.count == rank || (name == "output_shape" && list.count == rank + 2) else {
      throw OperatorError("attribute '\(name)' has \(list.count) values; expected \(rank)")
    }
    return list[axis + list.count - rank]
  }

  private func outputExtent(
    input: Dimension, kernel: Dimension, axis: Int, _ resolved: SpatialAttributes.Resolved
  ) throws -> Dimension {
    if let extent = try value(outputShape, "output_shape", axis, resolved) { return .fixed(extent) }
    if attributes.autoPad == .sameUpper || attributes.autoPad == .sameLower {
      return input * .fixed(resolved.strides[axis])
    }
    let full = try fullExtent(input: input, kernel: kernel, axis: axis, resolved)
    if attributes.autoPad == .valid { return full }
    let extent = full - .fixed(resolved.pads[axis].begin + resolved.pads[axis].end)
    if let value = extent.value, value < 0 {
      throw OperatorError("the pads of spatial axis \(axis) cut off more than there is")
    }
    return extent
  }

  /// What is cut off before the first output pixel.
  private func cutBegin(
    input: Int, output: Int, kernel: Int, axis: Int, _ resolved: SpatialAttributes.Resolved
  ) throws -> Int {
    let isSame = attributes.autoPad == .sameUpper || attributes.autoPad == .sameLower
    if outputShape == nil && !isSame {
      return attributes.autoPad == .valid ? 0 : resolved.pads[axis].begin
    }
    let full = try fullExtent(
      input: .fixed(input), kernel: .fixed(kernel), axis: axis, resolved)
    guard let total = (full - .fixed(output)).value else {
      throw OperatorError("the extent of spatial axis \(axis) is too large")
    }
    // A larger output than there are contributions to is padded with zeros at its end.
    let cut = max(0, total)
    return attributes.autoPad == .sameUpper ? cut / 2 : cut - cut / 2
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (x, w, y) = (request.inputs[0]!, request.inputs[1]!, request.outputs[0]!)
    let resolved = try attributes.resolved(rank: x.shape.rank - 2)
    let (input, output) = (Array(x.shape[2...]), Array(y.shape[2...]))
    let kernel = Array(w.shape[2...])
    let geometry = try ConvolutionGeometry(
      batch: x.shape[0], inputChannels: x.shape[1], outputChannels: y.shape[1], groups: groups,
      input: input, output: output, kernel: kernel, strides: resolved.strides,
      dilations: resolved.dilations,
      pads: try input.indices.map {
        try cutBegin(
          input: input[$0], output: output[$0], kernel: kernel[$0], axis: $0, resolved)
      })
    let plain = plainCandidate(.col2im, geometry, request, speed: 25) {
      try TransposedConvolution.kernel(geometry, $0)
    }
    return [plain] + BlockedTransposed.candidates(geometry, request)
  }
}
