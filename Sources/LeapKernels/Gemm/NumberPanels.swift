// NumberPanels: a constant right operand of a matrix product that stays integers of a few bits in memory, with scales and zero points:
// panels [panel][depth][panel's columns] of numbers, of which parts become floats when they are multiplied.
//
// 1. The floats are those that DequantizeLinear makes, to the bit, and so are the products.
// 2. A number takes 8 bits, or 4 where its type has no more.

import CLeapKernels
import LeapTensors

package struct NumberPanels: Sendable {
  /// How scales and zero points lie.
  package enum Granularity: Sendable, Hashable {
    /// One for the matrix.
    case matrix
    /// One for each column, a vector.
    case column
    /// One for each column and `size` numbers of the depth, the last of which may be fewer: a matrix that lies as the numbers do.
    case block(size: Int)
  }

  private let columns: Int
  private let depth: Int
  private let isTransposed: Bool
  private let granularity: Granularity
  private let bits: Int
  /// Bits of a packed number.
  private let packedBits: Int
  /// The bits that turn signed numbers to ones from 0 on, in order. Zero points are moved alike, which changes no difference.
  private let flip: UInt8
  private let hasZeros: Bool
  private let panel: leap_panel_kernel
  private let set: leap_isa

  /// Depth of the floats that are made at once: they stay in the nearest cache.
  static let chunk = 128

  /// About how many operations making a float takes.
  package static let operations = 4.0

  /// The types that numbers may have.
  package static let types: Set<DataType> = [.int8, .uint8, .int4, .uint4, .int2, .uint2]

  /// - Parameters:
  ///   - type: of the numbers, one of `types`.
  ///   - isTransposed: whether they lie [columns, depth] and not [depth, columns].
  ///   - hasZeros: whether zero points are given, of the numbers' type; where they are not, all are 0.
  /// - Throws: `OperatorError` for a type without a kernel.
  package init(
    _ type: DataType, depth: Int, columns: Int, isTransposed: Bool, granularity: Granularity,
    hasZeros: Bool, instructionSet: InstructionSet
  ) throws {
    guard NumberPanels.types.contains(type) else {
      throw OperatorError("there is no matrix product with weights of \(type)")
    }
    self.columns = columns
    self.depth = depth
    self.isTransposed = isTransposed
    self.granularity = granularity
    self.hasZeros = hasZeros
    bits = type.bitWidth
    packedBits = bits == 8 ? 8 : 4
    flip = [.int8, .int4, .int2].contains(type) ? 1 << (bits - 1) : 0
    set = instructionSet.cValue
    panel = leap_panel_kernel_for(set, try MatrixProduct.cType(.float32))
  }

  private var panels: Int { (columns + panel.columns - 1) / panel.columns }

  /// Numbers of the depth that have one scale.
  private var blockSize: Int {
    if case .block(let size) = granularity { size } else { max(depth, 1) }
  }

  private var blocks: Int { max(1, (depth + blockSize - 1) / blockSize) }

  // MARK: packing

  /// The recipe that packs the numbers.
  package var recipe: PackingRecipe {
    recipe("number-panels", depth: depth, isTransposed: isTransposed, packedBits: packedBits)
  }

  /// The recipe that packs the zero points: panels of bytes with a row for each block, or one row for all panels.
  package var zeroRecipe: PackingRecipe {
    switch granularity {
    case .matrix: broadcast("zero-row", width: 1)
    case .column: recipe("zero-panels", depth: 1, isTransposed: true, packedBits: 8)
    case .block: recipe("zero-panels", depth: blocks, isTransposed: isTransposed, packedBits: 8)
    }
  }

  /// The recipe that packs the scales, float32, in the same order.
  ///
  /// - Throws: as `MatrixProduct.recipe`.
  package func scaleRecipe(_ instructionSet: InstructionSet) throws -> PackingRecipe {
    if case .matrix = granularity { return broadcast("scale-row", width: 4) }
    let isVector = granularity == .column
    return try MatrixProduct.recipe(
      .float32, depth: isVector ? 1 : blocks, columns: columns,
      isTransposed: isVector || isTransposed, instructionSet: instructionSet)
  }

  private func recipe(
    _ order: String, depth: Int, isTransposed: Bool, packedBits: Int
  ) -> PackingRecipe {
    let panel = panel.columns
    // Rows of less than whole bytes are read all at once, and so are vectors, whatever shape they have.
    return PackingRecipe(
      key: PackingKey(isTransposed ? "\(order)-transposed" : order, [panel]),
      byteCount: panels * panel * depth * packedBits / 8, rows: isTransposed ? columns : depth
    ) { rows, source, target in
      let source = source.assumingMemoryBound(to: UInt8.self)
      let target = target.assumingMemoryBound(to: UInt8.self)
      let rowBytes = panel * packedBits / 8
      let own = isTransposed ? rows : 0..<columns
      for first in stride(from: own.lowerBound / panel * panel, to: own.upperBound, by: panel) {
        let used = own.clamped(to: first..<first + panel)
        let end = used.upperBound == columns ? panel : used.upperBound - first
        // Panels begin at whole bytes of the rows that are there: numbers of less than a byte are there as a whole.
        let offset = (used.lowerBound - own.lowerBound) * (isTransposed ? depth : 1) * bits
        leap_pack_numbers(
          Int32(bits), Int32(packedBits), flip, isTransposed ? depth : rows.count,
          used.lowerBound - first, used.upperBound - first, end, panel, source + offset / 8,
          isTransposed ? 1 : columns, isTransposed ? depth : 1,
          target + (first / panel * depth + (isTransposed ? 0 : rows.lowerBound)) * rowBytes)
      }
    }
  }

  /// One element for each column of a panel.
  private func broadcast(_ order: String, width: Int) -> PackingRecipe {
    let panel = panel.columns
    return PackingRecipe(key: PackingKey(order, [panel]), byteCount: panel * width) {
      _, source, target in
      for column in 0..<panel {
        if width == 4 {
          target.storeBytes(
            of: source.loadUnaligned(as: UInt32.self), toByteOffset: 4 * column, as: UInt32.self)
        } else {
          let number = source.load(as: UInt8.self) & UInt8(truncatingIfNeeded: 1 << bits - 1)
          target.storeBytes(of: number ^ flip, toByteOffset: column, as: UInt8.self)
        }
      }
    }
  }

  // MARK: expanding

  /// Writes some rows of a panel as floats [rows][panel's columns].
  ///
  /// - Parameters:
  ///   - invocation: inputs 1 to 3 are the packed numbers, scales and zero points.
  ///   - column: the first column of the panel.
  func expand(
    _ invocation: Invocation, column: Int, rows: Range<Int>, to floats: UnsafeMutableRawPointer
  ) {
    let width = panel.columns
    let floats = floats.assumingMemoryBound(to: Float.self)
    let numbers = invocation.input(1).assumingMemoryBound(to: UInt8.self)
    let scales = invocation.input(2).assumingMemoryBound(to: Float.self)
    let zeros = hasZeros ? invocation.input(3).assumingMemoryBound(to: UInt8.self) : nil
    let first = granularity == .matrix ? 0 : column * blocks
    var row = rows.lowerBound
    while row < rows.upperBound {
      let block = row / blockSize
      let count = min(rows.upperBound, (block + 1) * blockSize) - row
      let place = first + block * width
      leap_expand_numbers(
        set, Int32(packedBits), count, width,
        numbers + (column * depth + row * width) * packedBits / 8, scales + place,
        zeros.map { $0 + place }, Float(flip), floats + (row - rows.lowerBound) * width)
      row += count
    }
  }
}
