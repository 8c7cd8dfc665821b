// NPZ: numpy's archive of arrays: a ZIP file (PKWARE APPNOTE 6.3) of .npy files, stored or deflated.
//
// 1. A hostile archive gives an error: what it unpacks to is bounded, by what it declares and by what it holds.
// 2. What is written, numpy reads.

import LeapTensors
import LeapstoneImage

/// A tensor of an archive.
package struct NamedTensor: Sendable {
  package var name: String
  package var tensor: Tensor

  package init(_ name: String, _ tensor: Tensor) {
    self.name = name
    self.tensor = tensor
  }
}

package enum NPZ {
  /// The most bytes that the deflated entries of one archive may unpack to.
  package static let inflateLimit = 2 << 30
  /// The largest archive that is read, in bytes.
  package static let fileLimit = 16 << 30

  /// Reads all arrays of an archive, in its order; keys are without ".npy".
  ///
  /// - Throws: `FileError`, `ArrayFileError`, `ModelError.outOfMemory`.
  package static func read(_ path: String) throws -> [NamedTensor] {
    try decode(try FileBytes.read(path, limit: fileLimit), name: path)
  }

  /// The keys of an archive, without ".npy", in its order. No array is read.
  ///
  /// - Throws: `FileError`, `ArrayFileError`.
  package static func names(_ path: String) throws -> [String] {
    let bytes = try FileBytes.read(path, limit: fileLimit)
    return try ZIPArchive(bytes: bytes[...], name: path).entries().map(\.name)
      .filter { $0.hasSuffix(".npy") }.map { String($0.dropLast(4)) }
  }

  /// Reads all arrays of an archive in memory.
  package static func decode(_ bytes: [UInt8], name: String) throws -> [NamedTensor] {
    let archive = ZIPArchive(bytes: bytes[...], name: name)
    var unpacked = 0
    var names: Set<String> = []
    return try archive.entries().map { entry in
      guard entry.name.hasSuffix(".npy"), names.insert(entry.name).inserted else {
        throw archive.fail("entry '\(entry.name)' is no array, or stands there twice")
      }
      // Entries may overlap, so that stored ones too unpack to more than the file holds.
      let (sum, overflow) = unpacked.addingReportingOverflow(entry.size)
      unpacked = sum
      guard !overflow, unpacked <= max(inflateLimit, bytes.count) else {
        throw archive.fail("the entries unpack to more than \(inflateLimit) bytes")
      }
      let key = String(entry.name.dropLast(4))
      return NamedTensor(
        key, try NPY.decode(try archive.contents(of: entry), name: "\(name): \(key)"))
    }
  }

  /// Writes arrays to an archive, uncompressed.
  ///
  /// - Throws: `ArrayFileError` where numpy has no such type, two arrays have one name, or the archive would exceed 4 GiB;
  ///   `FileError`.
  package static func write(_ tensors: [NamedTensor], to path: String) throws {
    try FileBytes.write(try encode(tensors), to: path)
  }

  /// The bytes of an archive of arrays, uncompressed. The same arrays make the same bytes.
  package static func encode(_ tensors: [NamedTensor]) throws -> [UInt8] {
    var bytes: [UInt8] = []
    var directory: [UInt8] = []
    var names: Set<String> = []
    for tensor in tensors {
      guard names.insert(tensor.name).inserted else {
        throw ArrayFileError(
          "an .npz archive cannot hold two arrays named '\(escaped(tensor.name))'")
      }
      let contents = try NPY.encode(tensor.tensor)
      let name = Array("\(tensor.name).npy".utf8)
      guard bytes.count + contents.count + (1 << 20) < Int(UInt32.max), name.count < 1 << 16 else {
        throw ArrayFileError("an .npz archive of 4 GiB and more is not written")
      }
      // Version 2.0, names in UTF-8, stored, midnight of 1980-01-01.
      let common = fields([
        (20, 2), (0x800, 2), (0, 2), (0, 2), (0x21, 2), (Int(crc32(contents[...])), 4),
        (contents.count, 4), (contents.count, 4), (name.count, 2), (0, 2),
      ])
      directory += [0x50, 0x4B, 1, 2, 20, 0] + common
      directory += fields([(0, 2), (0, 2), (0, 2), (0, 4), (bytes.count, 4)]) + name
      bytes += [0x50, 0x4B, 3, 4] + common + name + contents
    }
    guard tensors.count < 0xFFFF, bytes.count + directory.count < Int(UInt32.max) else {
      throw ArrayFileError("an .npz archive of 4 GiB, or of 65,535 arrays, is not written")
    }
    let end = fields([
      (0x0605_4B50, 4), (0, 4), (tensors.count, 2), (tensors.count, 2), (directory.count, 4),
      (bytes.count, 4), (0, 2),
    ])
    return bytes + directory + end
  }

  /// Little-endian numbers, each of so many bytes.
  private static func fields(_ fields: [(value: Int, count: Int)]) -> [UInt8] {
    var bytes: [UInt8] = []
    for field in fields { bytes.append(littleEndian: field.value, count: field.count) }
    return bytes
  }
}

/// The ISO 3309 checksum that ZIP files use.
func crc32(_ bytes: ArraySlice<UInt8>) -> UInt32 {
  var value: UInt32 = .max
  bytes.withUnsafeBufferPointer { buffer in
    crcTable.withUnsafeBufferPointer { table in
      for byte in buffer { value = table[Int((value ^ UInt32(byte)) & 0xFF)] ^ value >> 8 }
    }
  }
  return ~value
}

private let crcTable: [UInt32] = (0..<256).map { index in
  (0..<8).reduce(UInt32(index)) { value, _ in value >> 1 ^ (value & 1 == 1 ? 0xEDB8_8320 : 0) }
}
