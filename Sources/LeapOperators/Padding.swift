// Padding: operators that add places around a tensor, or take some away.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Padding: OperatorFamily {
  package static var operators: [any Operator.Type] { [Pad.self, CenterCropPad.self] }
}

/// Pad, ONNX opsets 1 to 25: attributes to 10 (`paddings` in 1), inputs from 11 on, `axes` from 18, mode wrap from 19.
package struct Pad: Operator {
  package static var declarations: [OperatorDeclaration] { [OperatorDeclaration("Pad")] }
  private let mode: PaddingMode
  /// The pads and the constant of the attributes; nil where they are inputs.
  private let attributes: (pads: [Int], constant: Float)?
  private let hasConstant: Bool
  private let hasAxes: Bool

  package init(_ node: NodeReader) throws {
    mode = try node.choice("mode", default: .constant)
    if node.opset < 11 {
      let name = node.opset < 2 ? "paddings" : "pads"
      attributes = (
        try node.required(name, node.ints(name)), try node.float("value", default: 0)
      )
      hasConstant = false
      hasAxes = false
      try node.requireInputs(1...1)
    } else {
      attributes = nil
      hasConstant = node.hasInput(2)
      hasAxes = node.hasInput(3)
      try node.requireInputs(2...(node.opset < 18 ? 3 : 4))
    }
  }

  package var valueInputs: [Int] { attributes != nil ? [] : hasAxes ? [1, 3] : [1] }

  /// The pads of each axis of a tensor.
  ///
  /// - Parameters:
  ///   - pads: places before each of the axes, then places after.
  ///   - axes: the axes they are for; nil for all.
  private func pads<Extent>(
    rank: Int, _ pads: [Extent], axes: [Int]?, none: Extent
  ) throws -> [(before: Extent, after: Extent)] {
    let places = try distinctAxes(axes, rank: rank)
    guard pads.count == 2 * places.count else {
      throw OperatorError(
        "pads has \(pads.count) elements; expected \(2 * places.count), two for each of"
          + " \(places.count) axes")
    }
    var result = [(before: Extent, after: Extent)](repeating: (none, none), count: rank)
    for (index, place) in places.enumerated() {
      result[place] = (pads[index], pads[places.count + index])
    }
    return result
  }

  /// The pads of each axis, and the number that fills them, where they follow from what is known; nil for another mode.
  ///
  /// - Parameters:
  ///   - rank: of input 0.
  ///   - tensor: the elements of an input, where they are the same in every run.
  /// - Throws: `OperatorError` where the pads do not fit the rank.
  package func constantPads(
    rank: Int, tensor: (_ input: Int) throws -> Tensor?
  ) throws -> (pads: [(before: Int, after: Int)], number: Double)? {
    guard mode == .constant else { return nil }
    if let attributes {
      let pads = try pads(rank: rank, attributes.pads, axes: nil, none: 0)
      return (pads, Double(attributes.constant))
    }
    guard let given = try tensor(1)?.integers else { return nil }
    let axes = hasAxes ? try tensor(3)?.integers : nil
    if hasAxes, axes == nil { return nil }
    var number = 0.0
    if hasConstant {
      guard let constant = try tensor(2)?.doubles?.first else { return nil }
      number = constant
    }
    return (try pads(rank: rank, given, axes: axes, none: 0), number)
  }

  package var movedOutputs: Int { 1 }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    try context.requireIntegers(valueInputs)
    try checkConstant(context, type)
    guard let shape = context.shape(0) else { return context.setOutput(0, type, nil) }
    let given = attributes.map { $0.pads.map(Dimension.fixed) } ?? context.dimensions(1)
    let axes = hasAxes ? context.integers(3) : nil
    guard let given, !hasAxes || axes != nil else {
      return context.setOutput(0, type, shape.map { _ in .unknown })
    }
    let pads = try pads(rank: shape.count, given, axes: axes, none: .fixed(0))
    context.setOutput(
      0, type,
      try zip(shape, pads).map { extent, pad in
        if let extent = extent.value, let before = pad.before.value, let after = pad.after.value {
          let axis = try PaddedAxis(extent: extent, before: before, after: after, mode: mode)
          return .fixed(axis.extent)
        }
        return extent + (pad.before + pad.after)
      })
  }

  private func checkConstant(_ context: InferenceContext, _ type: DataType) throws {
    guard context.hasInput(2) else { return }
    guard try context.dataType(2) == type else {
      throw OperatorError("constant_value is \(try context.dataType(2)); expected \(type)")
    }
    if let shape = context.shape(2), shape.contains(where: { ($0.value ?? 1) != 1 }) {
      throw OperatorError("constant_value has shape \(describe(shape)); expected a scalar")
    }
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let input = try request.requiredInput(0)
    guard let given = attributes?.pads ?? request.values[1]?.integers else {
      throw OperatorError("pads must be integers that are known")
    }
    let axes = hasAxes ? request.values[3]?.integers : nil
    if hasAxes, axes == nil { throw OperatorError("axes must be integers that are known") }
    let constant = try ElementBytes(attributes?.constant ?? 0, as: input.dataType)
    return [
      try PaddedCopy.candidate(
        request, pads: try pads(rank: input.shape.rank, given, axes: axes, none: 0), mode: mode,
        constant: constant, constantInput: 2)
    ]
  }
}

/// CenterCropPad, ONNX opset 18: crops or pads with zeros, around the centre. An odd place is cropped from, or added to, the end.
package struct CenterCropPad: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("CenterCropPad", opsets: 18...OperatorTable.latestOpset)]
  }
  private let axes: [Int]?

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...2)
    axes = try node.ints("axes")
  }

  package var valueInputs: [Int] { [1] }

  package var movedOutputs: Int { 1 }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    guard var shape = context.shape(0) else { return context.setOutput(0, type, nil) }
    let places = try distinctAxes(axes, rank: shape.count)
    if let target = context.dimensions(1) {
      guard target.count == places.count else {
        throw OperatorError(
          "shape has \(target.count) elements; expected \(places.count), one for each axis")
      }
      if let extent = target.compactMap(\.value).first(where: { $0 < 0 }) {
        throw OperatorError("shape \(describe(target)) has the extent \(extent)")
      }
      for (place, extent) in zip(places, target) { shape[place] = extent }
    } else {
      for place in places { shape[place] = .unknown }
    }
    context.setOutput(0, type, shape)
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let input = try request.requiredInput(0)
    let output = try request.requiredOutput(0)
    let pads = zip(input.shape, output.shape).map { source, target in
      // Rounded towards zero: what is left over goes to the end.
      let before = (target - source) / 2
      return (before: before, after: target - source - before)
    }
    return [
      try PaddedCopy.candidate(
        request, pads: pads, mode: .constant,
        constant: try ElementBytes(0, as: input.dataType), constantInput: request.inputs.count)
    ]
  }
}
