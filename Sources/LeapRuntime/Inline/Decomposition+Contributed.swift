// Decomposition+Contributed: operators of com.microsoft that stand for a few of ONNX's, and that exporters, not optimisers, write.

import LeapGraph
import LeapOperators
import LeapTensors

extension Decomposition {
  /// CDist: the Euclidean distances, or their squares, of the rows of A [M, N] from those of B [K, N]: |a|^2 - 2 a b + |b|^2.
  mutating func distances(_ node: NodeReader) throws {
    try node.requireInputs(2...2)
    let metric = try node.string("metric") ?? "sqeuclidean"
    guard metric == "euclidean" || metric == "sqeuclidean" else {
      throw OperatorError.unsupported(
        "attribute 'metric' is '\(metric)'; expected euclidean or sqeuclidean")
    }
    let rows: [String: Attribute] = ["axes": .ints([1]), "keepdims": .int(1)]
    let own = try add("ReduceSumSquare", opset: 13, [requiredInput(0)], rows)
    let other = try add(
      "ReduceSumSquare", opset: 13, [requiredInput(1)], ["axes": .ints([1]), "keepdims": .int(0)])
    let product = try add(
      "Gemm", opset: 13, [input(0), input(1), other], ["alpha": .float(-2), "transB": .int(1)])
    let sum = try add("Add", opset: 14, [product, own])
    // Rounding may leave less than nothing.
    guard metric == "euclidean" else { return try finish("Relu", opset: 14, [sum]) }
    try finish("Sqrt", opset: 13, [add("Relu", opset: 14, [sum])])
  }

  /// Unique: the elements in the order in which they come first, the place of each element among them, and how often each comes.
  mutating func uniqueInOrder(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    var outputs = [output(0), nil, output(1), output(2)]
    while outputs.count > 1, case .some(.none) = outputs.last { outputs.removeLast() }
    try add("Unique", opset: 11, [input(0)], ["sorted": .int(0)], outputs: outputs)
  }

  /// MatMulInteger16: a product of int16, as int32; as uint32 where the model declares its result so.
  mutating func shortProduct(_ node: NodeReader) throws {
    try node.requireInputs(2...2)
    let declared = output(0).flatMap { target.graph[$0].type?.dataType }
    let type: DataType = declared == .uint32 ? .uint32 : .int32
    let wide: [String: Attribute] = ["to": .int(Int64(type.rawValue))]
    let factors = try (0..<2).map { try add("Cast", opset: 13, [requiredInput($0)], wide) }
    try finish("MatMul", opset: 13, factors)
  }

  /// ConvTransposeWithDynamicPads: ConvTranspose without pads, and then as much cut off as an input says.
  mutating func paddedTransposition(_ node: NodeReader) throws {
    try node.requireInputs(2...4)
    let automatic = try node.string("auto_pad") ?? "NOTSET"
    guard automatic == "NOTSET" else {
      throw OperatorError.unsupported("attribute 'auto_pad' is '\(automatic)'; expected NOTSET")
    }
    let attributes = call.attributes.filter { $0.key != "auto_pad" && $0.key != "pads" }
    let operands = [input(0), input(1), input(3)]
    guard let pads = input(2) else {
      return try finish("ConvTranspose", opset: 11, operands, attributes)
    }
    let whole = try add("ConvTranspose", opset: 11, operands, attributes)
    let halves = try add("Reshape", opset: 14, [pads, constant(Tensor([Int64(2), -1]))])
    /// What is cut off at one end of each axis; nothing of images and channels.
    func borders(_ half: Int64, _ body: inout Decomposition) throws -> ValueID {
      let spatial = try body.add(
        "Gather", opset: 13, [halves, body.constant(Tensor(scalar: half))], ["axis": .int(0)])
      return try body.add(
        "Concat", opset: 13, [body.constant(Tensor([Int64(0), 0])), spatial], ["axis": .int(0)])
    }
    let starts = try borders(0, &self)
    let ends = try add(
      "Sub", opset: 14, [add("Shape", opset: 15, [whole]), borders(1, &self)])
    try finish("Slice", opset: 13, [whole, starts, ends])
  }
}
