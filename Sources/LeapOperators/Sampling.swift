// Sampling: operators that read images at places of their inputs' choice: GridSample, AffineGrid, RoiAlign, MaxRoiPool,
// CropAndResize.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Sampling: OperatorFamily {
  package static var operators: [any Operator.Type] {
    [
      GridSample.self, AffineGrid.self, RoiAlign.self, MaxRoiPool.self, CropAndResize.self,
    ]
  }
  static let types: Set<DataType> = [.float32, .float64]
}

/// GridSample, ONNX opsets 16 to 22: modes bilinear and bicubic are called linear and cubic from 20 on. The nearest pixels can be
/// of any type; between them there are numbers alone, cut towards zero where the image is of integers.
package struct GridSample: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("GridSample", opsets: 16...OperatorTable.latestOpset)]
  }

  private enum Mode: String, CaseIterable { case linear, nearest, cubic, bilinear, bicubic }

  private let sampling: GridSampling

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...2)
    let interpolation: GridSampling.Interpolation
    switch try node.choice("mode", default: Mode.linear) {
    case .linear, .bilinear: interpolation = .linear
    case .cubic, .bicubic: interpolation = .cubic
    case .nearest: interpolation = .nearest
    }
    sampling = GridSampling(
      interpolation: interpolation, padding: try node.choice("padding_mode", default: .zeros),
      alignsCorners: try node.flag("align_corners", default: false))
  }

  private var isMoving: Bool { sampling.interpolation == .nearest }

  package var movedOutputs: Int { isMoving ? 1 : 0 }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(1, among: Sampling.types)
    let type =
      isMoving
      ? try context.dataType(0) : try context.dataType(0, among: GridSampling.interpolated)
    let x = try context.shape(0, ranks: 3...6)
    guard let places = try context.shape(1, ranks: 3...6) else {
      return context.setOutput(0, type, nil)
    }
    if let x {
      guard places.count == x.count else {
        throw OperatorError("the grid has rank \(places.count); expected \(x.count), input 0's")
      }
      try check(
        places[places.count - 1], equals: .fixed(x.count - 2), "coordinates", "places of the image")
      try check(places[0], equals: x[0], "grids", "images")
    }
    context.setOutput(
      0, type, [x?[0] ?? places[0], x?[1] ?? .unknown] + places[1..<(places.count - 1)])
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let sampling = sampling
    return [
      try rowMajorCandidate(
        .sampling, request, cost: elementwiseCost(request, operations: 40)
      ) { try sampling.kernel($0) }
    ]
  }
}

/// AffineGrid, from ONNX opset 20 on.
package struct AffineGrid: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("AffineGrid", opsets: 20...OperatorTable.latestOpset)]
  }
  private let alignsCorners: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...2)
    alignsCorners = try node.flag("align_corners", default: false)
  }

  package var valueInputs: [Int] { [1] }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: Sampling.types)
    _ = try context.dataType(1, among: [.int64])
    let theta = try context.shape(0, ranks: 3...3)
    guard let size = context.dimensions(1) else { return context.setOutput(0, type, nil) }
    guard size.count == 4 || size.count == 5 else {
      throw OperatorError("size has \(size.count) elements; expected 4 or 5")
    }
    for extent in size.compactMap(\.value) where extent < 0 || extent > Int(Int32.max) {
      throw OperatorError("size \(describe(size)) has the extent \(extent)")
    }
    let axes = size.count - 2
    if let theta {
      try check(theta[0], equals: size[0], "maps", "images")
      try check(theta[1], equals: .fixed(axes), "rows of a map", "axes")
      try check(theta[2], equals: .fixed(axes + 1), "columns of a map", "axes")
    }
    context.setOutput(0, type, [size[0]] + size[2...] + [.fixed(axes)])
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let alignsCorners = alignsCorners
    return [
      try rowMajorCandidate(
        .sampling, request, cost: elementwiseCost(request, operations: 20)
      ) { try AffineGridKernel.kernel($0, alignsCorners: alignsCorners) }
    ]
  }
}

/// The attribute of a size of outputs. Throws `OperatorError` where it is out of range.
private func outputExtent(_ node: NodeReader, _ name: String) throws -> Int {
  let extent = try node.int(name, default: 1)
  guard extent >= 1, extent <= Int(Int32.max) else {
    throw OperatorError("attribute '\(name)' is \(extent); expected 1 or more")
  }
  return extent
}

