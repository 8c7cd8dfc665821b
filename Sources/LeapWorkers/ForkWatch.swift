// ForkWatch: knows whether this process is a fork of one that had teams.
//
// In such a child Dispatch is dead, the helpers do not exist, and a lock that one of them held
// stays held. So a child runs every region on its caller alone and touches neither Dispatch nor the
// pool of helpers.

import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

enum ForkWatch {
  // Relaxed throughout: the child has one thread when the handler runs, and threads it starts later
  // see what was before them.
  private static let forked = Atomic<Bool>(false)

  /// Registers the handler, once in the life of the process. False where the system refuses.
  static let isRegistered: Bool = {
    // Touched here, so that the handler never is the first to initialise it.
    forked.store(false, ordering: .relaxed)
    return pthread_atfork(nil, nil, { ForkWatch.forked.store(true, ordering: .relaxed) }) == 0
  }()

  /// Whether the process was forked after the handler had been registered.
  static var isForkedChild: Bool { forked.load(ordering: .relaxed) }
}
