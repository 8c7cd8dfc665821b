// ReferenceSession: a model computed in float64, without passes: what its runs are measured by.

import LeapFormat
import LeapGraph
import LeapRuntime
import LeapTensors
import Leapstone

struct ReferenceSession: Sendable {
  private let session: InferenceSession
  /// Nodes that have no kernel for float64, and compute in the model's own types.
  let narrowNodes: [NodeDescription]

  /// - Parameters:
  ///   - model: as it was read.
  ///   - options: of the session that it is compared with: threads, budget and extents are taken from there.
  ///   - instruments: what looks at its steps.
  /// - Throws: `ModelError`.
  init(
    _ model: Model, _ options: SessionOptions, instruments: [KernelInstrument] = []
  ) throws {
    let widened = try DoublePrecision.widened(model)
    narrowNodes = widened.narrowNodes
    var own = SessionOptions()
    own.threads = options.threads
    own.memoryBudget = options.memoryBudget
    own.dimensions = options.dimensions
    own.disablesAllPasses = true
    own.instruments = instruments
    session = try InferenceSession(model: widened.model, options: own)
  }

  /// Runs the model.
  ///
  /// - Parameters:
  ///   - inputs: values in the model's own types.
  ///   - outputs: nil for the model's.
  /// - Returns: values by name, floats as float64.
  /// - Throws: `RunError`, `ModelError`, `ToolError.interrupted`.
  func run(
    _ inputs: [String: RunValue], outputs: [String]? = nil, _ interruption: Interruption
  ) throws -> [String: RunValue] {
    let widened = try inputs.mapValues { try DoublePrecision.widened($0) }
    return try interruption.during { cancellation in
      try session.run(
        values: widened, outputs: outputs, options: RunOptions(cancellation: cancellation))
    }
  }

  /// What reports say of nodes that were not computed in float64; nil where all were.
  var note: String? {
    if narrowNodes.isEmpty { return nil }
    let names = narrowNodes.prefix(5).map { "\($0.operatorType) '\($0.name)'" }
    let more = narrowNodes.count > 5 ? " and \(narrowNodes.count - 5) more" : ""
    return "not in float64, for want of kernels: \(names.joined(separator: ", "))\(more)"
  }
}
