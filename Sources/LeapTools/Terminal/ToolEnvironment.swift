// ToolEnvironment: all that a tool knows of the process around it, so that a test can be that process.

import LeapstoneImage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// Streams, variables and terminal of a tool.
package struct ToolEnvironment: Sendable {
  package var variables: [String: String]
  /// Up to so many bytes of stdin, as soon as there are some; none at its end. Throws `FileError`.
  package var read: @Sendable (Int) throws -> [UInt8]
  /// Writes to stdout. Throws `ClosedPipe` or `FileError`.
  package var writeOutput: @Sendable ([UInt8]) throws -> Void
  /// Writes to stderr. What cannot be written is lost.
  package var writeError: @Sendable ([UInt8]) -> Void
  package var outputIsTerminal: Bool
  package var errorIsTerminal: Bool
  /// Columns of the terminal.
  package var columns: Int
  package var interruption: Interruption
  /// The program of Graphviz that lays out graphs.
  package var graphviz = "dot"

  package init(
    variables: [String: String], read: @escaping @Sendable (Int) throws -> [UInt8],
    writeOutput: @escaping @Sendable ([UInt8]) throws -> Void,
    writeError: @escaping @Sendable ([UInt8]) -> Void, outputIsTerminal: Bool = false,
    errorIsTerminal: Bool = false, columns: Int = 80, interruption: Interruption = Interruption()
  ) {
    self.variables = variables
    self.read = read
    self.writeOutput = writeOutput
    self.writeError = writeError
    self.outputIsTerminal = outputIsTerminal
    self.errorIsTerminal = errorIsTerminal
    self.columns = columns
    self.interruption = interruption
  }
}

/// The reader of stdout went away: nobody is left to write for.
package struct ClosedPipe: Error {
  package init() {}
}

extension ToolEnvironment {
  private static let knownVariables = ["NO_COLOR", "TERM", "LEAPSTONE_ISA"]

  /// The process that this is. Ctrl-C is watched from now on, and a closed pipe is an error instead of the end.
  package static func process() -> ToolEnvironment {
    signal(SIGPIPE, SIG_IGN)
    var variables: [String: String] = [:]
    for name in knownVariables {
      if let value = getenv(name) { variables[name] = String(cString: value) }
    }
    return ToolEnvironment(
      variables: variables, read: readInput, writeOutput: { try write($0, to: 1) },
      writeError: { try? write($0, to: 2) }, outputIsTerminal: isatty(1) == 1,
      errorIsTerminal: isatty(2) == 1, columns: terminalColumns(),
      interruption: .ofProcess())
  }

  private static func readInput(_ count: Int) throws -> [UInt8] {
    var got = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      repeat { got = systemRead(0, buffer.baseAddress, count) } while got < 0 && errno == EINTR
      filled = max(got, 0)
    }
    guard got >= 0 else {
      throw FileError(path: "stdin", reason: String(cString: strerror(errno)))
    }
    return bytes
  }

  private static func write(_ bytes: [UInt8], to descriptor: Int32) throws {
    try bytes.withUnsafeBytes { buffer in
      var rest = buffer[...]
      while let start = UnsafeRawBufferPointer(rebasing: rest).baseAddress, !rest.isEmpty {
        let written = systemWrite(descriptor, start, rest.count)
        if written < 0 && errno == EINTR { continue }
        if written < 0 && errno == EPIPE { throw ClosedPipe() }
        guard written >= 0 else {
          throw FileError(path: "stdout", reason: String(cString: strerror(errno)))
        }
        rest = rest.dropFirst(written)
      }
    }
  }

  private static func terminalColumns() -> Int {
    var size = winsize()
    guard ioctl(2, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
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
