// StridedLoop: walks up to four operands in step, with broadcasting, as few long runs as their strides allow.
//
// 1. Blocks depend on shapes and strides alone; every element is computed alike wherever a block begins.
// 2. Nothing is allocated after planning.
// 3. Extents out of a file never trap: arithmetic wraps, and what is too large is refused where memory is asked for.

import LeapTensors

/// The walk over the elements of an output and of the operands that are broadcast to it.
package struct StridedLoop: Sendable {
  /// How many elements a block takes at least, where there are as many.
  static let grain = 32_768

  /// Outer extents, outermost first, and each operand's stride in bytes along them.
  private let extents: [Int]
  private let strides: [SIMD4<Int>]
  /// Elements of a run, and each operand's stride along it, counted in elements.
  private let run: Int
  let runStrides: SIMD4<Int>
  private let widths: SIMD4<Int>
  /// A run is cut into pieces; a block takes so many pieces.
  private let piece: Int
  private let piecesPerRun: Int
  private let units: Int
  private let unitsPerBlock: Int
  private let operandCount: Int

  /// - Parameters:
  ///   - shape: the output's extents.
  ///   - operands: the operands, at most four, each of a shape that broadcasts to `shape`. Layouts are plain.
  init(_ shape: Shape, _ operands: [Operand]) {
    precondition(operands.count <= 4, "a loop walks at most four operands")
    var widths = SIMD4<Int>(repeating: 0)
    for (index, operand) in operands.enumerated() { widths[index] = operand.dataType.byteWidth }
    let perAxis = StridedLoop.strides(shape, operands)
    // From the innermost axis outwards, an axis joins the one inside it where no operand jumps between them.
    var merged: [(extent: Int, strides: SIMD4<Int>)] = []
    for axis in shape.indices.reversed() where shape[axis] != 1 {
      if let inner = merged.last, inner.strides &* inner.extent == perAxis[axis] {
        merged[merged.count - 1].extent = inner.extent &* shape[axis]
      } else {
        merged.append((shape[axis], perAxis[axis]))
      }
    }
    let inner =
      merged.isEmpty ? (extent: 1, strides: SIMD4<Int>(repeating: 1)) : merged.removeFirst()
    merged.reverse()
    extents = merged.map(\.extent)
    strides = merged.map { $0.strides &* widths }
    run = inner.extent
    runStrides = inner.strides
    self.widths = widths
    piece = Swift.max(1, Swift.min(run, StridedLoop.grain))
    piecesPerRun = run == 0 ? 0 : (run - 1) / piece + 1
    units = shape.contains(0) ? 0 : Shape.product((extents + [piecesPerRun])[...])
    unitsPerBlock = Swift.max(1, StridedLoop.grain / piece)
    operandCount = operands.count
  }

  /// Each operand's stride along each axis of the output, counted in elements; 0 where it is broadcast.
  private static func strides(_ shape: Shape, _ operands: [Operand]) -> [SIMD4<Int>] {
    var result = [SIMD4<Int>](repeating: SIMD4(repeating: 0), count: shape.rank)
    for (index, operand) in operands.enumerated() {
      guard let strides = operand.strides else {
        preconditionFailure("a strided loop takes plain layouts")
      }
      let missing = shape.rank - operand.shape.rank
      for axis in operand.shape.indices where operand.shape[axis] != 1 {
        result[missing + axis][index] = strides[axis]
      }
    }
    return result
  }

  /// The number of blocks.
  var blockCount: Int { units == 0 ? 0 : (units - 1) / unitsPerBlock + 1 }

  /// Calls `body` for each run of a block, with the byte offset of each operand's first element.
  @inline(__always)
  func forEachRun(
    of block: Int, _ body: (_ offsets: SIMD4<Int>, _ count: Int) throws -> Void
  ) rethrows {
    let first = block * unitsPerBlock
    for unit in first..<Swift.min(first + unitsPerBlock, units) {
      let start = unit % piecesPerRun * piece
      var offsets = runStrides &* widths &* start
      var rest = unit / piecesPerRun
      for axis in extents.indices.reversed() {
        offsets = offsets &+ strides[axis] &* (rest % extents[axis])
        rest /= extents[axis]
      }
      try body(offsets, Swift.min(piece, run - start))
    }
  }
}

extension StridedLoop {
  /// Rows of few elements, of which one operand has the same for all: channels that lie side by side for each pixel, and a
  /// number for each channel.
  struct Repetition: Sendable {
    /// The operand that has one row.
    let operand: Int
    let columns: Int
    fileprivate let rows: Int
    fileprivate let rowsPerBlock: Int
    fileprivate let outer: [(extent: Int, strides: SIMD4<Int>)]
    fileprivate let rowStrides: SIMD4<Int>

    fileprivate var blocksPerOuter: Int { (rows - 1) / rowsPerBlock + 1 }
    var blockCount: Int { outer.reduce(blocksPerOuter) { $0 &* $1.extent } }
    /// How many copies of the row make a run that is worth a call.
    var copies: Int { Swift.min(rows, Swift.max(1, 1024 / columns)) }

    /// The byte offset of each operand's first element of a block, and the block's rows.
    func place(of block: Int) -> (offsets: SIMD4<Int>, rows: Int) {
      let (place, part) = block.quotientAndRemainder(dividingBy: blocksPerOuter)
      let first = part * rowsPerBlock
      var offsets = rowStrides &* first
      var rest = place
      for axis in outer.reversed() {
        offsets = offsets &+ axis.strides &* (rest % axis.extent)
        rest /= axis.extent
      }
      return (offsets, Swift.min(rowsPerBlock, rows - first))
    }
  }

  /// Rows up to this long are worth repeating.
  private static let shortRow = 64

  /// The repetition, where the loop is one: all operands but one, and the output, operand 0, follow each other without gaps.
  var repetition: Repetition? {
    guard units > 0, run > 0, run <= StridedLoop.shortRow, let rows = extents.last,
      let step = strides.last, (0..<operandCount).allSatisfy({ runStrides[$0] == 1 })
    else { return nil }
    let still = (0..<operandCount).filter { step[$0] == 0 }
    guard still.count == 1, still[0] > 0,
      (0..<operandCount).allSatisfy({ $0 == still[0] || step[$0] == run * widths[$0] })
    else { return nil }
    return Repetition(
      operand: still[0], columns: run, rows: rows,
      rowsPerBlock: Swift.max(1, StridedLoop.grain / run),
      outer: Array(zip(extents, strides).map { ($0, $1) }.dropLast()), rowStrides: step)
  }
}

extension Operand {
  /// The same elements with `count` further axes of extent 1 at the end.
  package func appendingUnitAxes(_ count: Int) -> Operand {
    guard count > 0, let strides else { return self }
    let ones = [Int](repeating: 1, count: count)
    return Operand(
      dataType, Shape(shape.dimensions + ones), layout: .strided(strides + ones))
  }
}
