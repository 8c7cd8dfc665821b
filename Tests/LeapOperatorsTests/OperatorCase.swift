// OperatorHarness: makes a node, finds its operator, evaluates it.

import LeapGraph
import LeapOperators
import LeapTensors

/// One node to evaluate.
struct OperatorCase {
  var type: String
  var opset = OperatorTable.latestOpset
  var attributes: [String: Attribute] = [:]
  var outputCount = 1
  var epilogue: [EpilogueStage] = []
  var prologue: Prologue?
  var domain = ""

  init(
    _ type: String, opset: Int = OperatorTable.latestOpset, _ attributes: [String: Attribute] = [:],
    outputCount: Int = 1, epilogue: [EpilogueStage] = []
  ) {
    self.type = type
    self.opset = opset
    self.attributes = attributes
    self.outputCount = outputCount
    self.epilogue = epilogue
  }

  /// The operator of a node with these inputs. Throws as the table does.
  func makeOperator(_ given: [Bool]) throws -> any Operator {
    var graph = Graph(name: "case")
    let inputs = given.enumerated().map { index, isGiven in
      isGiven ? graph.addValue(Value(name: "input\(index)", type: nil)) : nil
    }
    let outputs = (0..<outputCount).map { graph.addValue(Value(name: "output\($0)", type: nil)) }
    graph.addNode(
      name: type, domain: domain, operatorType: type, opset: opset, inputs: inputs,
      outputs: outputs,
      attributes: attributes)
    graph.updateNode(at: 0) {
      $0.epilogue = epilogue
      $0.prologue = prologue
    }
    return try OperatorTable.standard.makeOperator(for: graph.nodes[0], in: graph)
  }

  /// Computes the outputs.
  func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    try Evaluator.evaluate(
      makeOperator(inputs.map { $0 != nil }), inputs: inputs, outputCount: outputCount,
      epilogue: epilogue)
  }

  /// The inferred shapes of the outputs, from shapes alone.
  func inferred(_ shapes: [[Dimension]?], _ dataType: DataType = .float32) throws -> [[Dimension]?]
  {
    var context = InferenceContext(
      inputs: shapes.map { $0.map { InferredValue(.tensor(dataType, shape: $0)) } },
      given: shapes.map { $0 != nil }, outputCount: outputCount)
    try makeOperator(shapes.map { $0 != nil }).infer(&context)
    return context.outputs.map { $0?.type.shape }
  }
}

/// A generator of repeatable numbers in -1...1 (a 64-bit linear congruential generator).
struct Noise {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed &* 2_862_933_555_777_941_757 &+ 3_037_000_493 }

  mutating func next() -> Double {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Double(Int64(bitPattern: state) >> 11) / Double(1 << 52)
  }

  mutating func doubles(_ count: Int) -> [Double] { (0..<count).map { _ in next() } }

  mutating func tensor(_ type: DataType, _ shape: Shape) throws -> Tensor {
    let values = doubles(shape.elementCount)
    return type == .float64
      ? try Tensor(values, shape: shape) : try Tensor(values.map { Float($0) }, shape: shape)
  }
}

extension Tensor {
  /// The elements of a float tensor as doubles.
  var doubles: [Double] {
    elements(as: Double.self) ?? elements(as: Float.self)!.map(Double.init)
  }
}

/// The largest difference between two lists, relative to the largest magnitude of the second.
func relativeDifference(_ got: [Double], _ expected: [Double]) -> Double {
  guard got.count == expected.count else { return .infinity }
  let scale = expected.map(\.magnitude).max() ?? 0
  var worst = 0.0
  for (a, b) in zip(got, expected) {
    let difference = (a - b).magnitude
    if !(difference <= worst) { worst = difference }
  }
  return scale > 0 ? worst / scale : worst
}
