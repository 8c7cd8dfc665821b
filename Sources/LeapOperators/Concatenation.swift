// Concatenation: operators that lay tensors side by side, and that cut one into pieces.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Concatenation: OperatorFamily {
  package static var operators: [any Operator.Type] { [Concat.self, Split.self, Slice.self] }
}

/// Concat, ONNX opsets 1 (axis 1 unless told) and 4 to 13.
package struct Concat: ConcatOperator {
  package static var declarations: [OperatorDeclaration] { [OperatorDeclaration("Concat")] }
  private let axis: Int

  package init(_ node: NodeReader) throws {
    axis =
      try node.opset < 4 ? node.int("axis", default: 1) : node.required("axis", node.int("axis"))
    guard node.inputCount > 0 else { throw OperatorError("expected at least one input") }
    for index in 0..<node.inputCount where !node.hasInput(index) {
      throw OperatorError("input \(index) is left out")
    }
  }

  package func concatAxis(rank: Int) throws -> Int {
    guard rank > 0 else { throw OperatorError("scalars cannot be concatenated") }
    return try normalizedAxis(axis, rank: rank)
  }

  package var movedOutputs: Int { 1 }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    var result: [Dimension]?
    for index in context.inputs.indices {
      guard try context.dataType(index) == type else {
        throw OperatorError("input \(index) is \(try context.dataType(index)); input 0 is \(type)")
      }
      guard let shape = context.shape(index) else { return context.setOutput(0, type, nil) }
      guard let known = result else {
        _ = try concatAxis(rank: shape.count)
        result = shape
        continue
      }
      result = try join(known, shape, index)
    }
    context.setOutput(0, type, result)
    let elements = context.inputs.indices.map { context.dimensions($0) }
    if result?.count == 1, elements.allSatisfy({ $0 != nil }) {
      context.setOutput(0, dimensions: elements.flatMap { $0 ?? [] })
    }
  }

  private func join(_ left: [Dimension], _ right: [Dimension], _ index: Int) throws -> [Dimension] {
    guard left.count == right.count else {
      throw OperatorError("input \(index) has rank \(right.count); input 0 has rank \(left.count)")
    }
    let axis = try concatAxis(rank: left.count)
    return try left.indices.map { place in
      if place == axis { return left[place] + right[place] }
      if let a = left[place].value, let b = right[place].value, a != b {
        throw OperatorError(
          "input \(index) is \(describe(right)); expected \(a) at dimension \(place), as in those before"
        )
      }
      return left[place].value == nil ? right[place] : left[place]
    }
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let axis = try concatAxis(rank: request.outputs[0]?.shape.rank ?? 0)
    let blocked = axis == 1 ? BlockedConcat.candidate(request).map { [$0] } ?? [] : []
    return [
      try Movement.candidate(request, reading: Set(request.inputs.indices)) { settled in
        let target = try Movement.strides(settled.outputs[0])
        var offset = 0
        var boxes: [(input: Int, box: CopyBox)] = []
        for (index, input) in settled.inputs.enumerated() {
          guard let input else { continue }
          boxes.append(
            (
              index,
              CopyBox(
                extents: input.shape.dimensions, sourceStrides: try Movement.strides(input),
                targetStrides: target, targetOffset: offset * target[axis])
            ))
          offset += input.shape[axis]
        }
        return boxes
      }
    ] + blocked
  }
}

