// IntegerProduct: batches of products of matrices of bytes: MatMulInteger, QLinearMatMul. Where the right operand is a constant, a
// DotMatrixProduct is made of it.
//
// 1. Sums are exact but that they wrap, so that no cut changes a bit.
// 2. Operands stay bytes in memory; tiles of them are widened in a worker's scratch.

import CLeapKernels
import LeapTensors

package struct IntegerProduct: Sendable {
  package var rows: Int
  package var columns: Int
  package var depth: Int
  /// Extents of the batch, outermost first, and how far each operand's matrices lie apart (0 where broadcast).
  package var batch: [Int] = []
  package var leftStrides: [Int] = []
  package var rightStrides: [Int] = []
  /// The places of the operands among the inputs.
  package var left = 0
  package var right = 1
  /// The places of zero points: none, one, or one for each row (each column).
  package var leftZero: Int?
  package var rightZero: Int?
  package var requantization: Requantization?

  package init(rows: Int, columns: Int, depth: Int) {
    self.rows = rows
    self.columns = columns
    self.depth = depth
  }

  private static let rowTile = 64
  private static let columnTile = 64

  /// A row of the widened operands, in elements.
  static func padded(_ depth: Int) throws -> Int {
    let unit = Int(LEAP_INTEGER_DEPTH)
    guard depth <= Int(Int32.max) else {
      throw OperatorError("sums of \(depth) products exceed the limit of \(Int32.max)")
    }
    return (depth + unit - 1) / unit * unit
  }

  /// An operand, and how its tiles are widened.
  private struct Side: Sendable {
    let input: Int
    let isSigned: Bool
    let zero: Int?
    let zeroCount: Int
    /// From one row of the widened operand to the next, and along it, in bytes.
    let stride: Int
    let inner: Int

    init(
      _ request: KernelRequest, _ input: Int, _ zero: Int?, stride: Int, inner: Int
    ) throws {
      self.input = input
      let operand = try request.requiredInput(input)
      isSigned = operand.dataType == .int8
      let zeros = zero.flatMap { $0 < request.inputs.count ? request.inputs[$0] : nil }
      self.zero = zeros == nil ? nil : zero
      zeroCount = zeros?.shape.elementCount ?? 0
      self.stride = stride
      self.inner = inner
    }

    /// Widens `count` rows from `first` on. `before` counts the rows of the matrices before this one, where zero points differ.
    func widen(
      _ invocation: Invocation, offset: Int, first: Int, count: Int, before: Int, depth: Int,
      padded: Int, into target: UnsafeMutablePointer<Int16>
    ) {
      let x = (invocation.input(input) + offset + first * stride)
        .assumingMemoryBound(to: UInt8.self)
      var zeros = zero.flatMap { invocation.optionalInput($0) }?
        .assumingMemoryBound(to: UInt8.self)
      if zeroCount > 1 { zeros = zeros.map { $0 + (before + first) % zeroCount } }
      leap_integer_widen(
        isSigned ? 1 : 0, x, count, stride, depth, inner, zeros, zeroCount > 1 ? 1 : 0, padded,
        target)
    }
  }

  /// Makes the kernel: operands row-major; output 0 int32, or bytes where there is a requantisation.
  ///
  /// - Throws: `OperatorError` for sizes beyond the limits.
  package func kernel(_ request: KernelRequest) throws -> Kernel {
    let images = Shape.product(batch[...])
    if Shape.product([images, rows, columns]) == 0 { return Kernel(phases: []) }
    let padded = try IntegerProduct.padded(depth)
    let a = try Side(request, left, leftZero, stride: depth, inner: 1)
    let b = try Side(request, right, rightZero, stride: 1, inner: columns)
    let finish = try requantization.map { try Requantization.Bound($0, request) }
    let (rowTile, columnTile) = (
      min(rows, IntegerProduct.rowTile), min(columns, IntegerProduct.columnTile)
    )
    let (rowTiles, columnTiles) = ((rows - 1) / rowTile + 1, (columns - 1) / columnTile + 1)
    let blocks = Shape.product([images, rowTiles, columnTiles])
    let scratch = Shape.product([(rowTile + columnTile) * 2, padded])
    guard blocks < .max, scratch < .max / 2 else {
      throw OperatorError("a batch of \(images) products is too large")
    }
    let instructionSet = request.instructionSet.cValue
    return Kernel(
      blocks: blocks, scratchPerWorker: scratch + rowTile * columnTile * 4 + columnTile * 4
    ) { invocation, block in
      let (columnPart, rest) = (block % columnTiles, block / columnTiles)
      let (rowPart, image) = (rest % rowTiles, rest / rowTiles)
      let (row, column) = (rowPart * rowTile, columnPart * columnTile)
      let (rowCount, columnCount) = (min(rowTile, rows - row), min(columnTile, columns - column))
      let wideA = invocation.scratch.assumingMemoryBound(to: Int16.self)
      let wideB = wideA + rowTile * padded
      let sums = (invocation.scratch + scratch).assumingMemoryBound(to: Int32.self)
      a.widen(
        invocation, offset: offset(image, leftStrides), first: row, count: rowCount,
        before: image * rows, depth: depth, padded: padded, into: wideA)
      b.widen(
        invocation, offset: offset(image, rightStrides), first: column, count: columnCount,
        before: 0, depth: depth, padded: padded, into: wideB)
      leap_integer_product(
        instructionSet, wideA, rowCount, wideB, columnCount, padded, sums, columnTile)
      let place = (image * rows + row) * columns + column
      for index in 0..<rowCount {
        let own = sums + index * columnTile
        guard let finish else {
          (invocation.output(0) + 4 * (place + index * columns))
            .copyMemory(from: own, byteCount: 4 * columnCount)
          continue
        }
        let scales = (invocation.scratch + scratch + rowTile * columnTile * 4)
          .assumingMemoryBound(to: Float.self)
        for c in 0..<columnCount {
          scales[c] = finish.scale(invocation, left: row + index, right: column + c)
        }
        let y = (invocation.output(0) + place + index * columns)
          .assumingMemoryBound(to: UInt8.self)
        leap_requantize_columns(
          own, scales, finish.zero(invocation), finish.low, finish.high, y, columnCount)
      }
    }
  }

  private func offset(_ image: Int, _ strides: [Int]) -> Int {
    var (rest, offset) = (image, 0)
    for axis in stride(from: batch.count - 1, through: 0, by: -1) {
      offset += rest % batch[axis] * strides[axis]
      rest /= batch[axis]
    }
    return offset
  }
}
