// WeightStore+Preparation: the constants of a plan, read and packed by several workers.

import LeapGraph
import LeapKernels
import LeapTensors
import LeapWorkers
import Synchronization

extension WeightStore {
  /// A constant, and how it is packed.
  struct Request: Sendable {
    let value: ValueID
    let recipe: PackingRecipe?
    let byteCount: Int

    var key: Key { Key(value: value, recipe: recipe?.key) }
  }

  /// Bytes of packed constants from which on helpers are worth waking.
  private static let worthHelpers = 1 << 20

  /// Makes constants, so that they are there when a plan is bound: as long as the caller holds them.
  ///
  /// - Throws: as `weight(_:packing:)`, for the first of the constants that fail.
  func prepare(_ requests: [Request], width: Int) throws -> [Weight] {
    let sorted = requests.sorted { $0.byteCount > $1.byteCount }
    guard sorted.reduce(0, { saturatingSum($0, $1.byteCount) }) >= WeightStore.worthHelpers else {
      return []
    }
    let program = PackingProgram(self, sorted, width: width)
    let team = Team.enlist(width: width, program: program)
    defer { team.finish() }
    try team.run(region: 0, blockCount: sorted.count)
    return program.weights.guarded { $0 }
  }
}

/// One block for each constant.
private final class PackingProgram: ParallelProgram {
  private let store: WeightStore
  private let requests: [WeightStore.Request]
  private let buffers: [PackingBuffer]
  let weights = Mutex<[Weight]>([])

  init(_ store: WeightStore, _ requests: [WeightStore.Request], width: Int) {
    self.store = store
    self.requests = requests
    buffers = (0..<max(1, width)).map { _ in PackingBuffer() }
  }

  func perform(region: Int, block: Int, worker: Int) throws {
    let weight = try store.weight(
      requests[block].value, packing: requests[block].recipe, through: buffers[worker])
    weights.guarded { $0.append(weight) }
  }
}

extension Draft {
  /// The constants that steps read when they run, once for each packing.
  func weightRequests(_ graph: Graph) -> [WeightStore.Request] {
    var seen: Set<WeightStore.Key> = []
    return steps.flatMap(\.readValues).compactMap { value in
      guard case .constant(let id, let packing) = values[value].kind else { return nil }
      let recipe = packing.map { recipes[$0] }
      let request = WeightStore.Request(
        value: id, recipe: recipe,
        byteCount: recipe?.byteCount ?? graph.constants[id]?.byteCount ?? 0)
      return seen.insert(request.key).inserted ? request : nil
    }
  }
}
