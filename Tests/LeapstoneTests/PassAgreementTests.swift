// What optimisation passes do to real networks: results stay what ONNX Runtime's are, whichever passes run.

import LeapFormat
import LeapGraph
import LeapRuntime
import LeapTestSupport
import Leapstone
import Testing

@Suite struct PassAgreementTests {
  static let passes = Set(standardPasses.map { $0.name }).sorted()

  /// A network, and files with inputs and what ONNX Runtime makes of them.
  struct Network: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var path: String
    var sets: [String]
    var tolerance: Double

    /// The trained networks, and others that between them give every pass something to do.
    static func all() throws -> [Network] {
      try trained() + fullSize() + published()
    }

    private static func trained() throws -> [Network] {
      try TrainedNetwork.all().map { network in
        Network(
          testDescription: network.name, path: TestData.path(network.model),
          sets: ["", ".batch5"].map { TestData.path("\(network.name)\($0).npz") }, tolerance: 1e-5)
      }
    }

    /// The graphs as they are lie up to 9e-6 from ONNX Runtime, that of efficientnet_b0 2.3e-5.
    private static func fullSize() -> [Network] {
      guard let models = FullSizeNetworks.folder() else { return [] }
      return [
        ("resnet50v2", 2e-5), ("densenet121", 2e-5), ("unet", 2e-5), ("inception_v3", 2e-5),
        ("mobilenet_v3_large", 2e-5), ("efficientnet_b0", 5e-5),
      ].map { name, tolerance in
        Network(
          testDescription: name, path: "\(models)/\(name).onnx",
          sets: ["\(models)/\(name).batch1.npz"], tolerance: tolerance)
      }
    }

    /// A graph between DequantizeLinear and QuantizeLinear, whose results QuantizedNetworkTests holds to ONNX Runtime's.
    static func quantized() -> [Network] {
      guard let models = FullSizeNetworks.folder() else { return [] }
      let path = "\(models)/\(FullSizeNetworks.quantized).onnx"
      return [
        Network(testDescription: FullSizeNetworks.quantized, path: path, sets: [], tolerance: 0)
      ]
    }

    /// Real models from public repositories.
    private static func published() -> [Network] {
      guard let models = TestData.sharedModels() else { return [] }
      return ["squeezenet1.1-7", "fastestdet_ortext"].map { name in
        Network(
          testDescription: name, path: "\(models)/\(name).onnx",
          sets: ["\(models)/testdata/\(name).ort.npz"], tolerance: 1e-5)
      }
    }

    func session(_ choice: Choice) throws -> SessionCore {
      var configuration = SessionConfiguration()
      configuration.disabledPasses = choice.disabled
      configuration.poisonsDeadMemory = true
      return try SessionCore(model: try ModelReader.read(path: path), configuration: configuration)
    }
  }

  /// Which passes run.
  struct Choice: Sendable, CustomStringConvertible {
    var description: String
    var disabled: Set<String>

    static let none = Choice(description: "no pass", disabled: Set(passes))
    static let every = Choice(description: "all passes", disabled: [])
    static let all = [none, every] + passes.map(without) + passes.map(alone)

    static func without(_ pass: String) -> Choice {
      Choice(description: "all but \(pass)", disabled: [pass])
    }

    static func alone(_ pass: String) -> Choice {
      Choice(description: "\(pass) alone", disabled: Set(passes).subtracting([pass]))
    }
  }

  /// Choices that make the same graph of a network run once.
  @Test(arguments: try Network.all())
  func agreesWithONNXRuntime(_ network: Network) throws {
    let sets = try network.sets.map { try ReferenceSet($0) }
    var seen: Set<String> = []
    for choice in Choice.all {
      let session = try network.session(choice)
      guard seen.insert("\(session.program.graph)").inserted else { continue }
      for set in sets {
        let results = try session.run(set.inputs)
        for (output, expected) in set.outputs {
          let distance = Comparison.distance(results[output], expected)
          #expect(distance < network.tolerance, "'\(output)', \(choice)")
        }
      }
    }
    #expect(seen.count > 2)
  }

  /// What none of these networks has anything for: an If whose condition is known. BranchInliningTests have some.
  private static let idle: Set = [BranchInlining.name]

  /// Every other pass has something to do in one of these networks: the graph is another where it runs alone, or where it alone
  /// does not run.
  @Test(arguments: passes.filter { !idle.contains($0) })
  func changesANetwork(pass: String) throws {
    guard FullSizeNetworks.folder() != nil, TestData.sharedModels() != nil else { return }
    let isChanged = try (Network.all() + Network.quantized()).contains { network in
      func graph(_ choice: Choice) throws -> String {
        "\(try network.session(choice).program.graph)"
      }
      return try graph(.none) != graph(.alone(pass)) || graph(.every) != graph(.without(pass))
    }
    #expect(isChanged)
  }
}
