// PayloadFile: a file that stays open behind a model because its weights are read when they are needed.
//
// 1. A file that changed since it was opened is noticed before more of it is read.
// 2. Reading goes straight to the weight's final place; nothing holds a second copy.

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// An open file with the identity that it had when it was opened.
package final class PayloadFile: Sendable {
  /// The path as the user gave it, for messages.
  package let path: String
  /// The file's size in bytes when it was opened.
  package let byteCount: Int
  private let descriptor: Int32
  /// What the system said of the file when it was opened.
  package let identity: FileIdentity

  /// Opens a regular file for reading.
  ///
  /// - Throws: `ModelError.unreadable` where it does not exist, is no regular file, or may not be read.
  package convenience init(path: String) throws {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw ModelError.unreadable(path: path, reason: String(cString: strerror(errno)))
    }
    try self.init(adopting: descriptor, path: path)
  }

  /// Takes over an open descriptor, which is closed in the end (at once where this throws).
  ///
  /// - Throws: `ModelError.unreadable` where it is no regular file.
  package init(adopting descriptor: Int32, path: String) throws {
    var status = stat()
    let failed = fstat(descriptor, &status) != 0
    let regular = !failed && status.st_mode & S_IFMT == S_IFREG
    self.path = path
    self.descriptor = descriptor
    identity = FileIdentity(status)
    byteCount = Int(status.st_size)
    // The stored properties are all set: from here on deinit closes the descriptor.
    if failed {
      throw ModelError.unreadable(path: path, reason: String(cString: strerror(errno)))
    }
    if !regular { throw ModelError.unreadable(path: path, reason: "it is not a regular file") }
  }

  deinit { close(descriptor) }

  /// Reads `count` bytes from `offset` on.
  ///
  /// - Throws: `ModelError.fileChanged` where the file is no longer what was opened, `.unreadable` where reading fails.
  package func read(into destination: UnsafeMutableRawPointer, offset: Int, count: Int) throws {
    try checkUnchanged()
    var done = 0
    while done < count {
      let got = pread(descriptor, destination + done, count - done, off_t(offset + done))
      if got < 0 && errno == EINTR { continue }
      if got < 0 {
        throw ModelError.unreadable(path: path, reason: String(cString: strerror(errno)))
      }
      if got == 0 { throw ModelError.fileChanged(path: path) }
      done += got
    }
  }

  /// Maps `count` bytes from `offset` on, read-only; the storage keeps the mapping alive.
  ///
  /// - Throws: `ModelError.fileChanged`, or `.unreadable` where the system refuses.
  package func map(offset: Int, count: Int) throws -> TensorStorage {
    try checkUnchanged()
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let start = offset / page * page
    let length = offset - start + count
    guard
      let mapping = mmap(nil, length, PROT_READ, MAP_PRIVATE, descriptor, off_t(start)),
      mapping != MAP_FAILED
    else {
      throw ModelError.unreadable(path: path, reason: String(cString: strerror(errno)))
    }
    nonisolated(unsafe) let owned = mapping
    return TensorStorage(borrowing: mapping + (offset - start), byteCount: count) {
      munmap(owned, length)
    }
  }

  private func checkUnchanged() throws {
    var status = stat()
    guard fstat(descriptor, &status) == 0, FileIdentity(status).holdsTheSame(as: identity) else {
      throw ModelError.fileChanged(path: path)
    }
  }
}
