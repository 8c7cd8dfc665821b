// EpilogueFusion: every stage on every host with the same bits, blocks of residual networks, and where it must not happen.

import LeapGraph
import LeapOperators
import LeapRuntime
import LeapTensors
import Testing

@Suite struct EpilogueFusionTests {
  private let pass: [any Pass.Type] = [EpilogueFusion.self]

  enum Host: String, CaseIterable {
    case conv, depthwise, transposed, gemm, matMul, batchedMatMul, vectorMatMul

    /// The shape of a constant for each channel.
    var channelShape: Shape { rawValue.hasSuffix("atMul") || self == .gemm ? [4] : [4, 1, 1] }
  }

  private func add(_ host: Host, _ suffix: String = "", to harness: inout FusionHarness) throws
    -> ValueID
  {
    func node(
      _ type: String, _ input: [Dimension], _ weights: Shape,
      _ attributes: [String: Attribute] = [:]
    ) throws -> ValueID {
      let x = harness.input("x\(suffix)", input)
      let w = try harness.weights("weights\(suffix)", weights)
      return harness.node(type, [x, w], attributes, name: "host\(suffix)")
    }
    let image: [Dimension] = [.symbol("n"), 4, 5, 6]
    switch host {
    case .conv: return try node("Conv", image, [4, 4, 3, 3], ["pads": .ints([1, 1, 1, 1])])
    case .depthwise: return try node("Conv", image, [4, 1, 2, 2], ["group": .int(4)])
    case .transposed: return try node("ConvTranspose", image, [4, 4, 2, 2])
    case .gemm: return try node("Gemm", [.symbol("n"), 5], [5, 4])
    case .matMul: return try node("MatMul", [.symbol("n"), 5], [5, 4])
    case .batchedMatMul: return try node("MatMul", [.symbol("n"), 3, 5], [5, 4])
    case .vectorMatMul: return try node("MatMul", [5], [5, 4])
    }
  }

  /// Every activation that an epilogue carries, as nodes of ONNX.
  private static let activations: [(type: String, opset: Int, attributes: [String: Attribute])] = [
    ("Relu", 17, [:]), ("Relu", 1, [:]), ("Sigmoid", 17, [:]), ("Tanh", 17, [:]),
    ("LeakyRelu", 17, ["alpha": .float(0.3)]), ("LeakyRelu", 17, [:]),
    ("Clip", 6, ["min": .float(-0.25), "max": .float(0.5)]), ("Clip", 6, [:]),
    ("HardSigmoid", 17, ["alpha": .float(0.3), "beta": .float(0.4)]), ("HardSwish", 17, [:]),
    ("Swish", 24, [:]),
  ]

  @Test(arguments: activations.indices, Host.allCases)
  func activationsKeepTheBits(index: Int, host: Host) throws {
    let activation = EpilogueFusionTests.activations[index]
    for type in [DataType.float32, .float64] {
      var harness = FusionHarness(dataType: type)
      let y = try add(host, to: &harness)
      harness.graph.outputs = [
        harness.node(
          activation.type, [y], activation.attributes, name: "out", opset: activation.opset)
      ]
      let graph = try harness.expectSame(pass, tolerance: 0)
      try #require(graph.nodes.count == 1)
      #expect(graph.nodes[0].origin.names == ["host", "out"])
    }
  }

  @Test(arguments: [true, false]) func clipTakesBoundsThatAreConstant(areConstant: Bool) throws {
    var harness = FusionHarness()
    let y = try add(.conv, to: &harness)
    let low = try harness.constant("low", [-0.5], [])
    let high = try harness.constant("high", [0.25], [])
    harness.graph.outputs = [
      harness.node("Clip", [y, low, high], name: "both")
    ]
    if !areConstant { harness.graph.inputs.append(high) }
    let graph = try harness.expectSame(pass, tolerance: 0)
    #expect(graph.nodes.count == (areConstant ? 1 : 2))
  }

  @Test func clipMayLeaveABoundOut() throws {
    for bounds: (Double?, Double?) in [(-0.5, nil), (nil, 0.25), (nil, nil)] {
      var harness = FusionHarness()
      let y = try add(.conv, to: &harness)
      let low = try bounds.0.map { try harness.constant("low", [$0], []) }
      let high = try bounds.1.map { try harness.constant("high", [$0], []) }
      harness.graph.outputs = [harness.node("Clip", [y, low, high], name: "out")]
      #expect(try harness.expectSame(pass, tolerance: 0).nodes.count == 1)
    }
  }

  @Test(arguments: Host.allCases, ["Add", "Mul", "Sub"])
  func channelsKeepTheBits(host: Host, operation: String) throws {
    for shape: Shape in [host.channelShape, [1]] {
      var harness = FusionHarness()
      let y = try add(host, to: &harness)
      let constant = try harness.weights("constant", shape)
      let middle = harness.node(operation, [y, constant], name: "channels")
      harness.graph.outputs = [harness.node("Relu", [middle], name: "out")]
      let graph = try harness.expectSame(pass, tolerance: 0)
      #expect(graph.nodes.count == 1)
    }
  }

