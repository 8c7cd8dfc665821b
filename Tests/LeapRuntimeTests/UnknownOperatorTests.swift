// Operators that nobody knows: all of them in one error; and versions newer than known, which are no error by themselves.

import LeapGraph
import LeapRuntime
import LeapTensors
import Testing

@Suite struct UnknownOperatorTests {
  @Test func allAreNamedInOneError() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [3])
    let a = builder.node("Blend", domain: "com.example", [x], outputs: ["a"])[0]
    let b = builder.node("Relu", [a], output: "b")
    let c = builder.node("Sharpen", [b], output: "c")
    builder.opset = 6
    let d = builder.node("Where", [c, c, c], output: "d")
    let model = builder.model(outputs: [d])
    let error = #expect(throws: ModelError.self) {
      try SessionCore(model: model, configuration: SessionConfiguration())
    }
    guard case .unsupportedOperators(let found) = error else {
      Issue.record("expected unsupported operators, got \(String(describing: error))")
      return
    }
    #expect(found.map(\.node.operatorType) == ["Blend", "Sharpen", "Where"])
    #expect(found.map(\.node.name) == ["Blend_a", "Sharpen_c", "Where_d"])
    #expect(found.map(\.node.domain) == ["com.example", "", ""])
    #expect(found.map(\.node.opset) == [17, 17, 6])
    let unknown = "the operator is not known; a CustomOperator can supply it"
    #expect(
      found.map(\.reason) == [unknown, unknown, "this version of the operator is not known"])
  }

  /// What is made of others has a first version, too.
  @Test(arguments: [("SwiGLU", 28, 2), ("SoftmaxCrossEntropyLoss", 12, 2), ("Affine", 1, 1)])
  func versionsBeforeTheFirstAreNotKnown(name: String, first: Int, inputs: Int) throws {
    let declared = FunctionInliner.rewrittenOperators.first { $0.domain == "" && $0.name == name }
    #expect(declared?.opsets.lowerBound == first)
    guard first > 1 else { return }
    var builder = ModelBuilder()
    builder.opset = first - 1
    let x = builder.input("x", [3, 4])
    let y = builder.node(name, Array(repeating: x, count: inputs), output: "y")
    let model = builder.model(outputs: [y])
    let error = #expect(throws: ModelError.self) {
      try SessionCore(model: model, configuration: SessionConfiguration())
    }
    guard case .unsupportedOperators(let found) = error else {
      Issue.record("expected unsupported operators, got \(String(describing: error))")
      return
    }
    #expect(found.map(\.reason) == ["this version of the operator is not known"])
  }

  @Test func operatorsForOneProcessorSayWhatToDo() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [1, 8, 4, 4])
    let y = builder.node("ReorderInput", domain: "com.microsoft.nchwc", [x], outputs: ["y"])
    let model = builder.model(outputs: y)
    let error = #expect(throws: ModelError.self) {
      try SessionCore(model: model, configuration: SessionConfiguration())
    }
    guard case .unsupportedOperators(let found) = error else {
      Issue.record("expected unsupported operators, got \(String(describing: error))")
      return
    }
    #expect(found.map { $0.reason.contains("save the model with") } == [true])
  }

  @Test func anUnknownOperatorInAFunctionIsNamedWithItsCall() throws {
    var body = ModelBuilder()
    let inner = body.input("x", type: nil)
    body.graph.outputs = [body.node("Sharpen", [inner], output: "y")]
    let function = LocalFunction(
      domain: "own", name: "F", overload: "", inputs: ["x"], outputs: ["y"], attributes: [],
      defaults: [:], opsets: ["": 17], body: body.graph)
    var builder = ModelBuilder()
    let x = builder.input("x", [3])
    let outputs = builder.node("F", domain: "own", [x], outputs: ["a"])
    var model = builder.model(outputs: outputs)
    model.functions = [function]
    #expect {
      try SessionCore(model: model, configuration: SessionConfiguration())
    } throws: {
      "\($0)".contains("node 'F_a/Sharpen_y', operator Sharpen, opset 17")
    }
  }

  @Test(arguments: [28, 29, 1000])
  func aNewerOpsetMeansTheLatestKnown(opset: Int) throws {
    var builder = ModelBuilder()
    builder.opset = opset
    let x = builder.input("x", [3])
    let y = builder.node("Neg", [x], output: "y")
    let session = try SessionCore(
      model: builder.model(outputs: [y]), configuration: SessionConfiguration())
    #expect(try session.run(["x": ramp([3])])["y"]?.elements(as: Float.self) == [0, -1, -2])
  }
}
