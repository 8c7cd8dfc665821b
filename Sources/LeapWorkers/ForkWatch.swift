// ForkWatch: knows whether this process is a fork of one that had teams, and lets no fork fall into a critical section.
//
// 1. In such a child Dispatch is dead and the helpers do not exist: it runs every region on its caller alone and touches
//    neither Dispatch nor the pool of helpers.
// 2. Only the forking thread lives on in the child. A lock that another thread held would stay held, over data that is half
//    changed. So a fork waits until nobody is inside a critical section (`Mutex.guarded`), and whoever comes to one waits
//    until the fork is over.

import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

@usableFromInline
package enum ForkWatch {
  // Relaxed: the child has one thread when the handler runs, and threads it starts later see what was before them.
  private static let forks = Atomic<Int>(0)
  private static let inside = Atomic<Int>(0)
  private static let isForking = Atomic<Bool>(false)

  /// Registers the handlers, once in the life of the process. False where the system refuses.
  package static let isRegistered: Bool = {
    // Touched here, so that a handler never is the first to initialise them.
    forks.store(0, ordering: .relaxed)
    inside.add(0, ordering: .relaxed)
    isForking.store(false, ordering: .relaxed)
    return pthread_atfork(
      { ForkWatch.prepare() }, { ForkWatch.isForking.store(false, ordering: .releasing) },
      { ForkWatch.begin() }) == 0
  }()

  /// Whether the process was forked after the handlers had been registered.
  package static var isForkedChild: Bool { generation > 0 }

  /// How many forks lie between this process and the one that registered the handlers.
  package static var generation: Int { forks.load(ordering: .relaxed) }

  // Entering is an increment and then a look at `isForking`, forking the other way round: with sequentially consistent
  // operations one of the two sees the other.

  /// Enters a critical section; waits while the process forks.
  @usableFromInline
  package static func enter() {
    while true {
      inside.add(1, ordering: .sequentiallyConsistent)
      if !isForking.load(ordering: .sequentiallyConsistent) { return }
      inside.subtract(1, ordering: .relaxed)
      while isForking.load(ordering: .acquiring) { sched_yield() }
    }
  }

  @usableFromInline
  package static func leave() { inside.subtract(1, ordering: .releasing) }

  /// How long a fork waits. Sections take microseconds; one that enters another just now would wait for the fork.
  private static let patience: UInt64 = 100_000_000

  private static func prepare() {
    isForking.store(true, ordering: .sequentiallyConsistent)
    let start = monotonicNanoseconds()
    while inside.load(ordering: .sequentiallyConsistent) != 0,
      monotonicNanoseconds() - start < patience
    { sched_yield() }
  }

  private static func begin() {
    forks.add(1, ordering: .relaxed)
    inside.store(0, ordering: .relaxed)
    isForking.store(false, ordering: .relaxed)
  }
}

extension Mutex where Value: ~Copyable {
  /// `withLock`, in a section that no fork falls into. Sections are short and do not nest.
  @inlinable
  package borrowing func guarded<Result: ~Copyable, E: Error>(
    _ body: (inout sending Value) throws(E) -> sending Result
  ) throws(E) -> sending Result {
    ForkWatch.enter()
    defer { ForkWatch.leave() }
    return try withLock(body)
  }
}
