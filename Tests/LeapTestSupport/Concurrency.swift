// Concurrency: threads, flags and processes for tests that put a program under load.

import Dispatch
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// A flag that one thread sets and others poll.
package final class Flag: Sendable {
  private let value = Atomic<Bool>(false)
  package init() {}
  package var isSet: Bool { value.load(ordering: .acquiring) }
  package func set() { value.store(true, ordering: .releasing) }
}

/// Runs a closure in `count` threads at once and waits for all. Threads, not `.global()`: it would
/// not start them all.
package func inThreads(_ count: Int, _ body: @escaping @Sendable (_ index: Int) -> Void) {
  let group = DispatchGroup()
  for index in 0..<count {
    DispatchQueue(label: "test.\(index)").async(group: group) { body(index) }
  }
  group.wait()
}

/// fork(2), which Swift does not import.
package func forkProcess() -> pid_t {
  typealias Fork = @convention(c) () -> pid_t
  guard let symbol = dlsym(UnsafeMutableRawPointer(bitPattern: 0), "fork") else { return -1 }
  return unsafeBitCast(symbol, to: Fork.self)()
}

/// The exit status of a child, or nil (and the child is killed) where it does not end in time.
package func waitForExit(of child: pid_t, milliseconds: Int) -> Int32? {
  var status: Int32 = 0
  for _ in 0..<milliseconds {
    if waitpid(child, &status, WNOHANG) == child {
      return status & 0x7F == 0 ? status >> 8 & 0xFF : -(status & 0x7F)
    }
    usleep(1000)
  }
  kill(child, SIGKILL)
  waitpid(child, &status, 0)
  return nil
}

/// Keeps all threads of `.global()` busy with blocks that spin, until `body` is done.
package func saturatingGlobalQueue<Result>(
  blocks: Int, _ body: () throws -> Result
) rethrows -> Result {
  let stop = Flag()
  let group = DispatchGroup()
  for _ in 0..<blocks {
    DispatchQueue.global().async(group: group) { while !stop.isSet {} }
  }
  defer {
    stop.set()
    group.wait()
  }
  // Until they spin.
  usleep(20_000)
  return try body()
}
