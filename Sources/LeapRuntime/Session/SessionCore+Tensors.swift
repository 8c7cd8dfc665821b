// SessionCore+Tensors: runs of models that read and make tensors alone.

import LeapGraph
import LeapTensors
import LeapWorkers

extension SessionCore {
  /// Runs the model with tensors for inputs and for outputs.
  ///
  /// - Throws: as `run(values:)`; `RunError.noTensor` where an output is a sequence or an optional.
  package func run(
    _ inputs: [String: Tensor], outputs: [String]? = nil, into destinations: [String: Tensor] = [:],
    interrupt: Interrupt = Interrupt(), observe: (@Sendable (StageTiming) -> Void)? = nil
  ) throws -> [String: Tensor] {
    let results = try run(
      values: inputs.mapValues(RunValue.tensor), outputs: outputs, into: destinations,
      interrupt: interrupt, observe: observe)
    var tensors: [String: Tensor] = [:]
    for (name, value) in results {
      guard let tensor = value.tensor else {
        throw RunError.noTensor(output: name, got: value.description)
      }
      tensors[name] = tensor
    }
    return tensors
  }
}
