// The exact reference path: that floats become doubles, that names stay, and that what has no kernel stays as it was.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapRuntime
import LeapTensors
import LeapTestSupport
import Testing

@Suite struct DoublePrecisionTests {
  private func run(_ model: Model, _ inputs: [String: Tensor]) throws -> [String: Tensor] {
    var configuration = SessionConfiguration()
    configuration.width = 1
    configuration.disablesAllPasses = true
    return try SessionCore(model: model, configuration: configuration).run(inputs)
  }

  @Test func sumsThatFloatsLose() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [1, 3])
    let w = builder.constant("w", try Tensor([Float(1), 1, 1], shape: [3, 1]))
    let y = builder.node("MatMul", [x, w], output: "y")
    let tensor = try Tensor([Float(1 << 24), 1, 1], shape: [1, 3])
    let wide = try DoublePrecision.widened(builder.model(outputs: [y]))
    #expect(wide.narrowNodes.isEmpty)
    let result = try run(wide.model, ["x": try DoublePrecision.widened(tensor)])["y"]
    #expect(result?.elements(as: Double.self) == [16_777_218])
  }

  @Test func constantsAndTypesThatAttributesName() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2], type: .int64)
    let c = builder.node("Cast", [x], attributes: ["to": .int(1)], output: "c")
    let k = builder.node("Constant", [], attributes: ["value_float": .float(0.1)], output: "k")
    let s = builder.node("Mul", [c, k], output: "s")
    let shape = try builder.integers("shape", [2])
    let z = builder.node("ConstantOfShape", [shape], output: "z")
    let h = builder.node(
      "Constant", [],
      attributes: ["value": .tensor(Constant(try #require(try half([0.5, 3]))))], output: "h")
    let f = builder.node("Cast", [h], attributes: ["to": .int(1)], output: "f")
    let y = builder.node("Sum", [s, z, f], output: "y")
    let back = builder.node("Cast", [y], attributes: ["to": .int(7)], output: "back")
    let wide = try DoublePrecision.widened(builder.model(outputs: [y, back]))
    #expect(wide.narrowNodes.isEmpty, "\(wide.narrowNodes)")
    let result = try run(wide.model, ["x": try Tensor([Int64(10), 20])])
    // The constant is the float's 0.1, to all its digits.
    let tenth = Double(Float(0.1))
    #expect(result["y"]?.elements(as: Double.self) == [10 * tenth + 0.5, 20 * tenth + 3])
    #expect(result["back"]?.elements(as: Int64.self) == [1, 5])
  }

  private func half(_ values: [Float]) throws -> Tensor? {
    try Tensor(dataType: .float16, shape: [values.count]) {
      ElementCodec.encode(.float16, values, count: values.count, to: $0)
    }
  }

  /// An operator that knows floats and no doubles.
  struct Narrow: Operator {
    static let declarations = [OperatorDeclaration("Narrow", domain: "test")]
    init(_ node: NodeReader) throws {}
    func infer(_ context: inout InferenceContext) throws {
      context.setOutput(0, try context.dataType(0, among: [.float32]), context.shape(0))
    }
    func candidates(_ request: KernelRequest) throws -> [KernelCandidate] { [] }
  }

  struct Family: OperatorFamily {
    static var operators: [any Operator.Type] { [Narrow.self] }
  }

  @Test func nodesWithoutAKernelStayAsTheyAre() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2])
    let w = builder.constant("w", try Tensor([Float(1), 2]))
    let y = builder.node("Narrow", domain: "test", [x, w], outputs: ["y"])[0]
    let z = builder.node("Narrow", domain: "test", [y, x], outputs: ["z"])[0]
    let model = builder.model(outputs: [z])
    let wide = try DoublePrecision.widened(
      model, table: OperatorTable(families: standardFamilies + [Family.self]))
    #expect(wide.narrowNodes.map(\.name) == ["Narrow_y", "Narrow_z"])
    let graph = wide.model.graph
    try graph.checkInvariants()
    // x is cast once, the constant not at all; what a node makes becomes a double, and a float again for the next.
    #expect(
      graph.nodes.map(\.operatorType) == ["Cast", "Narrow", "Cast", "Cast", "Narrow", "Cast"])
    for node in graph.nodes where node.operatorType == "Narrow" {
      for value in node.uses { #expect(graph[value].type?.dataType == .float32) }
    }
    for name in ["x", "y", "z", "w"] {
      let value = graph.values.first { $0.name == name }
      #expect(value?.type?.dataType == .float64, "\(name)")
    }
    #expect(graph.nodes.last?.outputs == [z])
  }

  @Test func namesStay() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n")])
    let a = builder.node("Exp", [x], output: "a")
    let b = builder.node("Tanh", [a], output: "b")
    let model = builder.model(outputs: [b])
    let wide = try DoublePrecision.widened(model).model
    #expect(wide.graph.values.map(\.name) == model.graph.values.map(\.name))
    #expect(wide.graph.nodes.map(\.name) == model.graph.nodes.map(\.name))
    #expect(wide.graph.values.allSatisfy { $0.type?.dataType == .float64 })
  }

  @Test func containersAreWidened() throws {
    let item = RunValue.tensor(try Tensor([Float(0.1)]))
    let type = ValueType.tensor(.float32, shape: nil)
    let value = try DoublePrecision.widened(.sequence([item], of: type))
    #expect(value.valueType == .sequence(.tensor(.float64, shape: nil)))
    #expect(value.tensors.first?.elements(as: Double.self) == [Double(Float(0.1))])
    #expect(
      ValueType.optional(.sequence(type)).widened
        == .optional(.sequence(.tensor(.float64, shape: nil))))
  }
}
