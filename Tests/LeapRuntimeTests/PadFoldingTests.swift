// PadFolding: into convolutions and poolings, from every opset's spelling, and where it must not happen.

import LeapGraph
import LeapOperators
import LeapRuntime
import LeapTensors
import Testing

@Suite struct PadFoldingTests {
  private let pass: [any Pass.Type] = [PadFolding.self]

  /// A Pad of [N, C, H, W] by 1 above, 2 to the left, 0 below, 1 to the right.
  private func pad(
    _ x: ValueID, opset: Int, number: Double = 0, mode: String = "constant",
    pads: [Int64] = [0, 0, 1, 2, 0, 0, 0, 1], _ harness: inout FusionHarness
  ) throws -> ValueID {
    var attributes: [String: Attribute] = ["mode": .string(Array(mode.utf8))]
    if opset < 11 {
      attributes[opset < 2 ? "paddings" : "pads"] = .ints(pads)
      attributes["value"] = .float(Float(number))
      return harness.node("Pad", [x], attributes, name: "pad", opset: opset)
    }
    let filled = try harness.constant("number", [number], [])
    guard opset >= 18 else {
      let values = harness.constant("pads", try Tensor(pads))
      return harness.node("Pad", [x, values, filled], attributes, name: "pad", opset: opset)
    }
    let values = harness.constant("pads", try Tensor([pads[3], pads[2], pads[7], pads[6]]))
    let axes = harness.constant("axes", try Tensor([Int64(-1), 2]))
    return harness.node("Pad", [x, values, filled, axes], attributes, name: "pad", opset: opset)
  }

  private func image(_ harness: inout FusionHarness) -> ValueID {
    harness.input("x", [.symbol("n"), 2, 6, 7])
  }

  @Test(arguments: [1, 2, 11, 13, 18, 25]) func zerosGoIntoConvolutions(opset: Int) throws {
    for own: [Int64]? in [nil, [2, 0, 1, 1]] {
      var harness = FusionHarness()
      let padded = try pad(image(&harness), opset: opset, &harness)
      let w = try harness.weights("w", [3, 2, 3, 3])
      let attributes: [String: Attribute] = own.map { ["pads": .ints($0)] } ?? [:]
      harness.graph.outputs = [harness.node("Conv", [padded, w], attributes, name: "conv")]
      let graph = try harness.expectSame(pass, tolerance: 0)
      try #require(graph.operatorTypes == ["Conv"])
      #expect(graph.nodes[0].origin.names == ["pad", "conv"])
    }
  }

  @Test func autoPadValidBecomesPads() throws {
    var harness = FusionHarness()
    let padded = try pad(image(&harness), opset: 13, &harness)
    let w = try harness.weights("w", [3, 2, 3, 3])
    harness.graph.outputs = [
      harness.node("Conv", [padded, w], ["auto_pad": .string(Array("VALID".utf8))], name: "conv")
    ]
    #expect(try harness.expectSame(pass, tolerance: 0).operatorTypes == ["Conv"])
  }

  @Test(arguments: [nil, 0, 1]) func averagesCountTheZeros(counts: Int64?) throws {
    for own: [Int64] in [[0, 0, 0, 0], [1, 0, 1, 1]] {
      var harness = FusionHarness()
      let padded = try pad(image(&harness), opset: 13, &harness)
      var attributes: [String: Attribute] = ["kernel_shape": .ints([3, 4]), "pads": .ints(own)]
      if let counts { attributes["count_include_pad"] = .int(counts) }
      harness.graph.outputs = [harness.node("AveragePool", [padded], attributes, name: "pool")]
      let graph = try harness.expectSame(pass, tolerance: 1e-6)
      // Pads of its own that it does not count are not the same as zeros that it does.
      let folds = counts == 1 || own == [0, 0, 0, 0]
      #expect(graph.operatorTypes == (folds ? ["AveragePool"] : ["Pad", "AveragePool"]))
    }
  }

  /// What comes before a Pad by zero, and whether its numbers are never negative.
  private static let activations: [(String, opset: Int, [String: Attribute], isNotNegative: Bool)] =
    [
      ("Relu", 17, [:], true), ("Sigmoid", 17, [:], true), ("HardSigmoid", 17, [:], true),
      ("Clip", 6, ["min": .float(0), "max": .float(1)], true),
      ("Clip", 6, ["min": .float(-1), "max": .float(1)], false), ("Tanh", 17, [:], false),
      ("LeakyRelu", 17, [:], false),
    ]

