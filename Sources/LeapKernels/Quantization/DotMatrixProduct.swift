// DotMatrixProduct: products of matrices of bytes whose right operand is a constant, as dot products of bytes: see byte_dot.c.
//
// 1. The same bits as IntegerProduct: sums are exact, zero points are taken off them.
// 2. A block is a tile of rows and some chunks of columns. It copies the rows, and finds the largest byte of each step on the way.

import CLeapKernels
import LeapTensors

struct DotMatrixProduct: Sendable {
  private let product: IntegerProduct
  private let packing: DotPacking
  private let tiles: (rows: Int, chunks: Int)
  /// Rows of the whole batch, and parts of them and of the columns.
  private let rows: Int
  private let parts: (rows: Int, columns: Int)

  private static let rowLimit = 96
  private static let chunkLimit = 8

  init(_ product: IntegerProduct, width: Int) {
    self.product = product
    let depth = DotPacking.depth(width: width)
    packing = DotPacking(
      steps: (product.depth + depth - 1) / depth, outputs: product.columns, width: width)
    rows = Shape.product(product.batch[...]) * product.rows
    let rowParts = max(1, (rows + DotMatrixProduct.rowLimit - 1) / DotMatrixProduct.rowLimit)
    tiles = (
      (rows + rowParts - 1) / rowParts, min(packing.chunks, DotMatrixProduct.chunkLimit)
    )
    parts = (rowParts, (packing.chunks + tiles.chunks - 1) / max(1, tiles.chunks))
  }

  /// Rows of the constant are steps of depth.
  func recipe(isSigned: Bool) -> PackingRecipe {
    let (packing, depth, columns) = (packing, product.depth, product.columns)
    return PackingRecipe(
      key: PackingKey("byte-matrix", [packing.width, isSigned ? 1 : 0]),
      byteCount: packing.byteCount, rows: depth
    ) { rows, source, target in
      let filters = UnsafeMutablePointer(mutating: packing.filters(target, chunk: 0))
      if rows.lowerBound == 0 {
        filters.initialize(
          repeating: 0, count: packing.steps * packing.depth * packing.groups * packing.width)
      }
      for row in rows {
        let bytes = source + (row - rows.lowerBound) * columns
        leap_byte_dot_pack_row(
          bytes.assumingMemoryBound(to: UInt8.self), isSigned ? 0 : 0x80, columns, row,
          packing.steps, packing.depth, packing.chunkLanes, packing.width, filters)
      }
      if rows.upperBound == depth {
        for chunk in 0..<packing.chunks { packing.describe(chunk: chunk, target) }
      }
    }
  }

  /// Offsets in scratch.
  private struct Places {
    let panel: Int
    let peaks: Int
    let kinds: Int
    let steps: Int
    let zeros: Int
    let scales: Int
    let sums: Int
    let byteCount: Int

    init(_ packing: DotPacking, rows: Int, columns: Int) {
      var plan = ScratchPlan()
      panel = plan.take(rows * packing.steps * packing.depth)
      peaks = plan.take(packing.steps)
      kinds = plan.take(packing.steps)
      steps = plan.take(packing.steps * MemoryLayout<leap_byte_step>.stride)
      zeros = plan.take(columns * 4)
      scales = plan.take(columns * 4)
      sums = plan.take(rows * columns * 4)
      byteCount = plan.byteCount
    }
  }

  /// Operands as the kernel is bound to them.
  private struct Bound: Sendable {
    let set: leap_isa
    let isSigned: (left: Bool, right: Bool)
    let zeroCounts: (left: Int, right: Int)
    let finish: Requantization.Bound?
    /// The steps' places in a row of the panel.
    let pixels: [Int]
  }

