// Normalization: operators that centre and scale elements. BatchNormalization uses statistics of the channels, the others
// those of groups of elements or of neighbours.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Normalization: OperatorFamily {
  package static var operators: [any Operator.Type] {
    [
      BatchNormalization.self, ChannelNormalization.self, InnerNormalization.self,
      LpNormalization.self, MeanVarianceNormalization.self, LocalResponseNormalization.self,
    ]
  }

  static let types: Set<DataType> = [.float32, .float64]

  /// A candidate that standardises input 0 into output 0.
  ///
  /// - Parameters:
  ///   - layout: of both; all other operands are contiguous.
  ///   - bind: makes the kernel from the settled operands.
  static func candidate(
    _ request: KernelRequest, layout: LayoutRequirement,
    _ bind: @escaping @Sendable (KernelRequest) throws -> Standardization
  ) throws -> KernelCandidate {
    _ = try bind(request)
    return KernelCandidate(
      name: .standardization,
      inputs: request.inputs.indices.map { $0 == 0 ? layout : .contiguous },
      outputs: request.outputs.indices.map { $0 == 0 ? layout : .contiguous },
      inPlace: inPlacePairs(request, inputs: 0..<1),
      cost: elementwiseCost(request, operations: 8)
    ) { try bind($0).kernel }
  }
}

/// BatchNormalization, ONNX opsets 1 to 28: by given statistics, or in training by the batch's own.
package struct BatchNormalization: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("BatchNormalization")]
  }
  private let epsilon: Double
  private let isElementwise: Bool
  /// nil in inference.
  private let training: BatchStatisticsOutputs?
  /// Says which inputs may have a type of their own.
  private let opset: Int

  package init(_ node: NodeReader) throws {
    try node.requireInputs(5...5)
    opset = node.opset
    epsilon = Double(try node.float("epsilon", default: 1e-5))
    isElementwise = try node.opset < 9 && !node.flag("spatial", default: true)
    let momentum = Double(try node.float("momentum", default: 0.9))
    let furtherOutputs = (1..<max(node.outputCount, 1)).filter(node.hasOutput)
    let trains: Bool
    if node.opset >= 14 {
      trains = try node.flag("training_mode", default: false)
    } else {
      // Before opset 14 a node trains where it makes statistics; before opset 7 is_test forbids that.
      let isTest = try node.opset < 7 && node.flag("is_test", default: false)
      trains = !furtherOutputs.isEmpty && !isTest
    }
    if !trains, let output = furtherOutputs.first {
      throw OperatorError("output \(output) exists in training alone")
    }
    training =
      trains
      ? BatchStatisticsOutputs(
        running: (1, 2), batch: node.opset < 14 ? (3, 4) : nil, momentum: momentum) : nil
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: Normalization.types)
    let shape = try context.shape(0, ranks: 1...64)
    for index in 1...4 {
      let other = try context.dataType(index, among: Normalization.types)
      guard other == type || opset >= 15 || (opset == 14 && index > 2) else {
        throw OperatorError("input \(index) is \(other); expected \(type), as input 0 is")
      }
      guard let parameter = try context.shape(index, ranks: isElementwise ? 1...64 : 1...1),
        let got = Normalization.product(parameter), let channels = channels(shape)
      else { continue }
      guard got == channels else {
        throw OperatorError(
          "input \(index) has \(got) elements; expected \(channels), one for each channel")
      }
    }
    context.setOutput(0, type, shape)
    for (output, input) in [1: 3, 2: 4] {
      context.setOutput(output, try context.dataType(input), context.shape(input))
    }
    for (output, input) in [3: 3, 4: 4] { context.setOutput(output, type, context.shape(input)) }
  }

  /// The number of channels, as far as it is known.
  private func channels(_ shape: [Dimension]?) -> Int? {
    guard let shape else { return nil }
    if isElementwise { return Normalization.product(Array(shape.dropFirst())) }
    return shape.count == 1 ? 1 : shape[1].value
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    [
      try BatchNormalizationKernel.candidate(
        request, epsilon: epsilon, elementwise: isElementwise, training: training)
    ]
  }
}

extension Normalization {
  /// The product of extents that are all known.
  static func product(_ shape: [Dimension]) -> Int? {
    let extents = shape.compactMap(\.value)
    return extents.count == shape.count ? Shape.product(extents[...]) : nil
  }
}
