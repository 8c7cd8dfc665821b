// What a session says of its memory, against what the process allocates; in processes of their own, where nothing else does.

import LeapFormat
import LeapRuntime
import LeapTensors
import LeapTestSupport
import LeapWorkers
import Leapstone
import Synchronization
import Testing

/// A network with an input of one shape.
struct MemoryCase: Codable, Sendable, CustomTestStringConvertible {
  var path: String
  var input: String
  var shape: [Int]
  var threads: Int

  var testDescription: String {
    "\(path.split(separator: "/").last ?? "") \(Shape(shape)), \(threads) threads"
  }

  /// All trained networks with a few shapes, and the full-size ones where they were made.
  static func all() throws -> [MemoryCase] { try trained() + fullSize() }

  private static func trained() throws -> [MemoryCase] {
    try TrainedNetwork.all().flatMap { network in
      try of(
        TestData.path(network.model), TestData.path("\(network.name).npz"),
        [(1, 1), (1, 3), (6, 2)])
    }
  }

  /// Every one, and some again with another batch on one worker.
  private static func fullSize() throws -> [MemoryCase] {
    guard let models = FullSizeNetworks.folder() else { return [] }
    return try FullSizeNetworks.names.flatMap { name in
      let again = ["resnet18", "densenet121", "unet_resnet34"].contains(name)
      return try of(
        "\(models)/\(name).onnx", "\(models)/\(name).batch1.npz",
        [(1, 2)] + (again ? [(2, 1)] : []))
    }
  }

  /// Cases of a model with an input of the shape of that in `set`, but for the batch.
  private static func of(
    _ model: String, _ set: String, _ uses: [(batch: Int, threads: Int)]
  ) throws -> [MemoryCase] {
    try ReferenceSet(set).inputs.flatMap { input, tensor in
      uses.map { batch, threads in
        MemoryCase(
          path: model, input: input, shape: [batch] + tensor.shape.dimensions.dropFirst(),
          threads: threads)
      }
    }
  }

  func session() throws -> InferenceSession {
    var options = SessionOptions()
    options.threads = threads
    return try InferenceSession(path: path, options: options)
  }

  func inputs() throws -> [String: Tensor] {
    [input: try Tensor(zeros: .float32, shape: Shape(shape))]
  }
}

