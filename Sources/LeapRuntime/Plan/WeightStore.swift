// WeightStore: the constants of a session as kernels want them, one copy of each, shared by the plans that use it.
//
// Plans hold weights, the store only knows where they are: what no plan uses any more is given back.

import LeapGraph
import LeapKernels
import LeapTensors
import LeapWorkers
import Synchronization

/// How constants that need no packing are held.
package enum WeightPolicy: Sendable, Hashable {
  /// Those that lie aligned in the file stay mapped. Truncating the file while the session lives ends the process.
  case mapped
  /// All are read into memory of the session's own.
  case owned
}

/// A constant as a kernel wants it. It is charged to the session as long as somebody holds it.
package final class Weight: Sendable {
  package let storage: TensorStorage
  /// Whether it lies in a mapped file.
  let isMapped: Bool
  let byteCount: Int
  private let account: WeightAccount?

  /// - Parameter account: where `byteCount` bytes were charged; nil for what is charged elsewhere.
  init(_ storage: TensorStorage, isMapped: Bool, byteCount: Int, account: WeightAccount?) {
    self.storage = storage
    self.isMapped = isMapped
    self.byteCount = byteCount
    self.account = account
    account?.open(byteCount, isMapped: isMapped)
  }

  deinit { account?.close(byteCount, isMapped: isMapped) }
}

/// Bytes of the weights that there are.
final class WeightAccount: Sendable {
  private let ledger: MemoryLedger
  private let bytes = Mutex((mapped: 0, owned: 0))

  init(_ ledger: MemoryLedger) { self.ledger = ledger }

  /// - Throws: `RunError.overBudget`.
  func charge(_ count: Int) throws { try ledger.charge(count) }

  func uncharge(_ count: Int) { ledger.release(count) }

  func open(_ count: Int, isMapped: Bool) {
    bytes.guarded { bytes in
      if isMapped { bytes.mapped += count } else { bytes.owned += count }
    }
  }

  func close(_ count: Int, isMapped: Bool) {
    open(-count, isMapped: isMapped)
    uncharge(count)
  }

  var byteCounts: (mapped: Int, owned: Int) { bytes.guarded { $0 } }
}

/// What one worker reads constants through. Memory that is fresh from the system costs a fault for each page, so that a buffer
/// serves one constant after the other.
package final class PackingBuffer: @unchecked Sendable {
  private var kept: TensorStorage?

  package init() {}

  /// At least `byteCount` bytes, until the next call.
  ///
  /// - Throws: `ModelError.outOfMemory`.
  func storage(_ byteCount: Int) throws -> TensorStorage {
    if let kept, kept.byteCount >= byteCount { return kept }
    // The old one goes first: both need not fit at once.
    kept = nil
    let made = try TensorStorage(lasting: byteCount)
    kept = made
    return made
  }
}

