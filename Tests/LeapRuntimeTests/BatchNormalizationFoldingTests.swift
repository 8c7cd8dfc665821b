// BatchNormalizationFolding: into every kind of weights, from every spelling, and where it must not happen.

import LeapGraph
import LeapOperators
import LeapRuntime
import LeapTensors
import Testing

@Suite struct BatchNormalizationFoldingTests {
  private let pass: [any Pass.Type] = [BatchNormalizationFolding.self]

  /// A node with weights, and how many channels it makes.
  enum Producer: String, CaseIterable {
    case conv, grouped, depthwise, pointwise1D, transposed, transposedGroups, gemm, gemmTransposed
    case gemmScaled

    var channels: Int { self == .grouped || self == .transposedGroups ? 6 : 4 }
    var isMatrix: Bool { rawValue.hasPrefix("gemm") }
  }

  private func add(_ producer: Producer, bias: Bool, to harness: inout FusionHarness) throws
    -> ValueID
  {
    func biases() throws -> [ValueID] {
      bias ? [try harness.weights("bias", [producer.channels])] : []
    }
    func node(
      _ type: String, _ input: [Dimension], _ weights: Shape,
      _ attributes: [String: Attribute] = [:]
    ) throws -> ValueID {
      let x = harness.input("x", input)
      let w = try harness.weights("weights", weights)
      return harness.node(type, [x, w] + (try biases()), attributes, name: "producer")
    }
    let image: [Dimension] = [.symbol("n"), 4, 5, 6]
    switch producer {
    case .conv: return try node("Conv", image, [4, 4, 3, 3], ["pads": .ints([1, 1, 1, 1])])
    case .grouped: return try node("Conv", image, [6, 2, 3, 3], ["group": .int(2)])
    case .depthwise: return try node("Conv", image, [4, 1, 3, 3], ["group": .int(4)])
    case .pointwise1D: return try node("Conv", [.symbol("n"), 3, 7], [4, 3, 1])
    case .transposed:
      return try node("ConvTranspose", image, [4, 4, 2, 2], ["strides": .ints([2, 2])])
    case .transposedGroups:
      return try node("ConvTranspose", image, [4, 3, 3, 3], ["group": .int(2)])
    case .gemm: return try node("Gemm", [.symbol("n"), 5], [5, 4])
    case .gemmTransposed: return try node("Gemm", [.symbol("n"), 5], [4, 5], ["transB": .int(1)])
    case .gemmScaled:
      return try node(
        "Gemm", [.symbol("n"), 5], [5, 4], ["alpha": .float(0.5), "beta": .float(-2)])
    }
  }

  @Test(arguments: Producer.allCases, [DataType.float32, .float64])
  func normalisationGoesIntoWeights(producer: Producer, type: DataType) throws {
    for bias in [false, true] {
      var harness = FusionHarness(dataType: type)
      let y = try add(producer, bias: bias, to: &harness)
      harness.graph.outputs = [
        try harness.batchNormalization(y, channels: producer.channels, name: "norm")
      ]
      let graph = try harness.expectSame(pass, tolerance: type == .float64 ? 1e-14 : 2e-6)
      try #require(graph.nodes.count == 1)
      #expect(graph.nodes[0].origin.names == ["producer", "norm"])
      #expect(graph.nodes[0].origin.pass == "batch-normalization-folding")
      #expect(graph[graph.outputs[0]].name == "norm")
    }
  }

  @Test(arguments: ["Add", "Sub", "Mul", "Div"], [true, false])
  func arithmeticWithChannelsGoesIntoWeights(operation: String, onTheRight: Bool) throws {
    for shape: Shape in [[4, 1, 1], [1, 4, 1, 1], [], [1]] {
      var harness = FusionHarness()
      let y = try add(.conv, bias: true, to: &harness)
      let constant = try harness.weights("constant", shape, 0.5...2)
      let operands = onTheRight ? [y, constant] : [constant, y]
      harness.graph.outputs = [harness.node(operation, operands, name: "out")]
      let graph = try harness.expectSame(pass, tolerance: 2e-6)
      // A constant divided by the result is no factor of it.
      let folds = operation != "Div" || onTheRight
      #expect(graph.operatorTypes == (folds ? ["Conv"] : ["Conv", "Div"]))
    }
  }

  @Test func aBiasAloneKeepsTheBits() throws {
    var harness = FusionHarness()
    let y = try add(.conv, bias: false, to: &harness)
    let constant = try harness.weights("constant", [4, 1, 1])
    harness.graph.outputs = [harness.node("Add", [y, constant], name: "out")]
    let graph = try harness.expectSame(pass, tolerance: 0)
    #expect(graph.operatorTypes == ["Conv"])
  }

