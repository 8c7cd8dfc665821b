// Execution+Results: the memory that a segment's results are written into.
//
// In a graph that a node runs it is, where it can be, that of an input which the run alone holds, or what earlier runs left: a
// loop that carries values of one shape allocates none.

import LeapGraph
import LeapTensors

extension Execution {
  /// Reserves a segment's working memory, and finds memory for its results.
  ///
  /// - Returns: a tensor for each result, and the inputs that the segment's steps will have written over.
  /// - Throws: `RunError`, `ModelError.outOfMemory`.
  mutating func emptyTensors(
    for segment: Segment
  ) throws -> (results: [Tensor], overwritten: [ValueID]) {
    var overwritten: [ValueID] = []
    var missing = segment.memory.results
    var tensors: [Tensor?] = []
    for (result, input) in zip(segment.results, segment.overwritten) {
      var tensor = try destination(of: result)
      if tensor == nil, memory.depth > 0 {
        if let input, let storage = memory(of: input, byteCount: result.operand.byteCount) {
          tensor = Execution.tensor(result, storage)
          overwritten.append(input)
        } else if let spare = memory.takeSpare(byteCount: result.operand.byteCount) {
          tensor = Execution.tensor(result, spare)
        }
      }
      // What a caller gave is charged like what is made for it.
      if tensor != nil, memory.depth > 0 { missing -= result.operand.byteCount }
      tensors.append(tensor)
    }
    try memory.reserve(
      arena: segment.memory.arena, scratch: try segment.memory.scratch(width: options.width),
      results: missing)
    let results = try zip(segment.results, tensors).map { result, tensor in
      try tensor
        ?? Execution.tensor(result, TensorStorage(byteCount: result.operand.byteCount))
    }
    return (results, overwritten)
  }

  private static func tensor(_ result: SegmentResult, _ storage: TensorStorage) -> Tensor {
    Tensor(dataType: result.operand.dataType, shape: result.operand.shape, storage: storage)
  }

  /// The memory that was given for a result. Graphs that nodes run need not use what does not fit.
  private func destination(of result: SegmentResult) throws -> Tensor? {
    guard let given = destinations[result.value] else { return nil }
    let operand = result.operand
    if given.dataType == operand.dataType, given.shape == operand.shape { return given }
    if memory.depth > 0 { return nil }
    throw RunError.outputMismatch(
      program.graph[result.value].name, expected: "\(operand.dataType) \(operand.shape)",
      got: given.description)
  }

  /// The memory of a value of so many bytes that this run alone holds, while the value stays; nil where there is none.
  private mutating func memory(of id: ValueID, byteCount: Int) -> TensorStorage? {
    guard let (dataType, shape) = values[id]?.tensor.map({ ($0.dataType, $0.shape) }),
      var value = values.removeValue(forKey: id)
    else { return nil }
    guard let storage = value.releaseStorage() else {
      values[id] = value
      return nil
    }
    values[id] = .tensor(Tensor(dataType: dataType, shape: shape, storage: storage))
    return storage.byteCount == byteCount ? storage : nil
  }

  /// Leaves the memory of the values that nobody else holds to the runs that follow.
  mutating func recycle() {
    for id in Array(values.keys) {
      var value = values.removeValue(forKey: id)
      if let storage = value?.releaseStorage() { memory.keep(storage) }
    }
  }
}
