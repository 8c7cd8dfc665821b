// Program: another program, fed on its stdin and read from its stdout.

import Dispatch
import LeapTensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// Why a program gave nothing.
package enum ProgramError: Error, Equatable {
  /// There is no such program.
  case missing
  /// It ended with this status, and said this on stderr.
  case failed(status: Int32, message: String)
}

package enum Program {
  /// Runs a program to its end.
  ///
  /// - Parameters:
  ///   - name: the program, looked for along `PATH`.
  ///   - arguments: without its name.
  ///   - input: what its stdin holds.
  /// - Returns: what it writes to stdout.
  /// - Throws: `ProgramError`.
  package static func run(
    _ name: String, _ arguments: [String], input: [UInt8]
  ) throws -> [UInt8] {
    // A pipe that nobody reads any more is an error, and not the end of this process.
    signal(SIGPIPE, SIG_IGN)
    let (feed, output, errors) = (try Pipe(), try Pipe(), try Pipe())
    let process: pid_t
    do { process = try spawn(name, arguments, feed, output, errors) } catch {
      for pipe in [feed, output, errors] { pipe.close() }
      throw error
    }
    feed.closeReader()
    output.closeWriter()
    errors.closeWriter()
    // All three at once: a program may write before it has read all.
    let group = DispatchGroup()
    let message = Collector()
    DispatchQueue(label: "leapstone.program.feed").async(group: group) { feed.write(input) }
    DispatchQueue(label: "leapstone.program.errors").async(group: group) {
      message.bytes = errors.read()
    }
    let result = output.read()
    group.wait()
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 && errno == EINTR {}
    guard status == 0 else {
      throw ProgramError.failed(
        status: status >> 8 & 0xFF, message: String(decoding: message.bytes, as: UTF8.self))
    }
    return result
  }

  private static func spawn(
    _ name: String, _ arguments: [String], _ feed: Pipe, _ output: Pipe, _ errors: Pipe
  ) throws -> pid_t {
    #if canImport(Darwin)
      var actions: posix_spawn_file_actions_t?
    #else
      var actions = posix_spawn_file_actions_t()
    #endif
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, feed.reader, 0)
    posix_spawn_file_actions_adddup2(&actions, output.writer, 1)
    posix_spawn_file_actions_adddup2(&actions, errors.writer, 2)
    for pipe in [feed, output, errors] {
      posix_spawn_file_actions_addclose(&actions, pipe.reader)
      posix_spawn_file_actions_addclose(&actions, pipe.writer)
    }
    var words: [UnsafeMutablePointer<CChar>?] = ([name] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var process: pid_t = 0
    let code = posix_spawnp(&process, name, &actions, nil, &words, environ)
    guard code != ENOENT else { throw ProgramError.missing }
    guard code == 0 else {
      throw ProgramError.failed(status: code, message: String(cString: strerror(code)))
    }
    return process
  }
}

/// Bytes that one thread leaves for another, which waits for it.
private final class Collector: @unchecked Sendable {
  var bytes: [UInt8] = []
}

/// A pair of file descriptors.
private final class Pipe: @unchecked Sendable {
  private(set) var reader: Int32
  private(set) var writer: Int32

  init() throws {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else {
      throw ProgramError.failed(status: errno, message: String(cString: strerror(errno)))
    }
    (reader, writer) = (ends[0], ends[1])
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
  }

  func closeReader() {
    if reader >= 0 { systemClose(reader) }
    reader = -1
  }

  func closeWriter() {
    if writer >= 0 { systemClose(writer) }
    writer = -1
  }

  func close() {
    closeReader()
    closeWriter()
  }

  deinit { close() }

  /// Writes all, or as much as somebody reads, and closes.
  func write(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { buffer in
      var done = 0
      while done < buffer.count {
        let written = systemWrite(writer, buffer.baseAddress! + done, buffer.count - done)
        if written < 0 && errno == EINTR { continue }
        if written <= 0 { break }
        done += written
      }
    }
    closeWriter()
  }

  /// Reads to the end, and closes.
  func read() -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let got = systemRead(reader, &chunk, chunk.count)
      if got < 0 && errno == EINTR { continue }
      if got <= 0 { break }
      bytes += chunk.prefix(got)
    }
    closeReader()
    return bytes
  }
}

// Inside a type with methods of the same names the system's functions need another name.
private func systemClose(_ descriptor: Int32) { close(descriptor) }

private func systemRead(
  _ descriptor: Int32, _ buffer: UnsafeMutableRawPointer, _ count: Int
) -> Int { read(descriptor, buffer, count) }

private func systemWrite(_ descriptor: Int32, _ buffer: UnsafeRawPointer, _ count: Int) -> Int {
  write(descriptor, buffer, count)
}
