// FunctionInliner: calls of a model's own functions become their bodies; what is nested too deeply or grows too much is
// refused.

import LeapGraph
import LeapRuntime
import LeapTensors
import Testing

@Suite struct FunctionInlinerTests {
  /// A function of the domain "own" on one input and one output.
  private func function(
    _ name: String, defaults: [String: Attribute] = [:], overload: String = "",
    body: (inout ModelBuilder, ValueID) -> ValueID
  ) -> LocalFunction {
    var builder = ModelBuilder()
    let x = builder.input("x", type: nil)
    builder.graph.outputs = [body(&builder, x)]
    return LocalFunction(
      domain: "own", name: name, overload: overload, inputs: ["x"], outputs: ["y"],
      attributes: [], defaults: defaults, opsets: ["": 17], body: builder.graph)
  }

  /// A model with one input `x`, float32 3.
  private func model(
    _ functions: [LocalFunction], _ build: (inout ModelBuilder, ValueID) -> [ValueID]
  ) -> Model {
    var builder = ModelBuilder()
    let x = builder.input("x", [3])
    let outputs = build(&builder, x)
    var model = builder.model(outputs: outputs)
    model.functions = functions
    return model
  }

  private func run(_ model: Model) throws -> [String: [Float]] {
    let session = try SessionCore(model: model, configuration: SessionConfiguration())
    return try session.run(["x": Tensor([Float(-1), 0, 2])])
      .mapValues { $0.elements(as: Float.self) ?? [] }
  }

  /// LeakyRelu with the caller's slope.
  private var leak: LocalFunction {
    function("Leak", defaults: ["slope": .float(0.5)]) { builder, x in
      let h = builder.node(
        "LeakyRelu", [x], attributes: ["alpha": .reference("slope")], output: "h")
      return builder.node("Neg", [h], output: "y")
    }
  }

  @Test func attributesComeFromTheCallOrTheDefault() throws {
    let model = model([leak]) { builder, x in
      builder.node("Leak", domain: "own", [x], outputs: ["a"])
        + builder.node(
          "Leak", domain: "own", [x], attributes: ["slope": .float(0.25)], outputs: ["b"])
    }
    #expect(try run(model) == ["a": [0.5, 0, -2], "b": [0.25, 0, -2]])
    let graph = try FunctionInliner.inlined(model).graph
    try graph.checkInvariants()
    #expect(PassHarness.operators(graph) == "LeakyRelu Neg LeakyRelu Neg")
    #expect(graph.nodes.map(\.name).prefix(2) == ["Leak_a/LeakyRelu_h", "Leak_a/Neg_y"])
    #expect(graph.nodes[0].origin.names == ["Leak_a/LeakyRelu_h", "Leak_a", "Leak"])
    #expect(graph.nodes[0].origin.pass == "function-inlining")
    #expect(graph.values.map(\.name) == ["x", "a", "b", "Leak_a/h", "Leak_b/h"])
  }

  @Test func aReferenceThatNobodyGivesIsLeftOut() throws {
    var plain = leak
    plain.defaults = [:]
    let model = model([plain]) { builder, x in
      builder.node("Leak", domain: "own", [x], outputs: ["a"])
    }
    let graph = try FunctionInliner.inlined(model).graph
    #expect(graph.nodes[0].attributes.isEmpty)
  }

