// InferenceSession as a program uses it: what it says of the model, runs of every kind, and how they end early.

import Foundation
import LeapTestSupport
import LeapWorkers
import Leapstone
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(10))) struct InferenceSessionTests {
  private static func network() throws -> TrainedNetwork {
    try #require(try TrainedNetwork.all().first)
  }

  private static func input() throws -> Tensor {
    let arrays = try TestData.arrays(TestData.path("\(network().name).npz"))
    return try #require(arrays["in:input"])
  }

  private static func expected() throws -> Tensor {
    let arrays = try TestData.arrays(TestData.path("\(network().name).npz"))
    return try #require(arrays["out:output"])
  }

  /// A run that waits in its first stage until somebody lets it go on.
  private final class HeldRun: Sendable {
    let entered = Flag()
    let goOn = Flag()
    var options: RunOptions {
      var options = RunOptions()
      options.observe = { [self] _ in
        entered.set()
        while !goOn.isSet { usleep(200) }
      }
      return options
    }
  }

  // MARK: The model

  @Test func saysWhatTheModelIs() throws {
    let session = try Self.network().session()
    #expect(session.inputs.map(\.name) == ["input"])
    #expect(session.outputs.map(\.name) == ["output"])
    #expect(session.inputs[0].type.dataType == .float32)
    #expect(session.inputs[0].type.shape?.first?.value == nil)
    #expect(session.metadata.opsets[""].map { $0 > 0 } == true)
    #expect(session.metadata.irVersion > 0)
    #expect(session.warnings.isEmpty)
    #expect(session.valueNames.last == "output")
    #expect(Set(session.valueNames).count == session.valueNames.count)
  }

  @Test func bytesAreAModelToo() throws {
    let file = try Data(contentsOf: URL(fileURLWithPath: TestData.path(Self.network().model)))
    // The bytes may go as soon as there is a session.
    let session = try file.withUnsafeBytes { try InferenceSession(bytes: $0) }
    let result = try session.run(["input": Self.input()])["output"]
    let fromFile = try Self.network().session().run(["input": Self.input()])["output"]
    #expect(Comparison.identical(result, fromFile))
  }

  // MARK: Runs

  @Test func resultsBelongToTheCaller() throws {
    let session = try Self.network().session()
    let first = try #require(session.run(["input": Self.input()])["output"])
    let copy = first.withUnsafeBytes { Array($0) }
    for _ in 0..<3 {
      _ = try session.run(["input": Tensor(zeros: .float32, shape: Self.input().shape)])
    }
    #expect(first.withUnsafeBytes { Array($0) } == copy)
    #expect(Comparison.distance(first, try Self.expected()) < 1e-5)
  }

  /// Kernels take inputs wherever their elements may lie.
  @Test(arguments: [0, 4, 20, 36])
  func borrowedInputsMayLieAnywhere(offset: Int) throws {
    let input = try Self.input()
    let memory = UnsafeMutableRawBufferPointer.allocate(
      byteCount: input.byteCount + 64, alignment: 64)
    defer { memory.deallocate() }
    let place = UnsafeMutableRawBufferPointer(
      rebasing: memory[offset..<offset + input.byteCount])
    input.withUnsafeBytes { place.copyMemory(from: $0) }
    let released = Flag()
    do {
      let borrowed = try Tensor(
        .float32, shape: input.shape, borrowing: UnsafeRawBufferPointer(place)
      ) { released.set() }
      let session = try Self.network().session()
      let result = try session.run(["input": borrowed])["output"]
      #expect(Comparison.identical(result, try session.run(["input": input])["output"]))
      #expect(!released.isSet)
    }
    #expect(released.isSet)
  }

  @Test func anyValueIsAnOutputWhereAskedFor() throws {
    let session = try Self.network().session()
    let inputs = ["input": try Self.input()]
    let all = try session.run(inputs, outputs: session.valueNames)
    #expect(Set(all.keys) == Set(session.valueNames))
    #expect(Comparison.distance(all["output"], try Self.expected()) < 1e-5)
    let middle = session.valueNames[session.valueNames.count / 2]
    let some = try session.run(inputs, outputs: [middle])
    #expect(some.count == 1)
    #expect(Comparison.distance(some[middle], all[middle]) < 1e-5)
    let error = #expect(throws: RunError.self) { try session.run(inputs, outputs: ["nowhere"]) }
    guard case .unknownOutput("nowhere", let known) = error else {
      Issue.record("expected unknownOutput, got \(String(describing: error))")
      return
    }
    #expect(known.contains(middle))
  }

  @Test func asynchronousRunsGiveTheSame() async throws {
    let session = try Self.network().session()
    let input = try Self.input()
    let expected = try await session.run(["input": input])["output"]
    #expect(Comparison.distance(expected, try Self.expected()) < 1e-5)
    let same = try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<24 {
        group.addTask {
          Comparison.identical(try await session.run(["input": input])["output"], expected)
        }
      }
      return try await group.reduce(true) { $0 && $1 }
    }
    #expect(same)
  }

  @Test func aSecondShapeSharesTheWeights() throws {
    let session = try Self.network().session()
    var shape = try Self.input().shape
    var held: Int?
    for batch in [1, 5, 2] {
      shape[0] = batch
      _ = try session.run(["input": Tensor(zeros: .float32, shape: shape)])
      #expect(session.memory.packedWeights == held ?? session.memory.packedWeights)
      held = session.memory.packedWeights
    }
    #expect(held.map { $0 > 0 } == true)
  }

  @Test func stepsAreObservedInOrder() throws {
    let session = try Self.network().session()
    let seen = Mutex<[StepObservation]>([])
    var options = RunOptions()
    options.observe = { steps in seen.withLock { $0 += steps } }
    _ = try session.run(["input": Self.input()], options: options)
    let steps = seen.withLock { $0 }
    #expect(steps.count > 10)
    #expect(steps.allSatisfy { $0.start <= $0.end && !$0.algorithm.isEmpty })
    #expect(zip(steps, steps.dropFirst()).allSatisfy { $0.stage <= $1.stage })
    #expect(steps.contains { $0.operatorType == "Conv" && !$0.name.isEmpty })
  }

  // MARK: Ends

  @Test func aCancelledRunEnds() throws {
    let session = try Self.network().session()
    let inputs = ["input": try Self.input()]
    let before = Cancellation()
    before.cancel()
    expect("cancelled") {
      try session.run(inputs, options: RunOptions(cancellation: before))
    }
    let held = HeldRun()
    var options = held.options
    let cancellation = Cancellation()
    options.cancellation = cancellation
    inThreads(2) { [options] index in
      if index == 0 {
        while !held.entered.isSet { usleep(200) }
        cancellation.cancel()
        held.goOn.set()
      } else {
        self.expect("cancelled") { try session.run(inputs, options: options) }
      }
    }
  }

  @Test func cancellingTheTaskCancelsTheRun() async throws {
    let session = try Self.network().session()
    let input = try Self.input()
    let held = HeldRun()
    let task = Task { try await session.run(["input": input], options: held.options) }
    while !held.entered.isSet { try await Task.sleep(for: .milliseconds(1)) }
    task.cancel()
    held.goOn.set()
    let result = await task.result
    expect("cancelled") { try result.get() }
  }

  @Test func aDeadlineEndsARun() throws {
    let session = try Self.network().session()
    expect("deadlineExceeded") {
      try session.run(["input": Self.input()], options: RunOptions(timeout: .zero))
    }
    _ = try session.run(["input": Self.input()], options: RunOptions(timeout: .seconds(100)))
  }

  @Test func aRunThatWaitsForAnotherHasADeadlineToo() throws {
    var options = SessionOptions()
    options.maximalConcurrentRuns = 1
    options.maximalQueuedRuns = 1
    let session = try Self.network().session(options)
    let inputs = ["input": try Self.input()]
    let held = HeldRun()
    inThreads(2) { index in
      if index == 0 {
        do { _ = try session.run(inputs, options: held.options) } catch { Issue.record(error) }
      } else {
        while !held.entered.isSet { usleep(200) }
        self.expect("deadlineExceeded") {
          try session.run(inputs, options: RunOptions(timeout: .milliseconds(50)))
        }
        held.goOn.set()
      }
    }
    _ = try session.run(inputs)
  }

  @Test func aFullQueueRefuses() throws {
    var options = SessionOptions()
    options.maximalConcurrentRuns = 1
    options.maximalQueuedRuns = 0
    let session = try Self.network().session(options)
    let inputs = ["input": try Self.input()]
    let held = HeldRun()
    inThreads(2) { index in
      if index == 0 {
        do { _ = try session.run(inputs, options: held.options) } catch { Issue.record(error) }
      } else {
        while !held.entered.isSet { usleep(200) }
        self.expect("busy") { try session.run(inputs) }
        held.goOn.set()
      }
    }
    _ = try session.run(inputs)
  }

  /// Expects a case of RunError.
  private func expect(
    _ name: String, location: SourceLocation = #_sourceLocation,
    _ body: () throws -> [String: Tensor]
  ) {
    do {
      _ = try body()
      Issue.record("nothing was thrown", sourceLocation: location)
    } catch let error as RunError {
      #expect(caseName(error) == name, "\(error)", sourceLocation: location)
    } catch {
      Issue.record(error, sourceLocation: location)
    }
  }

  private func caseName(_ error: RunError) -> String {
    switch error {
    case .cancelled: "cancelled"
    case .deadlineExceeded: "deadlineExceeded"
    case .busy: "busy"
    default: "another"
    }
  }
}

