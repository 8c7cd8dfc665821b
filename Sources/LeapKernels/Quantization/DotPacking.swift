// DotPacking: filters of bytes in the order in which dot products read them: [chunk][step][four][vector lanes][4], a chunk being the
// output groups that one call computes and a step a few input channels. Behind them lie the sum of each filter and the limits
// of each step.

import CLeapKernels
import LeapTensors

struct DotPacking: Sendable {
  /// Steps of a chunk, and input channels of a step.
  let steps: Int
  let depth: Int
  /// Lanes of a vector: output channels of a group.
  let width: Int
  /// Groups of output channels.
  let groups: Int

  /// Input channels of a step, for vectors of some lanes.
  static func depth(width: Int) -> Int { min(width, Int(LEAP_BYTE_DEPTH)) }

  /// Groups of a chunk; the last one may have fewer.
  static let vectors = Int(LEAP_BYTE_VECTORS)

  init(steps: Int, outputs: Int, width: Int) {
    self.steps = steps
    depth = DotPacking.depth(width: width)
    self.width = width
    groups = (outputs + width - 1) / width
  }

  var chunks: Int { (groups + DotPacking.vectors - 1) / DotPacking.vectors }
  /// Output channels of a whole chunk.
  var chunkLanes: Int { DotPacking.vectors * width }

  private var groupBytes: Int { steps * depth * width }
  private var limitBytes: Int { MemoryLayout<leap_byte_limits>.stride }
  private var sumsOffset: Int { groups * groupBytes }
  private var limitsOffset: Int { sumsOffset + groups * width * 4 }

  var byteCount: Int { limitsOffset + chunks * steps * limitBytes }

  func groups(ofChunk chunk: Int) -> Int {
    min(DotPacking.vectors, groups - chunk * DotPacking.vectors)
  }

  func filters(_ packed: UnsafeRawPointer, chunk: Int) -> UnsafePointer<Int8> {
    (packed + chunk * DotPacking.vectors * groupBytes).assumingMemoryBound(to: Int8.self)
  }

  /// The sum of each output channel's filter.
  func sums(_ packed: UnsafeRawPointer) -> UnsafePointer<Int32> {
    (packed + sumsOffset).assumingMemoryBound(to: Int32.self)
  }

  func limits(_ packed: UnsafeRawPointer, chunk: Int) -> UnsafePointer<leap_byte_limits> {
    (packed + limitsOffset + chunk * steps * limitBytes)
      .assumingMemoryBound(to: leap_byte_limits.self)
  }

  /// Works out sums and limits of a chunk whose filters are there.
  func describe(chunk: Int, _ packed: UnsafeMutableRawPointer) {
    leap_byte_dot_describe(
      filters(packed, chunk: chunk), steps, depth, groups(ofChunk: chunk) * width,
      UnsafeMutablePointer(mutating: sums(packed) + chunk * chunkLanes),
      UnsafeMutablePointer(mutating: limits(packed, chunk: chunk)))
  }
}
