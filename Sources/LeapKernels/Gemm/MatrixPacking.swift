// MatrixPacking: a constant right operand of a matrix product as panel kernels want it, [panel][depth][panel's columns].

import CLeapKernels
import LeapTensors

extension MatrixProduct {
  /// Whether a constant right operand is one matrix, that may be packed.
  package static func packs(_ request: KernelRequest) -> Bool {
    guard request.constantInputs.contains(1), let b = request.inputs[1] else { return false }
    return b.shape.rank == 2 && !b.shape.contains(0)
  }

  /// The recipe that packs B, of shape [depth, columns], or [columns, depth] where it is transposed.
  ///
  /// - Throws: `OperatorError` for an element type without a kernel.
  package static func recipe(
    _ dataType: DataType, depth: Int, columns: Int, isTransposed: Bool,
    instructionSet: InstructionSet
  ) throws -> PackingRecipe {
    let panel = leap_panel_kernel_for(instructionSet.cValue, try cType(dataType)).columns
    let width = dataType.byteWidth
    let panels = (columns + panel - 1) / panel
    let key = PackingKey(isTransposed ? "panels-transposed" : "panels", [panel])
    return PackingRecipe(
      key: key, byteCount: panels * panel * depth * width, rows: isTransposed ? columns : depth
    ) { rows, source, target in
      if isTransposed {
        packColumns(rows, of: columns, depth, panel, width, source, target)
      } else {
        packRows(rows, columns, depth, panel, width, source, target)
      }
    }
  }

  /// Some rows of B lie in every panel.
  private static func packRows(
    _ rows: Range<Int>, _ columns: Int, _ depth: Int, _ panel: Int, _ width: Int,
    _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer
  ) {
    for first in stride(from: 0, to: columns, by: panel) {
      leap_pack_panel(
        Int32(width), rows.count, min(panel, columns - first), panel, source + first * width,
        columns, 1, target + (first * depth + rows.lowerBound * panel) * width)
    }
  }

  /// Some columns of B, which lie side by side in a few panels; those behind the last one with it, as zeros.
  private static func packColumns(
    _ own: Range<Int>, of columns: Int, _ depth: Int, _ panel: Int, _ width: Int,
    _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer
  ) {
    for first in stride(from: own.lowerBound / panel * panel, to: own.upperBound, by: panel) {
      let used = own.clamped(to: first..<first + panel)
      let end = used.upperBound == columns ? first + panel : used.upperBound
      let from = source + (used.lowerBound - own.lowerBound) * depth * width
      let to = target + (first * depth + used.lowerBound - first) * width
      leap_pack_lanes(
        Int32(width), depth, used.count, end - used.lowerBound, from, 1, depth, to, panel)
    }
  }
}
