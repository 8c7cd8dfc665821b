// GraphSurvey: the types that inference finds where it finds all, and as many as can be told where it fails.

import LeapGraph
import LeapOperators
import LeapRuntime
import LeapTensors
import Testing

@Suite struct GraphSurveyTests {
  private func types(_ graph: Graph) -> [String: String] {
    Dictionary(
      uniqueKeysWithValues: graph.values.map { ($0.name, "\($0.type?.description ?? "-")") })
  }

  @Test func agreesWithInferenceWhereThatSucceeds() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n"), 2, 6])
    let shape = builder.node("Shape", [x], output: "shape")
    let first = try builder.integers("first", [0])
    let batch = builder.node("Gather", [shape, first], output: "batch")
    let rest = try builder.integers("rest", [12])
    let target = builder.node(
      "Concat", [batch, rest], attributes: ["axis": .int(0)], output: "target")
    let flat = builder.node("Reshape", [x, target], output: "flat")
    let graph = builder.model(outputs: [flat]).graph
    var inferred = graph
    _ = try ShapeInference.run(&inferred, table: .standard)
    let survey = GraphSurvey(graph, table: .standard)
    #expect(survey.problems.isEmpty)
    #expect(survey.operators.allSatisfy { $0 != nil })
    #expect(types(survey.graph) == types(inferred))
    #expect(types(survey.graph)["flat"] == "float32 nx12")
  }

  @Test func goesOnBehindTrouble() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [1, 3, 4, 4])
    let wrong = builder.constant("wrong", try ramp([4, 2, 1, 1]))
    let right = builder.constant("right", try ramp([4, 3, 1, 1]))
    let a = builder.node("Sharpen", [x], output: "a")
    let b = builder.node("Relu", [a], output: "b")
    let c = builder.node("Conv", [x, wrong], output: "c")
    let d = builder.node("Relu", [c], output: "d")
    let e = builder.node("Conv", [x, right], attributes: ["group": .int(0)], output: "e")
    let f = builder.node("Conv", [x, right], output: "f")
    let survey = GraphSurvey(builder.model(outputs: [b, d, e, f]).graph, table: .standard)
    #expect(survey.problems.map(\.node.name) == ["Sharpen_a", "Conv_c", "Conv_e"])
    #expect(survey.problems.map(\.isUnsupported) == [true, false, false])
    #expect(survey.problems[1].reason == "3 input channels; the weights for 1 groups take 2")
    #expect(survey.operators.map { $0 != nil } == [false, true, true, true, false, true])
    let types = types(survey.graph)
    #expect(types["f"] == "float32 1x4x4x4" && types["b"] == "-" && types["d"] == "-")
  }

  @Test func subgraphsKnowWhatTheyCapture() throws {
    var inner = Graph(name: "inner")
    let captured = inner.addValue(Value(name: "x", type: nil))
    let made = inner.addValue(Value(name: "made", type: nil))
    inner.addNode(
      name: "inside", operatorType: "Neg", opset: 17, inputs: [captured], outputs: [made])
    inner.outputs = [made]
    var builder = ModelBuilder()
    let condition = builder.input("c", [], type: .bool)
    let x = builder.input("x", [2, 3])
    inner.captures = [Capture(inner: captured, outer: x)]
    let y = builder.node("Branch", [condition], attributes: ["body": .graph(inner)], output: "y")
    let survey = GraphSurvey(builder.model(outputs: [y]).graph, table: .standard)
    #expect(survey.problems.map(\.node.name) == ["Branch_y"])
    let within = try #require(survey.subgraphs[0]?.first)
    #expect(types(within.graph)["made"] == "float32 2x3")
    // The graph has what was found in its attributes.
    let attribute = try #require(survey.graph.nodes[0].subgraphs.first?.graph)
    #expect(types(attribute)["made"] == "float32 2x3")
  }

  @Test func constantsThatAreNotThereAreOnlyUnknown() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2, 6])
    let shape = builder.constant("shape", try Tensor([Int64(3), 4]))
    builder.graph.constants[shape] = Constant(
      dataType: .int64, shape: [2], source: .absent(.unreadable(path: "f", reason: "gone")))
    let y = builder.node("Reshape", [x, shape], output: "y")
    let survey = GraphSurvey(builder.model(outputs: [y]).graph, table: .standard)
    #expect(survey.problems.isEmpty)
    #expect(types(survey.graph)["y"] == "float32 ?x?")
  }
}
