// ModelBuilder: models for tests, written node by node.

import LeapGraph
import LeapTensors

/// A model under construction. Values are named as they are added; nodes after their type and first output.
struct ModelBuilder {
  var graph = Graph(name: "test")
  var opset = 17

  /// An input of a model; one of a function, whose type is the call's, where `type` is nil.
  mutating func input(
    _ name: String, _ shape: [Dimension]? = nil, type: DataType? = .float32
  ) -> ValueID {
    let id = graph.addValue(Value(name: name, type: type.map { .tensor($0, shape: shape) }))
    graph.inputs.append(id)
    return id
  }

  /// An input of any type.
  mutating func input(_ name: String, of type: ValueType) -> ValueID {
    let id = graph.addValue(Value(name: name, type: type))
    graph.inputs.append(id)
    return id
  }

  mutating func constant(_ name: String, _ tensor: Tensor) -> ValueID {
    let shape = tensor.shape.map(Dimension.fixed)
    let id = graph.addValue(Value(name: name, type: .tensor(tensor.dataType, shape: shape)))
    graph.constants[id] = Constant(tensor)
    return id
  }

  /// A vector of int64, as shapes, axes and pads are given.
  mutating func integers(_ name: String, _ values: [Int64]) throws -> ValueID {
    constant(name, try Tensor(values))
  }

  mutating func node(
    _ type: String, _ inputs: [ValueID?], attributes: [String: Attribute] = [:], output: String
  ) -> ValueID {
    node(type, inputs, attributes: attributes, outputs: [output])[0]
  }

  mutating func node(
    _ type: String, domain: String = "", _ inputs: [ValueID?],
    attributes: [String: Attribute] = [:], outputs: [String]
  ) -> [ValueID] {
    let ids = outputs.map { graph.addValue(Value(name: $0, type: nil)) }
    graph.addNode(
      name: "\(type)_\(outputs.first ?? "")", domain: domain, operatorType: type, opset: opset,
      inputs: inputs, outputs: ids, attributes: attributes)
    return ids
  }

  func model(outputs: [ValueID]) -> Model {
    var graph = graph
    graph.outputs = outputs
    return Model(graph: graph, irVersion: 10, opsets: ["": opset], source: "test")
  }
}

/// 0, 1, 2, …
func ramp(_ shape: Shape) throws -> Tensor {
  try Tensor((0..<shape.elementCount).map(Float.init), shape: shape)
}
