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
    let imageStride = output.imageStride
    return Phase(blockCount: output.shape[0]) { invocation, image in
      let y = invocation.output(0).assumingMemoryBound(to: Float.self) + image * imageStride
      for slot in unused {
        let lane = y + slot / width * pixels * width + slot % width
        for pixel in 0..<pixels { lane[pixel * width] = 0 }
      }
    }
  }
}
