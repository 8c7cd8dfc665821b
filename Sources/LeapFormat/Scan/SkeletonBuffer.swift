// SkeletonBuffer: the growing copy of a message that the scan hands to protobuf-c.
//
// 1. Memory that is refused is an error; growth stops at a limit.
// 2. A sub-message's length can be written after its content.

import LeapTensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// An owned, growing array of bytes.
final class SkeletonBuffer {
  /// No skeleton is larger: what a model holds beside its payloads takes a few megabytes.
  static let limit = 512 << 20
  /// Bytes that a length takes where it is written after the content.
  private static let lengthWidth = 5

  private var base: UnsafeMutableRawPointer?
  private var capacity = 0
  private(set) var count = 0

  deinit { free(base) }

  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

  func append(_ more: UnsafeRawBufferPointer) throws {
    guard let start = more.baseAddress else { return }
    let end = try reserve(more.count)
    memcpy(end, start, more.count)
    count += more.count
  }

  func appendVarint(_ value: UInt64) throws {
    let end = try reserve(10)
    var left = value
    var length = 0
    while left >= 0x80 {
      end.storeBytes(
        of: UInt8(truncatingIfNeeded: left) | 0x80, toByteOffset: length, as: UInt8.self)
      left >>= 7
      length += 1
    }
    end.storeBytes(of: UInt8(left), toByteOffset: length, as: UInt8.self)
    count += length + 1
  }

  /// Leaves room for the length of the sub-message that follows; returns where its content begins.
  func openMessage() throws -> Int {
    _ = try reserve(SkeletonBuffer.lengthWidth)
    count += SkeletonBuffer.lengthWidth
    return count
  }

  /// Writes the length of the sub-message whose content began at `start` and ends here. The varint is padded to the
  /// room that was left, which the wire format allows.
  func closeMessage(at start: Int) {
    guard let base else { return }
    var left = count - start
    for index in 0..<SkeletonBuffer.lengthWidth {
      let more: UInt8 = index < SkeletonBuffer.lengthWidth - 1 ? 0x80 : 0
      base.storeBytes(
        of: UInt8(left & 0x7f) | more, toByteOffset: start - SkeletonBuffer.lengthWidth + index,
        as: UInt8.self)
      left >>= 7
    }
  }

  /// Makes room for `more` bytes and returns where they go.
  private func reserve(_ more: Int) throws -> UnsafeMutableRawPointer {
    let (needed, overflow) = count.addingReportingOverflow(more)
    guard !overflow, needed <= SkeletonBuffer.limit else {
      throw ModelError.limitExceeded(
        what: "bytes of the model beside its payloads", found: overflow ? .max : needed,
        limit: SkeletonBuffer.limit)
    }
    if needed > capacity || base == nil {
      let next = max(needed, min(capacity * 2, SkeletonBuffer.limit), 4096)
      guard let grown = realloc(base, next) else { throw ModelError.outOfMemory(bytes: next) }
      base = grown
      capacity = next
    }
    guard let base else { throw ModelError.outOfMemory(bytes: needed) }
    return base + count
  }
}
