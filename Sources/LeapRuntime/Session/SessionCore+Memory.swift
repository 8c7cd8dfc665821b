// SessionCore+Memory: what a run will take, by kind, before it is made.

import LeapTensors

/// Memory of one run, in bytes, by kind.
package struct PredictedMemory: Sendable, Hashable {
  package var mappedWeights: Int
  package var ownedWeights: Int
  package var arena: Int
  package var scratch: Int
  package var results: Int
  package var blasWorkspace: Int
  package var rest: SegmentMemory.Rest

  /// - Parameters:
  ///   - memory: of the first segment.
  ///   - rest: what its figures leave out.
  ///   - width: workers of the run.
  /// - Throws: `ModelError.outOfMemory` where a figure overflows.
  init(_ memory: SegmentMemory, rest: SegmentMemory.Rest, width: Int) throws {
    let (workspace, overflow) = memory.blasPerWorker.multipliedReportingOverflow(by: width)
    mappedWeights = memory.mappedWeights
    ownedWeights = memory.ownedWeights
    arena = memory.arena
    scratch = try memory.scratch(width: width)
    results = memory.results
    blasWorkspace = overflow ? .max : workspace
    self.rest = rest
  }
}

extension SessionCore {
  /// What a run takes with inputs of these types and shapes. Makes the plan, and packs weights, which the run then finds.
  ///
  /// - Throws: as `plan(inputs:outputs:)`.
  package func predictedMemory(
    inputs: [String: (DataType, Shape)], outputs: [String]? = nil
  ) throws -> PredictedMemory {
    let (root, planner) = try planned(inputs: inputs, outputs: outputs)
    return try PredictedMemory(
      root.segment.memory, rest: planner.rest(from: root.start), width: width)
  }
}
