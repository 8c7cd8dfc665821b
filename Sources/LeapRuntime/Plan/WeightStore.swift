// WeightStore: the constants of a session as kernels want them, one copy of each, shared by all plans.

import LeapGraph
import LeapKernels
import LeapTensors
import Synchronization

/// How constants that need no packing are held.
package enum WeightPolicy: Sendable, Hashable {
  /// Those that lie aligned in the file stay mapped. Truncating the file while the session lives ends the process.
  case mapped
  /// All are read into memory of the session's own.
  case owned
}

/// A constant as a kernel wants it.
package struct Weight: Sendable {
  package let storage: TensorStorage
  /// Whether it lies in a mapped file.
  let isMapped: Bool
}

package final class WeightStore: Sendable {
  /// A constant, and the packing that a kernel wants it in.
  struct Key: Hashable, Sendable {
    let value: ValueID
    let recipe: PackingKey?
  }

  private let graph: Graph
  private let policy: WeightPolicy
  private let ledger: MemoryLedger
  private let entries = Mutex<[Key: Weight]>([:])
  private let mapped = Atomic<Int>(0)
  private let owned = Atomic<Int>(0)

  package init(graph: Graph, policy: WeightPolicy, ledger: MemoryLedger) {
    self.graph = graph
    self.ledger = ledger
    self.policy = policy
  }

  /// Constants below this many bytes are always read: a page would be mapped for each.
  private static let smallestMapping = 64 << 10

  /// The bytes of a constant, packed by a recipe or as they are. Made once; later calls share it.
  ///
  /// - Throws: `RunError.overBudget` before it is made; what reading the constant throws.
  package func weight(_ value: ValueID, packing recipe: PackingRecipe?) throws -> Weight {
    let key = Key(value: value, recipe: recipe?.key)
    if let entry = entries.withLock({ $0[key] }) { return entry }
    guard let constant = graph.constants[value] else {
      throw ModelError.planning(nil, reason: "'\(graph[value].name)' is not a constant")
    }
    let bytes = recipe?.byteCount ?? constant.byteCount
    try ledger.charge(bytes)
    let made: Weight
    do { made = try make(constant, recipe) } catch {
      ledger.release(bytes)
      throw error
    }
    return entries.withLock { entries in
      if let entry = entries[key] {
        ledger.release(bytes)
        return entry
      }
      entries[key] = made
      if made.isMapped {
        mapped.add(bytes, ordering: .relaxed)
      } else {
        owned.add(bytes, ordering: .relaxed)
      }
      return made
    }
  }

  /// Whether no constant was made yet.
  var isEmpty: Bool { entries.withLock { $0.isEmpty } }

  /// Bytes that plans hold: mapped from files, and in memory of the session's own.
  package var byteCounts: (mapped: Int, owned: Int) {
    (mapped.load(ordering: .relaxed), owned.load(ordering: .relaxed))
  }

  private func make(
    _ constant: Constant, _ recipe: PackingRecipe?
  ) throws -> Weight {
    if let recipe {
      let packed = try TensorStorage(lasting: recipe.byteCount)
      try WeightStore.pack(constant, recipe, into: packed.base)
      return Weight(storage: packed, isMapped: false)
    }
    if case .file(let file, let offset) = constant.source, policy == .mapped,
      offset % TensorStorage.alignment == 0, constant.byteCount >= WeightStore.smallestMapping
    {
      let mapping = try file.map(offset: offset, count: constant.byteCount)
      return Weight(storage: mapping, isMapped: true)
    }
    return Weight(
      storage: try WeightStore.alignedStorage(of: try constant.tensor()), isMapped: false)
  }

  /// Bytes of a constant that are read at a time to be packed.
  private static let packingBuffer = 1 << 20

  /// Packs a constant, through a small buffer where it does not lie in memory and the recipe takes it by rows.
  private static func pack(
    _ constant: Constant, _ recipe: PackingRecipe, into target: UnsafeMutableRawPointer
  ) throws {
    let isInMemory: Bool
    switch constant.source {
    case .tensor, .derived: isInMemory = true
    case .file, .derivedRows: isInMemory = false
    }
    guard !isInMemory, recipe.rows == constant.rows, let rowBytes = constant.rowByteCount else {
      try constant.tensor().withUnsafeBytes { source in
        if let base = source.baseAddress { recipe.pack(0..<recipe.rows, base, target) }
      }
      return
    }
    let run = min(recipe.rows, max(1, packingBuffer / max(1, rowBytes)))
    let buffer = try TensorStorage(lasting: run * rowBytes)
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
