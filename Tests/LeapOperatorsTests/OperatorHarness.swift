// OperatorHarness: runs one operator on tensors in memory, as a node of the standard table.
//
// Tests name the operator, its opset, attributes and inputs, and compare what comes out.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

/// What a test wants of one node.
struct OperatorHarness {
  var name: String
  var opset: Int
  var domain = ""
  var attributes: [String: Attribute] = [:]
  var outputCount = 1

  init(
    _ name: String, opset: Int = OperatorTable.latestOpset, domain: String = "",
    attributes: [String: Attribute] = [:], outputCount: Int = 1
  ) {
    self.name = name
    self.opset = opset
    self.domain = domain
    self.attributes = attributes
    self.outputCount = outputCount
  }

  /// The operator of a node with so many inputs; nil leaves one out.
  func makeOperator(given: [Bool]) throws -> any Operator {
    let node = Node(
      id: NodeID(0), name: "node", domain: domain, operatorType: name, opset: opset,
      inputs: given.enumerated().map { $1 ? ValueID($0) : nil },
      outputs: (0..<outputCount).map { ValueID(given.count + $0) }, attributes: attributes)
    let type = try #require(
      OperatorTable.standard.type(of: node), "\(name) of opset \(opset) is not in the table")
    return try type.init(NodeReader(node))
  }

  /// The outputs for these inputs. Throws what the operator throws.
  func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    try Evaluator.evaluate(
      try makeOperator(given: inputs.map { $0 != nil }), inputs: inputs, outputCount: outputCount)
  }

  /// The outputs of a host, which may read and make sequences and optionals. Throws what the operator throws.
  func run(values: [RunValue?]) throws -> [RunValue] {
    let operation = try makeOperator(given: values.map { $0 != nil })
    let host = try #require(operation.hostOperator(for: values.map { $0?.tensor?.dataType }))
    return try host.run(values)
  }

  /// What the operator infers from types, shapes and known elements alone.
  func infer(_ inputs: [InferredValue?]) throws -> [InferredValue?] {
    var context = InferenceContext(
      inputs: inputs, given: inputs.map { $0 != nil }, outputCount: outputCount)
    try makeOperator(given: context.given).infer(&context)
    return context.outputs
  }
}

/// Records a failure for each element that is further than `absolute + relative * |expected|` from what is expected. NaN
/// equals NaN.
func expectClose(
  _ tensor: Tensor, _ expected: [Double], shape: Shape? = nil, relative: Double = 1e-6,
  absolute: Double = 1e-7, sourceLocation: SourceLocation = #_sourceLocation
) {
  if let shape { #expect(tensor.shape == shape, sourceLocation: sourceLocation) }
  let values =
    tensor.elements(as: Float.self).map { $0.map(Double.init) }
    ?? tensor.elements(as: Double.self) ?? tensor.integers.map { $0.map(Double.init) } ?? []
  #expect(values.count == expected.count, sourceLocation: sourceLocation)
  for (index, (value, wanted)) in zip(values, expected).enumerated() {
    let alike =
      value == wanted || (value.isNaN && wanted.isNaN)
      || abs(value - wanted) <= absolute + relative * abs(wanted)
    #expect(
      alike, "element \(index) is \(value); expected \(wanted)", sourceLocation: sourceLocation)
  }
}