  @Test(arguments: activations.indices) func zerosNeverWinBesideThem(index: Int) throws {
    let (type, opset, attributes, isNotNegative) = PadFoldingTests.activations[index]
    var harness = FusionHarness()
    let x = harness.node(type, [image(&harness)], attributes, name: "activation", opset: opset)
    let padded = try pad(x, opset: 13, &harness)
    harness.graph.outputs = [
      harness.node("MaxPool", [padded], ["kernel_shape": .ints([2, 3])], name: "pool")
    ]
    let graph = try harness.expectSame(pass, tolerance: 0)
    #expect(graph.nodes.count == (isNotNegative ? 2 : 3))
  }

  @Test func minusInfinityIsThePaddingOfAMaximum() throws {
    var harness = FusionHarness()
    let padded = try pad(image(&harness), opset: 13, number: -.infinity, &harness)
    harness.graph.outputs = [
      harness.node("MaxPool", [padded], ["kernel_shape": .ints([2, 3])], name: "pool")
    ]
    #expect(try harness.expectSame(pass, tolerance: 0).operatorTypes == ["MaxPool"])
  }

  enum Reason: String, CaseIterable {
    case secondReader, graphOutput, anotherNumber, channelPads, negativePads, reflection
    case sameAutoPad, computedPads, minusInfinityIntoAverage, windowOfPadding, roundedUp, dilated
    case indices, transposedConvolution
  }

  @Test(arguments: Reason.allCases) func isRefused(reason: Reason) throws {
    var harness = FusionHarness()
    let x = harness.node("Relu", [image(&harness)], name: "relu")
    let number: Double = reason == .anotherNumber ? 1 : 0
    let pads: [Int64] =
      switch reason {
      case .channelPads: [0, 1, 1, 2, 0, 0, 0, 1]
      case .negativePads: [0, 0, 1, -1, 0, 0, 0, 1]
      case .windowOfPadding: [0, 0, 2, 0, 0, 0, 0, 0]
      default: [0, 0, 1, 2, 0, 0, 0, 1]
      }
    let padded = try pad(
      x, opset: 13, number: reason == .minusInfinityIntoAverage ? -.infinity : number,
      mode: reason == .reflection ? "reflect" : "constant", pads: pads, &harness)
    var pooling: [String: Attribute] = ["kernel_shape": .ints([2, 3])]
    var outputs: [ValueID] = []
    switch reason {
    case .windowOfPadding, .indices:
      outputs.append(harness.node("MaxPool", [padded], pooling, name: "out"))
    case .roundedUp:
      pooling["ceil_mode"] = .int(1)
      outputs.append(harness.node("MaxPool", [padded], pooling, name: "out"))
    case .dilated:
      pooling["dilations"] = .ints([1, 2])
      outputs.append(harness.node("MaxPool", [padded], pooling, name: "out"))
    case .minusInfinityIntoAverage:
      outputs.append(harness.node("AveragePool", [padded], pooling, name: "out"))
    case .transposedConvolution:
      let w = try harness.weights("w", [2, 3, 3, 3])
      outputs.append(harness.node("ConvTranspose", [padded, w], name: "out"))
    default:
      let w = try harness.weights("w", [3, reason == .channelPads ? 3 : 2, 3, 3])
      let same: [String: Attribute] =
        reason == .sameAutoPad ? ["auto_pad": .string(Array("SAME_UPPER".utf8))] : [:]
      outputs.append(harness.node("Conv", [padded, w], same, name: "out"))
    }
    switch reason {
    case .secondReader: outputs.append(harness.node("Neg", [padded], name: "neg"))
    case .graphOutput: outputs.append(padded)
    case .computedPads: harness.graph.inputs.append(try #require(harness.graph.nodes[1].inputs[1]))
    case .indices:
      let places = harness.graph.addValue(Value(name: "places", type: nil))
      harness.graph.updateNode(at: 2) { $0.outputs.append(places) }
      outputs.append(places)
    default: break
    }
    harness.graph.outputs = outputs
    let graph = try harness.optimized(pass)
    #expect(graph.operatorTypes == harness.graph.operatorTypes)
  }
}
