// GroupMoments: means, and variances or norms, of groups of elements.
//
// 1. Deterministic: see ReductionGeometry. A group of more than 64 Ki elements is summed at fixed places.
// 2. Sums are of double precision, and a variance is that of the deviations from the mean.

import CLeapKernels
import LeapTensors

/// What is known of one group of elements.
package struct GroupStatistics: Sendable {
  /// The mean; 0 where elements are not centred.
  package var mean: Double
  /// The sum of the squares, or magnitudes, of what is left without the mean.
  package var sum: Double
  /// How many elements the group has.
  package var count: Int

  /// The variance, or the mean square where elements are not centred.
  package var variance: Double { sum / Double(count) }
}

/// What is summed of the elements of a group.
package enum GroupMeasure: Sendable {
  /// The squares of the deviations from the mean.
  case deviations
  /// The squares.
  case squares
  /// The magnitudes.
  case magnitudes
}

struct GroupMoments: Sendable {
  let measure: GroupMeasure
  let geometry: ReductionGeometry
  private let type: DataType

  /// - Parameters:
  ///   - input, output: operands of one shape; the axes from the first of the innermost reduced ones on are contiguous.
  ///   - axes: for each axis, whether groups span it.
  /// - Throws: `OperatorError` for a type other than float32 and float64.
  init(_ measure: GroupMeasure, _ input: Operand, _ output: Operand, axes: [Bool]) throws {
    for type in [input.dataType, output.dataType] where ![.float32, .float64].contains(type) {
      throw OperatorError("elements are \(type); expected float32 or float64")
    }
    self.measure = measure
    type = input.dataType
    geometry = try ReductionGeometry(input, output, axes: axes, keepsDimensions: true)
  }

  /// Tiles of columns of all groups.
  var units: Int { Shape.product([geometry.kept.count, geometry.tiles]) }
  /// Blocks of one phase: a chunk of a unit each.
  var blocks: Int { Shape.product([units, geometry.chunks]) }
  /// Bytes of one number for each column of a tile.
  var tileBytes: Int { geometry.tileWidth * MemoryLayout<Double>.stride }
  /// Bytes of the partial sums that `phases` leave behind.
  var sharedScratch: Int { Shape.product([2, blocks, tileBytes]) }

  /// Phases that leave the partial sums of every chunk at the start of the shared scratch. They use the first
  /// `tileBytes` of each worker's.
  var phases: [Phase] {
    let chunks = geometry.chunks
    let sums = Phase(blockCount: blocks) { invocation, block in
      sumElements(invocation, block / chunks, block % chunks, to: elements(invocation, block))
    }
    let measures = Phase(blockCount: blocks) { invocation, block in
      let means = GroupMoments.numbers(invocation.scratch)
      joinMeans(invocation, block / chunks, to: means)
      sumMeasure(
        invocation, block / chunks, block % chunks, means: means, to: measured(invocation, block))
    }
    return measure == .deviations ? [sums, measures] : [measures]
  }

