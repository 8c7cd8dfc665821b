// SpareMemory: memory of tensors that nobody needs any more, for the runs of graphs that follow.
//
// 1. What is handed out was written by this run alone, and nobody else holds it: who takes it may write it.
// 2. A graph whose values change their shapes leaves no trail: what its next run does not take is given back.

import LeapTensors

/// Buffers that runs of graphs left, each for a tensor of its very size.
struct SpareMemory {
  private struct Spare {
    let storage: TensorStorage
    /// How many graphs the run was in that left it.
    let depth: Int
    /// The number of that run.
    let run: Int
  }

  private var spares: [Spare] = []
  private var runs = 0
  /// Bytes of all buffers.
  private(set) var byteCount = 0

  /// Bytes from which on a buffer is kept.
  private static let worthKeeping = 1 << 10

  /// Begins a run of a graph, and gives its number.
  mutating func beginRun() -> Int {
    runs += 1
    return runs
  }

  mutating func keep(_ storage: TensorStorage, depth: Int) {
    guard storage.byteCount >= SpareMemory.worthKeeping else { return }
    spares.append(Spare(storage: storage, depth: depth, run: runs))
    byteCount += storage.byteCount
  }

  /// Hands a buffer of this size over; nil where there is none.
  mutating func take(byteCount size: Int) -> TensorStorage? {
    guard let index = spares.lastIndex(where: { $0.storage.byteCount == size }) else { return nil }
    byteCount -= size
    return spares.remove(at: index).storage
  }

  /// Lets go of what runs at this depth or deeper left before the run of a number; nil for all.
  mutating func drop(depth: Int, before run: Int? = nil) {
    spares.removeAll { $0.depth >= depth && $0.run < run ?? .max }
    byteCount = spares.reduce(0) { $0 + $1.storage.byteCount }
  }
}
