// ResizeKernel: resizes any axes of a tensor, one row of the target at a time.
//
// 1. Interpolation is separable: the rows of the source that make a row of the target are weighed and summed first, then the
//    taps along the row are.
// 2. Any strides on both sides, any rank; axes that keep their extent cost one tap.
// 3. Sums are double precision.

import CLeapKernels
import LeapTensors

package enum ResizeKernel {
  /// A candidate that writes input 0, resized, to output 0.
  ///
  /// - Parameters:
  ///   - axes: one for each axis of input 0.
  ///   - extrapolation: what stands at places that lie outside of the source, in mode `tfCropAndResize`.
  /// - Throws: `OperatorError` for a type that cannot be interpolated, or axes that do not go with the shapes.
  package static func candidate(
    _ request: KernelRequest, axes: [ResizedAxis], interpolation: Interpolation,
    extrapolation: Float
  ) throws -> KernelCandidate {
    guard let source = request.inputs.first ?? nil, let target = request.outputs.first ?? nil else {
      throw OperatorError("input 0 and output 0 are required")
    }
    guard axes.map(\.source) == source.shape.dimensions,
      axes.map(\.target) == target.shape.dimensions
    else { throw OperatorError("\(source.shape) cannot be resized to \(target.shape)") }
    let element = try elementType(source.dataType, interpolation.method)
    let outside = try ElementBytes(extrapolation, as: target.dataType)
    let taps = try axes.map { try AxisTaps($0, interpolation) }
    let rounds = interpolation.method == .cubic || interpolation.antialias
    return KernelCandidate(
      name: interpolation.method.algorithm,
      inputs: request.inputs.indices.map { $0 == 0 ? .plain : .planned }, outputs: [.plain],
      cost: cost(source, target, taps)
    ) { settled in
      let rows = ResizedRows(
        taps, try Movement.strides(settled.inputs[0]), try Movement.strides(settled.outputs[0]),
        width: target.dataType.byteWidth, outside: outside)
      return element.map { rows.weighing($0, rounds: rounds) } ?? rows.copying()
    }
  }

  /// Throws `OperatorError.unsupported` where elements of this type cannot be resized so.
  package static func require(_ type: DataType, _ method: Interpolation.Method) throws {
    _ = try elementType(type, method)
  }

  /// The type for the loops that weigh elements; nil where they are copied.
  private static func elementType(
    _ type: DataType, _ method: Interpolation.Method
  ) throws -> leap_resize_type? {
    if method == .nearest {
      guard type.byteWidth > 0 else {
        throw OperatorError.unsupported("elements of type \(type) cannot be moved")
      }
      return nil
    }
    switch type {
    case .float32: return LEAP_RESIZE_F32
    case .float64: return LEAP_RESIZE_F64
    case .int8: return LEAP_RESIZE_I8
    case .uint8: return LEAP_RESIZE_U8
    case .int16: return LEAP_RESIZE_I16
    case .uint16: return LEAP_RESIZE_U16
    case .int32: return LEAP_RESIZE_I32
    case .uint32: return LEAP_RESIZE_U32
    case .int64: return LEAP_RESIZE_I64
    case .uint64: return LEAP_RESIZE_U64
    default: throw OperatorError.unsupported("elements of type \(type) cannot be interpolated")
    }
  }

  private static func cost(_ source: Operand, _ target: Operand, _ taps: [AxisTaps]) -> Cost {
    let count = taps.reduce(1.0) { $0 * Double($1.count) }
    return Cost(
      operations: 2 * count * Double(target.shape.elementCount),
      bytes: Double(source.byteCount) + Double(target.byteCount), operationsPerNanosecond: 1)
  }
}

/// The rows of a resized tensor: its last axis, for every place of the others.
private struct ResizedRows: Sendable {
  private struct Axis: Sendable {
    var taps: AxisTaps
    var sourceStride: Int
    var targetStride: Int
    /// Rows from one place to the next.
    var rows: Int
  }
  /// A piece of a row, and the elements of the source row that it reads.
  private struct Segment: Sendable {
    var places: Range<Int>
    var elements: Range<Int>
  }

  private let outer: [Axis]
  private let row: Axis
  private let rowCount: Int
  private let segments: [Segment]
  private let width: Int
  private let outside: ElementBytes

  /// Places of one segment at most, and elementary steps of one block, about 30 microseconds.
  private static let segmentPlaces = 4096
  private static let blockSteps = 32 << 10

  init(
    _ taps: [AxisTaps], _ sourceStrides: [Int], _ targetStrides: [Int], width: Int,
    outside: ElementBytes
  ) {
    var axes = taps.indices.map {
      Axis(
        taps: taps[$0], sourceStride: sourceStrides[$0], targetStride: targetStrides[$0], rows: 1)
    }
    row = axes.popLast() ?? Axis(taps: .single, sourceStride: 1, targetStride: 1, rows: 1)
    for axis in axes.indices.reversed().dropFirst() {
      axes[axis].rows = axes[axis + 1].rows &* axes[axis + 1].taps.first.count
    }
    outer = axes
    rowCount = Shape.product(axes.map(\.taps.first.count)[...])
    segments = ResizedRows.segments(row.taps)
    self.width = width
    self.outside = outside
  }