/// Files that change behind a session's back.
@Suite struct ModelFileTests {
  /// A copy of a network's file in a folder of its own.
  private func copy() throws -> (path: String, network: TrainedNetwork) {
    let network = try #require(try TrainedNetwork.all().first)
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let path = folder.appending(path: "model.onnx").path
    try FileManager.default.copyItem(atPath: TestData.path(network.model), toPath: path)
    return (path, network)
  }

  private func remove(_ path: String) throws {
    try FileManager.default.removeItem(
      at: URL(fileURLWithPath: path).deletingLastPathComponent())
  }

  private func inputs(_ network: TrainedNetwork) throws -> [String: Tensor] {
    let arrays = try TestData.arrays(TestData.path("\(network.name).npz"))
    return ["input": try #require(arrays["in:input"])]
  }

  enum Change: String, CaseIterable { case grown, shortened, rewritten }

  @Test(arguments: Change.allCases)
  func aChangedFileIsNoticedBeforeItIsRead(_ change: Change) throws {
    let (path, network) = try copy()
    defer { try? remove(path) }
    let session = try InferenceSession(path: path)
    let handle = try #require(FileHandle(forUpdatingAtPath: path))
    let size = try handle.seekToEnd()
    switch change {
    case .grown: try handle.write(contentsOf: Data([0]))
    case .shortened: try handle.truncate(atOffset: size - 1)
    case .rewritten:
      try handle.seek(toOffset: size / 2)
      try handle.write(contentsOf: Data([7]))
    }
    try handle.close()
    let error = #expect(throws: ModelError.self) { try session.run(inputs(network)) }
    guard case .fileChanged(path) = error else {
      Issue.record("expected fileChanged, got \(String(describing: error))")
      return
    }
  }

  /// The session keeps the file that it opened, whatever takes its name.
  @Test func aReplacedFileIsNotRead() throws {
    let (path, network) = try copy()
    defer { try? remove(path) }
    let session = try InferenceSession(path: path)
    try Data("something else".utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    let expected = try network.session().run(inputs(network))["output"]
    #expect(Comparison.identical(try session.run(inputs(network))["output"], expected))
  }

  /// Once a shape is planned, its weights are read.
  @Test func aFileThatChangesAfterTheFirstRunDoesNotMatter() throws {
    let (path, network) = try copy()
    defer { try? remove(path) }
    var options = SessionOptions()
    options.weights = .owned
    let session = try InferenceSession(path: path, options: options)
    let first = try session.run(inputs(network))["output"]
    try Data().write(to: URL(fileURLWithPath: path))
    #expect(Comparison.identical(try session.run(inputs(network))["output"], first))
  }
}
