// ScratchPlan: where the parts of a kernel's scratch lie.

/// Hands out parts of scratch one behind the other, each at the beginning of a line of the cache.
struct ScratchPlan: Sendable {
  /// Bytes of all parts so far.
  private(set) var byteCount = 0

  /// The offset of a new part of some bytes.
  mutating func take(_ bytes: Int) -> Int {
    defer { byteCount += (bytes + 63) / 64 * 64 }
    return byteCount
  }
}
