// FileBytes: whole files in and out of memory, by POSIX calls.
//
// 1. A size that was not expected is an error before memory is taken for it.
// 2. A report is never left half written under its final name.

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// What the system says about a file that cannot be read or written.
package struct FileError: Error, CustomStringConvertible, Equatable {
  package let path: String
  package let reason: String

  package init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }

  package var description: String { "\(path): \(reason)" }

  static func last(_ path: String) -> FileError {
    FileError(path: path, reason: String(cString: strerror(errno)))
  }
}

package enum FileBytes {
  /// Reads a file, a pipe or a device to its end.
  ///
  /// - Parameter limit: the most bytes that are accepted.
  /// - Throws: `FileError` where it cannot be read, is a directory, or is longer than `limit`.
  package static func read(_ path: String, limit: Int) throws -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError.last(path) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw FileError.last(path) }
    if status.st_mode & S_IFMT == S_IFREG, Int(status.st_size) > limit {
      throw FileError(path: path, reason: "\(status.st_size) bytes exceed the limit of \(limit)")
    }
    let expected = status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : 0
    return try readToEnd(descriptor, path: path, expected: expected, limit: limit)
  }

  private static func readToEnd(
    _ descriptor: Int32, path: String, expected: Int, limit: Int
  ) throws -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(expected + 1)
    let chunk = 1 << 16
    while true {
      let wanted = max(chunk, expected - bytes.count)
      var got = 0
      let part = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
        repeat {
          got = systemRead(descriptor, buffer.baseAddress, wanted)
        } while got < 0 && errno == EINTR
        count = max(got, 0)
      }
      if got < 0 { throw FileError.last(path) }
      if got == 0 { return bytes }
      guard bytes.count + got <= limit else {
        throw FileError(path: path, reason: "more than the limit of \(limit) bytes")
      }
      bytes += part
    }
  }

  /// Writes a file: under a temporary name beside it first, then renamed, so that nobody meets half of it.
  /// A path that exists and is no regular file (a device, a pipe) is written to directly.
  ///
  /// - Throws: `FileError` where the system refuses.
  package static func write(_ bytes: [UInt8], to path: String) throws {
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
      return try write(bytes, into: open(path, O_WRONLY | O_CLOEXEC), path: path)
    }
    let temporary = "\(path).\(getpid()).part"
    do {
      try write(
        bytes, into: open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666), path: path)
      guard rename(temporary, path) == 0 else { throw FileError.last(path) }
    } catch {
      unlink(temporary)
      throw error
    }
  }

  private static func write(_ bytes: [UInt8], into descriptor: Int32, path: String) throws {
    guard descriptor >= 0 else { throw FileError.last(path) }
    defer { close(descriptor) }
    try bytes.withUnsafeBytes { buffer in
      var done = 0
      while done < buffer.count {
        let written = systemWrite(descriptor, buffer.baseAddress! + done, buffer.count - done)
        if written < 0 && errno == EINTR { continue }
        if written < 0 { throw FileError.last(path) }
        done += written
      }
    }
  }
}

// Inside a type with methods of the same names the system's functions need another name.
private func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawPointer?, _ count: Int)
  -> Int
{
  read(descriptor, buffer, count)
}

private func systemWrite(_ descriptor: Int32, _ buffer: UnsafeRawPointer, _ count: Int) -> Int {
  write(descriptor, buffer, count)
}