/// RoiAlign, ONNX opsets 10 to 22: boxes begin half a pixel earlier from opset 16 on, unless an attribute says otherwise.
package struct RoiAlign: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("RoiAlign", opsets: 10...OperatorTable.latestOpset)]
  }

  private enum Mode: String, CaseIterable { case avg, max }
  private enum Transformation: String, CaseIterable {
    case halfPixel = "half_pixel"
    case outputHalfPixel = "output_half_pixel"
  }

  private let pooling: RegionPooling

  package init(_ node: NodeReader) throws {
    try node.requireInputs(3...3)
    let ratio = try node.int("sampling_ratio", default: 0)
    guard ratio >= 0, ratio <= 4096 else {
      throw OperatorError("attribute 'sampling_ratio' is \(ratio); expected 0 to 4096")
    }
    let transformation: Transformation =
      node.opset < 16
      ? .outputHalfPixel
      : try node.choice("coordinate_transformation_mode", default: .halfPixel)
    pooling = RegionPooling(
      .align(
        takesMaximum: try node.choice("mode", default: Mode.avg) == .max,
        halfPixel: transformation == .halfPixel, samplingRatio: ratio),
      scale: try node.float("spatial_scale", default: 1),
      height: try outputExtent(node, "output_height"),
      width: try outputExtent(node, "output_width"))
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: Sampling.types)
    _ = try context.dataType(1, among: [type])
    _ = try context.dataType(2, among: [.int64])
    let x = try context.shape(0, ranks: 4...4)
    let boxes = try context.shape(1, ranks: 2...2)
    let images = try context.shape(2, ranks: 1...1)
    if let boxes {
      try check(boxes[1], equals: 4, "numbers of a box", "boxes")
      if let images { try check(images[0], equals: boxes[0], "indices of images", "boxes") }
    }
    context.setOutput(
      0, type,
      [
        boxes?[0] ?? images?[0] ?? .unknown, x?[1] ?? .unknown, .fixed(pooling.height),
        .fixed(pooling.width),
      ])
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let pooling = pooling
    return [
      try rowMajorCandidate(
        .sampling, request, cost: elementwiseCost(request, operations: 100)
      ) { try pooling.kernel($0) }
    ]
  }
}

/// MaxRoiPool, ONNX opsets 1 to 22: boxes of an image's index, x1, y1, x2, y2.
package struct MaxRoiPool: Operator {
  package static var declarations: [OperatorDeclaration] { [OperatorDeclaration("MaxRoiPool")] }
  private let pooling: RegionPooling

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...2)
    let shape = try node.required(
      "pooled_shape", SpatialAttributes.list(node, "pooled_shape", minimum: 1))
    guard shape.count == 2 else {
      throw OperatorError("attribute 'pooled_shape' has \(shape.count) numbers; expected 2")
    }
    pooling = RegionPooling(
      .maximum, scale: try node.float("spatial_scale", default: 1), height: shape[0],
      width: shape[1])
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: Sampling.types)
    _ = try context.dataType(1, among: [type])
    let x = try context.shape(0, ranks: 4...4)
    let boxes = try context.shape(1, ranks: 2...2)
    if let boxes { try check(boxes[1], equals: 5, "numbers of a box", "boxes") }
    context.setOutput(
      0, type,
      [
        boxes?[0] ?? .unknown, x?[1] ?? .unknown, .fixed(pooling.height), .fixed(pooling.width),
      ])
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let pooling = pooling
    return [
      try rowMajorCandidate(
        .sampling, request, cost: elementwiseCost(request, operations: 100)
      ) { try pooling.kernel($0) }
    ]
  }
}

/// CropAndResize (com.microsoft): boxes of images, each resized to what input 3 says.
package struct CropAndResize: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("CropAndResize", domain: Quantization.microsoft)]
  }
  private let resizing: CropResizing

  package init(_ node: NodeReader) throws {
    try node.requireInputs(4...4)
    resizing = CropResizing(
      mode: try node.choice("mode", default: .bilinear),
      outside: try node.float("extrapolation_value", default: 0))
  }

  package var valueInputs: [Int] { [3] }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: Sampling.types)
    _ = try context.dataType(1, among: [type])
    for index in 2...3 { _ = try context.dataType(index, among: [.int32]) }
    let x = try context.shape(0, ranks: 4...4)
    let boxes = try context.shape(1, ranks: 2...2)
    let images = try context.shape(2, ranks: 1...1)
    if let boxes {
      try check(boxes[1], equals: 4, "numbers of a box", "boxes")
      if let images { try check(images[0], equals: boxes[0], "indices of images", "boxes") }
    }
    let size = context.dimensions(3) ?? [.unknown, .unknown]
    guard size.count == 2, size.allSatisfy({ ($0.value ?? 1) > 0 }) else {
      throw OperatorError("input 3 is \(describe(size)); expected a height and a width")
    }
    context.setOutput(0, type, [boxes?[0] ?? images?[0] ?? .unknown, x?[1] ?? .unknown] + size)
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let resizing = resizing
    return [
      try rowMajorCandidate(
        .sampling, request, cost: elementwiseCost(request, operations: 20)
      ) { try resizing.kernel($0) }
    ]
  }
}
