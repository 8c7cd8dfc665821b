// ColumnFold: windows of an image that lie side by side as columns, added up where they were taken from. The reverse of im2col.

import CLeapKernels
import LeapTensors

/// Windows that move over an image, along one axis.
package struct WindowAxis: Sendable {
  /// The extents of the image and of a window.
  package let image: Int
  package let window: Int
  package let stride: Int
  package let dilation: Int
  /// Pixels that are added before the image.
  package let padBegin: Int
  /// The number of windows, 1 at least.
  package let positions: Int

  /// - Throws: `OperatorError` where no window fits. All parameters are in the range of 32 bits.
  package init(
    image: Int, window: Int, stride: Int, dilation: Int, pads: (begin: Int, end: Int)
  ) throws {
    let covered = (window - 1) * dilation + 1
    let padded = image + pads.begin + pads.end
    guard covered <= padded else {
      throw OperatorError(
        "a block that covers \(covered) does not fit the padded extent \(padded) of an axis")
    }
    (self.image, self.window, self.stride, self.dilation) = (image, window, stride, dilation)
    padBegin = pads.begin
    positions = (padded - covered) / stride + 1
  }

  /// The pixel that element `element` of the first window is at; negative in the padding.
  fileprivate func start(_ element: Int) -> Int { element * dilation - padBegin }
}

package enum ColumnFold {
  /// Bytes of columns that one block adds at least, where there are as many.
  private static let grain = 64 << 10

  /// Output 0, planes of an image `[N, C, image...]`, from input 0, `[N, C * elements of a window, windows]`: each pixel is the sum of all
  /// elements that were taken from it, in the order in which they lie in a window. Bytes of bools are joined by "or".
  ///
  /// - Parameter axes: of the image; one at least.
  /// - Throws: `OperatorError` for columns of another shape, and for elements that cannot be added.
  package static func kernel(
    _ columns: Operand, _ image: Operand, axes: [WindowAxis]
  ) throws -> Kernel {
    let function: BinaryFunction = columns.dataType == .bool ? .or : .add
    try function.require(columns.dataType, columns.dataType)
    let fold = Fold(axes, width: columns.dataType.byteWidth)
    let planes = image.shape.outer(2)
    guard columns.shape.elementCount == Shape.product([planes, fold.columnsPerPlane]) else {
      throw OperatorError(
        "the columns have shape \(columns.shape), which does not fit an image of \(image.shape)")
    }
    let perBlock = max(1, grain / max(fold.columnsPerPlane &* fold.width, 1))
    let type = columns.dataType.rawValue
    return Kernel(blocks: planes == 0 ? 0 : (planes - 1) / perBlock + 1) { invocation, block in
      for plane in block * perBlock..<min((block + 1) * perBlock, planes) {
        let source = invocation.input(0) + plane * fold.columnsPerPlane * fold.width
        let target = invocation.output(0) + plane * fold.pixels * fold.width
        target.initializeMemory(as: UInt8.self, repeating: 0, count: fold.pixels * fold.width)
        for line in 0..<fold.lines {
          guard let run = fold.run(line) else { continue }
          let pixels = target + run.pixel * fold.width
          _ = leap_binary_run(
            type, function.raw, pixels, fold.step, source + run.column * fold.width, 1, pixels,
            fold.step, run.count)
        }
      }
    }
  }

  /// One plane, as lines: an element of a window at all positions along the last axis, at one position along the others.
  private struct Fold: Sendable {
    let width: Int
    let pixels: Int
    let columnsPerPlane: Int
    let lines: Int
    /// Pixels between neighbouring elements of a line.
    let step: Int
    private let outer: [WindowAxis]
    private let inner: WindowAxis
    /// Positions along all axes but the last.
    private let outerPositions: Int

    init(_ axes: [WindowAxis], width: Int) {
      self.width = width
      (outer, inner) = (Array(axes.dropLast()), axes[axes.count - 1])
      step = inner.stride
      pixels = Shape.product(axes.map(\.image)[...])
      outerPositions = Shape.product(outer.map(\.positions)[...])
      let elements = Shape.product(axes.map(\.window)[...])
      lines = Shape.product([elements, outerPositions])
      columnsPerPlane = Shape.product([lines, inner.positions])
    }

    /// Where a line begins, in columns and in pixels, and how many of its elements lie within the image; nil where none does.
    func run(_ line: Int) -> (column: Int, pixel: Int, count: Int)? {
      var (element, position) = line.quotientAndRemainder(dividingBy: outerPositions)
      let start = inner.start(element % inner.window)
      element /= inner.window
      var (pixel, rowStride) = (0, inner.image)
      for axis in outer.reversed() {
        let place = axis.start(element % axis.window) + position % axis.positions * axis.stride
        guard place >= 0, place < axis.image else { return nil }
        pixel += place * rowStride
        rowStride *= axis.image
        element /= axis.window
        position /= axis.positions
      }
      // The first position that is not before the image, and the first that is behind it.
      let first = start < 0 ? (-start + inner.stride - 1) / inner.stride : 0
      guard start < inner.image else { return nil }
      let end = min(inner.positions, (inner.image - 1 - start) / inner.stride + 1)
      guard first < end else { return nil }
      return (
        line * inner.positions + first, pixel + start + first * inner.stride, end - first
      )
    }
  }
}
