// ParameterWalk: where the scale and bias of a standardisation lie for each of its elements.

import LeapTensors

/// A scale or bias: which input it is, and its strides along the axes of the standardised operand, counted in elements. 0
/// repeats it.
package struct StandardizationParameter: Sendable {
  package var input: Int
  package var strides: [Int]

  package init(input: Int, strides: [Int]) {
    self.input = input
    self.strides = strides
  }
}

struct ParameterWalk: Sendable {
  /// A parameter along some elements that lie side by side.
  struct Run {
    let input: Int
    let offset: Int
    let stride: Int
  }

  private let scale: Int?
  private let bias: Int?
  /// The axes outside a group, and those inside but the innermost; strides are those of scale and bias.
  private let outer: StridedIndex
  private let inner: StridedIndex
  /// The innermost axes as one: the extent, and the strides of scale and bias.
  private let extent: Int
  private let strides: (scale: Int, bias: Int)

  /// - Parameter axes: for each axis, whether groups span it. Scale and bias are the same along those that are outside the
  ///   innermost ones.
  init(
    _ shape: Shape, axes: [Bool], _ scale: StandardizationParameter?,
    _ bias: StandardizationParameter?
  ) {
    self.scale = scale?.input
    self.bias = bias?.input
    let all = shape.indices.map { axis in
      (
        extent: shape[axis], input: scale?.strides[axis] ?? 0, output: bias?.strides[axis] ?? 0
      )
    }
    let (first, end) = ReductionGeometry.rowAxes(axes)
    outer = StridedIndex((0..<first).filter { !axes[$0] }.map { all[$0] })
    var rows = all[first..<end].filter { $0.extent != 1 }
    var last = rows.popLast() ?? (extent: 1, input: 0, output: 0)
    while let next = rows.last, next.input == last.input &* last.extent,
      next.output == last.output &* last.extent
    {
      last.extent &*= next.extent
      rows.removeLast()
    }
    inner = StridedIndex(rows)
    extent = max(last.extent, 1)
    strides = (last.input, last.output)
  }

  /// Calls `body` for each run of elements along which the strides do not change.
  ///
  /// - Parameters:
  ///   - group: the number of the group.
  ///   - row, rows: the elements: the first of them, counted from the group's first, and how many.
  ///   - body: takes the run's start, counted from `row`, its length, and where scale and bias lie.
  @inline(__always)
  func forEachRun(
    _ group: Int, _ row: Int, _ rows: Int,
    _ body: (_ start: Int, _ length: Int, _ scale: Run?, _ bias: Run?) -> Void
  ) {
    let base = outer.offsets(group)
    var place = row
    while place < row + rows {
      let within = place % extent
      let length = min(extent - within, row + rows - place)
      let offsets = inner.offsets(place / extent)
      body(
        place - row, length,
        scale.map {
          let offset = base.input + offsets.input + within * strides.scale
          return Run(input: $0, offset: offset, stride: strides.scale)
        },
        bias.map {
          let offset = base.output + offsets.output + within * strides.bias
          return Run(input: $0, offset: offset, stride: strides.bias)
        })
      place += length
    }
  }
}
