// Standardization: kernels that centre and scale groups of elements by the groups' own statistics, then by a scale and a
// bias.
//
// Groups of up to 64 Ki elements are read from memory once; longer ones take phases of their own for their sums.

import CLeapKernels
import LeapTensors

package struct Standardization: Sendable {
  /// Elements that one block reads at least, where there are as many.
  private static let grain = 32 << 10

  private let moments: GroupMoments
  private let parameters: ParameterWalk
  private let factor: @Sendable (GroupStatistics) -> Double
  private let record: (@Sendable (Invocation, _ group: Int, GroupStatistics) -> Void)?
  private let type: DataType
  private let result: DataType

  /// - Parameters:
  ///   - measure: what is summed of the elements.
  ///   - input, output: operands of one shape, or views of them; layouts as `requirement` says. float32 or float64 each.
  ///   - axes: for each axis, whether groups span it.
  ///   - scale, bias: of the output's type, and only where groups span the last axis.
  ///   - record: called once for each group, numbered in row-major order of the axes that groups do not span.
  ///   - factor: what a group's elements are multiplied by.
  /// - Throws: `OperatorError` for a type other than float32 and float64.
  package init(
    _ measure: GroupMeasure, _ input: Operand, _ output: Operand, axes: [Bool],
    scale: StandardizationParameter? = nil, bias: StandardizationParameter? = nil,
    record: (@Sendable (Invocation, _ group: Int, GroupStatistics) -> Void)? = nil,
    factor: @escaping @Sendable (GroupStatistics) -> Double
  ) throws {
    moments = try GroupMoments(measure, input, output, axes: axes)
    parameters = ParameterWalk(input.shape, axes: axes, scale, bias)
    self.factor = factor
    self.record = record
    type = input.dataType
    result = output.dataType
  }

  /// The layout it takes and makes for such axes.
  package static func requirement(axes: [Bool]) -> LayoutRequirement {
    .innerContiguous(from: ReductionGeometry.rowAxes(axes).first)
  }

  package var kernel: Kernel {
    let chunks = moments.geometry.chunks
    let tileBytes = moments.tileBytes
    // Means, sums and factors of a tile.
    let scratch = 3 * tileBytes
    guard chunks > 1 else {
      let work = Shape.product([moments.geometry.reducedCount, moments.geometry.tileWidth])
      let perBlock = max(1, Standardization.grain / max(work, 1))
      let units = moments.units
      return Kernel(
        blocks: units == 0 ? 0 : (units - 1) / perBlock + 1, scratchPerWorker: scratch
      ) { invocation, block in
        let (means, sums) = statistics(invocation)
        for unit in block * perBlock..<min((block + 1) * perBlock, units) {
          moments.compute(invocation, unit, means: means, sums: sums)
          scale(invocation, unit, 0, means: means, sums: sums)
        }
      }
    }
    let scaling = Phase(blockCount: moments.blocks) { invocation, block in
      let (means, sums) = statistics(invocation)
      moments.join(invocation, block / chunks, means: means, sums: sums)
      scale(invocation, block / chunks, block % chunks, means: means, sums: sums)
    }
    return Kernel(
      phases: moments.phases + [scaling], scratchPerWorker: scratch,
      sharedScratch: moments.sharedScratch)
  }

  private func statistics(
    _ invocation: Invocation
  ) -> (means: UnsafeMutablePointer<Double>, sums: UnsafeMutablePointer<Double>) {
    (
      GroupMoments.numbers(invocation.scratch),
      GroupMoments.numbers(invocation.scratch + moments.tileBytes)
    )
  }

  /// Writes one chunk of a unit's elements.
  private func scale(
    _ invocation: Invocation, _ unit: Int, _ chunk: Int, means: UnsafeMutablePointer<Double>,
    sums: UnsafeMutablePointer<Double>
  ) {
    let geometry = moments.geometry
    let (first, count) = moments.columns(unit)
    let group = unit / geometry.tiles
    let factors = GroupMoments.numbers(invocation.scratch + 2 * moments.tileBytes)
    for index in 0..<count {
      let statistics = GroupStatistics(
        mean: means[index], sum: sums[index], count: geometry.reducedCount)
      factors[index] = factor(statistics)
      if chunk == 0 { record?(invocation, group * geometry.columns + first + index, statistics) }
    }
    let x = moments.source(invocation, unit)
    let y =
      invocation.output(0) + (geometry.kept.offsets(group).output + first) * result.byteWidth
    geometry.forEachPiece(of: chunk) { piece in
      let from = x + piece.input * type.byteWidth
      let to = y + piece.output * result.byteWidth
      if geometry.isRun {
        parameters.forEachRun(group, piece.row, piece.rows) { start, length, scale, bias in
          leap_standardize_run(
            type.rawValue, result.rawValue, from + start * type.byteWidth,
            to + start * result.byteWidth, length, means[0], factors[0],
            scale.map { invocation.input($0.input) + $0.offset * result.byteWidth },
            scale?.stride ?? 0,
            bias.map { invocation.input($0.input) + $0.offset * result.byteWidth },
            bias?.stride ?? 0)
        }
      } else {
        leap_standardize_rows(
          type.rawValue, from, to, piece.rows, geometry.columns, count, means, factors)
      }
    }
  }
}
