// NPY: numpy's array file, read and written (format versions 1 to 3, numpy.lib.format).
//
// 1. Hostile headers give an error: sizes are checked against the bytes that are there before memory is taken.
// 2. What is written, numpy reads; what numpy writes, this reads, pickled and structured arrays excepted.

import LeapTensors

/// Why an array file cannot be used.
package struct ArrayFileError: Error, CustomStringConvertible, Equatable {
  package let description: String
  package init(_ description: String) { self.description = description }
}

package enum NPY {
  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  /// Reads an array.
  ///
  /// Big-endian and Fortran-ordered arrays are turned into Leapstone's little-endian row-major order;
  /// numpy's fixed-width strings become strings.
  ///
  /// - Parameter name: what messages call the array.
  /// - Throws: `ArrayFileError` where the bytes are no array file or hold what a tensor cannot; `ModelError.outOfMemory`.
  package static func decode(_ bytes: ArraySlice<UInt8>, name: String) throws -> Tensor {
    func fail(_ reason: String) -> ArrayFileError {
      ArrayFileError("\(escaped(name)): \(escaped(reason))")
    }
    guard bytes.starts(with: magic), bytes.count >= 12 else {
      throw fail("not a numpy array (.npy)")
    }
    let major = bytes[bytes.startIndex + 6]
    guard (1...3).contains(major) else { throw fail("unknown .npy version \(major)") }
    let prefix = major == 1 ? 10 : 12
    let length = bytes.littleEndian(at: bytes.startIndex + 8, count: prefix - 8)
    guard length <= 1 << 20, length <= bytes.count - prefix else {
      throw fail("a header of \(length) bytes does not fit the file")
    }
    let start = bytes.startIndex + prefix
    do {
      let header = try NPYHeader(parsing: bytes[start..<(start + length)])
      let body = bytes[(start + length)...]
      guard let expected = header.byteCount, expected == body.count else {
        let wanted = header.byteCount.map(String.init) ?? "more than 2^63"
        throw ArrayFileError(
          "shape \(header.shape) needs \(wanted) bytes of data, the file has \(body.count)")
      }
      return try header.tensor(from: body)
    } catch let error as ArrayFileError {
      throw fail(error.description)
    }
  }

  /// The bytes of an array file that holds `tensor`.
  ///
  /// numpy has no bfloat16: it is widened to float32, which holds every value of it.
  ///
  /// - Throws: `ArrayFileError` where numpy has no such element type.
  package static func encode(_ tensor: Tensor) throws -> [UInt8] {
    if let strings = tensor.strings { return encode(strings: strings, shape: tensor.shape) }
    if tensor.dataType == .bfloat16 {
      let wide = tensor.withUnsafeBytes { bytes in
        (0..<tensor.elementCount).map { index in
          UInt32(bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)) << 16
        }
      }
      return header("<f4", tensor.shape) + wide.withUnsafeBytes { Array($0) }
    }
    guard let description = NPYHeader.description(of: tensor.dataType) else {
      throw ArrayFileError("numpy has no element type \(tensor.dataType)")
    }
    return header(description, tensor.shape) + tensor.withUnsafeBytes { Array($0) }
  }

  private static func encode(strings: [String], shape: Shape) -> [UInt8] {
    let width = max(1, strings.map { $0.unicodeScalars.count }.max() ?? 1)
    var bytes = header("<U\(width)", shape)
    for string in strings {
      let scalars = string.unicodeScalars
      for scalar in scalars { bytes.append(littleEndian: Int(scalar.value), count: 4) }
      bytes += [UInt8](repeating: 0, count: 4 * (width - scalars.count))
    }
    return bytes
  }

  private static func header(_ description: String, _ shape: Shape) -> [UInt8] {
    let extents = shape.map(String.init).joined(separator: ", ")
    let tuple = shape.rank == 1 ? "(\(extents),)" : "(\(extents))"
    var text = Array(
      "{'descr': '\(description)', 'fortran_order': False, 'shape': \(tuple), }".utf8)
    // numpy aligns the data to 64 bytes, and ends the header with a line feed.
    let version: UInt8 = text.count < 65_000 ? 1 : 2
    let prefix = version == 1 ? 10 : 12
    text += [UInt8](repeating: 0x20, count: 63 - (prefix + text.count) % 64) + [0x0A]
    var bytes = magic + [version, 0]
    bytes.append(littleEndian: text.count, count: prefix - 8)
    return bytes + text
  }
}

extension ArraySlice<UInt8> {
  /// An unsigned number of up to seven bytes.
  func littleEndian(at position: Int, count: Int) -> Int {
    var value = 0
    for index in 0..<count { value |= Int(self[position + index]) << (8 * index) }
    return value
  }
}

extension [UInt8] {
  mutating func append(littleEndian value: Int, count: Int) {
    for index in 0..<count { append(UInt8(truncatingIfNeeded: value >> (8 * index))) }
  }
}
