// ReductionKernel: sums, products, extrema and norms along axes.
//
// 1. Deterministic: see ReductionGeometry. A reduction of more than 64 Ki elements leaves partial results in shared
//    scratch, which a second phase joins in order.
// 2. float32 is accumulated in double.

import CLeapKernels
import LeapTensors

/// What becomes of the elements along the reduced axes. Cases are in the order of `enum leap_reduction`.
package enum ReductionFunction: UInt32, Sendable, CaseIterable {
  case sum, mean, max, min, prod, sumSquare, l1, l2, logSum, logSumExp

  var raw: leap_reduction { leap_reduction(rawValue) }
}

package struct ReductionKernel: Sendable {
  /// Elements that one block reads at least, where there are as many.
  private static let grain = 32 << 10

  private let function: ReductionFunction
  private let type: Int32
  private let width: Int
  private let geometry: ReductionGeometry
  /// Bytes of the accumulators of one tile, and of those with their maxima.
  private let tileBytes: Int
  private let entryBytes: Int

  /// - Parameters:
  ///   - axes: for each axis of the input, whether it is reduced.
  ///   - keepsDimensions: whether the output has extents of 1 for them.
  /// - Throws: `OperatorError` for a type that the function does not take, and for the mean of no integers.
  package init(
    _ function: ReductionFunction, _ input: Operand, _ output: Operand, axes: [Bool],
    keepsDimensions: Bool
  ) throws {
    self.function = function
    type = input.dataType.rawValue
    width = input.dataType.byteWidth
    try check(
      leap_reduce_start(type, function.raw, nil, 0),
      "the reduction \(function) of \(input.dataType)")
    geometry = try ReductionGeometry(
      input, output, axes: axes, keepsDimensions: keepsDimensions)
    if function == .mean, geometry.reducedCount == 0, !output.shape.contains(0),
      input.dataType.isInteger
    {
      throw OperatorError("the mean of no integers is not defined")
    }
    tileBytes = geometry.tileWidth * Int(LEAP_ACCUMULATOR_WIDTH)
    entryBytes = function == .logSumExp ? 2 * tileBytes : tileBytes
  }

  /// The layouts it takes for such axes.
  package static func requirements(
    axes: [Bool], keepsDimensions: Bool
  ) -> (input: LayoutRequirement, output: LayoutRequirement) {
    let (first, end) = ReductionGeometry.rowAxes(axes)
    let outerKept = axes[..<first].count { !$0 }
    return (
      .innerContiguous(from: first), .innerContiguous(from: keepsDimensions ? end : outerKept)
    )
  }

  package var kernel: Kernel {
    let units = Shape.product([geometry.kept.count, geometry.tiles])
    let work = Shape.product([geometry.reducedCount, geometry.tileWidth])
    guard geometry.chunks > 1 else {
      return Kernel(
        phases: [
          phase(units: units, work: work) { invocation, unit in
            accumulate(invocation, unit, chunk: 0, to: invocation.scratch)
            finish(invocation, unit)
          }
        ], scratchPerWorker: entryBytes)
    }
    let chunks = geometry.chunks
    let partial = Phase(blockCount: Shape.product([units, chunks])) { invocation, block in
      accumulate(
        invocation, block / chunks, chunk: block % chunks,
        to: invocation.sharedScratch + block * entryBytes)
    }
    let join = phase(units: units, work: Shape.product([chunks, geometry.tileWidth])) {
      invocation, unit in
      joinChunks(invocation, unit)
      finish(invocation, unit)
    }
    return Kernel(
      phases: [partial, join], scratchPerWorker: entryBytes,
      sharedScratch: Shape.product([units, chunks, entryBytes]))
  }

  /// A phase of as many units a block as make up the grain.
  private func phase(
    units: Int, work: Int, _ body: @escaping @Sendable (Invocation, _ unit: Int) -> Void
  ) -> Phase {
    let perBlock = max(1, ReductionKernel.grain / max(work, 1))
    return Phase(blockCount: units == 0 ? 0 : (units - 1) / perBlock + 1) { invocation, block in
      for unit in block * perBlock..<min((block + 1) * perBlock, units) { body(invocation, unit) }
    }
  }

  /// The columns of a unit: the first, and how many.
  private func columns(_ unit: Int) -> (first: Int, count: Int) {
    let first = unit % geometry.tiles * geometry.tileWidth
    return (first, min(geometry.tileWidth, geometry.columns - first))
  }

  /// Starts accumulators and joins one chunk of the elements to them.
  private func accumulate(
    _ invocation: Invocation, _ unit: Int, chunk: Int, to accumulators: UnsafeMutableRawPointer
  ) {
    let (first, count) = columns(unit)
    let base = geometry.kept.offsets(unit / geometry.tiles).input + first
    let x = invocation.input(0) + base * width
    start(accumulators, count)
    guard function == .logSumExp else {
      geometry.forEachPiece(of: chunk) { piece in
        join(function.raw, x + piece.input * width, piece.rows, count, accumulators)
      }
      return
    }
    let maxima = accumulators + tileBytes
    let sums = accumulators.assumingMemoryBound(to: Double.self)
    geometry.forEachPiece(of: chunk) { piece in
      join(LEAP_REDUCE_MAX, x + piece.input * width, piece.rows, count, maxima)
    }
    geometry.forEachPiece(of: chunk) { piece in
      if geometry.isRun {
        leap_reduce_exp_run(type, x + piece.input * width, piece.rows, maxima, sums)
      } else {
        leap_reduce_exp_rows(
          type, x + piece.input * width, piece.rows, geometry.columns, count, maxima, sums)
      }
    }
  }

  private func start(_ accumulators: UnsafeMutableRawPointer, _ count: Int) {
    _ = leap_reduce_start(type, function.raw, accumulators, count)
    if function == .logSumExp {
      _ = leap_reduce_start(type, LEAP_REDUCE_MAX, accumulators + tileBytes, count)
    }
  }

  private func join(
    _ function: leap_reduction, _ x: UnsafeRawPointer, _ rows: Int, _ columns: Int,
    _ accumulators: UnsafeMutableRawPointer
  ) {
    if geometry.isRun {
      leap_reduce_run(type, function, x, rows, accumulators)
    } else {
      leap_reduce_rows(type, function, x, rows, geometry.columns, columns, accumulators)
    }
  }

  /// Joins the partial results of a unit in this worker's scratch.
  private func joinChunks(_ invocation: Invocation, _ unit: Int) {
    let (_, count) = columns(unit)
    let sums = invocation.scratch
    start(sums, count)
    for chunk in 0..<geometry.chunks {
      let later = invocation.sharedScratch + (unit * geometry.chunks + chunk) * entryBytes
      if function == .logSumExp {
        leap_reduce_exp_join(
          type, sums.assumingMemoryBound(to: Double.self), sums + tileBytes,
          later.assumingMemoryBound(to: Double.self), later + tileBytes, count)
      } else {
        leap_reduce_join(type, function.raw, sums, later, count)
      }
    }
  }

  /// Writes the outputs of a unit, whose accumulators are in this worker's scratch.
  private func finish(_ invocation: Invocation, _ unit: Int) {
    let (first, count) = columns(unit)
    let offset = geometry.kept.offsets(unit / geometry.tiles).output + first
    leap_reduce_finish(
      type, function.raw, invocation.scratch, invocation.scratch + tileBytes,
      geometry.reducedCount, invocation.output(0) + offset * width, count)
  }
}