@Suite(.serialized) struct MemoryTests {
  /// A run allocates what was predicted, to the byte: arena, scratch and outputs at first, outputs alone from then on.
  @Test(arguments: try MemoryCase.all())
  func runsTakeWhatWasPredicted(_ item: MemoryCase) async throws {
    guard Allocations.areCounted() else { return }
    await #expect(processExitsWith: .success) { [item = item as MemoryCase] in
      let session = try item.session()
      let inputs = try item.inputs()
      let use = try session.memory.predicted(
        for: inputs.mapValues { ($0.dataType, $0.shape) })
      #expect(use.rest == .none)
      #expect(use.arena > 0 && use.outputs > 0)
      #expect(
        session.memory.charged == use.mappedWeights + use.packedWeights,
        "\(session.memory.charged) charged: \(use)")
      let first = try Allocations.during { _ = try session.run(inputs) }
      // A buffer of no bytes takes one; a large one has pages of its own.
      let buffers = [use.arena, use.scratch]
      let small = buffers.filter { $0 < TensorStorage.pageWorth }.map { max($0, 1) }
      let large = buffers.filter { $0 >= TensorStorage.pageWorth }
      #expect(first.alignedBytes == small.reduce(use.outputs, +), "\(first) allocated: \(use)")
      #expect(first.pageBytes == large.reduce(0, +), "\(first) allocated: \(use)")
      #expect(session.memory.idle == use.peak, "\(session.memory.idle) idle: \(use)")
      #expect(
        session.memory.charged == use.mappedWeights + use.packedWeights + use.peak,
        "\(session.memory.charged) charged: \(use)")
      let second = try Allocations.during { _ = try session.run(inputs) }
      #expect(second.alignedBytes == use.outputs, "\(second) allocated: \(use)")
      #expect(second.pageBytes == 0, "\(second) allocated: \(use)")
    }
  }

  /// Between its first and its last step a run allocates nothing. Helpers' threads may start at any time, so of several
  /// runs one must be without any.
  @Test(arguments: try MemoryCase.all())
  func nothingIsAllocatedBetweenSteps(_ item: MemoryCase) async throws {
    guard Allocations.areCounted() else { return }
    await #expect(processExitsWith: .success) { [item = item as MemoryCase] in
      let session = try item.core()
      let inputs = try item.inputs()
      _ = try session.run(inputs)
      var fewest = Int.max
      for _ in 0..<10 where fewest > 0 {
        let watch = AllocationWatch()
        _ = try Allocations.during { _ = try session.run(inputs, observe: watch.observe) }
        #expect(watch.stages > 1)
        fewest = min(fewest, watch.calls)
      }
      #expect(fewest == 0)
    }
  }

  @Test func budgetsCountWeightsWorkAndResults() throws {
    let network = try #require(try TrainedNetwork.all().first)
    let item = try #require(try MemoryCase.all().first)
    let open = try network.session()
    let inputs = try item.inputs()
    let use = try open.memory.predicted(for: inputs.mapValues { ($0.dataType, $0.shape) })
    #expect(open.memory.budget > use.peak)
    let needed = use.mappedWeights + use.packedWeights + use.peak + use.outputs
    for (budget, fits) in [(needed, true), (needed - 1, false), (use.packedWeights / 2, false)] {
      var options = SessionOptions()
      options.memoryBudget = budget
      let session = try network.session(options)
      #expect(session.memory.budget == budget)
      if fits {
        for _ in 0..<3 { _ = try session.run(inputs) }
        continue
      }
      let error = #expect(throws: RunError.self) { _ = try session.run(inputs) }
      guard case .overBudget(let required, budget) = error else {
        Issue.record("expected overBudget, got \(String(describing: error))")
        continue
      }
      #expect(required > budget && required <= needed)
      // What was refused is not charged.
      #expect(session.memory.charged <= use.mappedWeights + use.packedWeights)
    }
  }

  /// Runs that overlap in time each have an arena; when they are over, one is kept.
  @Test func oneIdleArenaIsKept() throws {
    let network = try #require(try TrainedNetwork.all().first)
    var options = SessionOptions()
    options.maximalConcurrentRuns = 4
    options.threads = 1
    let session = try network.session(options)
    let inputs = try #require(try MemoryCase.all().first).inputs()
    let use = try session.memory.predicted(for: inputs.mapValues { ($0.dataType, $0.shape) })
    inThreads(4) { _ in
      for _ in 0..<20 { _ = try? session.run(inputs) }
    }
    #expect(session.memory.idle == use.peak)
    #expect(session.memory.charged == use.mappedWeights + use.packedWeights + use.peak)
  }

  @Test func predictionsRefuseWhatRunsRefuse() throws {
    let session = try #require(try TrainedNetwork.all().first).session()
    #expect(throws: RunError.self) { try session.memory.predicted(for: [:]) }
    #expect(throws: RunError.self) {
      try session.memory.predicted(for: ["input": (.float64, [1, 1, 8, 8])])
    }
    #expect(throws: RunError.self) {
      try session.memory.predicted(for: ["input": (.float32, [1])])
    }
  }
}

/// Reads the count of allocations after every stage, without allocating.
private final class AllocationWatch: Sendable {
  private let first = Atomic<Int>(-1)
  private let last = Atomic<Int>(0)
  private let count = Atomic<Int>(0)

  var calls: Int { last.load(ordering: .relaxed) - first.load(ordering: .relaxed) }
  var stages: Int { count.load(ordering: .relaxed) }

  var observe: @Sendable (StageTiming) -> Void {
    { [self] _ in
      let calls = Allocations.soFar().calls
      _ = first.compareExchange(expected: -1, desired: calls, ordering: .relaxed)
      last.store(calls, ordering: .relaxed)
      count.add(1, ordering: .relaxed)
    }
  }
}

extension MemoryCase {
  /// A session whose stages can be observed without allocating.
  fileprivate func core() throws -> SessionCore {
    var configuration = SessionConfiguration()
    configuration.width = threads
    return try SessionCore(model: try ModelReader.read(path: path), configuration: configuration)
  }
}
