// JobQueue: some jobs at a time, some more waiting, and an error for those beyond.
//
// The session has a queue too (`SessionOptions.maximalQueuedRuns`), but a picture would be decoded before it gets there. Work that will
// be refused must be refused before anything is spent on it, so the queue is here, and the session's is never used.

final class JobQueue: Sendable {
  /// As many jobs wait as may.
  struct Full: Error {}

  private let jobs: AsyncStream<@Sendable () async -> Void>.Continuation

  /// - Parameters:
  ///   - concurrency: jobs that are done at a time.
  ///   - limit: jobs that may wait beside those.
  init(concurrency: Int, limit: Int) {
    let (stream, jobs) = AsyncStream.makeStream(
      of: (@Sendable () async -> Void).self, bufferingPolicy: .bufferingOldest(limit))
    self.jobs = jobs
    Task {
      await withTaskGroup(of: Void.self) { group in
        var waiting = stream.makeAsyncIterator()
        var running = 0
        while true {
          // First a free place, then a job: one that is out of the stream already would wait without being counted.
          if running == concurrency {
            await group.next()
            running -= 1
          }
          guard let job = await waiting.next() else { return }
          group.addTask { await job() }
          running += 1
        }
      }
    }
  }

  deinit { jobs.finish() }

  /// Does a job, in its turn.
  ///
  /// - Throws: `Full`, at once; what the job throws.
  func run<Value: Sendable>(_ job: @escaping @Sendable () async throws -> Value) async throws
    -> Value
  {
    try await withCheckedThrowingContinuation { continuation in
      let place = jobs.yield {
        do {
          continuation.resume(returning: try await job())
        } catch {
          continuation.resume(throwing: error)
        }
      }
      if case .enqueued = place { return }
      continuation.resume(throwing: Full())
    }
  }
}
