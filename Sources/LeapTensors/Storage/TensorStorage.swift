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
  /// Whether the bytes were allocated here, so that whoever alone holds the storage may write them.
  package let isOwned: Bool
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
    isOwned = true
    nonisolated(unsafe) let owned = pointer
    release = { free(owned) }
  }

  /// Takes `byteCount` bytes of zeros in pages of their own, which go back to the system when the storage does.
  ///
  /// An allocator keeps what is freed, for each of its threads' arenas, so that memory which many threads take and give back
  /// in turn would be held several times over.
  ///
  /// - Throws: `ModelError.outOfMemory` where the system refuses.
  package init(pagesFor byteCount: Int) throws {
    let length = Swift.max(byteCount, 1)
    guard byteCount >= 0,
      let pointer = mmap(
        nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      pointer != MAP_FAILED
    else { throw ModelError.outOfMemory(bytes: byteCount) }
    base = pointer
    self.byteCount = byteCount
    isOwned = true
    nonisolated(unsafe) let owned = pointer
    release = { munmap(owned, length) }
  }

  /// Bytes from which on memory that is kept for long has pages of its own.
  package static let pageWorth = 64 << 10

  /// Takes `byteCount` bytes that are kept for long, weights and working memory: pages of their own where it is worth them, so
  /// that what is freed between leaves no holes.
  ///
  /// - Throws: `ModelError.outOfMemory` where the system refuses.
  package convenience init(lasting byteCount: Int) throws {
    if byteCount < TensorStorage.pageWorth {
      try self.init(byteCount: byteCount)
    } else {
      try self.init(pagesFor: byteCount)
    }
  }

  /// Borrows memory that somebody else owns; `release` runs when the last tensor on it is gone.
  package init(
    borrowing base: UnsafeMutableRawPointer, byteCount: Int,
    release: (@Sendable () -> Void)?
  ) {
    self.base = base
    self.byteCount = byteCount
    isOwned = false
    self.release = release
  }

  deinit { release?() }
}
