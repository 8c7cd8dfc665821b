// What optimisation passes do to real networks: results stay what ONNX Runtime's are, whichever pass runs or does not.

import LeapRuntime
import LeapTestSupport
import Leapstone
import Testing

@Suite struct PassAgreementTests {
  static let passes = Set(standardPasses.map { $0.name }).sorted()

  /// Passes decide which convolutions Winograd's transforms compute, which err by a digit more.
  private static let tolerance = 5e-5

  /// Runs a network on the inputs that its references were made from; the largest distance from them.
  private func distance(_ network: TrainedNetwork, disabled: Set<String>) throws -> Double {
    var options = SessionOptions()
    options.disabledPasses = disabled
    options.poisonsDeadMemory = true
    let session = try network.session(options)
    let distances = try [
      "\(network.name).npz", "\(network.name).batch5.npz",
    ].map { set in
      let arrays = try TestData.arrays(TestData.path(set))
      let result = try session.run(["input": try #require(arrays["in:input"])])
      return Comparison.distance(result["output"], arrays["out:output"])
    }
    return distances.max() ?? .infinity
  }

  @Test(arguments: try TrainedNetwork.all(), passes)
  func withoutOnePass(_ network: TrainedNetwork, pass: String) throws {
    #expect(try distance(network, disabled: [pass]) < Self.tolerance)
  }

  @Test(arguments: try TrainedNetwork.all(), passes)
  func withOnePassAlone(_ network: TrainedNetwork, pass: String) throws {
    #expect(try distance(network, disabled: Set(Self.passes).subtracting([pass])) < Self.tolerance)
  }
}
