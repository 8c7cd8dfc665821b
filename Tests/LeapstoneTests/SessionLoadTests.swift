// Sessions where the machine is against them: no processor to spare, many at once, a fork. Times are ratios of runs that
// alternate, the best of several, so that what else the machine does counts little.

import Dispatch
import LeapFormat
import LeapRuntime
import LeapTestSupport
import LeapWorkers
import Leapstone
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

@Suite(.serialized, .timeLimit(.minutes(10))) struct SessionLoadTests {
  /// A trained residual network on a batch that takes some milliseconds.
  private struct Workload: Sendable {
    let network: TrainedNetwork
    let inputs: [String: Tensor]

    init(batch: Int = 24) throws {
      network = try #require(try TrainedNetwork.all().first)
      var shape = try #require(
        try TestData.arrays(TestData.path("\(network.name).npz"))["in:input"]?.shape)
      shape[0] = batch
      let pixels = (0..<shape.elementCount).map { Float($0 % 17) / 16 }
      inputs = ["input": try Tensor(pixels, shape: shape)]
    }

    func session(threads: Int) throws -> InferenceSession {
      var options = SessionOptions()
      options.threads = threads
      let session = try network.session(options)
      _ = try session.run(inputs)
      return session
    }

    func nanoseconds(_ session: InferenceSession) throws -> Double {
      let start = monotonicNanoseconds()
      _ = try session.run(inputs)
      return Double(monotonicNanoseconds() - start)
    }
  }

  /// The least of several ratios of two times that are taken in turn.
  private func leastRatio(
    _ time: () throws -> Double, over reference: () throws -> Double
  ) throws -> Double {
    var least = Double.infinity
    for _ in 0..<6 {
      let alone = min(try reference(), try reference())
      least = min(least, try time() / alone)
    }
    return least
  }

  @Test func runsFinishWhileTheGlobalQueueIsSaturated() throws {
    let work = try Workload()
    let session = try work.session(threads: 2)
    let ratio = try leastRatio {
      try saturatingGlobalQueue(blocks: 4 * ProcessorCount.available()) {
        min(try work.nanoseconds(session), try work.nanoseconds(session))
      }
    } over: {
      try work.nanoseconds(session)
    }
    print("a run beside a saturated .global(): \(ratio) times as long as alone")
    #expect(ratio < 3)
  }

  @Test func sixteenSessionsAtOnce() throws {
    let work = try Workload(batch: 4)
    let sessions = try (0..<16).map { _ in try work.session(threads: 2) }
    let failed = Flag()
    let ratio = try leastRatio {
      let start = monotonicNanoseconds()
      inThreads(sessions.count) { index in
        do { _ = try sessions[index].run(work.inputs) } catch { failed.set() }
      }
      return Double(monotonicNanoseconds() - start)
    } over: {
      try sessions.reduce(0) { try $0 + work.nanoseconds($1) }
    }
    print("16 sessions at once: \(ratio) times as long as one after the other")
    #expect(!failed.isSet)
    #expect(ratio < 3)
  }

  @Test func moreThreadsThanProcessors() throws {
    let work = try Workload()
    let many = try work.session(threads: max(8, 4 * ProcessorCount.available()))
    let one = try work.session(threads: 1)
    let ratio = try leastRatio {
      try work.nanoseconds(many)
    } over: {
      try work.nanoseconds(one)
    }
    print("more threads than processors: \(ratio) times as long as one")
    #expect(ratio < 3)
  }

  @Test func twoWorkersExecuteBlocksWhereTwoWereAskedFor() throws {
    let work = try Workload()
    var configuration = SessionConfiguration()
    configuration.width = 2
    let session = try SessionCore(
      model: try ModelReader.read(path: TestData.path(work.network.model)),
      configuration: configuration)
    let helped = Flag()
    for _ in 0..<200 where !helped.isSet {
      _ = try session.run(work.inputs) { timing in
        if timing.blocksPerWorker.count(where: { $0 > 0 }) == 2 { helped.set() }
      }
    }
    #expect(helped.isSet)
  }

  /// A child of a process that has run a session runs it too, alone: Dispatch is dead there.
  @Test func aForkedChildRunsAlone() async throws {
    await #expect(processExitsWith: .success) {
      let work = try Workload(batch: 4)
      let session = try work.session(threads: 2)
      for _ in 0..<20 { _ = try session.run(work.inputs) }
      let expected = try #require(session.run(work.inputs)["output"])
      let child = forkProcess()
      if child == 0 {
        let result = try? session.run(work.inputs)["output"]
        _exit(Comparison.identical(result, expected) ? 0 : 2)
      }
      try #require(child > 0)
      let status = waitForExit(of: child, milliseconds: 10_000)
      #expect(status == 0, "the child's status; nil: it did not end in 10 s")
      #expect(Comparison.identical(try session.run(work.inputs)["output"], expected))
    }
  }

  @Test func manyRunsOfOneSessionAtOnce() throws {
    let work = try Workload(batch: 3)
    let session = try work.session(threads: 2)
    let expected = try #require(session.run(work.inputs)["output"])
    let failed = Flag()
    inThreads(16) { _ in
      for _ in 0..<8 {
        let result = try? session.run(work.inputs)["output"]
        if !Comparison.identical(result, expected) { failed.set() }
      }
    }
    #expect(!failed.isSet)
  }
}
