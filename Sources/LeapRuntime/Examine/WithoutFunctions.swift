// WithoutFunctions: a model as a session sees it before its passes: what bisect, record and the exact path start from.

import LeapGraph
import LeapOperators

extension Model {
  /// The model without functions of its own and without nodes that compute in halves, its types inferred. Free extents stay
  /// free.
  ///
  /// - Throws: `ModelError`, what inference throws.
  package func withoutFunctionsAndHalves(table: OperatorTable = .standard) throws -> Model {
    var whole = try HalfPrecision.computedInSingle(FunctionInliner.inlined(self), table: table)
    _ = try ShapeInference.run(&whole.graph, table: table)
    return whole
  }
}
