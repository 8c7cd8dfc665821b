// StopSignal: waits for SIGTERM or SIGINT.
//
// By a handler. Signals that are blocked and taken by sigwait would be simpler, but OpenBLAS starts threads when it is loaded, before
// `main` can block anything, and a signal that reaches one of those would end the process.

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A pipe from the handler to the one who waits. Set once, before there is a handler.
private nonisolated(unsafe) var readEnd: Int32 = -1
private nonisolated(unsafe) var writeEnd: Int32 = -1

enum StopSignal {
  /// From here on the signals no longer end the process.
  static func install() {
    var ends: [Int32] = [-1, -1]
    precondition(pipe(&ends) == 0, "no pipe: \(String(cString: strerror(errno)))")
    (readEnd, writeEnd) = (ends[0], ends[1])
    for number in [SIGTERM, SIGINT] {
      signal(number) { _ in
        let interrupted = errno
        var byte: UInt8 = 0
        _ = write(writeEnd, &byte, 1)
        errno = interrupted
      }
    }
  }

  /// Returns when one has come.
  static func wait() {
    var byte: UInt8 = 0
    while read(readEnd, &byte, 1) < 0 && errno == EINTR {}
  }
}
