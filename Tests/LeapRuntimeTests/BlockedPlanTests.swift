// Plans of networks whose channels are blocked: the same bits however memory is shared and however many workers run them,
// and concats of blocked parts without a copy.

import LeapGraph
import LeapKernels
import LeapRuntime
import LeapTensors
import Testing

@Suite struct BlockedPlanTests {
  private static let spatial = [14, 13]
  private static let padding: [String: Attribute] = ["pads": .ints([1, 1, 1, 1])]

  /// Convolutions with a sum, whose activation stands before or behind it, a concat of 12 and 20 channels, one of that and
  /// 24 more, and a classifier.
  private func model(_ type: DataType, activatesSum: Bool) throws -> Model {
    var net = FusionHarness(dataType: type)
    let x = net.input("x", [.symbol("n"), 8] + BlockedPlanTests.spatial.map(Dimension.fixed))
    func convolution(
      _ input: ValueID, _ channels: (Int, Int), _ kernel: Int, _ name: String
    ) throws -> ValueID {
      let weights = try net.weights("\(name).w", [channels.1, channels.0, kernel, kernel])
      let bias = try net.weights("\(name).b", [channels.1])
      return net.node(
        "Conv", [input, weights, bias], kernel == 3 ? BlockedPlanTests.padding : [:], name: name)
    }
    let a = net.node("Relu", [try convolution(x, (8, 12), 3, "first")], name: "a")
    let inner = try convolution(a, (12, 12), 3, "second")
    let sum =
      activatesSum
      ? net.node("Relu", [net.node("Add", [inner, a], name: "sum")], name: "e")
      : net.node("Add", [net.node("Relu", [inner], name: "active"), a], name: "e")
    let b = net.node("Relu", [try convolution(sum, (12, 12), 3, "left")], name: "b")
    let c = net.node("Relu", [try convolution(sum, (12, 20), 1, "right")], name: "c")
    let both = net.node("Concat", [b, c], ["axis": .int(1)], name: "both")
    let d = net.node("Relu", [try convolution(both, (32, 24), 3, "third")], name: "d")
    let all = net.node("Concat", [both, d], ["axis": .int(1)], name: "all")
    let last = try convolution(all, (56, 20), 1, "last")
    let mean = net.node("GlobalAveragePool", [last], name: "mean")
    let flat = net.node("Flatten", [mean], name: "flat")
    let y = net.node(
      "Gemm", [flat, try net.weights("g.w", [20, 5]), try net.weights("g.b", [5])], name: "y")
    net.graph.outputs = [y]
    return Model(graph: net.graph, irVersion: 10, opsets: ["": 17], source: "test")
  }

  private func input(_ batch: Int, _ type: DataType) throws -> Tensor {
    let shape = Shape([batch, 8] + BlockedPlanTests.spatial)
    let values = (0..<shape.elementCount).map { Double($0 * 37 % 101) / 50 - 1 }
    return try FusionHarness.tensor(values, shape, type)
  }

  /// No convolution in the plain layout, so that it does not depend on costs what is tested.
  private func configuration(_ reuse: PlanOptions.Reuse, width: Int) -> SessionConfiguration {
    var configuration = SessionConfiguration()
    configuration.width = width
    configuration.plan = PlanOptions(reuse: reuse, forbidden: ["im2col"])
    configuration.poisonsDeadMemory = true
    return configuration
  }

  private func bits(_ tensor: Tensor?) -> [UInt32]? {
    tensor?.elements(as: Float.self)?.map(\.bitPattern)
  }

