// CacheFile: packed weights in a file, mapped read-only.
//
// 1. The file is untrusted: whatever it holds, nothing is read beyond its end, and no damaged weight is used.
// 2. Nothing is read but what a run uses: a weight's checksum is checked when it is first asked for.
// 3. Only a regular file that belongs to the user, and that nobody else may write, is opened: what only its owner can change
//    cannot be exchanged between the check and the use.
//
// header, 8 words: magic, format, bytes of the key, bytes of the table, entries, bytes of the file, digest of key and table,
// digest of the seven words before it. Then the key, the table, and the weights, each aligned for kernels, large ones to pages.
// An entry of the table: its name, its offset and size in the file, the digest of its bytes.

import LeapTensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// An open file of the cache whose header, key and table are right.
final class CacheFile: Sendable {
  /// A weight in the file.
  struct Place: Sendable {
    var offset: Int
    var byteCount: Int
    var digest: UInt64
  }

  /// "LEAPPACK", as the machine's word: the other byte order is foreign.
  static let magic: UInt64 = 0x4C45_4150_5041_434B
  /// Counts the changes of this format, and of what any packing recipe writes.
  static let format: UInt64 = 3
  static let headerBytes = 64

  /// The weights by their names.
  let places: [[UInt8]: Place]
  private let mapping: TensorStorage

  /// Opens a file of this key.
  ///
  /// - Returns: nil where there is none, where it belongs to somebody else, and where anything about it is wrong.
  init?(path: String, key: CacheKey) {
    guard let mapping = CacheFile.map(path) else { return nil }
    let bytes = UnsafeRawBufferPointer(start: mapping.base, count: mapping.byteCount)
    guard let places = CacheFile.table(bytes, key) else { return nil }
    self.mapping = mapping
    self.places = places
  }

  /// A weight of the file, whose bytes are those that were written; nil where there is none of this size, or it is damaged.
  /// O(its bytes).
  func weight(_ name: [UInt8], byteCount: Int) -> TensorStorage? {
    guard let place = places[name], place.byteCount == byteCount,
      Digest.xxh64(bytes(of: place)) == place.digest
    else { return nil }
    // The closure keeps the mapping.
    return TensorStorage(borrowing: mapping.base + place.offset, byteCount: byteCount) {
      [mapping] in withExtendedLifetime(mapping) {}
    }
  }

  /// The bytes of a weight, checked by nobody.
  func bytes(of place: Place) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: mapping.base + place.offset, count: place.byteCount)
  }

  private static func map(_ path: String) -> TensorStorage? {
    // A FIFO must not wait for its writer; a link may lead anywhere.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      status.st_uid == geteuid(), status.st_mode & (S_IWGRP | S_IWOTH) == 0,
      status.st_size >= headerBytes, let length = Int(exactly: status.st_size),
      let pointer = mmap(nil, length, PROT_READ, MAP_PRIVATE, descriptor, 0), pointer != MAP_FAILED
    else { return nil }
    nonisolated(unsafe) let owned = pointer
    return TensorStorage(borrowing: pointer, byteCount: length) { munmap(owned, length) }
  }

  /// The table of a file of this key; nil where anything is wrong.
  private static func table(
    _ file: UnsafeRawBufferPointer, _ key: CacheKey
  ) -> [[UInt8]: Place]? {
    let header = UnsafeRawBufferPointer(rebasing: file[..<headerBytes])
    var fields = CacheFields(header)
    guard fields.word() == magic, fields.word() == format, let keyBytes = fields.count(),
      let tableBytes = fields.count(), let entries = fields.count(), fields.count() == file.count,
      let digest = fields.word(),
      fields.word() == Digest.xxh64(.init(rebasing: header[..<(headerBytes - 8)])),
      keyBytes <= file.count - headerBytes, tableBytes <= file.count - headerBytes - keyBytes
    else { return nil }
    let start = headerBytes + keyBytes + tableBytes
    guard Digest.xxh64(.init(rebasing: file[headerBytes..<start])) == digest,
      file[headerBytes..<headerBytes + keyBytes].elementsEqual(key.bytes)
    else { return nil }
    return places(
      .init(rebasing: file[headerBytes + keyBytes..<start]), entries, within: start..<file.count)
  }

  private static func places(
    _ table: UnsafeRawBufferPointer, _ entries: Int, within weights: Range<Int>
  ) -> [[UInt8]: Place]? {
    var fields = CacheFields(table)
    var places: [[UInt8]: Place] = [:]
    while !fields.isAtEnd {
      guard let name = fields.content(), let offset = fields.count(),
        let byteCount = fields.count(), let digest = fields.word(),
        offset % TensorStorage.alignment == 0, weights.contains(offset),
        byteCount <= weights.upperBound - offset,
        places.updateValue(
          Place(offset: offset, byteCount: byteCount, digest: digest), forKey: name) == nil
      else { return nil }
    }
    return places.count == entries ? places : nil
  }
}
