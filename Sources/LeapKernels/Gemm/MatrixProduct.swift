// MatrixProduct: batches of matrix products for MatMul and Gemm, by the panel kernels.
//
// 1. A row's result depends on that row and B alone, never on how many rows there are: rows may be the images of a batch.
//    (OpenBLAS does not give that: it computes the same row otherwise when there are more of them.)
// 2. Sums longer than `depthChunk` are cut there, and the parts added in order.

import CLeapKernels
import LeapTensors

package struct MatrixProduct: Sendable {
  package var dataType: DataType
  package var rows: Int
  package var columns: Int
  package var depth: Int
  /// Strides in elements: from row to row and from column to column.
  package var aStrides: (row: Int, column: Int)
  package var bStrides: (row: Int, column: Int)
  /// Extents of the batch, outermost first, and how far each operand's matrices lie apart (0 where broadcast).
  package var batch: [Int] = []
  package var aBatchStrides: [Int] = []
  package var bBatchStrides: [Int] = []
  /// Elements from one row of the output to the next. With a batch, matrices follow each other without gaps.
  package var outputRowStride: Int
  /// Whether B is the packed copy that `recipe` makes.
  package var isPacked = false
  /// B as it was packed, where it is numbers of a few bits.
  package var numbers: NumberPanels?

  package init(
    _ dataType: DataType, rows: Int, columns: Int, depth: Int, aStrides: (row: Int, column: Int),
    bStrides: (row: Int, column: Int), outputRowStride: Int
  ) {
    self.dataType = dataType
    self.rows = rows
    self.columns = columns
    self.depth = depth
    self.aStrides = aStrides
    self.bStrides = bStrides
    self.outputRowStride = outputRowStride
  }

  static let depthChunk = 4096
  static let rowChunk = 192

  static func cType(_ type: DataType) throws -> leap_gemm_type {
    switch type {
    case .float32: return LEAP_GEMM_F32
    case .float64: return LEAP_GEMM_F64
    case .int32, .uint32: return LEAP_GEMM_U32
    case .int64, .uint64: return LEAP_GEMM_U64
    default: throw OperatorError("there is no matrix product for \(type)")
    }
  }

  /// Makes the kernel: inputs A and B, one output.
  ///
  /// - Throws: `OperatorError` for an element type without a kernel.
  package func kernel(_ epilogue: EpilogueProgram, instructionSet: InstructionSet) throws -> Kernel
  {
    let panel = leap_panel_kernel_for(instructionSet.cValue, try MatrixProduct.cType(dataType))
    let images = Shape.product(batch[...])
    if Shape.product([images, rows, columns]) == 0 { return Kernel(phases: []) }
    let width = dataType.byteWidth
    let chunk = min(depth, panelDepth)
    let rowChunk = min(rows, MatrixProduct.rowChunk)
    let rowChunks = (rows + rowChunk - 1) / rowChunk
    let panels = (columns + panel.columns - 1) / panel.columns
    // About a million operations a block.
    let operations = 2.0 * Double(rowChunk) + (numbers == nil ? 0 : NumberPanels.operations)
    let panelWork = operations * Double(depth) * Double(panel.columns)
    let group = max(1, min(panels, Int(1e6 / max(1, panelWork))))
    let groups = (panels + group - 1) / group
    let scratch = Scratch(
      panelBytes: isPacked ? 0 : chunk * panel.columns * width,
      tileBytes: rowChunk * panel.columns * width,
      rowBytes: aStrides.column == 1 ? 0 : chunk * panel.rows * width)
    let (blocks, overflow) = images.multipliedReportingOverflow(by: rowChunks * groups)
    guard !overflow else { throw OperatorError("a batch of \(images) products is too large") }
    return Kernel(blocks: blocks, scratchPerWorker: scratch.byteCount) { invocation, block in
      let (firstPanel, rest) = (block % groups * group, block / groups)
      let (firstRow, image) = (rest % rowChunks * rowChunk, rest / rowChunks)
      for index in firstPanel..<min(firstPanel + group, panels) {
        computePanel(
          invocation, panel, scratch, epilogue, image: image, firstRow: firstRow,
          count: min(rowChunk, rows - firstRow), column: index * panel.columns)
      }
    }
  }

  /// Depth of the panels that are multiplied at once. A chain of multiply-adds may go on from one to the next, but not where sums
  /// are cut.
  private var panelDepth: Int {
    numbers == nil || depth > MatrixProduct.depthChunk
      ? MatrixProduct.depthChunk : NumberPanels.chunk
  }

  /// Parts of a worker's scratch, each aligned to 64 bytes.
  private struct Scratch: Sendable {
    let tile: Int
    let packedRows: Int
    let byteCount: Int
    init(panelBytes: Int, tileBytes: Int, rowBytes: Int) {
      tile = (panelBytes + 63) / 64 * 64
      packedRows = tile + (tileBytes + 63) / 64 * 64
      byteCount = packedRows + rowBytes
    }
  }

  private func computePanel(
    _ invocation: Invocation, _ kernel: leap_panel_kernel, _ scratch: Scratch,
    _ epilogue: EpilogueProgram, image: Int, firstRow: Int, count: Int, column: Int
  ) {
    let width = dataType.byteWidth
    let a = invocation.input(0) + (offset(image, aBatchStrides) + firstRow * aStrides.row) * width
    let b = invocation.input(1) + offset(image, bBatchStrides) * width
    let tile = invocation.scratch + scratch.tile
    let packed = invocation.scratch + scratch.packedRows
    let used = min(kernel.columns, columns - column)
    let panelDepth = panelDepth
    let next = panelDepth == MatrixProduct.depthChunk ? LEAP_GEMM_ADD : LEAP_GEMM_CONTINUE
    var k = 0
    repeat {
      let length = min(panelDepth, depth - k)
      var panel = UnsafeRawPointer(invocation.scratch)
      if isPacked {
        panel = invocation.input(1) + (column * depth + k * kernel.columns) * width
      } else if let numbers {
        numbers.expand(invocation, column: column, rows: k..<k + length, to: invocation.scratch)
      } else {
        let b = b + (k * bStrides.row + column * bStrides.column) * width
        leap_pack_panel(
          Int32(width), length, used, kernel.columns, b, bStrides.row, bStrides.column,
          invocation.scratch)
      }
      for row in stride(from: 0, to: count, by: kernel.rows) {
        let rows = min(kernel.rows, count - row)
        var source = a + (row * aStrides.row + k * aStrides.column) * width
        var rowStride = aStrides.row
        if aStrides.column != 1 {
          leap_pack_rows(Int32(width), rows, length, source, aStrides.row, aStrides.column, packed)
          source = UnsafeRawPointer(packed)
          rowStride = length
        }
        kernel.function(
          rows, 1, length, source, rowStride, 0, panel,
          tile + row * kernel.columns * width, k > 0 ? next : LEAP_GEMM_STORE)
      }
      k += length
    } while k < depth
    let row = image * rows + firstRow
    let position = row * outputRowStride + column
    // Without a batch rows are what an epilogue counts as images; their strides may differ between operands.
    let part: EpilogueProgram.Tile =
      batch.isEmpty
      ? .init(
        image: row, channel: column, offset: column, rows: count, columns: used, rowStride: nil)
      : .init(
        image: 0, channel: column, offset: position, rows: count, columns: used,
        rowStride: outputRowStride)
    epilogue.apply(
      invocation, part, source: tile, sourceStride: kernel.columns,
      destination: invocation.output(0) + position * width, destinationStride: outputRowStride)
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