/// Split, ONNX opsets 1 to 18: sizes as an attribute before 13, as an input since; `num_outputs` from 18.
package struct Split: Operator {
  package static var declarations: [OperatorDeclaration] { [OperatorDeclaration("Split")] }
  private let axis: Int
  private let attribute: [Int]?
  private let sizesAreInput: Bool
  private let pieces: Int

  package init(_ node: NodeReader) throws {
    axis = try node.int("axis", default: 0)
    attribute = try node.ints("split")
    sizesAreInput = (node.opset < 2 || node.opset >= 13) && node.hasInput(1)
    pieces = node.outputCount
    try node.requireInputs(1...2)
    if let count = try node.int("num_outputs"), count != pieces {
      throw OperatorError("num_outputs is \(count); the node has \(pieces) outputs")
    }
    guard pieces > 0 else { throw OperatorError("expected at least one output") }
  }

  package var valueInputs: [Int] { sizesAreInput ? [1] : [] }

  /// The extent of each piece. Throws `OperatorError` where the sizes do not add up.
  private func sizes(of extent: Int, given: [Int]?) throws -> [Int] {
    if let given {
      let sum = given.reduce(0) { $0 &+ $1 }
      guard given.count == pieces, given.allSatisfy({ $0 >= 0 && $0 <= extent }), sum == extent
      else {
        throw OperatorError(
          "split \(given) does not cut an extent of \(extent) into \(pieces) pieces")
      }
      return given
    }
    let size = extent / pieces + (extent % pieces == 0 ? 0 : 1)
    return (0..<pieces).map { min(size, max(extent - $0 * size, 0)) }
  }

  package var movedOutputs: Int { pieces }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    try context.requireIntegers(valueInputs)
    let given = sizesAreInput ? context.integers(1) : attribute
    guard let shape = context.shape(0), !sizesAreInput || given != nil else {
      for index in 0..<pieces { context.setOutput(index, type, nil) }
      return
    }
    guard !shape.isEmpty else { throw OperatorError("a scalar cannot be split") }
    let axis = try normalizedAxis(axis, rank: shape.count)
    let extents = try shape[axis].value.map { try sizes(of: $0, given: given) }
    for index in 0..<pieces {
      var piece = shape
      piece[axis] = extents.map { .fixed($0[index]) } ?? given.map { .fixed($0[index]) } ?? .unknown
      context.setOutput(index, type, piece)
    }
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    guard let input = request.inputs[0], input.dataType.byteWidth > 0 else {
      throw OperatorError.unsupported("elements of this type cannot be moved")
    }
    let axis = try normalizedAxis(axis, rank: input.shape.rank)
    let given = sizesAreInput ? request.values[1]?.integers : attribute
    let extents = try sizes(of: input.shape[axis], given: given)
    let width = input.dataType.byteWidth
    return [
      KernelCandidate(
        name: .copy, inputs: request.inputs.indices.map { $0 == 0 ? .plain : .planned },
        outputs: request.outputs.map { _ in .plain },
        cost: Cost(operations: 0, bytes: 2 * Double(input.byteCount))
      ) { settled in
        let source = try Movement.strides(settled.inputs[0])
        var offset = 0
        var boxes: [(output: Int, box: CopyBox)] = []
        for (index, output) in settled.outputs.enumerated() {
          if let output, !output.shape.contains(0) {
            boxes.append(
              (
                index,
                CopyBox(
                  extents: output.shape.dimensions, sourceStrides: source,
                  targetStrides: try Movement.strides(output), sourceOffset: offset * source[axis])
              ))
          }
          offset += extents[index]
        }
        let pieces = boxes
        return Kernel(blocks: pieces.count) { invocation, block in
          StridedCopy.copy(
            pieces[block].box, width, from: invocation.input(0),
            to: invocation.output(pieces[block].output))
        }
      }
    ]
  }
}