  @Test func functionsCallFunctions() throws {
    let outer = function("Outer", defaults: ["slope": .float(4)]) { builder, x in
      let h = builder.node(
        "Leak", domain: "own", [x], attributes: ["slope": .reference("slope")], outputs: ["h"])[0]
      return builder.node("Add", [h, x], output: "y")
    }
    let model = model([outer, leak]) { builder, x in
      builder.node("Outer", domain: "own", [x], outputs: ["a"])
    }
    #expect(try run(model) == ["a": [3, 0, 0]])
    let graph = try FunctionInliner.inlined(model).graph
    #expect(graph.nodes[0].name == "Outer_a/Leak_h/LeakyRelu_h")
    #expect(
      graph.nodes[0].origin.names
        == ["Outer_a/Leak_h/LeakyRelu_h", "Outer_a/Leak_h", "Outer_a", "Leak"])
  }

  @Test func overloadsAreFunctionsOfTheirOwn() throws {
    let first = function("F") { builder, x in builder.node("Neg", [x], output: "y") }
    let second = function("F", overload: "abs") { builder, x in
      builder.node("Abs", [x], output: "y")
    }
    let model = model([first, second]) { builder, x in
      let y = builder.graph.addValue(Value(name: "y", type: nil))
      builder.graph.addNode(
        name: "call", domain: "own", operatorType: "F", overload: "abs", opset: 1, inputs: [x],
        outputs: [y])
      return [y]
    }
    #expect(try run(model) == ["y": [1, 0, 2]])
  }

  @Test func anOutputMayBeAnInputOrTwice() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", type: nil)
    let y = builder.node("Neg", [x], output: "y")
    builder.graph.outputs = [x, y, y]
    let twice = LocalFunction(
      domain: "own", name: "Twice", overload: "", inputs: ["x"], outputs: ["x", "y", "y"],
      attributes: [], defaults: [:], opsets: ["": 17], body: builder.graph)
    let model = model([twice]) { builder, x in
      builder.node("Twice", domain: "own", [x], outputs: ["a", "b", "c"])
    }
    #expect(try run(model) == ["a": [-1, 0, 2], "b": [1, 0, -2], "c": [1, 0, -2]])
    let names = try FunctionInliner.inlined(model).graph.nodes.map(\.name)
    #expect(Set(names).count == names.count)
  }

  @Test func whatTheCallLeavesOutTheBodyLeavesOut() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", type: nil)
    let low = builder.input("low", type: nil)
    let high = builder.input("high", type: nil)
    let y = builder.node("Clip", [x, low, high], output: "y")
    let z = builder.node("Neg", [y], output: "z")
    builder.graph.outputs = [z, y]
    let clip = LocalFunction(
      domain: "own", name: "Clipped", overload: "", inputs: ["x", "low", "high"],
      outputs: ["z", "y"], attributes: [], defaults: [:], opsets: ["": 17], body: builder.graph)
    let zero = try Tensor(scalar: Float(0))
    let model = model([clip]) { builder, x in
      let zero = builder.constant("zero", zero)
      return builder.node("Clipped", domain: "own", [x, zero], outputs: ["a"])
        + builder.node("Clipped", domain: "own", [x, nil, zero], outputs: ["b"])
    }
    #expect(try run(model) == ["a": [0, 0, -2], "b": [1, 0, 0]])
    let graph = try FunctionInliner.inlined(model).graph
    #expect(graph.nodes[0].inputs.count == 2)
  }

  @Test func aCallWithTooManyInputsIsAnError() throws {
    let model = model([leak]) { builder, x in
      builder.node("Leak", domain: "own", [x, x], outputs: ["a"])
    }
    #expect {
      try FunctionInliner.inlined(model)
    } throws: {
      "\($0)".contains("node 'Leak_a' (Leak): it has 2 inputs; function 'Leak' has 1")
    }
  }

  @Test func graphsOfNodesMayCall() throws {
    let leak = leak
    let model = model([leak]) { builder, x in
      var branch = ModelBuilder()
      let inner = branch.graph.addValue(Value(name: "x", type: nil))
      branch.graph.captures = [Capture(inner: inner, outer: x)]
      branch.graph.outputs = branch.node("Leak", domain: "own", [inner], outputs: ["z"])
      return [
        builder.node("Neg", [x], attributes: ["body": .graph(branch.graph)], output: "y")
      ]
    }
    let graph = try FunctionInliner.inlined(model).graph
    let branch = try #require(graph.nodes.first?.subgraphs.first?.graph)
    #expect(PassHarness.operators(branch) == "LeakyRelu Neg")
    try branch.checkInvariants()
  }

  @Test func graphsInBodiesFollowTheCall() throws {
    let caller = function("Caller", defaults: ["slope": .float(2)]) { builder, x in
      let h = builder.node("Relu", [x], output: "h")
      var branch = ModelBuilder()
      let inner = branch.graph.addValue(Value(name: "h", type: nil))
      branch.graph.captures = [Capture(inner: inner, outer: h)]
      branch.graph.outputs = [
        branch.node(
          "LeakyRelu", [inner], attributes: ["alpha": .reference("slope")], output: "z")
      ]
      return builder.node("Neg", [x], attributes: ["body": .graph(branch.graph)], output: "y")
    }
    let model = model([caller]) { builder, x in
      builder.node("Caller", domain: "own", [x], outputs: ["a"])
    }
    let graph = try FunctionInliner.inlined(model).graph
    try graph.checkInvariants()
    let branch = try #require(graph.nodes.last?.subgraphs.first?.graph)
    #expect(graph[branch.captures[0].outer].name == "Caller_a/h")
    guard case .float(2) = branch.nodes[0].attributes["alpha"] else {
      Issue.record("expected the default of the attribute")
      return
    }
  }

  /// `count` functions, each of which calls the next `calls` times; the last calls function `last`, or an operator.
  private func chain(_ count: Int, calls: Int = 1, last: Int? = nil) -> [LocalFunction] {
    (0..<count).map { index in
      function("F\(index)") { builder, x in
        var value = x
        for call in 0..<calls {
          let next = index + 1 < count ? index + 1 : last
          value =
            next.map {
              builder.node("F\($0)", domain: "own", [value], outputs: ["v\(call)"])[0]
            } ?? builder.node("Neg", [value], output: "v\(call)")
        }
        return value
      }
    }
  }

  private func callOfTheFirst(_ functions: [LocalFunction]) -> Model {
    model(functions) { builder, x in builder.node("F0", domain: "own", [x], outputs: ["a"]) }
  }

  @Test func aHundredCallsMayBeNested() throws {
    let graph = try FunctionInliner.inlined(callOfTheFirst(chain(100))).graph
    #expect(PassHarness.operators(graph) == "Neg")
    #expect(graph.nodes[0].name.utf8.count < 500)
  }

  @Test(
    arguments: [(101, 1, nil), (3, 1, 0), (1, 1, 0), (30, 2, nil), (8, 40, nil)]
      as [(
        Int, Int, Int?
      )])
  func whatGrowsWithoutBoundIsRefused(count: Int, calls: Int, last: Int?) throws {
    let model = callOfTheFirst(chain(count, calls: calls, last: last))
    #expect {
      try FunctionInliner.inlined(model)
    } throws: { error in
      if case ModelError.limitExceeded = error { true } else { false }
    }
  }

  @Test func graphsNestedThroughCallsAreCounted() throws {
    let functions = (0..<90).map { index in
      function("F\(index)") { builder, x in
        var branch = ModelBuilder()
        let inner = branch.graph.addValue(Value(name: "x", type: nil))
        branch.graph.captures = [Capture(inner: inner, outer: x)]
        branch.graph.outputs = branch.node(
          "F\(index + 1)", domain: "own", [inner], outputs: ["z"])
        return builder.node("Neg", [x], attributes: ["body": .graph(branch.graph)], output: "y")
      }
    }
    #expect(throws: ModelError.self) {
      try FunctionInliner.inlined(callOfTheFirst(functions))
    }
    #expect(throws: Never.self) {
      try FunctionInliner.inlined(callOfTheFirst(Array(functions.prefix(60))))
    }
  }

  @Test func longNamesDoNotMultiply() throws {
    var inner = chain(1)[0]
    let long = String(repeating: "n", count: 100_000)
    inner.body.updateNode(at: 0) { $0.name = long }
    let model = model([inner]) { builder, x in
      (0..<100).map { builder.node("F0", domain: "own", [x], outputs: ["a\($0)"])[0] }
    }
    let graph = try FunctionInliner.inlined(model).graph
    #expect(graph.nodes.allSatisfy { $0.name.utf8.count < 500 })
  }
}
