// NormalizationOfGroups: operators that standardise groups of elements of one image: InstanceNormalization,
// GroupNormalization, LayerNormalization, RMSNormalization.

import LeapGraph
import LeapKernels
import LeapTensors

/// InstanceNormalization, ONNX opsets 1 to 22, and GroupNormalization, 18 and 21: groups are whole channels of an image,
/// one or more each.
package struct ChannelNormalization: Operator {
  package static var declarations: [OperatorDeclaration] {
    [
      OperatorDeclaration("InstanceNormalization"),
      OperatorDeclaration("GroupNormalization", opsets: 18...OperatorTable.latestOpset),
    ]
  }
  private let epsilon: Double
  /// nil where each channel is a group.
  private let groups: Int?
  /// Whether scale and bias have an element for each group, rather than each channel.
  private let scalesGroups: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(3...3)
    epsilon = Double(try node.float("epsilon", default: 1e-5))
    let isInstance = node.operatorType == "InstanceNormalization"
    scalesGroups = !isInstance && node.opset < 21
    groups =
      isInstance ? nil : try node.required("num_groups", try node.int("num_groups"))
    if let groups, groups < 1 {
      throw OperatorError("attribute 'num_groups' is \(groups); expected 1 or more")
    }
    if !isInstance && node.opset >= 21 { _ = try stashType(node) }
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: Normalization.types)
    let shape = try context.shape(0, ranks: 2...64)
    let channels = shape?[1].value
    if let channels, let groups, channels % groups != 0 {
      throw OperatorError("\(channels) channels do not make \(groups) groups")
    }
    for index in 1...2 {
      guard try context.dataType(index) == type else {
        throw OperatorError("input \(index) is \(try context.dataType(index)); expected \(type)")
      }
      guard let got = try context.shape(index, ranks: 1...1)?[0].value,
        let expected = scalesGroups ? groups : channels, got != expected
      else { continue }
      throw OperatorError(
        "input \(index) has \(got) elements; expected \(expected), one for each "
          + (scalesGroups ? "group" : "channel"))
    }
    context.setOutput(0, type, shape)
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (epsilon, scalesGroups) = (epsilon, scalesGroups)
    let (x, _) = try request.onlyInputAndOutput()
    let groups = groups ?? x.shape[1]
    return [
      try Normalization.candidate(
        request, layout: .innerContiguous(from: self.groups == nil ? 2 : 1)
      ) { request in
        let (x, y) = try request.onlyInputAndOutput()
        let channels = groups == 0 ? 0 : x.shape[1] / groups
        // images x groups x channels of a group x pixels
        func view(_ operand: Operand) throws -> Operand {
          guard let strides = operand.strides else {
            throw OperatorError("expected a plain layout")
          }
          let pixels = operand.shape.inner(from: 2)
          return Operand(
            operand.dataType, [operand.shape[0], groups, channels, pixels],
            layout: .strided([
              strides[0], channels == 1 ? strides[1] : channels * pixels, pixels, 1,
            ])
          )
        }
        let strides = scalesGroups ? [0, 1, 0, 0] : [0, channels, 1, 0]
        return try Standardization(
          .deviations, try view(x), try view(y), axes: [false, false, true, true],
          scale: StandardizationParameter(input: 1, strides: strides),
          bias: StandardizationParameter(input: 2, strides: strides)
        ) { 1 / ($0.variance + epsilon).squareRoot() }
      }
    ]
  }
}

/// The type in which ONNX lets statistics be computed; here they are double, and the type is that of outputs alone.
private func stashType(_ node: NodeReader) throws -> DataType {
  let number = try node.int("stash_type", default: Int(DataType.float32.rawValue))
  guard let type = Int32(exactly: number).flatMap(DataType.init(rawValue:)),
    Normalization.types.contains(type)
  else {
    throw OperatorError(
      "attribute 'stash_type' is \(number); expected the number of a floating-point type")
  }
  return type
}

