// ShapeFolding: shapes that inference knows become constants; what only the run knows stays.

import LeapGraph
import LeapRuntime
import LeapTensors
import Testing

@Suite struct ShapeFoldingTests {
  /// Reshape of `x` to a shape that the model computes from it: its first `copied` extents, then `rest`.
  private func reshaping(
    _ shape: [Dimension], copied: [Int64], rest: [Int64], attributes: [String: Attribute] = [:]
  ) throws -> Model {
    var builder = ModelBuilder()
    let x = builder.input("x", shape)
    let extents = builder.node("Shape", [x], output: "extents")
    let which = try builder.integers("which", copied)
    let some = builder.node("Gather", [extents, which], output: "some")
    let tail = try builder.integers("tail", rest)
    let target = builder.node(
      "Concat", [some, tail], attributes: ["axis": .int(0)], output: "target")
    let y = builder.node("Reshape", [x, target], attributes: attributes, output: "y")
    return builder.model(outputs: [y])
  }

  private let passes: [any Pass.Type] = [ShapeFolding.self, DeadCode.self]

  /// The elements of the constant that a graph's only node reshapes to; nil where it still computes them.
  private func target(_ graph: Graph) throws -> [Int]? {
    let reshape = try #require(graph.nodes.last)
    #expect(reshape.operatorType == "Reshape")
    guard let shape = reshape.inputs[1], let constant = graph.constants[shape] else { return nil }
    #expect(graph.nodes.count == 1)
    return try constant.tensor().integers
  }

  @Test(
    arguments: [
      ([0], [12], [0, 12]), ([0], [2, 6], [0, 2, 6]), ([0, 1], [4], [0, 3, 4]),
      ([1, 0], [4], [3, -1, 4]), ([0, 1], [2, 2], [0, 3, 2, 2]),
      // What is left is for the run to tell.
      ([0], [-1], nil),
    ] as [([Int64], [Int64], [Int]?)])
  func reshapesOfABatchNeedNoShape(copied: [Int64], rest: [Int64], expected: [Int]?) throws {
    let model = try reshaping([.symbol("n"), 3, 4], copied: copied, rest: rest)
    // An extent of 0 that is computed means to copy one: in place it is that of the batch.
    for batch in copied[0] == 0 && expected != nil ? [1, 2, 0] : [1, 2] {
      let graph = try PassHarness.check(model, passes, inputs: ["x": ramp([batch, 3, 4])])
      #expect(try target(graph) == expected)
    }
  }

  @Test func zerosThatMeanZeroAreNotCopies() throws {
    let model = try reshaping(
      [.symbol("n"), 3, 4], copied: [0, 1], rest: [4], attributes: ["allowzero": .int(1)])
    let graph = try PassHarness.check(model, passes, inputs: ["x": ramp([2, 3, 4])])
    #expect(try target(graph) == [-1, 3, 4])
  }

  @Test func twoSymbolsOutOfPlaceStay() throws {
    let model = try reshaping([.symbol("n"), .symbol("m"), 4], copied: [1, 0], rest: [4])
    let graph = try PassHarness.check(model, passes, inputs: ["x": ramp([2, 3, 4])])
    #expect(try target(graph) == nil)
  }

  @Test func knownShapesAreConstants() throws {
    let model = try reshaping([2, 3, 4], copied: [1, 0], rest: [4])
    let graph = try PassHarness.check(model, passes, inputs: ["x": ramp([2, 3, 4])])
    #expect(try target(graph) == [3, 2, 4])
    let shape = try #require(graph.nodes[0].inputs[1])
    #expect(graph[shape].name == "target")
    #expect(graph[shape].origin == Origin(["target"], pass: "shape-folding"))
  }

  @Test func anOutputMayBecomeAConstant() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2, .symbol("n")])
    let shape = builder.node("Shape", [x], output: "shape")
    let first = builder.node(
      "Shape", [x], attributes: ["start": .int(0), "end": .int(1)], output: "first")
    let graph = try PassHarness.check(
      builder.model(outputs: [first, shape]), passes, inputs: ["x": ramp([2, 5])])
    #expect(PassHarness.operators(graph) == "Shape")
    #expect(graph.constants[first] != nil)
  }
}
