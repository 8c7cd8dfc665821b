// PassHarness: what every pass is held to: the same results, a whole graph, nothing left to do the second time.

import LeapGraph
import LeapOperators
import LeapRuntime
import LeapTensors
import Testing

enum PassHarness {
  /// Optimises a model's graph, with the given passes alone.
  static func optimized(
    _ model: Model, _ passes: [any Pass.Type], foldingBudget: Int = Optimizer.defaultFoldingBudget
  ) throws -> Graph {
    try Optimizer.optimize(
      model.graph, table: .standard, passes: passes, foldingBudget: foldingBudget)
  }

  /// The operators of a graph in its order, separated by blanks.
  static func operators(_ graph: Graph) -> String {
    graph.nodes.map(\.operatorType).joined(separator: " ")
  }

  /// Checks that passes give what the graph gives without them, to the bit, and have nothing left to do afterwards.
  ///
  /// - Parameter settles: whether the latter is expected, as of a pass that does not search for what is best.
  /// - Returns: the graph after the passes.
  @discardableResult
  static func check(
    _ model: Model, _ passes: [any Pass.Type] = standardPasses, inputs: [String: Tensor] = [:],
    settles: Bool = true, location: SourceLocation = #_sourceLocation
  ) throws -> Graph {
    let graph = try optimized(model, passes)
    var rewritten = model
    rewritten.graph = graph
    let again = operators(try optimized(rewritten, passes))
    #expect(!settles || again == operators(graph), sourceLocation: location)
    #expect(graph.outputs.count == model.graph.outputs.count, sourceLocation: location)
    var configuration = SessionConfiguration()
    configuration.width = 1
    configuration.disabledPasses = Set(standardPasses.map { $0.name })
      .subtracting(passes.map { $0.name })
    let session = try SessionCore(model: model, configuration: configuration)
    configuration.disablesAllPasses = true
    let plain = try SessionCore(model: model, configuration: configuration)
    let results = try session.run(inputs)
    let expected = try plain.run(inputs)
    #expect(results.keys.sorted() == expected.keys.sorted(), sourceLocation: location)
    for (name, tensor) in expected {
      let result = try #require(results[name], sourceLocation: location)
      #expect(result.description == tensor.description, sourceLocation: location)
      #expect(bytes(result) == bytes(tensor), "output \(name)", sourceLocation: location)
    }
    return graph
  }

  private static func bytes(_ tensor: Tensor) -> [UInt8] {
    tensor.withUnsafeBytes { Array($0) }
  }
}
