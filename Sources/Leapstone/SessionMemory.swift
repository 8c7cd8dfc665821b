// SessionMemory: memory stated by kind: what a session holds now, and what a run will take before it is made.

import LeapRuntime
import LeapTensors

/// Memory of a run, in bytes, by kind.
public struct MemoryUse: Sendable, Hashable {
  /// What the figures leave out, because it depends on the elements of inputs.
  public enum Rest: Sendable, Hashable {
    /// Nothing: the figures are exact.
    case none
    /// At most this many bytes, beside the other figures, which are exact.
    case atMost(Int)
    /// No bound is known for what these nodes of the model take; the other figures are exact for the nodes before them.
    case unbounded(nodes: [String])
  }

  /// Weights that lie in mapped files, the model's and the cache's; they share pages with every other process that maps them.
  public let mappedWeights: Int
  /// Weights in memory of the session's own: packed for kernels, or read as they are.
  public let packedWeights: Int
  /// Values between the steps.
  public let arena: Int
  /// What kernels work in, all workers together.
  public let scratch: Int
  /// Tensors that the run makes for the caller.
  public let outputs: Int
  /// A bound on what BLAS takes for itself, all workers together. The session has no say in it, and it is not charged to
  /// the budget.
  public let blasWorkspace: Int
  public let rest: Rest

  /// What a run works in at its peak: arena and scratch. Exact to the byte where `rest` is `none`.
  public var peak: Int { arena + scratch }

  init(_ memory: PredictedMemory) {
    mappedWeights = memory.mappedWeights
    packedWeights = memory.ownedWeights
    arena = memory.arena
    scratch = memory.scratch
    outputs = memory.results
    blasWorkspace = memory.blasWorkspace
    switch memory.rest {
    case .none: rest = .none
    case .atMost(let bytes): rest = .atMost(bytes)
    case .unbounded(let nodes): rest = .unbounded(nodes: nodes)
    }
  }
}

extension MemoryUse: CustomStringConvertible {
  public var description: String {
    let kinds = [
      ("weights mapped", mappedWeights), ("weights packed", packedWeights), ("arena", arena),
      ("scratch", scratch), ("outputs", outputs), ("BLAS at most", blasWorkspace),
    ]
    let stated = kinds.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
    switch rest {
    case .none: return stated
    case .atMost(let bytes): return "\(stated), and at most \(bytes)"
    case .unbounded(let nodes):
      return "\(stated), and unbounded(\(nodes.map { escaped($0) }.joined(separator: ", ")))"
    }
  }
}

/// Memory of a session, in bytes, by kind.
public struct SessionMemory: Sendable {
  private let core: SessionCore

  init(_ core: SessionCore) { self.core = core }

  /// Weights that lie in mapped files, the model's and the cache's.
  public var mappedWeights: Int { core.planned.weightBytes.mapped }
  /// Weights in memory of the session's own: packed for kernels, or read as they are.
  public var packedWeights: Int { core.planned.weightBytes.owned }
  /// Arena and scratch that are kept for the next run. What runs in flight work in is not among them.
  public var idle: Int { core.pool.idleByteCount }
  /// All that counts against the budget now: weights, working memory, and what runs in flight make.
  public var charged: Int { core.ledger.charged }
  /// What the session may take: `SessionOptions.memoryBudget`, or its default.
  public var budget: Int { core.ledger.budget }

  /// What a run takes, without running it. The plan that is made is the one that a run with such inputs uses.
  ///
  /// - Parameters:
  ///   - inputs: a type and shape for each input that is a tensor, by name.
  ///   - outputs: the values that the run is to return, any of the graph's; nil for the model's outputs.
  /// - Throws: `ModelError` where no plan can be made; `RunError` where the model does not take such inputs, or where its
  ///   weights exceed the budget.
  public func predicted(
    for inputs: [String: (DataType, Shape)], outputs: [String]? = nil
  ) throws -> MemoryUse {
    MemoryUse(try core.predictedMemory(inputs: inputs, outputs: outputs))
  }
}
