// ZIPArchive: the part of the ZIP format that numpy writes: stored and deflated entries, ZIP64 sizes, no encryption.

import LeapTensors

#if Images
  import CLeapZlib
#endif

struct ZIPArchive {
  /// The file; its indices start at 0.
  let bytes: ArraySlice<UInt8>
  let name: String

  struct Entry {
    var name: String
    /// 0 stored, 8 deflated.
    var method: Int
    var checksum: UInt32
    var packedSize: Int
    var size: Int
    var headerOffset: Int
  }

  func fail(_ reason: String) -> ArrayFileError {
    ArrayFileError("\(escaped(name)): \(escaped(reason))")
  }

  /// A number of the archive, or an error where the archive ends before it.
  private func number(_ position: Int, _ count: Int) throws -> Int {
    guard position >= 0, position <= bytes.count - count else {
      throw fail("the archive ends within a header")
    }
    guard count < 8 || bytes[position + 7] == 0 else { throw fail("a size exceeds 2^56") }
    return bytes.littleEndian(at: position, count: min(count, 7))
  }

  /// The central directory.
  func entries() throws -> [Entry] {
    let end = try endOfDirectory()
    var count = try number(end + 10, 2)
    var position = try number(end + 16, 4)
    if count == 0xFFFF || position == 0xFFFF_FFFF {
      let record = try number(end - 12, 8)
      guard try number(end - 20, 4) == 0x0706_4B50, try number(record, 4) == 0x0606_4B50 else {
        throw fail("the ZIP64 directory is missing")
      }
      count = try number(record + 32, 8)
      position = try number(record + 48, 8)
    }
    guard count <= 1 << 20 else { throw fail("a directory of \(count) entries") }
    var entries: [Entry] = []
    for _ in 0..<count {
      let (entry, next) = try directoryEntry(at: position)
      entries.append(entry)
      position = next
    }
    return entries
  }

  /// The end record is the last thing in the file, but for a comment of up to 64 KiB.
  private func endOfDirectory() throws -> Int {
    guard bytes.starts(with: [0x50, 0x4B]), bytes.count >= 22 else {
      throw fail("not a numpy archive (.npz)")
    }
    let lowest = max(0, bytes.count - 22 - 0xFFFF)
    for position in stride(from: bytes.count - 22, through: lowest, by: -1)
    where bytes[position] == 0x50 {
      if try number(position, 4) == 0x0605_4B50,
        try number(position + 20, 2) == bytes.count - position - 22
      {
        return position
      }
    }
    throw fail("the archive is truncated: its directory is missing")
  }

  private func directoryEntry(at position: Int) throws -> (Entry, next: Int) {
    guard try number(position, 4) == 0x0201_4B50 else { throw fail("the directory is damaged") }
    guard try number(position + 8, 2) & 1 == 0 else { throw fail("an encrypted entry") }
    let nameStart = position + 46
    let extraStart = nameStart + (try number(position + 28, 2))
    let extraEnd = extraStart + (try number(position + 30, 2))
    let next = extraEnd + (try number(position + 32, 2))
    guard next <= bytes.count else { throw fail("the directory is damaged") }
    var entry = Entry(
      name: String(decoding: bytes[nameStart..<extraStart], as: UTF8.self),
      method: try number(position + 10, 2),
      checksum: UInt32(try number(position + 16, 4)),
      packedSize: try number(position + 20, 4), size: try number(position + 24, 4),
      headerOffset: try number(position + 42, 4))
    try readZIP64(from: extraStart, to: extraEnd, into: &entry)
    return (entry, next)
  }

  /// Sizes that do not fit 32 bits stand in an extra field, those alone and in this order.
  private func readZIP64(from start: Int, to end: Int, into entry: inout Entry) throws {
    var position = start
    while position + 4 <= end {
      if try number(position, 2) == 1 {
        var field = position + 4
        for path in [\Entry.size, \Entry.packedSize, \Entry.headerOffset]
        where entry[keyPath: path] == 0xFFFF_FFFF {
          entry[keyPath: path] = try number(field, 8)
          field += 8
        }
      }
      position += 4 + (try number(position + 2, 2))
    }
  }

  /// The unpacked bytes of an entry.
  func contents(of entry: Entry) throws -> ArraySlice<UInt8> {
    let header = entry.headerOffset
    guard try number(header, 4) == 0x0403_4B50 else {
      throw fail("entry '\(entry.name)' is not where the directory says")
    }
    let start = header + 30 + (try number(header + 26, 2)) + (try number(header + 28, 2))
    guard start <= bytes.count, entry.packedSize <= bytes.count - start else {
      throw fail("entry '\(entry.name)' reaches beyond the archive")
    }
    let packed = bytes[start..<(start + entry.packedSize)]
    let contents: ArraySlice<UInt8>
    switch entry.method {
    case 0:
      guard entry.size == entry.packedSize else {
        throw fail("entry '\(entry.name)' is stored, but its two sizes differ")
      }
      contents = packed
    case 8: contents = try inflated(packed, entry: entry)
    default: throw fail("entry '\(entry.name)' is packed by method \(entry.method), not deflated")
    }
    guard crc32(contents) == entry.checksum else {
      throw fail("entry '\(entry.name)' is damaged: its checksum is wrong")
    }
    return contents
  }

  #if Images
    /// Deflate packs at most 1032 to 1: an entry that declares more is a lie, found before memory is taken.
    private func inflated(_ packed: ArraySlice<UInt8>, entry: Entry) throws -> ArraySlice<UInt8> {
      guard entry.size / 1032 <= packed.count, packed.count < Int(UInt32.max),
        entry.size < Int(UInt32.max)
      else { throw fail("entry '\(entry.name)' declares a size that it cannot unpack to") }
      var stream = z_stream()
      let size = Int32(MemoryLayout<z_stream>.size)
      guard inflateInit2_(&stream, -15, ZLIB_VERSION, size) == Z_OK else {
        throw fail("zlib does not start")
      }
      defer { inflateEnd(&stream) }
      var status = Z_OK
      // Room for one byte more than declared shows an entry that unpacks to more.
      let contents = [UInt8](unsafeUninitializedCapacity: entry.size + 1) { buffer, count in
        packed.withUnsafeBufferPointer { source in
          stream.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
          stream.avail_in = UInt32(source.count)
          stream.next_out = buffer.baseAddress
          stream.avail_out = UInt32(entry.size + 1)
          status = inflate(&stream, Z_FINISH)
        }
        count = entry.size + 1 - Int(stream.avail_out)
      }
      guard status == Z_STREAM_END, contents.count == entry.size else {
        throw fail("entry '\(entry.name)' does not unpack to the \(entry.size) bytes it declares")
      }
      return contents[...]
    }
  #else
    private func inflated(_ packed: ArraySlice<UInt8>, entry: Entry) throws -> ArraySlice<UInt8> {
      throw fail("compressed archives are not read: this build has the package trait Images off")
    }
  #endif
}