/// LayerNormalization, ONNX opset 17, and RMSNormalization, opset 23: groups are all elements from one axis on. ONNX Runtime's
/// optimiser writes the former into models of every opset.
package struct InnerNormalization: Operator {
  package static var declarations: [OperatorDeclaration] {
    [
      OperatorDeclaration("LayerNormalization", opsets: 1...OperatorTable.latestOpset),
      OperatorDeclaration("RMSNormalization", opsets: 23...OperatorTable.latestOpset),
    ]
  }
  private let isLayer: Bool
  private let axis: Int
  private let epsilon: Double
  private let stash: DataType

  package init(_ node: NodeReader) throws {
    isLayer = node.operatorType == "LayerNormalization"
    try node.requireInputs(2...(isLayer ? 3 : 2))
    axis = try node.int("axis", default: -1)
    epsilon = Double(try node.float("epsilon", default: 1e-5))
    stash = try stashType(node)
  }

  package var singleOutputs: Set<Int> { [1, 2] }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: Normalization.types)
    let scaleType = try context.dataType(1, among: Normalization.types)
    let shape = try context.shape(0, ranks: 1...64)
    for index in 1...2 where context.hasInput(index) {
      let other = try context.dataType(index)
      // RMSNormalization's result has the type of its scale.
      guard other == type || !isLayer else {
        throw OperatorError("input \(index) is \(other); expected \(type)")
      }
      if let shape, let parameter = context.shape(index) {
        try checkBroadcast(parameter, to: shape, index)
      }
    }
    context.setOutput(0, isLayer ? type : scaleType, shape)
    let statistics = try shape.map { shape in
      let first = try normalizedAxis(axis, rank: shape.count)
      return shape.indices.map { $0 < first ? shape[$0] : 1 }
    }
    context.setOutput(1, stash, statistics)
    context.setOutput(2, stash, statistics)
  }

  /// Scale and bias are broadcast to x, never x to them.
  private func checkBroadcast(
    _ parameter: [Dimension], to shape: [Dimension], _ index: Int
  ) throws {
    let fits =
      parameter.count <= shape.count
      && zip(parameter.reversed(), shape.reversed()).allSatisfy { got, whole in
        guard let got = got.value, got != 1, let whole = whole.value else { return true }
        return got == whole
      }
    guard fits else {
      throw OperatorError(
        "input \(index) has shape \(describe(parameter)), which does not broadcast to "
          + describe(shape))
    }
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (x, _) = try request.onlyInputAndOutput()
    let first = try normalizedAxis(axis, rank: x.shape.rank)
    let axes = x.shape.indices.map { $0 >= first }
    let (isLayer, epsilon) = (isLayer, epsilon)
    let record = try InnerNormalization.record(request, epsilon: epsilon)
    return [
      try Normalization.candidate(request, layout: Standardization.requirement(axes: axes)) {
        request in
        let (x, y) = try request.onlyInputAndOutput()
        return try Standardization(
          isLayer ? .deviations : .squares, x, y, axes: axes,
          scale: try InnerNormalization.parameter(1, request, x.shape),
          bias: try InnerNormalization.parameter(2, request, x.shape), record: record
        ) { 1 / ($0.variance + epsilon).squareRoot() }
      }
    ]
  }

  /// How an input is broadcast to the shape of x.
  private static func parameter(
    _ index: Int, _ request: KernelRequest, _ shape: Shape
  ) throws -> StandardizationParameter? {
    guard index < request.inputs.count, let operand = request.inputs[index] else { return nil }
    guard operand.dataType == request.outputs.first??.dataType,
      operand.shape.rank <= shape.rank
    else { throw OperatorError("input \(index) is \(operand.dataType) \(operand.shape)") }
    let missing = shape.rank - operand.shape.rank
    let strides = operand.shape.rowMajorStrides
    return StandardizationParameter(
      input: index,
      strides: shape.indices.map { axis in
        axis < missing || operand.shape[axis - missing] == 1 ? 0 : strides[axis - missing]
      })
  }

  /// What writes the outputs Mean and InvStdDev, where they are asked for.
  private static func record(
    _ request: KernelRequest, epsilon: Double
  ) throws -> (@Sendable (Invocation, Int, GroupStatistics) -> Void)? {
    let stores = try request.outputs.enumerated().dropFirst().compactMap { index, operand in
      try operand.map { (index: index, store: try ElementStore($0.dataType)) }
    }
    if stores.isEmpty { return nil }
    return { invocation, group, statistics in
      for (index, store) in stores {
        let value =
          index == 1 ? statistics.mean : 1 / (statistics.variance + epsilon).squareRoot()
        store(value, to: invocation.output(index), at: group)
      }
    }
  }
}
