// FileIdentity: what tells one state of one file from another without reading it.

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// What the system says of a file. Its name is no part of it.
package struct FileIdentity: Hashable, Sendable {
  /// A moment of the system's clock.
  package struct Moment: Hashable, Sendable {
    package var seconds: Int
    package var nanoseconds: Int
  }

  package var device: UInt64
  package var inode: UInt64
  /// Bytes.
  package var size: Int64
  package var modified: Moment
  /// When contents, name, owner or mode last changed. Programs can set `modified`, but not this.
  package var changed: Moment

  package init(_ status: stat) {
    device = UInt64(truncatingIfNeeded: status.st_dev)
    inode = UInt64(truncatingIfNeeded: status.st_ino)
    size = Int64(status.st_size)
    #if canImport(Darwin)
      modified = Moment(status.st_mtimespec)
      changed = Moment(status.st_ctimespec)
    #else
      modified = Moment(status.st_mtim)
      changed = Moment(status.st_ctim)
    #endif
  }

  /// Whether the contents are those that `other` stands for, whatever happened to the file's name or mode.
  package func holdsTheSame(as other: FileIdentity) -> Bool {
    device == other.device && inode == other.inode && size == other.size
      && modified == other.modified
  }
}

extension FileIdentity.Moment {
  fileprivate init(_ time: timespec) {
    self.init(seconds: Int(time.tv_sec), nanoseconds: Int(time.tv_nsec))
  }
}
