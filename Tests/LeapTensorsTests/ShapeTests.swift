// Shapes out of files: products that overflow, extents of zero beside huge ones.

import LeapTensors
import Testing

@Suite struct ShapeTests {
  @Test(
    arguments: [
      (Shape([2, 3]), DataType.float32, 24),
      (Shape([]), .int64, 8),
      (Shape([0, 5]), .float64, 40),
      (Shape([3]), .uint4, 3),
      (Shape([1 << 31, 1 << 31]), .uint8, nil),
      (Shape([0, 1 << 40, 1 << 40]), .uint8, nil),
      (Shape([1 << 62]), .float32, nil),
      (Shape([2, -1]), .float32, nil),
    ] as [(Shape, DataType, Int?)])
  func spanIsNilWhereOffsetsWouldOverflow(shape: Shape, type: DataType, span: Int?) {
    #expect(shape.span(of: type) == span)
  }

  @Test func elementCountsSaturate() {
    #expect(Shape([1 << 40, 1 << 40]).elementCount == .max)
    #expect(Shape([1 << 40, 1 << 40, 0]).elementCount == 0)
  }
}
