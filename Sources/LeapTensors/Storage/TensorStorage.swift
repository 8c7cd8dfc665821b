// TensorStorage: who owns the bytes of a tensor, and how they are given back.
//
// 1. An allocation that fails is an error, never the end of the process.
// 2. Every owned buffer is aligned for the widest vector kernel.

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// A buffer of bytes with an owner. Immutable once a tensor that others can see refers to it; whoever
/// fills it does so before that, which is what makes the unchecked conformance hold.
package final class TensorStorage: @unchecked Sendable {
  /// Alignment, in bytes, of every buffer allocated here: a cache line, and the widest vector.
  package static let alignment = 64

  /// A number of bytes rounded up to the alignment.
  ///
  /// - Throws: `ModelError.outOfMemory` where that overflows.
  package static func aligned(_ byteCount: Int) throws -> Int {
    let (sum, overflow) = byteCount.addingReportingOverflow(alignment - 1)
    if overflow { throw ModelError.outOfMemory(bytes: byteCount) }
    return sum / alignment * alignment
  }

  package let base: UnsafeMutableRawPointer
  package let byteCount: Int
  private let release: (@Sendable () -> Void)?

  /// Allocates `byteCount` bytes, not cleared, aligned to `alignment`.
  ///
  /// - Throws: `ModelError.outOfMemory` where the system refuses.
  package init(byteCount: Int) throws {
    var pointer: UnsafeMutableRawPointer?
    guard byteCount >= 0, byteCount < Int.max - TensorStorage.alignment,
      posix_memalign(&pointer, TensorStorage.alignment, Swift.max(byteCount, 1)) == 0,
      let pointer
    else { throw ModelError.outOfMemory(bytes: byteCount) }
    base = pointer
    self.byteCount = byteCount
    nonisolated(unsafe) let owned = pointer
    release = { free(owned) }
  }

  /// Borrows memory that somebody else owns; `release` runs when the last tensor on it is gone.
  package init(
    borrowing base: UnsafeMutableRawPointer, byteCount: Int,
    release: (@Sendable () -> Void)?
  ) {
    self.base = base
    self.byteCount = byteCount
    self.release = release
  }

  deinit { release?() }
}
