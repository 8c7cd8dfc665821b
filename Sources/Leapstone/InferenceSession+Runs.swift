// InferenceSession+Runs: runs of a session, on the caller's thread or on one of its own, with tensors or with values of any kind.

import LeapGraph
import LeapRuntime
import LeapTensors
import LeapWorkers

extension InferenceSession {
  /// Runs the model and returns when it is done.
  ///
  /// - Parameters:
  ///   - inputs: a tensor for each input, by name.
  ///   - outputs: the values to return, any of the graph's; nil for the model's outputs.
  ///   - options: how long it may take, and who may cancel it.
  /// - Returns: the tensors by name.
  /// - Throws: `RunError`, `noTensor` where an output is a sequence or an optional; `ModelError` where no plan can be made
  ///   for these shapes.
  public func run(
    _ inputs: [String: Tensor], outputs: [String]? = nil, options: RunOptions = RunOptions()
  ) throws -> [String: Tensor] {
    try controlled(options) { interrupt, observe in
      try core.run(
        inputs, outputs: outputs ?? self.outputs.map(\.name), interrupt: interrupt,
        observe: observe)
    }
  }

  /// Runs a model whose inputs or outputs are sequences or optionals, and returns when it is done.
  ///
  /// ```swift
  /// let results = try session.run(values: [
  ///   "boxes": .sequence([.tensor(first), .tensor(second)]),
  ///   "mask": .optional(nil),
  /// ])
  /// ```
  ///
  /// - Parameters:
  ///   - inputs: a value for each input, by name.
  ///   - outputs: the values to return, any of the graph's; nil for the model's outputs.
  ///   - options: how long it may take, and who may cancel it.
  /// - Returns: the values by name.
  /// - Throws: `RunError`; `ModelError` where no plan can be made for these shapes.
  public func run(
    values inputs: [String: RunValue], outputs: [String]? = nil, options: RunOptions = RunOptions()
  ) throws -> [String: RunValue] {
    try run(
      values: inputs, outputs: outputs ?? self.outputs.map(\.name), into: [:], options: options)
  }

  /// Runs the model as above, with results written into memory that is there already.
  ///
  /// - Parameter destinations: tensors by the names of outputs, of the results' types and shapes; their memory is
  ///   written into, and overlaps neither an input's nor another's.
  /// - Returns: the values by name, the tensors of `destinations` among them.
  /// - Throws: as above; `RunError.outputMismatch` where a result has another type or shape.
  package func run(
    values inputs: [String: RunValue], outputs: [String], into destinations: [String: Tensor],
    options: RunOptions
  ) throws -> [String: RunValue] {
    try controlled(options) { interrupt, observe in
      try core.run(
        values: inputs, outputs: outputs, into: destinations, interrupt: interrupt,
        observe: observe)
    }
  }

  /// Runs the model on a thread of the session's own. Cancelling the task cancels the run.
  ///
  /// - Throws: as the blocking `run`.
  public func run(
    _ inputs: [String: Tensor], outputs: [String]? = nil, options: RunOptions = RunOptions()
  ) async throws -> [String: Tensor] {
    try await apart(options) { try self.run(inputs, outputs: outputs, options: $0) }
  }

  /// Runs the model, with values of any kind, on a thread of the session's own. Cancelling the task cancels the run.
  ///
  /// - Throws: as the blocking `run(values:)`.
  public func run(
    values inputs: [String: RunValue], outputs: [String]? = nil, options: RunOptions = RunOptions()
  ) async throws -> [String: RunValue] {
    try await apart(options) { try self.run(values: inputs, outputs: outputs, options: $0) }
  }

  /// What `body` does, with the switch and the observer that the options ask for.
  private func controlled<Results>(
    _ options: RunOptions,
    _ body: (Interrupt, (@Sendable (StageTiming) -> Void)?) throws -> Results
  ) throws -> Results {
    let interrupt = options.timeout.map { Interrupt(timeout: $0) } ?? Interrupt()
    options.cancellation?.attach(interrupt)
    defer { options.cancellation?.detach(interrupt) }
    let observe = options.observe.map { observe in
      { @Sendable (timing: StageTiming) in
        observe(timing.steps.map { StepObservation($0, timing) })
      }
    }
    return try body(interrupt, observe)
  }

  /// What `body` does, on a thread of the session's own, until it is done or the task is cancelled.
  private func apart<Results: Sendable>(
    _ options: RunOptions, _ body: @escaping @Sendable (RunOptions) throws -> Results
  ) async throws -> Results {
    var options = options
    let cancellation = options.cancellation ?? Cancellation()
    options.cancellation = cancellation
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { [options] continuation in
        queues.async { continuation.resume(with: Result { try body(options) }) }
      }
    } onCancel: {
      cancellation.cancel()
    }
  }
}