  func kernel(_ request: KernelRequest) throws -> Kernel {
    if rows * product.columns == 0 { return Kernel(phases: []) }
    _ = try IntegerProduct.padded(product.depth)
    func zeroCount(_ place: Int?) -> Int {
      place.flatMap { $0 < request.inputs.count ? request.inputs[$0] : nil }?.shape.elementCount
        ?? 0
    }
    let bound = Bound(
      set: request.instructionSet.cValue,
      isSigned: (
        try request.requiredInput(product.left).dataType == .int8,
        try request.requiredInput(product.right).dataType == .int8
      ), zeroCounts: (zeroCount(product.leftZero), zeroCount(product.rightZero)),
      finish: try product.requantization.map { try Requantization.Bound($0, request) },
      pixels: (0..<packing.steps).map { $0 * packing.depth })
    let places = Places(packing, rows: tiles.rows, columns: tiles.chunks * packing.chunkLanes)
    return Kernel(blocks: parts.rows * parts.columns, scratchPerWorker: places.byteCount) {
      invocation, block in
      let (column, row) = block.quotientAndRemainder(dividingBy: parts.rows)
      let own = row * rows / parts.rows..<(row + 1) * rows / parts.rows
      let chunks =
        column * tiles.chunks..<min(packing.chunks, (column + 1) * tiles.chunks)
      copy(invocation, bound, own, places)
      multiply(invocation, bound, rows: own.count, chunks, places)
      finish(invocation, bound, own, chunks, places)
    }
  }

  private func place<T>(
    _ invocation: Invocation, _ offset: Int, of type: T.Type
  ) -> UnsafeMutablePointer<T> {
    (invocation.scratch + offset).assumingMemoryBound(to: type)
  }

  private func copy(
    _ invocation: Invocation, _ bound: Bound, _ own: Range<Int>, _ places: Places
  ) {
    let x = invocation.input(product.left) + own.lowerBound * product.depth
    leap_byte_dot_rows(
      bound.set, bound.isSigned.left ? 1 : 0, x.assumingMemoryBound(to: UInt8.self), own.count,
      product.depth, product.depth, packing.depth, place(invocation, places.panel, of: UInt8.self),
      place(invocation, places.peaks, of: UInt8.self))
  }

  private func multiply(
    _ invocation: Invocation, _ bound: Bound, rows: Int, _ chunks: Range<Int>, _ places: Places
  ) {
    let packed = UnsafeRawPointer(invocation.input(product.right))
    let sums = place(invocation, places.sums, of: Int32.self)
    let stride = tiles.chunks * packing.chunkLanes
    bound.pixels.withUnsafeBufferPointer { pixels in
      var dot = leap_byte_dot(
        columns: rows, in_row: 0, in_pixel: packing.steps * packing.depth, steps: packing.steps,
        tap_steps: packing.steps, pixels: pixels.baseAddress, depth: packing.depth, out_group: 0,
        zero: 0)
      var steps = leap_byte_steps(
        steps: place(invocation, places.steps, of: leap_byte_step.self), fours: 0, pairs: 0,
        singles: 0)
      for chunk in chunks {
        let groups = packing.groups(ofChunk: chunk)
        leap_byte_dot_sort(
          bound.set, &dot, groups * packing.width, packing.limits(packed, chunk: chunk),
          place(invocation, places.peaks, of: UInt8.self),
          place(invocation, places.kinds, of: UInt8.self), &steps)
        leap_byte_dot_sums(
          bound.set, &dot, place(invocation, places.panel, of: UInt8.self), &steps,
          packing.filters(packed, chunk: chunk),
          sums + (chunk - chunks.lowerBound) * packing.chunkLanes, stride, rows, groups)
      }
    }
  }

