// DeformConv: a convolution whose taps are moved by an input.

import LeapGraph
import LeapKernels
import LeapTensors

/// DeformConv, ONNX opsets 19 and 22, over two spatial dimensions.
package struct DeformConv: Operator {
  package static let declarations = [
    OperatorDeclaration("DeformConv", opsets: 19...OperatorTable.latestOpset)
  ]
  private let attributes: SpatialAttributes
  private let groups: Int
  private let offsetGroups: Int

  package init(_ node: NodeReader) throws {
    try node.requireInputs(3...5)
    attributes = try SpatialAttributes(node)
    groups = try groupCount(node)
    offsetGroups = try node.int("offset_group", default: 1)
    guard offsetGroups >= 1, offsetGroups <= Int(Int32.max) else {
      throw OperatorError("attribute 'offset_group' is \(offsetGroups); expected at least 1")
    }
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: [.float32, .float64])
    for index in 1...4 where context.hasInput(index) {
      _ = try context.dataType(index, among: [type])
    }
    guard let x = context.shape(0), let w = context.shape(1) else {
      return context.setOutput(0, type, nil)
    }
    try checkRanks(x, w)
    guard x.count == 4 else {
      throw OperatorError.unsupported("\(x.count - 2) spatial dimensions; 2 are supported")
    }
    try check(x[1], equals: w[1] * .fixed(groups), "input channels", "weights for \(groups) groups")
    for (extent, parts, what) in [
      (w[0], groups, "output channels"), (x[1], offsetGroups, "input channels"),
    ] {
      if let value = extent.value, value % parts != 0 {
        throw OperatorError("\(value) \(what) cannot be split into \(parts) groups")
      }
    }
    let kernel = try attributes.kernel(weights: Array(w[2...]))
    let resolved = try attributes.resolved(rank: 2)
    let spatial = try kernel.indices.map {
      try attributes.outputExtent(input: x[$0 + 2], kernel: kernel[$0], axis: $0, resolved)
    }
    let taps = .fixed(offsetGroups) * kernel[0] * kernel[1]
    try context.requireShape(2, [x[0], taps * 2] + spatial)
    if context.hasInput(3) { try checkBias(context.shape(3), channels: w[0]) }
    try context.requireShape(4, [x[0], taps] + spatial)
    context.setOutput(0, type, [x[0], w[0]] + spatial)
  }

  /// Each element of the output is a sum over a filter; what reading between pixels takes counts none.
  package func multiplyAdds(inputs: [Shape?], outputs: [Shape?]) -> Int? {
    sumsOfProducts(outputs.first ?? nil, terms: inputs[1]?.dimensions.dropFirst())
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (x, w, y) = (
      try request.requiredInput(0).shape, try request.requiredInput(1).shape,
      try request.requiredOutput(0).shape
    )
    let resolved = try attributes.resolved(rank: 2)
    let (input, output, kernel) = (Array(x[2...]), Array(y[2...]), Array(w[2...]))
    let geometry = try ConvolutionGeometry(
      batch: x[0], inputChannels: x[1], outputChannels: w[0], groups: groups, input: input,
      output: output, kernel: kernel, strides: resolved.strides, dilations: resolved.dilations,
      pads: (0..<2).map {
        attributes.padBegin(
          input: input[$0], output: output[$0], kernel: kernel[$0], axis: $0, resolved)
      })
    let convolution = DeformableConvolution(geometry, offsetGroups: offsetGroups)
    return [
      try rowMajorCandidate(
        .deformable, request,
        cost: Cost(
          operations: geometry.operations + 40 * Im2colConvolution.matrixElements(geometry),
          bytes: request.variableBytes, operationsPerNanosecond: 50)
      ) { try convolution.kernel($0) }
    ]
  }
}