/// Slice, ONNX opsets 1 (attributes) and 10 to 13 (inputs, with steps).
package struct Slice: Operator {
  package static var declarations: [OperatorDeclaration] { [OperatorDeclaration("Slice")] }
  private struct Attributes: Sendable {
    var starts: [Int]
    var ends: [Int]
    var axes: [Int]?
  }
  private let attributes: Attributes?
  private let inputs: [Int]

  package init(_ node: NodeReader) throws {
    if node.opset < 10 {
      attributes = Attributes(
        starts: try node.required("starts", node.ints("starts")),
        ends: try node.required("ends", node.ints("ends")), axes: try node.ints("axes"))
      inputs = []
      try node.requireInputs(1...1)
    } else {
      attributes = nil
      inputs = (1...4).filter { node.hasInput($0) }
      try node.requireInputs(3...5)
    }
  }

  package var valueInputs: [Int] { inputs }

  /// Where one axis starts, how many elements it keeps, and its step.
  private struct Cut {
    var axis: Int
    var start: Int
    var count: Int
    var step: Int
  }

  /// The cuts of a shape, whose extents on the sliced axes must be known.
  private func cuts(
    rank: Int, extent: (Int) -> Int?, values: (Int) -> [Int]?
  ) throws -> [Cut]? {
    guard let starts = attributes?.starts ?? values(1), let ends = attributes?.ends ?? values(2)
    else { return nil }
    let axes = attributes.map { $0.axes } ?? (inputs.contains(3) ? values(3) : nil)
    if inputs.contains(3), axes == nil { return nil }
    let steps = inputs.contains(4) ? values(4) : Array(repeating: 1, count: starts.count)
    guard let steps else { return nil }
    let places = axes ?? Array(starts.indices)
    guard ends.count == starts.count, places.count == starts.count, steps.count == starts.count
    else {
      throw OperatorError(
        "starts, ends, axes and steps have \(starts.count), \(ends.count), \(places.count), \(steps.count) elements"
      )
    }
    var seen: Set<Int> = []
    return try starts.indices.map { index in
      guard rank > 0 else { throw OperatorError("a scalar cannot be sliced") }
      let axis = try normalizedAxis(places[index], rank: rank)
      guard seen.insert(axis).inserted else { throw OperatorError("axis \(axis) is given twice") }
      guard steps[index] != 0, steps[index] != .min else {
        throw OperatorError("step \(steps[index]) means nothing")
      }
      return Slice.cut(axis, extent(axis), starts[index], ends[index], steps[index])
    }
  }

  private static func cut(_ axis: Int, _ extent: Int?, _ start: Int, _ end: Int, _ step: Int) -> Cut
  {
    guard let extent else { return Cut(axis: axis, start: start, count: -1, step: step) }
    func absolute(_ index: Int) -> Int { index < 0 ? max(index, -extent - 1) + extent : index }
    let low = step > 0 ? 0 : -1
    let high = step > 0 ? extent : extent - 1
    let first = min(max(absolute(start), step > 0 ? 0 : -1), high)
    let last = min(max(absolute(end), low), high)
    let distance = step > 0 ? last - first : first - last
    let size = abs(step)
    let count = distance > 0 ? (distance - 1) / size + 1 : 0
    return Cut(axis: axis, start: first, count: count, step: step)
  }

  package var movedOutputs: Int { 1 }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    try context.requireIntegers(valueInputs)
    guard let shape = context.shape(0) else { return context.setOutput(0, type, nil) }
    let known = context
    let cuts = try cuts(
      rank: shape.count, extent: { shape[$0].value }, values: { known.integers($0) })
    guard let cuts else {
      return context.setOutput(0, type, shape.map { _ in .unknown })
    }
    var result = shape
    for cut in cuts { result[cut.axis] = cut.count < 0 ? .unknown : .fixed(cut.count) }
    context.setOutput(0, type, result)
    if shape.count == 1, let elements = context.dimensions(0), let cut = cuts.first, cut.count >= 0
    {
      let kept = (0..<cut.count).map { elements[cut.start + $0 * cut.step] }
      context.setOutput(0, dimensions: kept)
    }
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    guard let input = request.inputs[0],
      let cuts = try cuts(
        rank: input.shape.rank, extent: { input.shape[$0] },
        values: { request.values[$0]?.integers })
    else { throw OperatorError("starts and ends must be known") }
    return [
      try Movement.candidate(request, reading: [0]) { settled in
        let strides = try Movement.strides(settled.inputs[0])
        var box = CopyBox(
          extents: settled.outputs[0]?.shape.dimensions ?? [], sourceStrides: strides,
          targetStrides: try Movement.strides(settled.outputs[0]))
        for cut in cuts where cut.count > 0 {
          box.sourceOffset += cut.start * strides[cut.axis]
          box.sourceStrides[cut.axis] = cut.count > 1 ? strides[cut.axis] * cut.step : 0
        }
        return [(0, box)]
      }
    ]
  }
}
