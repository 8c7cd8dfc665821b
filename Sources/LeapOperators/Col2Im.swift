// Col2Im: columns of pixels put back into the image that they were taken from.

import LeapGraph
import LeapKernels
import LeapTensors

/// Col2Im, from ONNX opset 18 on: what `Fold` is in PyTorch, for any number of axes. Complex numbers and strings, which ONNX lists
/// too, are not added up.
package struct Col2Im: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("Col2Im", opsets: 18...OperatorTable.latestOpset)]
  }
  private let attributes: SpatialAttributes

  package init(_ node: NodeReader) throws {
    try node.requireInputs(3...3)
    attributes = try SpatialAttributes(node)
  }

  package var valueInputs: [Int] { [1, 2] }

  /// Checks extents that an input holds. Throws `OperatorError` for one that is not positive, or beyond 32 bits.
  private func check(_ extents: [Dimension], input: Int) throws {
    guard !extents.isEmpty else { throw OperatorError("input \(input) has no extents") }
    for extent in extents {
      guard let extent = extent.value else { continue }
      guard (1...Int(Int32.max)).contains(extent) else {
        throw OperatorError("input \(input) holds \(extent); expected 1 to \(Int32.max)")
      }
    }
  }

  /// The axes of the image. Throws `OperatorError` where no block fits.
  private func axes(image: [Int], block: [Int]) throws -> [WindowAxis] {
    guard image.count == block.count else {
      throw OperatorError(
        "the image has \(image.count) axes and its blocks have \(block.count); expected as many")
    }
    let resolved = try attributes.resolved(rank: image.count)
    return try image.indices.map {
      try WindowAxis(
        image: image[$0], window: block[$0], stride: resolved.strides[$0],
        dilation: resolved.dilations[$0], pads: resolved.pads[$0])
    }
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(
      0,
      among: [
        .float32, .float64, .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64, .bool,
      ])
    for index in 1...2 { _ = try context.dataType(index, among: [.int64]) }
    let columns = try context.shape(0, ranks: 3...3)
    let (image, block) = (context.dimensions(1), context.dimensions(2))
    if let image { try check(image, input: 1) }
    if let block { try check(block, input: 2) }
    guard let rank = image?.count ?? block?.count else { return context.setOutput(0, type, nil) }
    let known = block?.compactMap(\.value) ?? []
    let elements = known.count == block?.count ? Shape.product(known[...]) : nil
    let channels = try columns.flatMap { shape in
      try elements.map { try self.channels(rows: shape[1], elements: $0) }
    }
    if let image = context.integers(1), let block = context.integers(2) {
      let windows = Shape.product(try axes(image: image, block: block).map(\.positions)[...])
      if let given = columns?[2].value, given != windows {
        throw OperatorError(
          "input 0 has \(given) blocks; an image of \(Shape(image)) has \(windows)")
      }
    }
    context.setOutput(
      0, type,
      [columns?[0] ?? .unknown, channels ?? .unknown]
        + (image ?? Array(repeating: .unknown, count: rank)))
  }

  private func channels(rows: Dimension, elements: Int) throws -> Dimension {
    if let known = rows.value, known % elements != 0 {
      throw OperatorError(
        "input 0 has \(known) rows; expected a multiple of the \(elements) elements of a block")
    }
    return rows / .fixed(elements)
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    guard let image = request.values[1]?.integers, let block = request.values[2]?.integers else {
      throw OperatorError("the extents of the image and of its blocks are not known")
    }
    let axes = try axes(image: image, block: block)
    let bind: @Sendable (KernelRequest) throws -> Kernel = { request in
      try ColumnFold.kernel(
        try request.requiredInput(0), try request.requiredOutput(0), axes: axes)
    }
    _ = try bind(request)
    return [
      KernelCandidate(
        name: .col2im, inputs: [.contiguous, .planned, .planned], outputs: [.contiguous],
        cost: Cost(
          operations: Double(try request.requiredInput(0).shape.elementCount),
          bytes: request.variableBytes),
        bind: bind)
    ]
  }
}
