// ConvolutionLayers: the convolutions of a model as its optimised graph has them, prologues and epilogues included; layers
// that are alike counted instead of repeated.

import LeapFormat
import LeapGraph
import LeapKernels
import LeapOperators
import LeapRuntime
import LeapTensors

/// A convolution that a model has, so many times.
struct ConvolutionLayer {
  /// `3x3/2 64x56x56 -> 128x28x28 +bias+relu`.
  let name: String
  var count: Int
  let operation: any Operator
  let request: KernelRequest
  let weights: [Int: Tensor]
  /// Floating-point operations of its definition: a multiply-add counts two.
  let operations: Double
}

enum ConvolutionLayers {
  /// Constants up to so many elements are known while kernels are bound, as to the planner.
  private static let knownElementLimit = 4096

  /// The distinct layers of a model, the batch taken as 1, in the order in which they are met.
  ///
  /// - Throws: `ModelError`, and what inference throws.
  static func read(_ path: String, _ instructionSet: InstructionSet) throws -> [ConvolutionLayer] {
    let model = try ModelReader.read(path: path)
    var configuration = SessionConfiguration()
    for id in model.graph.inputs {
      if case .symbol(let name)? = model.graph[id].type?.shape?.first {
        configuration.dimensions[name] = 1
      }
    }
    let program = try SessionCore(model: model, configuration: configuration).program
    var layers: [ConvolutionLayer] = []
    var places: [String: Int] = [:]
    for (node, operation) in zip(program.graph.nodes, program.operators)
    where operation is Conv || operation is ConvTranspose {
      let layer = try layer(node, operation, program.graph, instructionSet)
      guard let layer else { continue }
      if let place = places[layer.name] {
        layers[place].count += 1
      } else {
        places[layer.name] = layers.count
        layers.append(layer)
      }
    }
    return layers
  }

  /// nil where a shape is not known, or weights are no constants.
  private static func layer(
    _ node: Node, _ operation: any Operator, _ graph: Graph, _ instructionSet: InstructionSet
  ) throws -> ConvolutionLayer? {
    func operand(_ id: ValueID?) -> Operand? {
      guard let id, let type = graph[id].type, let dataType = type.dataType,
        let shape = type.fixedShape
      else { return nil }
      return Operand(dataType, shape)
    }
    var weights: [Int: Tensor] = [:]
    for (index, id) in node.inputs.enumerated() {
      if let id, let constant = graph.constants[id] { weights[index] = try constant.tensor() }
    }
    let inputs = node.inputs.enumerated().map { index, id in
      weights[index].map { Operand($0.dataType, $0.shape) } ?? operand(id)
    }
    guard let input = inputs[0], let filter = weights[1], let output = operand(node.outputs[0])
    else { return nil }
    var request = KernelRequest(
      inputs: inputs, outputs: [output],
      values: weights.filter { $0.value.elementCount <= knownElementLimit },
      constantInputs: Set(weights.keys), epilogue: node.epilogue, instructionSet: instructionSet,
      memoryPolicy: .fast)
    request.prologue = node.prologue
    request.available = inputs.enumerated().map { index, operand in
      operand.map { available($0, isConstant: weights[index] != nil, instructionSet) }
    }
    let pixels = operation is Conv ? output.shape : input.shape
    let operations =
      2 * Double(pixels[0] * pixels.inner(from: 2)) * Double(filter.shape.elementCount)
    return ConvolutionLayer(
      name: name(node, input.shape, filter.shape, output.shape), count: 1, operation: operation,
      request: request, weights: weights, operations: operations)
  }

  /// Between convolutions values are blocked; the image that a network is given is not.
  private static func available(
    _ operand: Operand, isConstant: Bool, _ instructionSet: InstructionSet
  ) -> Layout {
    let width = instructionSet.blockWidth
    guard !isConstant, operand.shape.rank >= 3, operand.shape[1] >= width else {
      return .contiguous
    }
    return .blocked(ChannelBlocks(width: width, channels: operand.shape[1]))
  }

  private static func name(_ node: Node, _ input: Shape, _ filter: Shape, _ output: Shape) -> String
  {
    func extents(_ list: some Sequence<Int>) -> String {
      list.map(String.init).joined(separator: "x")
    }
    func ints(_ name: String) -> [Int] {
      if case .ints(let values)? = node.attributes[name] { values.map(Int.init) } else { [] }
    }
    var text = extents(filter[2...])
    if let stride = ints("strides").max(), stride > 1 { text += "/\(stride)" }
    if let dilation = ints("dilations").max(), dilation > 1 { text += " dilated \(dilation)" }
    if case .int(let groups)? = node.attributes["group"], groups > 1 { text += " group \(groups)" }
    if node.operatorType == "ConvTranspose" { text += " transposed" }
    text += " \(extents(input[1...])) -> \(extents(output[1...]))"
    if node.prologue != nil { text += " prologue" }
    return text + node.epilogue.map { " +\(stage($0))" }.joined()
  }

  private static func stage(_ stage: EpilogueStage) -> String {
    switch stage {
    case .scale: "scale"
    case .bias: "bias"
    case .residual: "residual"
    case .activation(let activation): "\(activation)".prefix { $0 != "(" }.description
    }
  }
}