package final class WeightStore: Sendable {
  /// A constant, and the packing that a kernel wants it in.
  struct Key: Hashable, Sendable {
    let value: ValueID
    let recipe: PackingKey?
  }

  private let graph: Graph
  /// Which of the program's graphs it is: the places of the nodes that it is in, and the attributes. Empty for the outermost.
  private let path: String
  private let policy: WeightPolicy
  private let account: WeightAccount
  private let cache: PackingCache?
  private let isCounting: Bool
  private let entries = Mutex<[Key: Reference]>([:])

  private struct Reference {
    weak var weight: Weight?
  }

  package convenience init(graph: Graph, policy: WeightPolicy, ledger: MemoryLedger) {
    self.init(graph: graph, policy: policy, ledger: ledger, cache: nil)
  }

  /// A store that only counts: its weights have sizes and no bytes, and nothing is read. For plans that are looked at, and
  /// never run.
  package convenience init(counting graph: Graph, policy: WeightPolicy) {
    self.init(
      graph: graph, policy: policy, ledger: MemoryLedger(budget: .max), cache: nil,
      isCounting: true)
  }

  /// - Parameters:
  ///   - path: which of the program's graphs it is; empty for the outermost.
  ///   - cache: where weights are kept for later sessions.
  init(
    graph: Graph, at path: String = "", policy: WeightPolicy, ledger: MemoryLedger,
    cache: PackingCache?, isCounting: Bool = false
  ) {
    self.isCounting = isCounting
    self.graph = graph
    self.path = path
    self.policy = policy
    self.cache = cache
    account = WeightAccount(ledger)
  }

  /// Constants below this many bytes are always read: a page would be mapped for each.
  private static let smallestMapping = 64 << 10

  /// The bytes of a constant, packed by a recipe or as they are. Made once; later calls share it as long as anybody holds it.
  ///
  /// - Parameter buffer: what it is read through, where more are packed.
  /// - Throws: `RunError.overBudget` before it is made; what reading the constant throws.
  package func weight(
    _ value: ValueID, packing recipe: PackingRecipe?,
    through buffer: PackingBuffer = PackingBuffer()
  ) throws -> Weight {
    let key = Key(value: value, recipe: recipe?.key)
    if let weight = entries.guarded({ $0[key]?.weight }) { return weight }
    guard let constant = graph.constants[value] else {
      throw ModelError.planning(nil, reason: "'\(graph[value].name)' is not a constant")
    }
    let bytes = recipe?.byteCount ?? constant.byteCount
    try account.charge(bytes)
    let made: (storage: TensorStorage, isMapped: Bool)
    do { made = try keptWeight(key, constant, bytes) ?? make(constant, recipe, buffer) } catch {
      account.uncharge(bytes)
      throw error
    }
    let weight = Weight(made.storage, isMapped: made.isMapped, byteCount: bytes, account: account)
    return entries.guarded { entries in
      if let other = entries[key]?.weight { return other }
      entries[key] = Reference(weight: weight)
      return weight
    }
  }

  /// Bytes that plans hold: mapped from files, and in memory of the session's own.
  package var byteCounts: (mapped: Int, owned: Int) { account.byteCounts }

  /// Whether weights are to be made for a plan before it is bound: where no plan holds one.
  var wantsPreparation: Bool { !isCounting && account.byteCounts == (0, 0) }

  /// The weights that plans hold and a cache keeps, by their names there.
  var keptWeights: [(name: [UInt8], weight: Weight)] {
    let held = entries.guarded { entries in entries.mapValues(\.weight) }
    return held.compactMap { key, weight in
      guard let weight, let constant = graph.constants[key.value], isKept(key, constant)
      else { return nil }
      return (key.cacheEntry(in: graph, at: path, constant), weight)
    }
  }

  /// A weight that an earlier session kept.
  private func keptWeight(
    _ key: Key, _ constant: Constant, _ byteCount: Int
  ) -> (storage: TensorStorage, isMapped: Bool)? {
    guard let cache, isKept(key, constant) else { return nil }
    return cache.weight(key.cacheEntry(in: graph, at: path, constant), byteCount: byteCount)
      .map { ($0, true) }
  }

  /// Whether a cache keeps a weight: it has to be packed, computed, or moved to where kernels can read it.
  private func isKept(_ key: Key, _ constant: Constant) -> Bool {
    if constant.byteCount == 0 { return false }
    if key.recipe != nil { return true }
    switch constant.source {
    case .tensor: return false
    case .file(_, let offset): return !isMapped(constant, at: offset)
    case .derived, .derivedRows, .absent: return true
    }
  }

  /// Whether a constant of a file stays there.
  private func isMapped(_ constant: Constant, at offset: Int) -> Bool {
    policy == .mapped && offset % TensorStorage.alignment == 0
      && constant.byteCount >= WeightStore.smallestMapping
  }

  /// Whether a weight is a constant where it lies in its file.
  func staysMapped(_ value: ValueID, packing recipe: PackingRecipe?) -> Bool {
    graph.constants[value].map { staysMapped($0, recipe) } ?? false
  }

  private func staysMapped(_ constant: Constant, _ recipe: PackingRecipe?) -> Bool {
    guard recipe == nil, case .file(_, let offset) = constant.source else { return false }
    return isMapped(constant, at: offset)
  }

  private func make(
    _ constant: Constant, _ recipe: PackingRecipe?, _ buffer: PackingBuffer
  ) throws -> (storage: TensorStorage, isMapped: Bool) {
    if isCounting { return (try TensorStorage(byteCount: 0), staysMapped(constant, recipe)) }
    if let recipe {
      let packed = try TensorStorage(lasting: recipe.byteCount)
      try WeightStore.pack(constant, recipe, into: packed.base, through: buffer)
      return (packed, false)
    }
    if staysMapped(constant, nil), case .file(let file, let offset) = constant.source {
      let mapping = try file.map(offset: offset, count: constant.byteCount)
      return (mapping, true)
    }
    return (try WeightStore.alignedStorage(of: try constant.tensor()), false)
  }

  /// Bytes of a constant that are read at a time to be packed.
  private static let packingBuffer = 1 << 20

  /// Packs a constant, through a small buffer where it does not lie in memory and the recipe takes it by rows.
  private static func pack(
    _ constant: Constant, _ recipe: PackingRecipe, into target: UnsafeMutableRawPointer,
    through buffer: PackingBuffer
  ) throws {
    let isInMemory: Bool
    switch constant.source {
    case .tensor, .derived: isInMemory = true
    case .file, .derivedRows, .absent: isInMemory = false
    }
    guard !isInMemory, recipe.rows == constant.rows, let rowBytes = constant.rowByteCount else {
      try constant.tensor().withUnsafeBytes { source in
        if let base = source.baseAddress { recipe.pack(0..<recipe.rows, base, target) }
      }
      return
    }
    let run = min(recipe.rows, max(1, packingBuffer / max(1, rowBytes)))
    let buffer = try buffer.storage(run * rowBytes)
    for first in stride(from: 0, to: recipe.rows, by: run) {
      let rows = first..<min(first + run, recipe.rows)
      try constant.read(
        rows: rows,
        into: UnsafeMutableRawBufferPointer(start: buffer.base, count: rows.count * rowBytes))
      recipe.pack(rows, buffer.base, target)
    }
  }

  /// A tensor's bytes at the start of a storage: its own where they lie so, a copy otherwise.
  ///
  /// - Throws: `ModelError.planning` for strings, `.outOfMemory`.
  static func alignedStorage(of tensor: Tensor) throws -> TensorStorage {
    guard case .bytes(let storage, let offset) = tensor.contents else {
      throw ModelError.planning(nil, reason: "a constant of strings has no kernel")
    }
    if offset == 0 { return storage }
    let copy = try TensorStorage(byteCount: tensor.byteCount)
    copy.base.copyMemory(from: storage.base + offset, byteCount: tensor.byteCount)
    return copy
  }
}
