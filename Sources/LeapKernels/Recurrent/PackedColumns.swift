// PackedColumns: matrices [columns][depth], packed for the panel kernels: what rows are multiplied with again and again.

import CLeapKernels
import LeapTensors

/// The layout of packed matrices: for each of `count` matrices its columns, cut into groups that are multiplied by themselves.
struct PackedColumns: Sendable {
  let kernel: leap_panel_kernel
  let width: Int
  let count: Int
  let depth: Int
  /// The columns of each group; a matrix has their sum.
  let groups: [Int]

  /// - Throws: `OperatorError` for an element type without a kernel, or a size that no memory has.
  init(
    _ dataType: DataType, count: Int, depth: Int, groups: [Int], instructionSet: InstructionSet
  ) throws {
    kernel = leap_panel_kernel_for(instructionSet.cValue, try MatrixProduct.cType(dataType))
    width = dataType.byteWidth
    self.count = count
    self.depth = depth
    self.groups = groups
    let elements = Shape.product(
      [count, depth + 1, groups.reduce(0, +) + kernel.columns * groups.count, width])
    guard elements < 1 << 48 else {
      throw OperatorError("weights of \(count) x \(groups.reduce(0, +)) x \(depth) are too large")
    }
  }

  private func panels(_ group: Int) -> Int { (groups[group] - 1) / kernel.columns + 1 }
  private func elements(_ group: Int) -> Int { panels(group) * kernel.columns * depth }
  private var matrixElements: Int { groups.indices.reduce(0) { $0 + elements($1) } }

  var byteCount: Int { count * matrixElements * width }

  /// Where a group of a matrix begins, in bytes.
  func offset(_ matrix: Int, group: Int) -> Int {
    (matrix * matrixElements + (0..<group).reduce(0) { $0 + elements($1) }) * width
  }

  /// Packs one matrix from `source`, its rows [columns][depth], into the packed copy of all.
  func pack(
    _ matrix: Int, from source: UnsafeRawPointer, into target: UnsafeMutableRawPointer
  ) {
    var first = 0
    for (group, columns) in groups.enumerated() {
      var place = target + offset(matrix, group: group)
      for column in stride(from: 0, to: columns, by: kernel.columns) {
        leap_pack_panel(
          Int32(width), depth, min(kernel.columns, columns - column), kernel.columns,
          source + (first + column) * depth * width, 1, depth, place)
        place += kernel.columns * depth * width
      }
      first += columns
    }
  }

  /// The recipe of a constant [count][columns][depth].
  var recipe: PackingRecipe {
    let layout = self
    let matrix = groups.reduce(0, +) * depth * width
    return PackingRecipe(
      key: PackingKey("columns", [kernel.columns] + groups), byteCount: max(byteCount, 1),
      rows: count
    ) { rows, source, target in
      for row in rows {
        layout.pack(row, from: source + (row - rows.lowerBound) * matrix, into: target)
      }
    }
  }

  /// Bytes of scratch that `multiply` needs.
  var tileBytes: Int { kernel.rows * kernel.columns * width }

  /// result[r][c] = Σ rows[r][k] columns[c][k]: each a chain of multiply-adds in the order of k, however many rows there are.
  ///
  /// - Parameters:
  ///   - strides: elements from one row to the next of `rows` and of `result`.
  func multiply(
    _ rows: UnsafeRawPointer, count: Int, packed: UnsafeRawPointer, group: Int,
    result: UnsafeMutableRawPointer, strides: (rows: Int, result: Int),
    tile: UnsafeMutableRawPointer
  ) {
    var panel = packed
    for column in stride(from: 0, to: groups[group], by: kernel.columns) {
      let used = min(kernel.columns, groups[group] - column)
      for row in stride(from: 0, to: count, by: kernel.rows) {
        let own = min(kernel.rows, count - row)
        kernel.function(
          own, 1, depth, rows + row * strides.rows * width, strides.rows, 0, panel, tile,
          LEAP_GEMM_STORE)
        for index in 0..<own {
          (result + ((row + index) * strides.result + column) * width).copyMemory(
            from: tile + index * kernel.columns * width, byteCount: used * width)
        }
      }
      panel += kernel.columns * depth * width
    }
  }
}