  @Test func normalisationAfterAnActivationIsAFactorAndAShift() throws {
    var harness = FusionHarness()
    let y = try add(.conv, to: &harness)
    let relu = harness.node("Relu", [y], name: "relu")
    harness.graph.outputs = [try harness.batchNormalization(relu, channels: 4, name: "norm")]
    let graph = try harness.expectSame(pass, tolerance: 1e-7)
    try #require(graph.nodes.count == 1)
    #expect(
      graph.nodes[0].epilogue == [.activation(.relu), .scale(input: 2), .bias(input: 3)])
  }

  @Test(arguments: Host.allCases, [false, true])
  func residualSumsKeepTheBits(host: Host, swapped: Bool) throws {
    var harness = FusionHarness()
    let y = try add(host, to: &harness)
    // The other operand is computed by something that takes no epilogue, before or after the host.
    let other = try add(host, ".other", to: &harness)
    let residual = harness.node("Abs", [other], name: "abs")
    let sum = harness.node("Add", swapped ? [residual, y] : [y, residual], name: "sum")
    harness.graph.outputs = [harness.node("Relu", [sum], name: "out")]
    let graph = try harness.expectSame(pass, tolerance: 0)
    try #require(graph.nodes.count == 3)
    let last = graph.nodes[2]
    #expect(last.origin.names == ["host", "sum", "out"])
    #expect(last.epilogue == [.residual(input: 2), .activation(.relu)])
  }

  @Test func aResidualBlockTakesTheLastConvolution() throws {
    var harness = FusionHarness()
    let x = harness.input("x", [.symbol("n"), 4, .symbol("h"), .symbol("h")])
    func conv(_ name: String, _ input: ValueID) throws -> ValueID {
      let w = try harness.weights("\(name).weights", [4, 4, 1, 1])
      let b = try harness.weights("\(name).bias", [4])
      return harness.node("Conv", [input, w, b], name: name)
    }
    let first = harness.node("Relu", [try conv("first", x)], name: "relu1")
    let second = try conv("second", first)
    let shortcut = try conv("shortcut", x)
    let sum = harness.node("Sum", [second, shortcut], name: "sum")
    harness.graph.outputs = [harness.node("Relu", [sum], name: "relu2")]
    harness.symbolExtent = 3
    let graph = try harness.expectSame(pass, tolerance: 0)
    #expect(graph.operatorTypes == ["Conv", "Conv", "Conv"])
    #expect(
      graph.nodes.map(\.origin.names) == [
        ["first", "relu1"], ["second"], ["shortcut", "sum", "relu2"],
      ])
    #expect(graph.nodes[2].inputs.count == 4)
  }

  enum Reason: String, CaseIterable {
    case secondReader, graphOutput, sameOperandTwice, broadcastResidual, unknownExtents
    case channelsOfMatrixTimesVector, integers, unknownActivation
  }

  @Test(arguments: Reason.allCases) func isRefused(reason: Reason) throws {
    var harness = FusionHarness(dataType: .float32)
    var outputs: [ValueID] = []
    switch reason {
    case .channelsOfMatrixTimesVector:
      let (a, b) = (harness.input("a", [4, 5]), harness.input("b", [5]))
      let y = harness.node("MatMul", [a, b], name: "product")
      outputs.append(harness.node("Mul", [y, try harness.weights("c", [4])], name: "out"))
    case .integers:
      let (a, b) = (
        harness.input("a", [4, 5], type: .int32), harness.input("b", [5, 4], type: .int32)
      )
      let y = harness.node("MatMul", [a, b], name: "product")
      outputs.append(harness.node("Relu", [y], name: "out"))
    case .unknownExtents:
      let x = harness.input("x", [.unknown, 4, 5, 5])
      let other = harness.input("other", [.unknown, 4, 5, 5])
      let y = harness.node("Conv", [x, try harness.weights("w", [4, 4, 1, 1])], name: "conv")
      outputs.append(harness.node("Add", [y, other], name: "out"))
    case .broadcastResidual:
      let y = try add(.conv, to: &harness)
      let other = harness.input("other", [.symbol("n"), 4, 1, 1])
      outputs.append(harness.node("Add", [y, other], name: "out"))
    case .sameOperandTwice:
      let y = try add(.conv, to: &harness)
      outputs.append(harness.node("Add", [y, y], name: "out"))
    case .unknownActivation:
      outputs.append(harness.node("Elu", [try add(.conv, to: &harness)], name: "out"))
    case .secondReader, .graphOutput:
      let y = try add(.conv, to: &harness)
      outputs.append(harness.node("Relu", [y], name: "out"))
      if reason == .graphOutput { outputs.append(y) }
      if reason == .secondReader { outputs.append(harness.node("Neg", [y], name: "neg")) }
    }
    harness.graph.outputs = outputs
    let graph = try harness.optimized(pass)
    #expect(graph.operatorTypes == harness.graph.operatorTypes)
    #expect(graph.nodes.allSatisfy { $0.epilogue.isEmpty })
  }
}
