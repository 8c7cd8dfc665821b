// ModelEncoder: Model -> the bytes of an ONNX file (onnx.proto, IR version 14), weights inside.
//
// 1. What is written, any ONNX runtime reads: the model's own nodes, before any pass.
// 2. What protobuf cannot hold is an error.

import LeapGraph
import LeapTensors

package enum ModelEncoder {
  /// The bytes of a model's file. Its functions must have been put in the place of their calls.
  ///
  /// - Throws: `ModelError.limitExceeded` where they exceed the 2 GiB that protobuf allows; what reading constants throws.
  package static func encode(_ model: Model) throws -> [UInt8] {
    precondition(model.functions.isEmpty, "a model is written without functions")
    let bytes = try WireWriter {
      $0.int(1, Int64(model.irVersion))
      if !model.producerName.isEmpty { $0.string(2, model.producerName) }
      if !model.producerVersion.isEmpty { $0.string(3, model.producerVersion) }
      if !model.domain.isEmpty { $0.string(4, model.domain) }
      if model.modelVersion != 0 { $0.int(5, model.modelVersion) }
      if !model.documentation.isEmpty { $0.string(6, model.documentation) }
      try $0.message(7) { try write(model.graph, to: &$0) }
      for (domain, version) in model.opsets.sorted(by: { $0.key < $1.key }) {
        $0.message(8) {
          if !domain.isEmpty { $0.string(1, domain) }
          $0.int(2, Int64(version))
        }
      }
      for property in model.metadata {
        $0.message(14) {
          $0.string(1, property.key)
          $0.string(2, property.value)
        }
      }
    }.bytes
    guard bytes.count <= Int(Int32.max) else {
      throw ModelError.limitExceeded(
        what: "bytes of an encoded model", found: bytes.count, limit: Int(Int32.max))
    }
    return bytes
  }

  // MARK: graphs

  private static func write(_ graph: Graph, to writer: inout WireWriter) throws {
    for node in graph.nodes {
      try writer.message(1) { try write(node, of: graph, to: &$0) }
    }
    writer.string(2, graph.name)
    for (id, constant) in graph.constants.sorted(by: { $0.key < $1.key }) {
      writer.data(5, try TensorEncoder.encode(constant.tensor(), name: graph[id].name))
    }
    if !graph.documentation.isEmpty { writer.string(10, graph.documentation) }
    for id in graph.inputs { write(graph[id], field: 11, to: &writer) }
    for id in graph.outputs { write(graph[id], field: 12, to: &writer) }
    let named = Set(graph.inputs + graph.outputs)
    for id in graph.nodes.flatMap({ $0.outputs.compactMap { $0 } })
    where !named.contains(id) && graph[id].type != nil {
      write(graph[id], field: 13, to: &writer)
    }
  }

  private static func write(_ value: Value, field: UInt64, to writer: inout WireWriter) {
    writer.message(field) {
      $0.string(1, value.name)
      if let type = value.type { $0.message(2) { write(type, to: &$0) } }
    }
  }

  private static func write(_ type: ValueType, to writer: inout WireWriter) {
    func tensor(_ type: DataType, _ shape: [Dimension]?, _ writer: inout WireWriter) {
      writer.int(1, Int64(type.rawValue))
      guard let shape else { return }
      writer.message(2) {
        for extent in shape {
          $0.message(1) {
            switch extent {
            case .fixed(let value): $0.int(1, Int64(value))
            case .symbol(let name): $0.string(2, name)
            case .expression, .unknown: break
            }
          }
        }
      }
    }
    switch type {
    case .tensor(let type, let shape): writer.message(1) { tensor(type, shape, &$0) }
    case .sparseTensor(let type, let shape): writer.message(8) { tensor(type, shape, &$0) }
    case .sequence(let element):
      writer.message(4) { $0.message(1) { write(element, to: &$0) } }
    case .optional(let element):
      writer.message(9) { $0.message(1) { write(element, to: &$0) } }
    case .map(let key, let value):
      writer.message(5) {
        $0.int(1, Int64(key.rawValue))
        $0.message(2) { write(value, to: &$0) }
      }
    }
  }

  // MARK: nodes

  private static func write(
    _ node: Node, of graph: Graph, to writer: inout WireWriter
  ) throws {
    precondition(
      node.epilogue.isEmpty && node.prologue == nil, "a model is written before it is optimised")
    for input in node.inputs { writer.string(1, input.map { graph[$0].name } ?? "") }
    for output in node.outputs { writer.string(2, output.map { graph[$0].name } ?? "") }
    writer.string(3, node.name)
    writer.string(4, node.operatorType)
    for (name, attribute) in node.attributes.sorted(by: { $0.key < $1.key }) {
      try writer.message(5) {
        $0.string(1, writtenName(name, attribute))
        try write(attribute, to: &$0)
      }
    }
    if !node.domain.isEmpty { writer.string(7, node.domain) }
    if !node.overload.isEmpty { writer.string(8, node.overload) }
  }

  /// An attribute's name; that of a sparse constant, which was made dense when it was read, is that of a dense one.
  private static func writtenName(_ name: String, _ attribute: Attribute) -> String {
    if case .sparseTensor = attribute, name == "sparse_value" { return "value" }
    return name
  }

  /// The field of the value, and that of its kind, by the numbers of ONNX's AttributeType.
  private static func write(_ attribute: Attribute, to writer: inout WireWriter) throws {
    func kind(_ number: Int64) { writer.int(20, number) }
    func tensor(_ field: UInt64, _ constant: Constant) throws {
      writer.data(field, try TensorEncoder.encode(constant.tensor(), name: ""))
    }
    switch attribute {
    case .float(let value):
      writer.float(2, value)
      kind(1)
    case .int(let value):
      writer.int(3, value)
      kind(2)
    case .string(let bytes):
      writer.data(4, bytes)
      kind(3)
    case .tensor(let constant), .sparseTensor(let constant):
      try tensor(5, constant)
      kind(4)
    case .graph(let graph):
      try writer.message(6) { try write(graph, to: &$0) }
      kind(5)
    case .floats(let values):
      writer.packed(7, floats: values)
      kind(6)
    case .ints(let values):
      writer.packed(8, values)
      kind(7)
    case .strings(let values):
      for bytes in values { writer.data(9, bytes) }
      kind(8)
    case .tensors(let constants):
      for constant in constants { try tensor(10, constant) }
      kind(9)
    case .graphs(let graphs):
      for graph in graphs { try writer.message(11) { try write(graph, to: &$0) } }
      kind(10)
    case .type(let type):
      writer.message(14) { write(type, to: &$0) }
      kind(13)
    case .types(let types):
      for type in types { writer.message(15) { write(type, to: &$0) } }
      kind(14)
    case .reference(let name):
      writer.string(21, name)
    }
  }
}
