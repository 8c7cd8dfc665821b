// ModelEncoder: what is written is read back as it was, and computes the same.

import LeapFormat
import LeapGraph
import LeapRuntime
import LeapTensors
import LeapTestSupport
import Testing

@Suite struct ModelEncoderTests {
  private func readBack(_ model: Model) throws -> Model {
    try ModelEncoder.encode(model).withUnsafeBytes { try ModelReader.read(bytes: $0) }
  }

  @Test func everyKindOfAttribute() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n"), 3, .unknown])
    let number = Constant(try Tensor([Float(0.5)]))
    let attributes: [String: Attribute] = [
      "i": .int(-7), "f": .float(-0.25), "s": .string([0, 255, 65]), "t": .tensor(number),
      "is": .ints([1, -2, .max, .min]), "fs": .floats([1, .infinity, -0.0]),
      "ss": .strings([[], [1, 2]]), "ts": .tensors([number, number]),
      "tp": .type(.tensor(.int8, shape: [2, .symbol("m")])),
      "tps": .types([.sequence(.tensor(.string, shape: nil)), .optional(.tensor(.bool, shape: []))]
      ),
    ]
    let y = builder.node(
      "Anything", domain: "test", [x, nil, x], attributes: attributes, outputs: ["y"])
    var model = builder.model(outputs: y)
    model.opsets["test"] = 3
    model.producerName = "someone"
    model.metadata = [("key", "värde")]
    let read = try readBack(model)
    #expect(read.opsets == model.opsets && read.producerName == "someone" && read.irVersion == 10)
    #expect(read.metadata.map(\.key) == ["key"] && read.metadata.map(\.value) == ["värde"])
    let graph = read.graph
    #expect(graph[graph.inputs[0]].type == .tensor(.float32, shape: [.symbol("n"), 3, .unknown]))
    let node = try #require(graph.nodes.first)
    #expect(node.name == "Anything_y" && node.domain == "test" && node.operatorType == "Anything")
    #expect(node.inputs.map { $0.map { graph[$0].name } } == ["x", nil, "x"])
    #expect(node.attributes.count == attributes.count)
    for (name, attribute) in attributes {
      #expect(try text(node.attributes[name]) == text(attribute), "\(name)")
    }
  }

  /// An attribute as text; tensors by their bytes.
  private func text(_ attribute: Attribute?) throws -> String {
    func bytes(_ constant: Constant) throws -> String {
      let tensor = try constant.tensor()
      return "\(tensor) \(tensor.withUnsafeBytes { Array($0) })"
    }
    return switch attribute {
    case .tensor(let constant): try bytes(constant)
    case .tensors(let constants): try constants.map(bytes).joined(separator: "; ")
    default: "\(String(describing: attribute))"
    }
  }

  @Test func subgraphsCaptureWhatTheyRead() throws {
    var inner = Graph(name: "body")
    let captured = inner.addValue(Value(name: "x", type: nil))
    let made = inner.addValue(Value(name: "z", type: nil))
    inner.addNode(
      name: "n", operatorType: "Neg", opset: 17, inputs: [captured], outputs: [made])
    inner.outputs = [made]
    var builder = ModelBuilder()
    let x = builder.input("x", [2])
    let condition = builder.input("c", [], type: .bool)
    inner.captures = [Capture(inner: captured, outer: x)]
    let y = builder.node(
      "If", [condition], attributes: ["then_branch": .graph(inner), "else_branch": .graph(inner)],
      output: "y")
    let read = try readBack(builder.model(outputs: [y]))
    let node = try #require(read.graph.nodes.first)
    #expect(node.subgraphs.map(\.attribute) == ["else_branch", "then_branch"])
    #expect(node.uses.map { read.graph[$0].name } == ["c", "x", "x"])
  }

  @Test(arguments: DataType.allCases.filter { $0 != .complex64 && $0 != .complex128 })
  func weightsOfEveryType(type: DataType) throws {
    let tensor =
      type == .string
      ? try Tensor(strings: ["a", "", "ö\u{0}"], shape: [3])
      : try Tensor(dataType: type, shape: [3]) { bytes in
        for index in bytes.indices {
          bytes[index] = type == .bool ? UInt8(index % 2) : UInt8(index * 37 % 64)
        }
      }
    var builder = ModelBuilder()
    let w = builder.constant("w", tensor)
    let y = builder.node("Identity", [w], output: "y")
    let read = try readBack(builder.model(outputs: [y]))
    let constant = try #require(read.graph.constants.first?.value).tensor()
    #expect(constant.strings == tensor.strings)
    if type != .string { #expect(Comparison.identical(constant, tensor)) }
  }

  @Test(arguments: ["resnet-digits", "densenet-digits", "unet-shapes"])
  func ourNetworksComputeTheSame(name: String) throws {
    let path = TestData.path("\(name).onnx")
    let model = try ModelReader.read(path: path)
    let reference = try ReferenceSet(TestData.path("\(name).npz"))
    func run(_ model: Model) throws -> [String: Tensor] {
      try SessionCore(model: model, configuration: SessionConfiguration()).run(reference.inputs)
    }
    let (first, second) = (try run(model), try run(try readBack(model)))
    for (output, tensor) in first { #expect(Comparison.identical(tensor, second[output])) }
    #expect(!first.isEmpty)
  }
}
