// DraftDependencies: who makes and reads the values of a draft, worked out once for scheduling, placement and binding.

import LeapTensors

struct DraftDependencies: Sendable {
  /// The step that makes a value; nil for what exists when the segment begins.
  private(set) var producer: [Int?]
  /// The steps that read a value, ascending.
  private(set) var readers: [[Int]]
  /// The values that a step reads when it runs, each once.
  private(set) var reads: [[Int]]
  /// The values that a step makes.
  private(set) var writes: [[Int]]
  /// The steps that make what a step reads, each once.
  private(set) var producersOf: [[Int]]
  /// Bytes of a value that a step makes; 0 for others.
  let byteCount: [Int]
  /// Whether a value outlives the segment.
  private(set) var isLasting: [Bool]

  init(_ draft: Draft) {
    producer = Array(repeating: nil, count: draft.values.count)
    readers = Array(repeating: [], count: draft.values.count)
    reads = []
    writes = []
    for (index, step) in draft.steps.enumerated() {
      let outputs = step.outputs.compactMap { $0 }
      for output in outputs { producer[output] = index }
      var inputs: [Int] = []
      for input in step.readValues where !inputs.contains(input) {
        inputs.append(input)
        readers[input].append(index)
      }
      reads.append(inputs)
      writes.append(outputs)
    }
    producersOf = []
    for inputs in reads {
      var makers: [Int] = []
      for input in inputs {
        if let maker = producer[input], !makers.contains(maker) { makers.append(maker) }
      }
      producersOf.append(makers)
    }
    byteCount = draft.values.map { value in
      if case .computed = value.kind { value.operand.byteCount } else { 0 }
    }
    isLasting = Array(repeating: false, count: draft.values.count)
    for result in draft.results {
      if let value = draft.plainValue[result] { isLasting[value] = true }
    }
  }

  /// The steps that read what a step makes, each once, ascending.
  func consumers(of step: Int) -> [Int] {
    let outputs = writes[step]
    return outputs.count == 1
      ? readers[outputs[0]] : Set(outputs.flatMap { readers[$0] }).sorted()
  }
}
