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

extension Operand {
  /// The same elements with `count` further axes of extent 1 at the end.
  package func appendingUnitAxes(_ count: Int) -> Operand {
    guard count > 0, let strides else { return self }
    let ones = [Int](repeating: 1, count: count)
    return Operand(
      dataType, Shape(shape.dimensions + ones), layout: .strided(strides + ones))
  }
}
