// Resize: operators that interpolate a tensor to another extent along any of its axes.
//
// 1. Agrees with ONNX Runtime down to which element "nearest" takes, but where the official cases decide otherwise: see
//    ResizeCoordinates.
// 2. Extents stay symbolic: sizes that were computed from shapes, scales that are whole numbers or halves of halves.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Resizing: OperatorFamily {
  package static var operators: [any Operator.Type] { [Resize.self] }
}

/// Resize, ONNX opsets 10 (asymmetric nearest and linear), 11, 13, 18 (antialias, axes, aspect ratio) and 19; and Upsample, opsets 1
/// (scales of height and width), 7 (attribute `scales`) and 9 (input).
package struct Resize: Operator {
  package static var declarations: [OperatorDeclaration] {
    [
      OperatorDeclaration("Resize", opsets: 10...OperatorTable.latestOpset),
      OperatorDeclaration("Upsample", opsets: 1...10),
    ]
  }

  /// ONNX's `keep_aspect_ratio_policy`.
  private enum AspectRatio: String, CaseIterable, Sendable {
    case stretch
    case notLarger = "not_larger"
    case notSmaller = "not_smaller"
  }

  /// Which input says what; nil where none does.
  private struct Inputs: Sendable {
    var region: Int?
    var scales: Int?
    var sizes: Int?
  }

  /// What the axes are to become.
  private enum Goal {
    case scales([Float])
    case sizes([Dimension])
  }

  private let interpolation: Interpolation
  private let aspectRatio: AspectRatio
  private let extrapolation: Float
  private let axes: [Int]?
  private let inputs: Inputs
  /// The scales of the attributes of an old Upsample.
  private let attribute: [Float]?

  package init(_ node: NodeReader) throws {
    attribute = node.operatorType == "Upsample" ? try Resize.scales(ofUpsample: node) : nil
    if node.operatorType == "Upsample" || node.opset < 11 {
      try node.requireInputs(attribute == nil ? 2...2 : 1...1)
      inputs = Inputs(scales: attribute == nil ? 1 : nil)
      interpolation = Interpolation(
        method: try Resize.method(node), transformation: .asymmetric, rounding: .floor,
        roundsUpWhenShrinking: true)
      aspectRatio = .stretch
      extrapolation = 0
      axes = nil
      return
    }
    interpolation = Interpolation(
      method: try Resize.method(node),
      transformation: try node.choice("coordinate_transformation_mode", default: .halfPixel),
      rounding: try node.choice("nearest_mode", default: .preferFloor),
      cubicCoefficient: Double(try node.float("cubic_coeff_a", default: -0.75)),
      excludesOutside: try node.flag("exclude_outside", default: false),
      antialias: try node.flag("antialias", default: false))
    aspectRatio = try node.choice("keep_aspect_ratio_policy", default: .stretch)
    extrapolation = try node.float("extrapolation_value", default: 0)
    axes = try node.ints("axes")
    let crops = interpolation.transformation == .tfCropAndResize
    try node.requireInputs(1...4)
    inputs = Inputs(
      region: crops && node.hasInput(1) ? 1 : nil, scales: node.hasInput(2) ? 2 : nil,
      sizes: node.hasInput(3) ? 3 : nil)
    guard inputs.scales != nil || inputs.sizes != nil else {
      throw OperatorError("scales or sizes is required")
    }
    if crops && inputs.region == nil {
      throw OperatorError("roi is required for tf_crop_and_resize")
    }
    if interpolation.antialias && interpolation.method == .nearest {
      throw OperatorError("antialias goes with linear and cubic; the mode is nearest")
    }
  }

  private static func method(_ node: NodeReader) throws -> Interpolation.Method {
    // What opset 1 called it.
    if try node.string("mode") == "bilinear" { return .linear }
    return try node.choice("mode", default: .nearest)
  }

  /// The scales of Upsample's attributes; nil where they are an input.
  private static func scales(ofUpsample node: NodeReader) throws -> [Float]? {
    if node.opset >= 9 { return nil }
    if node.opset >= 7 { return try node.required("scales", node.floats("scales")) }
    return [
      1, 1, try node.required("height_scale", node.float("height_scale")),
      try node.required("width_scale", node.float("width_scale")),
    ]
  }

  package var valueInputs: [Int] {
    [inputs.region, inputs.scales, inputs.sizes].compactMap { $0 }
  }

  package var movedOutputs: Int { interpolation.method == .nearest ? 1 : 0 }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    if interpolation.method != .nearest || type.isAddressable {
      try ResizeKernel.require(type, interpolation.method)
    }
    guard let shape = context.shape(0) else { return context.setOutput(0, type, nil) }
    let places = try distinctAxes(axes, rank: shape.count)
    let known = context
    let goal = try goal(tensor: { known.tensor($0) }, dimensions: { known.dimensions($0) })
    guard let goal else {
      var unknown = shape
      for place in places { unknown[place] = .unknown }
      return context.setOutput(0, type, unknown)
    }
    context.setOutput(0, type, try extents(shape, places, goal).map(\.extent))
  }

  /// What the inputs or attributes ask for; nil where that is not known yet.
  private func goal(
    tensor: (Int) -> Tensor?, dimensions: (Int) -> [Dimension]?
  ) throws -> Goal? {
    if let attribute { return .scales(attribute) }
    // An empty tensor is as good as an input that is left out.
    let scales = inputs.scales.map { tensor($0) }
    if case .some(.some(let scales)) = scales, scales.elementCount > 0 {
      if let sizes = inputs.sizes, let given = dimensions(sizes), !given.isEmpty {
        throw OperatorError("scales and sizes are both given; expected one of them")
      }
      return .scales(try Resize.floats(scales, "scales"))
    }
    guard let sizes = inputs.sizes, let given = dimensions(sizes) else { return nil }
    if given.isEmpty, scales != nil { throw OperatorError("scales and sizes are both empty") }
    return .sizes(given)
  }

  private static func floats(_ tensor: Tensor, _ name: String) throws -> [Float] {
    if let floats = tensor.elements(as: Float.self) { return floats }
    if let doubles = tensor.elements(as: Double.self) { return doubles.map { Float($0) } }
    guard tensor.dataType == .float16 || tensor.dataType == .bfloat16 else {
      throw OperatorError("\(name) is \(tensor.dataType); expected floats")
    }
    return tensor.withUnsafeBytes { bytes in
      [Float](unsafeUninitializedCapacity: tensor.elementCount) { buffer, count in
        if let base = buffer.baseAddress {
          ElementCodec.decode(tensor.dataType, bytes, count: tensor.elementCount, to: base)
        }
        count = tensor.elementCount
      }
    }
  }

  /// The extent of each axis, and its scale where that is known.
  private func extents(
    _ shape: [Dimension], _ places: [Int], _ goal: Goal
  ) throws -> [(extent: Dimension, scale: Float?)] {
    var result: [(extent: Dimension, scale: Float?)] = shape.map { ($0, 1) }
    switch goal {
    case .scales(let scales):
      try check("scales", scales.count, places)
      for (place, scale) in zip(places, scales) {
        result[place] = (try Resize.scaled(shape[place], scale), scale)
      }
    case .sizes(let sizes):
      try check("sizes", sizes.count, places)
      if let size = sizes.compactMap(\.value).first(where: { $0 < 0 }) {
        throw OperatorError("sizes \(describe(sizes)) has the extent \(size)")
      }
      let scales = zip(places, sizes).map { Resize.scale(shape[$0], $1) }
      let common = commonScale(scales)
      for (index, place) in places.enumerated() {
        if aspectRatio == .stretch {
          result[place] = (sizes[index], scales[index])
        } else if let common, let extent = shape[place].value {
          let size = (common * Float(extent)).rounded()
          result[place] = (.fixed(try Resize.whole(size)), common)
        } else {
          result[place] = (.unknown, nil)
        }
      }
    }
    return result
  }

  private func check(_ name: String, _ count: Int, _ places: [Int]) throws {
    guard count == places.count else {
      throw OperatorError(
        "\(name) has \(count) elements; expected \(places.count), one for each axis")
    }
  }

  /// The scale of an axis whose sizes are known; an empty axis has any.
  private static func scale(_ source: Dimension, _ target: Dimension) -> Float? {
    guard let source = source.value, let target = target.value else { return nil }
    return source == 0 ? 1 : Float(target) / Float(source)
  }

  /// The one scale that keeps the aspect ratio; nil where it is not known or does not matter.
  private func commonScale(_ scales: [Float?]) -> Float? {
    let known = scales.compactMap { $0 }
    guard known.count == scales.count else { return nil }
    switch aspectRatio {
    case .stretch: return nil
    case .notLarger: return known.min()
    case .notSmaller: return known.max()
    }
  }

  /// floor(extent * scale), in single precision as ONNX's own inference.
  private static func scaled(_ extent: Dimension, _ scale: Float) throws -> Dimension {
    guard scale > 0, scale.isFinite else {
      throw OperatorError("scale \(scale) means nothing; expected one above 0")
    }
    if let extent = extent.value {
      return .fixed(try whole((Float(extent) * scale).rounded(.down)))
    }
    let limit: Float = 1_048_576
    if scale == scale.rounded(), scale <= limit { return extent * .fixed(Int(scale)) }
    let inverse = 1 / scale
    // Multiplying by a power of two is exact.
    if scale.significand == 1, inverse > 1, inverse <= limit {
      return extent / .fixed(Int(inverse))
    }
    return .unknown
  }

  private static func whole(_ extent: Float) throws -> Int {
    guard let value = Int(exactly: extent) else {
      throw OperatorError("the output would have an extent of \(extent)")
    }
    return value
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let input = try request.requiredInput(0)
    let output = try request.requiredOutput(0)
    let places = try distinctAxes(axes, rank: input.shape.rank)
    let goal = try goal(
      tensor: { request.values[$0] },
      dimensions: { request.values[$0]?.integers.map { $0.map(Dimension.fixed) } })
    guard let goal else { throw OperatorError("scales or sizes must be known") }
    // ONNX Runtime copies whatever keeps its shape, though the scales may be a little more than 1.
    if input.shape == output.shape { return [try Movement.sameOrder(request)] }
    let extents = try extents(input.shape.map(Dimension.fixed), places, goal)
    let isWhole = if case .sizes = goal { aspectRatio == .stretch } else { false }
    var resized = input.shape.indices.map { axis in
      let scale = extents[axis].scale ?? 1
      return ResizedAxis(
        source: input.shape[axis], target: output.shape[axis], scale: scale,
        length: isWhole ? Float(output.shape[axis]) : scale * Float(input.shape[axis]))
    }
    if let region = try region(request, places) {
      for (index, place) in places.enumerated() {
        resized[place].start = region[index]
        resized[place].end = region[places.count + index]
      }
    }
    return [
      try ResizeKernel.candidate(
        request, axes: resized, interpolation: interpolation, extrapolation: extrapolation),
      try BlockedResize.candidate(request, axes: resized, interpolation: interpolation),
    ].compactMap { $0 }
  }

  /// The region's starts and ends, where the mode asks for one.
  private func region(_ request: KernelRequest, _ places: [Int]) throws -> [Float]? {
    guard let index = inputs.region else { return nil }
    guard let tensor = request.values[index] else { throw OperatorError("roi must be known") }
    let region = try Resize.floats(tensor, "roi")
    guard region.count == 2 * places.count else {
      throw OperatorError(
        "roi has \(region.count) elements; expected \(2 * places.count), two for each axis")
    }
    return region
  }
}