  @Test(arguments: [1, 3], [false, true])
  func sharingAndWorkersChangeNoBit(batch: Int, activatesSum: Bool) throws {
    let model = try model(.float32, activatesSum: activatesSum)
    let x = try input(batch, .float32)
    let apart = try SessionCore(model: model, configuration: configuration(.none, width: 1))
    let expected = try apart.run(["x": x])["y"]
    for width in [1, 2, 3] {
      for reuse in [PlanOptions.Reuse.full, .none] {
        let session = try SessionCore(
          model: model, configuration: configuration(reuse, width: width))
        #expect(try bits(session.run(["x": x])["y"]) == bits(expected), "\(width), \(reuse)")
      }
    }
    let double = try SessionCore(
      model: self.model(.float64, activatesSum: activatesSum),
      configuration: SessionConfiguration())
    let exact = try #require(try double.run(["x": input(batch, .float64)])["y"]?.doubles)
    let got = try #require(expected?.doubles)
    let scale = exact.map(abs).max() ?? 0
    #expect(got.count == exact.count && scale > 0)
    for (a, b) in zip(got, exact) { #expect(abs(a - b) < 5e-6 * scale) }
  }

  /// A family's name stands for its algorithms, wanted or forbidden.
  @Test(arguments: [true, false])
  func familiesOfAlgorithmsAreChosenAndForbidden(isForbidden: Bool) throws {
    var configuration = SessionConfiguration()
    configuration.plan = PlanOptions(memoryPolicy: .fast)
    if isForbidden {
      configuration.plan.forbidden = ["winograd"]
    } else {
      configuration.plan.algorithms = ["": "winograd"]
    }
    let session = try SessionCore(
      model: model(.float32, activatesSum: true), configuration: configuration)
    let segment = try session.plan(inputs: ["x": (.float32, try input(1, .float32).shape)])
    let winograd = segment.steps.filter { $0.algorithm.hasPrefix("winograd") }
    #expect(winograd.count == (isForbidden ? 0 : 4))
  }

  /// Filters of a row or a column: Winograd's algorithm where they have channels enough, unless it is forbidden.
  @Test(arguments: ["", "winograd", "winograd1d"])
  func linesOfManyChannelsAreTransformed(forbidden: String) throws {
    var net = FusionHarness()
    let layers = [
      ("row", 128, 160, [1, 7]), ("column", 160, 192, [7, 1]), ("three", 192, 224, [1, 3]),
      ("few", 8, 8, [1, 3]), ("even", 224, 64, [4, 1]),
    ]
    net.graph.outputs = try layers.map { name, channels, outputs, kernel in
      let x = net.input("\(name).x", [1, channels, 17, 17].map(Dimension.fixed))
      let weights = try net.weights("\(name).w", Shape([outputs, channels] + kernel))
      return net.node("Conv", [x, weights], name: name)
    }
    var configuration = SessionConfiguration()
    if !forbidden.isEmpty { configuration.plan.forbidden = [forbidden] }
    let session = try SessionCore(
      model: Model(graph: net.graph, irVersion: 10, opsets: ["": 17], source: "test"),
      configuration: configuration)
    let segment = try session.plan(
      inputs: Dictionary(
        uniqueKeysWithValues: layers.map {
          ("\($0.0).x", (.float32, Shape([1, $0.1, 17, 17])))
        }))
    let transformed = segment.steps.filter { $0.algorithm == "winograd1d" }.map(\.name)
    #expect(Set(transformed) == (forbidden.isEmpty ? ["row", "column", "three"] : []))
  }

  @Test(arguments: [1, 3], [1, 2])
  func blockedPartsOfConcatsLieInPlace(batch: Int, width: Int) throws {
    let session = try SessionCore(
      model: model(.float32, activatesSum: true), configuration: configuration(.full, width: width))
    let segment = try session.plan(inputs: ["x": (.float32, try input(batch, .float32).shape)])
    let names = segment.steps.map { "\($0.operatorType) \($0.algorithm)" }
    let convolutions = segment.steps.filter { $0.operatorType == "Conv" }
    #expect(convolutions.count == 6)
    #expect(convolutions.allSatisfy { $0.algorithm != "im2col" })
    // The image into blocks, and the means out of them.
    #expect(segment.steps.filter { $0.node == nil }.count <= 2, "\(names)")
    #expect(!segment.steps.contains { $0.operatorType == "Concat" }, "\(names)")
    // Neither concat needs memory besides its parts, and the last convolution reads them all.
    let block = InstructionSet.preferred.blockWidth
    let slots = [12, 20, 24, 20].map { ChannelBlocks(width: block, channels: $0).slots }
    let pixels = BlockedPlanTests.spatial.reduce(batch, *)
    #expect(segment.memory.liveBound <= 4 * pixels * slots.reduce(0, +))
  }
}
