// WindowPooling: maxima, averages and power means of the windows of each plane.
//
// A block is a run of output lines, which may span planes; each line is computed alone, so what it holds does not
// depend on where blocks are cut.

import CLeapKernels
import LeapTensors

/// What becomes of the pixels in a window.
package enum PoolingKind: Sendable, Hashable {
  /// The largest; NaN where there is one, the lowest value where the window holds no pixel.
  case max
  /// The mean of the pixels; or their sum over the number of taps on pixels and padding.
  case average(countsPadding: Bool)
  /// (Σ |x|^exponent)^(1 / exponent).
  case power(exponent: Double)

  fileprivate var cValue: leap_pool_kind {
    switch self {
    case .max: LEAP_POOL_MAX
    case .average: LEAP_POOL_AVERAGE
    case .power: LEAP_POOL_POWER
    }
  }

  fileprivate var elementTypes: Set<DataType> {
    self == .max ? [.float32, .float64, .int8, .uint8] : [.float32, .float64]
  }
}

package enum WindowPooling {
  /// Pixels that one block should read.
  private static let blockWork = 128.0 * 1024

  /// The candidate that pools input 0, [N, C, spatial...], into output 0. Planes may lie anywhere.
  ///
  /// - Throws: `OperatorError` for an element type that `kind` does not take.
  package static func candidate(
    _ kind: PoolingKind, _ geometry: PoolingGeometry, _ request: KernelRequest
  ) throws -> KernelCandidate {
    let shape: leap_pooling =
      switch kind {
      case .max: geometry.cValue()
      case .average(let countsPadding): geometry.cValue(countsPadding: countsPadding)
      case .power(let exponent): geometry.cValue(exponent: exponent)
      }
    let scratch = withUnsafePointer(to: shape) { leap_pool_scratch($0) }
    return try candidate(geometry, request, types: kind.elementTypes, scratch: scratch) {
      planes in
      let (type, width) = (planes.type.rawValue, planes.width)
      return { invocation, plane, lines in
        let source = invocation.input(0) + planes.source(plane) * width
        let target = invocation.output(0) + planes.target(plane) * width
        withUnsafePointer(to: shape) {
          leap_pool(
            kind.cValue, type, $0, source, lines.lowerBound, lines.count, invocation.scratch,
            target)
        }
      }
    }
  }

  /// The candidate that also writes where in input 0 each maximum lies, as int64 into output 1: an index into the whole
  /// of [N, C, spatial...], the pixels of a plane in row-major order or with the first spatial dimension running fastest.
  ///
  /// - Throws: `OperatorError` for an element type that has no maximum.
  package static func maxWithIndices(
    _ geometry: PoolingGeometry, columnMajor: Bool, _ request: KernelRequest
  ) throws -> KernelCandidate {
    let shape = geometry.cValue()
    let pixels = geometry.inputPixels
    let types = PoolingKind.max.elementTypes
    return try candidate(geometry, request, types: types, scratch: 0) { planes in
      let (type, width) = (planes.type.rawValue, planes.width)
      return { invocation, plane, lines in
        let source = invocation.input(0) + planes.source(plane) * width
        let target = invocation.output(0) + planes.target(plane) * width
        let indices = invocation.output(1).assumingMemoryBound(to: Int64.self)
        withUnsafePointer(to: shape) {
          leap_max_pool_indices(
            type, $0, source, lines.lowerBound, lines.count, Int64(plane * pixels),
            columnMajor ? 1 : 0, target, indices + planes.target(plane, output: 1))
        }
      }
    }
  }

  private typealias LineBody = @Sendable (Invocation, _ plane: Int, _ lines: Range<Int>) -> Void

  private static func candidate(
    _ geometry: PoolingGeometry, _ request: KernelRequest, types: Set<DataType>, scratch: Int,
    body: @escaping @Sendable (Planes) -> LineBody
  ) throws -> KernelCandidate {
    guard let x = request.inputs.first ?? nil, let y = request.outputs.first ?? nil else {
      throw OperatorError("input 0 and output 0 are required")
    }
    guard types.contains(x.dataType), y.dataType == x.dataType else {
      throw OperatorError("elements of type \(x.dataType) cannot be pooled so")
    }
    let work = geometry.lineWork * Double(geometry.lines) * Double(x.shape.outer(2))
    return KernelCandidate(
      name: .window, inputs: [.innerContiguous(from: 2)],
      outputs: request.outputs.map { _ in .innerContiguous(from: 2) },
      cost: Cost(
        operations: work, bytes: Double(x.byteCount) + Double(y.byteCount),
        operationsPerNanosecond: 2)
    ) { settled in
      let planes = try Planes(settled)
      return kernel(geometry, planes.count, scratch: scratch, body(planes))
    }
  }

  private static func kernel(
    _ geometry: PoolingGeometry, _ planes: Int, scratch: Int, _ body: @escaping LineBody
  ) -> Kernel {
    let (perPlane, columns) = (geometry.lines, geometry.columns)
    guard columns > 0, perPlane > 0, planes > 0 else { return Kernel(phases: []) }
    let lines = Shape.product([planes, perPlane])
    let perBlock = max(1, Int(blockWork / max(geometry.lineWork, 1)))
    return Kernel(blocks: (lines - 1) / perBlock + 1, scratchPerWorker: scratch) {
      invocation, block in
      var line = block * perBlock
      let last = min(line + perBlock, lines)
      while line < last {
        let (plane, first) = line.quotientAndRemainder(dividingBy: perPlane)
        let end = min(perPlane, first + (last - line))
        body(invocation, plane, first..<end)
        line += end - first
      }
    }
  }
}
