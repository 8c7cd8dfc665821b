// ActivationRecognition: the spellings of Swish and HardSwish that exporters write, and near misses.

import LeapGraph
import LeapOperators
import LeapRuntime
import LeapTensors
import Testing

@Suite struct ActivationRecognitionTests {
  private let pass: [any Pass.Type] = [ActivationRecognition.self]

  @Test(arguments: [true, false], [DataType.float32, .float64])
  func aSigmoidGateIsSwish(gateFirst: Bool, type: DataType) throws {
    var harness = FusionHarness(dataType: type)
    let x = harness.input("x", [.symbol("n"), 7])
    let gate = harness.node("Sigmoid", [x], name: "gate")
    harness.graph.outputs = [
      harness.node("Mul", gateFirst ? [gate, x] : [x, gate], name: "out"),
      // x itself may have other readers.
      harness.node("Neg", [x], name: "neg"),
    ]
    let graph = try harness.expectSame(pass, tolerance: 5e-7)
    #expect(graph.operatorTypes == ["Swish", "Neg"])
    #expect(graph.nodes[0].origin.names == ["gate", "out"])
  }

  @Test(arguments: [DataType.float32, .float64]) func aHardSigmoidGateIsHardSwish(type: DataType)
    throws
  {
    var harness = FusionHarness(opset: 11, dataType: type)
    let x = harness.input("x", [.symbol("n"), 7])
    let gate = harness.node(
      "HardSigmoid", [x], ["alpha": .float(1.0 / 6.0), "beta": .float(0.5)], name: "gate")
    harness.graph.outputs = [harness.node("Mul", [x, gate], name: "out")]
    let graph = try harness.expectSame(pass, tolerance: 5e-7)
    // A float32 sixth is none in float64.
    #expect(graph.operatorTypes == (type == .float32 ? ["HardSwish"] : ["HardSigmoid", "Mul"]))
  }

  enum Spelling: String, CaseIterable { case division, product, attributes, swapped }

  @Test(arguments: Spelling.allCases) func aScaledClipIsHardSwish(spelling: Spelling) throws {
    var harness = FusionHarness(opset: spelling == .attributes ? 7 : 13)
    let x = harness.input("x", [.symbol("n"), 7])
    let three = try harness.constant("three", [3], [])
    let moved = harness.node("Add", spelling == .swapped ? [three, x] : [x, three], name: "moved")
    let clip: ValueID
    if spelling == .attributes {
      clip = harness.node(
        "Clip", [moved], ["min": .float(0), "max": .float(6)], name: "clip")
    } else {
      let low = try harness.constant("low", [0], [])
      let high = try harness.constant("high", [6], [])
      clip = harness.node("Clip", [moved, low, high], name: "clip")
    }
    let product = harness.node(
      "Mul", spelling == .swapped ? [clip, x] : [x, clip], name: "product")
    let last = try harness.constant("last", [spelling == .product ? 1.0 / 6.0 : 6], [])
    harness.graph.outputs = [
      harness.node(spelling == .product ? "Mul" : "Div", [product, last], name: "out")
    ]
    let graph = try harness.expectSame(pass, tolerance: 1e-6)
    #expect(graph.operatorTypes == ["HardSwish"])
    #expect(graph.nodes[0].origin.names == ["moved", "clip", "product", "out"])
  }

  enum Reason: String, CaseIterable {
    case anotherValue, gateHasSecondReader, gateIsOutput, otherSlope, overridableConstant,
      otherBound
  }

  @Test(arguments: Reason.allCases) func isRefused(reason: Reason) throws {
    var harness = FusionHarness()
    let x = harness.input("x", [.symbol("n"), 7])
    let other = harness.input("other", [.symbol("n"), 7])
    var outputs: [ValueID] = []
    switch reason {
    case .anotherValue, .gateHasSecondReader, .gateIsOutput:
      let gate = harness.node("Sigmoid", [x], name: "gate")
      outputs = [harness.node("Mul", [reason == .anotherValue ? other : x, gate], name: "out")]
      if reason == .gateHasSecondReader { outputs.append(harness.node("Neg", [gate], name: "neg")) }
      if reason == .gateIsOutput { outputs.append(gate) }
    case .otherSlope:
      let gate = harness.node("HardSigmoid", [x], ["alpha": .float(0.2)], name: "gate")
      outputs = [harness.node("Mul", [x, gate], name: "out")]
    case .overridableConstant, .otherBound:
      let three = try harness.constant("three", [3], [])
      let low = try harness.constant("low", [0], [])
      let high = try harness.constant("high", [reason == .otherBound ? 5 : 6], [])
      let six = try harness.constant("six", [6], [])
      let moved = harness.node("Add", [x, three], name: "moved")
      let clip = harness.node("Clip", [moved, low, high], name: "clip")
      let product = harness.node("Mul", [x, clip], name: "product")
      outputs = [harness.node("Div", [product, six], name: "out")]
      if reason == .overridableConstant { harness.graph.inputs.append(three) }
    }
    harness.graph.outputs = outputs
    let graph = try harness.expectSame(pass, tolerance: 0)
    #expect(graph.operatorTypes == harness.graph.operatorTypes)
  }
}