  static func numbers(_ pointer: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Double> {
    pointer.assumingMemoryBound(to: Double.self)
  }

  /// The partial sums of the elements of a block, and of what is measured.
  private func elements(
    _ invocation: Invocation, _ block: Int
  ) -> UnsafeMutablePointer<Double> {
    GroupMoments.numbers(invocation.sharedScratch + block * tileBytes)
  }

  private func measured(_ invocation: Invocation, _ block: Int) -> UnsafeMutablePointer<Double> {
    elements(invocation, blocks + block)
  }

  /// The columns of a unit: the first, and how many.
  func columns(_ unit: Int) -> (first: Int, count: Int) {
    let first = unit % geometry.tiles * geometry.tileWidth
    return (first, min(geometry.tileWidth, geometry.columns - first))
  }

  /// Computes means and sums of a unit that is one chunk.
  func compute(
    _ invocation: Invocation, _ unit: Int, means: UnsafeMutablePointer<Double>,
    sums: UnsafeMutablePointer<Double>
  ) {
    if measure == .deviations {
      sumElements(invocation, unit, 0, to: means)
      divide(means, columns(unit).count)
    } else {
      means.update(repeating: 0, count: columns(unit).count)
    }
    sumMeasure(invocation, unit, 0, means: means, to: sums)
  }

  /// Joins means and sums of a unit from the partial sums that `phases` left behind.
  func join(
    _ invocation: Invocation, _ unit: Int, means: UnsafeMutablePointer<Double>,
    sums: UnsafeMutablePointer<Double>
  ) {
    joinMeans(invocation, unit, to: means)
    joinChunks(measured(invocation, unit * geometry.chunks), unit, to: sums)
  }

  private func joinMeans(
    _ invocation: Invocation, _ unit: Int, to means: UnsafeMutablePointer<Double>
  ) {
    let count = columns(unit).count
    guard measure == .deviations else { return means.update(repeating: 0, count: count) }
    joinChunks(elements(invocation, unit * geometry.chunks), unit, to: means)
    divide(means, count)
  }

  private func joinChunks(
    _ partial: UnsafeMutablePointer<Double>, _ unit: Int, to sums: UnsafeMutablePointer<Double>
  ) {
    let count = columns(unit).count
    sums.update(repeating: 0, count: count)
    for chunk in 0..<geometry.chunks {
      for index in 0..<count { sums[index] += partial[chunk * geometry.tileWidth + index] }
    }
  }

  private func divide(_ sums: UnsafeMutablePointer<Double>, _ count: Int) {
    for index in 0..<count { sums[index] /= Double(geometry.reducedCount) }
  }

  /// The first element of a unit's columns.
  func source(_ invocation: Invocation, _ unit: Int) -> UnsafeRawPointer {
    let offset = geometry.kept.offsets(unit / geometry.tiles).input + columns(unit).first
    return invocation.input(0) + offset * type.byteWidth
  }

  private func sumElements(
    _ invocation: Invocation, _ unit: Int, _ chunk: Int, to sums: UnsafeMutablePointer<Double>
  ) {
    reduce(LEAP_REDUCE_SUM, invocation, unit, chunk, to: sums)
  }

  private func reduce(
    _ function: leap_reduction, _ invocation: Invocation, _ unit: Int, _ chunk: Int,
    to sums: UnsafeMutablePointer<Double>
  ) {
    forEachPiece(invocation, unit, chunk, clearing: sums) { x, rows, count in
      if geometry.isRun {
        leap_reduce_run(type.rawValue, function, x, rows, sums)
      } else {
        leap_reduce_rows(type.rawValue, function, x, rows, geometry.columns, count, sums)
      }
    }
  }

  private func sumMeasure(
    _ invocation: Invocation, _ unit: Int, _ chunk: Int, means: UnsafeMutablePointer<Double>,
    to sums: UnsafeMutablePointer<Double>
  ) {
    switch measure {
    case .squares: return reduce(LEAP_REDUCE_SUM_SQUARE, invocation, unit, chunk, to: sums)
    case .magnitudes: return reduce(LEAP_REDUCE_L1, invocation, unit, chunk, to: sums)
    case .deviations: break
    }
    forEachPiece(invocation, unit, chunk, clearing: sums) { x, rows, count in
      if geometry.isRun {
        leap_deviations_run(type.rawValue, x, rows, means[0], sums)
      } else {
        leap_deviations_rows(type.rawValue, x, rows, geometry.columns, count, means, sums)
      }
    }
  }

  @inline(__always)
  private func forEachPiece(
    _ invocation: Invocation, _ unit: Int, _ chunk: Int,
    clearing sums: UnsafeMutablePointer<Double>,
    _ body: (_ x: UnsafeRawPointer, _ rows: Int, _ columns: Int) -> Void
  ) {
    let x = source(invocation, unit)
    let count = columns(unit).count
    sums.update(repeating: 0, count: count)
    geometry.forEachPiece(of: chunk) { piece in
      body(x + piece.input * type.byteWidth, piece.rows, count)
    }
  }
}
