// Interruption: Ctrl-C. Runs under way are cancelled; the tool notices at its next step and ends with exit code 130.

import Dispatch
import Leapstone
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// Whether somebody asked the tool to stop, and the runs that must hear of it.
package final class Interruption: Sendable {
  private struct State {
    var isInterrupted = false
    var running: [ObjectIdentifier: Cancellation] = [:]
  }
  private let state = Mutex(State())

  package init() {}

  /// Asks the tool to stop.
  ///
  /// - Returns: whether a run is under way, whose caller will see to the end.
  @discardableResult
  package func interrupt() -> Bool {
    state.withLock { state in
      state.isInterrupted = true
      for cancellation in state.running.values { cancellation.cancel() }
      return !state.running.isEmpty
    }
  }

  /// Throws where the tool must stop.
  ///
  /// - Throws: `ToolError.interrupted`.
  package func check() throws {
    if state.withLock(\.isInterrupted) { throw ToolError.interrupted }
  }

  /// Runs `body` with a cancellation that `interrupt` uses.
  ///
  /// - Throws: `ToolError.interrupted`, and what `body` throws.
  func during<Result>(_ body: (Cancellation) throws -> Result) throws -> Result {
    try check()
    let cancellation = Cancellation()
    state.withLock { $0.running[ObjectIdentifier(cancellation)] = cancellation }
    defer { state.withLock { $0.running[ObjectIdentifier(cancellation)] = nil } }
    do { return try body(cancellation) } catch RunError.cancelled {
      throw ToolError.interrupted
    }
  }

  /// An interruption that SIGINT triggers. Where no run is under way, and for a second SIGINT, the process ends at once.
  static func ofProcess() -> Interruption {
    let interruption = Interruption()
    signal(SIGINT, SIG_IGN)
    let source = DispatchSource.makeSignalSource(
      signal: SIGINT, queue: DispatchQueue(label: "leapstone.interrupt"))
    source.setEventHandler {
      let isSecond = interruption.state.withLock(\.isInterrupted)
      let willBeSeen = interruption.interrupt()
      if isSecond || !willBeSeen { _exit(ExitCode.interrupted) }
      // The handler keeps the source alive.
      withExtendedLifetime(source) {}
    }
    source.resume()
    return interruption
  }
}
