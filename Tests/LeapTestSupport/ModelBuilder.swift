// ModelBuilder: models for tests, written node by node.

import LeapFormat
import LeapGraph
import LeapTensors
import LeapstoneImage

/// A model under construction. Values are named as they are added; nodes after their type and first output.
package struct ModelBuilder {
  package var graph = Graph(name: "test")
  package var opset = 17

  package init() {}

  /// An input of a model; one of a function, whose type is the call's, where `type` is nil.
  package mutating func input(
    _ name: String, _ shape: [Dimension]? = nil, type: DataType? = .float32
  ) -> ValueID {
    let id = graph.addValue(Value(name: name, type: type.map { .tensor($0, shape: shape) }))
    graph.inputs.append(id)
    return id
  }

  /// An input of any type.
  package mutating func input(_ name: String, of type: ValueType) -> ValueID {
    let id = graph.addValue(Value(name: name, type: type))
    graph.inputs.append(id)
    return id
  }

  package mutating func constant(_ name: String, _ tensor: Tensor) -> ValueID {
    let shape = tensor.shape.map(Dimension.fixed)
    let id = graph.addValue(Value(name: name, type: .tensor(tensor.dataType, shape: shape)))
    graph.constants[id] = Constant(tensor)
    return id
  }

  /// A vector of int64, as shapes, axes and pads are given.
  package mutating func integers(_ name: String, _ values: [Int64]) throws -> ValueID {
    constant(name, try Tensor(values))
  }

  package mutating func node(
    _ type: String, _ inputs: [ValueID?], attributes: [String: Attribute] = [:], output: String
  ) -> ValueID {
    node(type, inputs, attributes: attributes, outputs: [output])[0]
  }

  package mutating func node(
    _ type: String, domain: String = "", _ inputs: [ValueID?],
    attributes: [String: Attribute] = [:], outputs: [String]
  ) -> [ValueID] {
    let ids = outputs.map { graph.addValue(Value(name: $0, type: nil)) }
    graph.addNode(
      name: "\(type)_\(outputs.first ?? "")", domain: domain, operatorType: type, opset: opset,
      inputs: inputs, outputs: ids, attributes: attributes)
    return ids
  }

  package func model(outputs: [ValueID]) -> Model {
    var graph = graph
    graph.outputs = outputs
    return Model(graph: graph, irVersion: 10, opsets: ["": opset], source: "test")
  }

  /// Writes the model to a file.
  package func write(outputs: [ValueID], to path: String) throws {
    try FileBytes.write(ModelEncoder.encode(model(outputs: outputs)), to: path)
  }
}

extension ModelBuilder {
  /// The graph that a node of another one runs, once it has its outputs.
  package func body(outputs: [ValueID]) -> Attribute { .graph(model(outputs: outputs).graph) }

  /// A value that the graph reads from the one around it.
  package mutating func capture(_ outer: ValueID, as name: String) -> ValueID {
    let inner = graph.addValue(Value(name: name, type: nil))
    graph.captures.append(Capture(inner: inner, outer: outer))
    return inner
  }
}