  private static func segments(_ taps: AxisTaps) -> [Segment] {
    stride(from: 0, to: taps.first.count, by: segmentPlaces).map { start in
      let places = start..<min(start + segmentPlaces, taps.first.count)
      let first = taps.first[places]
      let low = Int(first.min() ?? 0)
      return Segment(places: places, elements: low..<Int(first.max() ?? 0) + taps.count)
    }
  }

  /// A kernel that copies the one element that each place reads.
  func copying() -> Kernel {
    kernel(steps: row.taps.first.count, scratch: 0) { invocation, index, segment in
      let first = segment.places.lowerBound
      let source = invocation.input(0) + sourceOffset(of: index) * width
      let target =
        invocation.output(0) + (targetOffset(of: index) + first * row.targetStride) * width
      row.taps.first.withUnsafeBufferPointer { table in
        guard let base = table.baseAddress else { return }
        leap_gather_row(
          source, row.sourceStride, base + first, target, row.targetStride, segment.places.count,
          width)
      }
    }
  }

  /// A kernel that weighs and sums elements of a type.
  ///
  /// - Parameter rounds: integers are rounded to nearest rather than cut.
  func weighing(_ type: leap_resize_type, rounds: Bool) -> Kernel {
    let longest = segments.map(\.elements.count).max() ?? 0
    let sums = outer.reduce(1) { $0 &* $1.taps.count }
    let steps = max(1, sums &* longest &+ row.taps.count &* row.taps.first.count)
    return kernel(steps: steps, scratch: longest * 8) { invocation, index, segment in
      let sum = invocation.scratch.assumingMemoryBound(to: Double.self)
      var rows = SourceRows(
        type: type,
        base: invocation.input(0) + segment.elements.lowerBound * row.sourceStride * width,
        width: width, stride: row.sourceStride, count: segment.elements.count, sum: sum)
      weigh(index, axis: 0, offset: 0, weight: 1, &rows)
      let first = segment.places.lowerBound
      let target =
        invocation.output(0) + (targetOffset(of: index) + first * row.targetStride) * width
      row.taps.first.withUnsafeBufferPointer { table in
        row.taps.weights.withUnsafeBufferPointer { weights in
          leap_resize_row(
            type, sum, table.baseAddress.map { $0 + first }, Int32(segment.elements.lowerBound),
            weights.baseAddress.flatMap { weights.isEmpty ? nil : $0 + first * row.taps.count },
            row.taps.count, rounds ? 1 : 0, target, row.targetStride, segment.places.count)
        }
      }
    }
  }

  /// The rows of the source that are summed up.
  private struct SourceRows {
    let type: leap_resize_type
    let base: UnsafeRawPointer
    let width: Int
    let stride: Int
    let count: Int
    let sum: UnsafeMutablePointer<Double>
    var isFirst = true

    mutating func add(offset: Int, weight: Double) {
      leap_resize_weigh(type, base + offset * width, stride, weight, isFirst ? 0 : 1, sum, count)
      isFirst = false
    }
  }

  /// Adds every row of the source that a row of the target is made of.
  private func weigh(
    _ index: Int, axis: Int, offset: Int, weight: Double, _ rows: inout SourceRows
  ) {
    guard axis < outer.count else { return rows.add(offset: offset, weight: weight) }
    let place = place(outer[axis], index)
    let first = Int(outer[axis].taps.first[place])
    for tap in 0..<outer[axis].taps.count {
      weigh(
        index, axis: axis + 1, offset: offset + (first + tap) * outer[axis].sourceStride,
        weight: weight * outer[axis].taps.weight(place, tap), &rows)
    }
  }

  /// A kernel whose blocks call `body` for some segments of rows, and fill what lies outside of the source.
  private func kernel(
    steps: Int, scratch: Int,
    body: @escaping @Sendable (Invocation, _ row: Int, Segment) -> Void
  ) -> Kernel {
    let units = Shape.product([rowCount, segments.count][...])
    let unitsPerBlock = max(1, ResizedRows.blockSteps / max(1, steps / max(1, segments.count)))
    let blocks = units == 0 ? 0 : (units - 1) / unitsPerBlock + 1
    return Kernel(blocks: blocks, scratchPerWorker: scratch) { invocation, block in
      let first = block * unitsPerBlock
      for unit in first..<min(first + unitsPerBlock, units) {
        let (index, segment) = (unit / segments.count, segments[unit % segments.count])
        if outer.contains(where: { $0.taps.isOutside(place($0, index)) }) {
          fill(segment.places, of: index, invocation)
          continue
        }
        body(invocation, index, segment)
        for range in row.taps.outside where range.overlaps(segment.places) {
          fill(range.clamped(to: segment.places), of: index, invocation)
        }
      }
    }
  }

  private func fill(_ places: Range<Int>, of index: Int, _ invocation: Invocation) {
    let start = targetOffset(of: index) + places.lowerBound * row.targetStride
    outside.withBytes {
      leap_copy_strided(
        $0, 0, invocation.output(0) + start * width, row.targetStride, places.count, width)
    }
  }

  private func place(_ axis: Axis, _ index: Int) -> Int {
    index / axis.rows % axis.taps.first.count
  }

  private func targetOffset(of index: Int) -> Int {
    outer.reduce(0) { $0 + place($1, index) * $1.targetStride }
  }

  private func sourceOffset(of index: Int) -> Int {
    outer.reduce(0) { $0 + Int($1.taps.first[place($1, index)]) * $1.sourceStride }
  }
}
