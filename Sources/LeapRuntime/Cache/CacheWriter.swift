// CacheWriter: writes a file of the cache aside, and puts it into its place when it is whole.
//
// 1. Who opens the file finds an old one or a new one, never a part: it is renamed when it is on the disk, and never written
//    again. Of several writers the last one wins, and all are right.
// 2. Nobody but the user may read or write it.

import LeapTensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// Why the cache cannot be written, in the system's words.
struct CacheError: Error {
  let reason: String

  /// What `errno` says of a path.
  init(_ path: String) { reason = "\(path): \(String(cString: strerror(errno)))" }
}

/// A weight that is to be written.
struct CachedWeight {
  var name: [UInt8]
  var bytes: UnsafeRawBufferPointer
  /// Known where the bytes come from a file of the cache; damage is then carried on as what it is.
  var digest: UInt64? = nil
}

enum CacheWriter {
  /// Weights of a page or more begin at one: no other weight's pages are read with them.
  private static let page = 4096

  /// Writes a file.
  ///
  /// - Throws: `CacheError`; then what was there before is there still.
  static func write(_ weights: [CachedWeight], _ key: CacheKey, to path: String) throws {
    let aside = "\(path).\(String(UInt64.random(in: 0 ... .max), radix: 16)).part"
    let descriptor = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw CacheError(aside) }
    defer { close(descriptor) }
    do {
      try write(weights, key, to: descriptor, aside)
      guard fsync(descriptor) == 0 else { throw CacheError(aside) }
      // An empty directory in the file's place can go; another cannot be renamed over.
      _ = rmdir(path)
      guard rename(aside, path) == 0 else { throw CacheError(path) }
    } catch {
      unlink(aside)
      throw error
    }
  }

  private static func write(
    _ weights: [CachedWeight], _ key: CacheKey, to descriptor: Int32, _ path: String
  ) throws {
    // Offsets have a fixed width, so that the table's size is known before they are.
    let tableBytes = weights.reduce(0) { $0 + $1.name.count + 4 * 8 }
    var end = CacheFile.headerBytes + key.bytes.count + tableBytes
    var table = CacheBytes()
    var offsets: [Int] = []
    for weight in weights {
      let alignment = weight.bytes.count < page ? TensorStorage.alignment : page
      end = (end + alignment - 1) / alignment * alignment
      offsets.append(end)
      table.append(weight.name)
      table.append(end)
      table.append(weight.bytes.count)
      table.append(weight.digest ?? Digest.xxh64(weight.bytes))
      end += weight.bytes.count
    }
    let head = key.bytes + table.bytes
    var header = CacheBytes()
    header.append(CacheFile.magic)
    header.append(CacheFile.format)
    for number in [key.bytes.count, table.bytes.count, weights.count, end] {
      header.append(number)
    }
    header.append(head.withUnsafeBytes { Digest.xxh64($0) })
    header.append(header.bytes.withUnsafeBytes { Digest.xxh64($0) })
    try (header.bytes + head).withUnsafeBytes { try write($0, to: descriptor, at: 0, path) }
    for (weight, offset) in zip(weights, offsets) {
      try write(weight.bytes, to: descriptor, at: offset, path)
    }
  }

  private static func write(
    _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at offset: Int, _ path: String
  ) throws {
    var done = 0
    while done < bytes.count, let base = bytes.baseAddress {
      let count = pwrite(descriptor, base + done, bytes.count - done, off_t(offset + done))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw CacheError(path) }
      done += count
    }
  }
}