  @Test func broadcastingBeforeOpset7NamesItsAxis() throws {
    for (axis, folds) in [(1, true), (2, false)] {
      var harness = FusionHarness(opset: 6)
      let x = harness.input("x", [.symbol("n"), 4, 4, 5])
      let w = try harness.weights("weights", [4, 4, 1, 1])
      let y = harness.node("Conv", [x, w], name: "conv")
      let constant = try harness.weights("constant", [4])
      harness.graph.outputs = [
        harness.node(
          "Mul", [y, constant], ["broadcast": .int(1), "axis": .int(Int64(axis))], name: "out")
      ]
      let graph = try harness.expectSame(pass, tolerance: 1e-6)
      #expect(graph.nodes.count == (folds ? 1 : 2))
    }
  }

  @Test func aChainFoldsToOneNode() throws {
    var harness = FusionHarness()
    var y = try add(.conv, bias: false, to: &harness)
    y = try harness.batchNormalization(y, channels: 4, name: "first")
    let factor = try harness.constant("factor", [0.17], [])
    y = harness.node("Mul", [y, factor], name: "scaled")
    harness.graph.outputs = [try harness.batchNormalization(y, channels: 4, name: "second")]
    let graph = try harness.expectSame(pass, tolerance: 2e-6)
    try #require(graph.nodes.count == 1)
    #expect(graph.nodes[0].origin.names == ["producer", "first", "scaled", "second"])
  }

  @Test func bigWeightsAreMadeWhenAskedFor() throws {
    var harness = FusionHarness()
    let x = harness.input("x", [1, 64, 2, 2])
    let w = try harness.weights("weights", [80, 64, 1, 1])
    let weights = try #require(harness.graph.constants[w])
    harness.graph.constants[w] = Constant(
      dataType: .float32, shape: weights.shape, derived: { try weights.tensor() })
    let y = harness.node("Conv", [x, w], name: "conv")
    harness.graph.outputs = [try harness.batchNormalization(y, channels: 80, name: "norm")]
    let graph = try harness.expectSame(pass, tolerance: 2e-6)
    try #require(graph.nodes.count == 1)
    let folded = try #require(graph.nodes[0].inputs[1].flatMap { graph.constants[$0] })
    guard case .derived = folded.source else {
      Issue.record("the weights were made at once")
      return
    }
    #expect(graph.constants[w] == nil)
  }

  /// What keeps a normalisation apart.
  enum Reason: String, CaseIterable {
    case secondReader, graphOutput, overridableStatistics, computedStatistics, overridableWeights
    case sharedWeights, oldTrainingMode, infiniteFactor, alongAnotherAxis, largerConstant
    case ownActivation
  }

  @Test(arguments: Reason.allCases) func isRefused(reason: Reason) throws {
    var harness = FusionHarness(opset: reason == .oldTrainingMode ? 6 : 15)
    let x = harness.input("x", [.symbol("n"), 4, 5, 5])
    let w = try harness.weights("weights", [4, 4, 1, 1])
    var y = harness.node("Conv", [x, w], name: "conv")
    if reason == .ownActivation { y = harness.node("Relu", [y], name: "relu") }
    var outputs: [ValueID] = []
    switch reason {
    case .alongAnotherAxis:
      outputs.append(harness.node("Mul", [y, try harness.weights("c", [5])], name: "norm"))
    case .largerConstant:
      outputs.append(
        harness.node("Mul", [y, try harness.weights("c", [2, 4, 1, 1])], name: "norm"))
    case .infiniteFactor:
      let one = try harness.constant("one", [1, 1, 1, 1], [4])
      let zero = try harness.constant("zero", [0, 0, 0, 0], [4])
      // Channels that are zero after normalisation would be NaN with weights of inf.
      let epsilon = Attribute.float(0)
      let norm = harness.node(
        "BatchNormalization", [y, one, zero, one, zero], ["epsilon": epsilon], name: "norm")
      outputs.append(harness.node("Clip", [norm], name: "clipped"))
    default:
      let attributes: [String: Attribute] = reason == .oldTrainingMode ? ["is_test": .int(0)] : [:]
      outputs.append(
        try harness.batchNormalization(y, channels: 4, name: "norm", attributes: attributes))
    }
    let parameter = harness.graph.nodes.last { $0.name == "norm" }?.inputs[1]
    switch reason {
    case .secondReader: outputs.append(harness.node("Neg", [y], name: "neg"))
    case .graphOutput: outputs.append(y)
    case .overridableStatistics: harness.graph.inputs.append(try #require(parameter))
    case .computedStatistics:
      let given = harness.input("given", [4])
      harness.graph.updateNode(at: 1) { $0.inputs[1] = given }
    case .overridableWeights: harness.graph.inputs.append(w)
    case .sharedWeights: outputs.append(harness.node("Conv", [x, w], name: "other"))
    default: break
    }
    harness.graph.outputs = outputs
    let before = harness.graph.nodes.count
    #expect(try harness.optimized(pass).nodes.count == before)
    if reason != .infiniteFactor { try harness.expectSame(pass, tolerance: 0) }
  }
}
