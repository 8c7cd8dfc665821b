// DimensionBinding: a model whose symbolic extents the caller has given values, once for all runs.

import LeapFormat
import LeapGraph
import LeapTensors

extension Model {
  /// The model with values for symbols in the types of its graph's values. A symbol that the inputs do not have is
  /// a warning of the model's.
  ///
  /// - Throws: `ModelError.option` where an extent is negative.
  func binding(_ dimensions: [String: Int]) throws -> Model {
    if dimensions.isEmpty { return self }
    for (name, extent) in dimensions where extent < 0 {
      throw ModelError.option(name: "dim", reason: "\(name)=\(extent) is no extent")
    }
    var bound = self
    var missing = Set(dimensions.keys)
    for id in graph.inputs {
      for case .symbol(let name) in graph[id].type?.shape ?? [] { missing.remove(name) }
    }
    bound.warnings += missing.sorted().map { "no input has an extent called '\($0)'" }
    for index in graph.values.indices {
      let id = ValueID(index)
      bound.graph[id].type = bound.graph[id].type?.substituting(dimensions)
    }
    return bound
  }
}