  /// Takes zero points off the sums, and writes them or what becomes of them.
  private func finish(
    _ invocation: Invocation, _ bound: Bound, _ own: Range<Int>, _ chunks: Range<Int>,
    _ places: Places
  ) {
    let first = chunks.lowerBound * packing.chunkLanes
    let count = min(product.columns, chunks.upperBound * packing.chunkLanes) - first
    let packed = UnsafeRawPointer(invocation.input(product.right))
    let zeros = place(invocation, places.zeros, of: Int32.self)
    let hasZeros = readZeros(invocation, bound, first: first, count: count, into: zeros)
    for row in own {
      let sums =
        place(invocation, places.sums, of: Int32.self)
        + (row - own.lowerBound) * tiles.chunks * packing.chunkLanes
      let zero = leftZero(invocation, bound, row)
      if zero != 0 || hasZeros {
        leap_byte_dot_correct(
          sums, count, zero, packing.sums(packed) + first, zeros,
          bound.zeroCounts.right > 1 ? 1 : 0, hasZeros ? total(invocation, bound, row, zero) : 0)
      }
      let offset = row * product.columns + first
      guard let finish = bound.finish else {
        (invocation.output(0) + 4 * offset).copyMemory(from: sums, byteCount: 4 * count)
        continue
      }
      let scales = place(invocation, places.scales, of: Float.self)
      if row == own.lowerBound || finish.counts.left > 1 {
        for column in 0..<count {
          scales[column] = finish.scale(invocation, left: row, right: first + column)
        }
      }
      leap_requantize_columns(
        sums, scales, finish.zero(invocation), finish.low, finish.high,
        (invocation.output(0) + offset).assumingMemoryBound(to: UInt8.self), count)
    }
  }

  /// The sum of a row's bytes, each less their zero point.
  private func total(
    _ invocation: Invocation, _ bound: Bound, _ row: Int, _ zero: Int32
  ) -> Int32 {
    let x = invocation.input(product.left) + row * product.depth
    let sum = leap_sum_bytes(
      bound.isSigned.left ? 1 : 0, x.assumingMemoryBound(to: UInt8.self), product.depth, 1)
    return sum &- Int32(truncatingIfNeeded: product.depth)
      &* (zero &- (bound.isSigned.left ? 128 : 0))
  }

  /// The zero point of a row, as bytes without a sign have it.
  private func leftZero(_ invocation: Invocation, _ bound: Bound, _ row: Int) -> Int32 {
    let shift: Int32 = bound.isSigned.left ? 128 : 0
    guard let zeros = product.leftZero.flatMap({ invocation.optionalInput($0) }) else {
      return shift
    }
    let index = bound.zeroCounts.left > 1 ? row % bound.zeroCounts.left : 0
    return bound.isSigned.left
      ? Int32(zeros.load(fromByteOffset: index, as: Int8.self)) + shift
      : Int32(zeros.load(fromByteOffset: index, as: UInt8.self))
  }

  /// The zero points of some columns, as packed bytes have them: one, or one for each. Whether one of them is not 0.
  private func readZeros(
    _ invocation: Invocation, _ bound: Bound, first: Int, count: Int,
    into target: UnsafeMutablePointer<Int32>
  ) -> Bool {
    let shift: Int32 = bound.isSigned.right ? 0 : -128
    guard let zeros = product.rightZero.flatMap({ invocation.optionalInput($0) }) else {
      target[0] = shift
      return shift != 0
    }
    var any: Int32 = 0
    let isEach = bound.zeroCounts.right > 1
    for index in 0..<(isEach ? count : 1) {
      let place = isEach ? first + index : 0
      target[index] =
        bound.isSigned.right
        ? Int32(zeros.load(fromByteOffset: place, as: Int8.self))
        : Int32(zeros.load(fromByteOffset: place, as: UInt8.self)) + shift
      any |= target[index]
    }
    return any != 0
  }
}

extension IntegerProduct {
  /// What packs a constant right operand, for kernels of `packedKernel`.
  package func packedColumns(_ request: KernelRequest) -> PackingRecipe {
    DotMatrixProduct(self, width: request.instructionSet.blockWidth).recipe(
      isSigned: request.inputs[right]?.dataType == .int8)
  }

  /// As `kernel`, the right operand packed by `packedColumns`.
  package func packedKernel(_ request: KernelRequest) throws -> Kernel {
    try DotMatrixProduct(self, width: request.instructionSet.blockWidth).kernel(request)
  }
}
