// FuzzRun: loads bytes as a model, makes a session, and runs it on small inputs, within limits on memory and time.

import LeapFormat
import LeapFuzzMutation
import LeapGraph
import LeapTensors
import Leapstone

/// Bytes that a session may take.
private let memoryBudget = 64 << 20
/// Elements of an input; a model that wants more is loaded and not run.
private let largestInput = 1 << 16
private let timeLimit = Duration.seconds(2)

/// What libFuzzer calls with each input. An error is what most of them must end in.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRun(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
  let bytes = UnsafeRawBufferPointer(start: data, count: size)
  try? run(bytes)
  return 0
}

private func run(_ bytes: UnsafeRawBufferPointer) throws {
  var options = SessionOptions()
  options.threads = 1
  options.memoryBudget = memoryBudget
  // Either way of a quarter of all inputs is the graph as the model has it.
  options.disablesAllPasses = bytes.count % 4 == 3
  let session = try InferenceSession(bytes: bytes, options: options)
  var inputs: [String: RunValue] = [:]
  for input in session.inputs {
    guard let value = try value(of: input.type) else { return }
    inputs[input.name] = value
  }
  _ = try session.run(values: inputs, options: RunOptions(timeout: timeLimit))
}

/// A small value of a type; nil where there is none.
private func value(of type: ValueType) throws -> RunValue? {
  switch type {
  case .tensor(let dataType, let dimensions):
    let shape = Shape((dimensions ?? [2]).map { $0.value ?? 2 })
    guard shape.elementCount <= largestInput else { return nil }
    return .tensor(try tensor(dataType, shape))
  case .sequence(let item): return try value(of: item).map { .sequence([$0, $0], of: item) }
  case .optional(let item): return .optional(try value(of: item), of: item)
  case .sparseTensor, .map: return nil
  }
}

/// Numbers around zero; of small types, the bits of such numbers.
private func tensor(_ dataType: DataType, _ shape: Shape) throws -> Tensor {
  let numbers = (0..<shape.elementCount).map { $0 % 7 - 2 }
  switch dataType {
  case .float32: return try Tensor(numbers.map { Float($0) / 2 }, shape: shape)
  case .float64: return try Tensor(numbers.map { Double($0) / 2 }, shape: shape)
  case .int64: return try Tensor(numbers.map(Int64.init), shape: shape)
  case .int32: return try Tensor(numbers.map(Int32.init), shape: shape)
  case .bool: return try Tensor(numbers.map { $0 > 0 }, shape: shape)
  case .string: return try Tensor(strings: numbers.map { "\($0) a" }, shape: shape)
  default: return try Tensor(zeros: dataType, shape: shape)
  }
}
