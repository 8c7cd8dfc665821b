// UnusedSlots: the channel slots of a blocked tensor that no channel uses. Whoever makes such a tensor leaves zeros there.

import LeapTensors

package enum UnusedSlots {
  /// The phase that clears the unused slots of output 0; nil where there are none.
  package static func clearing(_ output: Operand) -> Phase? {
    guard let blocks = output.blocks else { return nil }
    let used = Set(blocks.channelSlots(output.shape[1]))
    let unused = (0..<blocks.slots).filter { !used.contains($0) }
    if unused.isEmpty { return nil }
    let (pixels, width) = (output.shape.inner(from: 2), blocks.width)
    let (imageStride, isOfBytes) = (output.imageStride, output.dataType.byteWidth == 1)
    return Phase(blockCount: output.shape[0]) { invocation, image in
      for slot in unused {
        let lane = image * imageStride + slot / width * pixels * width + slot % width
        if isOfBytes {
          clear(UInt8.self, invocation.output(0), from: lane, count: pixels, step: width)
        } else {
          clear(Float.self, invocation.output(0), from: lane, count: pixels, step: width)
        }
      }
    }
  }

  private static func clear<Element: Numeric>(
    _ type: Element.Type, _ output: UnsafeMutableRawPointer, from first: Int, count: Int, step: Int
  ) {
    let y = output.assumingMemoryBound(to: type) + first
    for index in 0..<count { y[index * step] = 0 }
  }
}
