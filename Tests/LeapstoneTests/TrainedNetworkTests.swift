// The networks that the project trains itself, against ONNX Runtime's outputs and on pictures kept aside in training.

import LeapTools
import Leapstone
import Testing

@Suite struct TrainedNetworkTests {
  /// The testdata folder of the checkout that this file was compiled in.
  private static func path(_ name: String) -> String {
    "\(#filePath)".split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
      .joined(separator: "/") + "/testdata/\(name)"
  }

  private func tensors(_ name: String) throws -> [String: Tensor] {
    let list = try NPZ.read(TrainedNetworkTests.path(name))
    return Dictionary(uniqueKeysWithValues: list.map { ($0.name, $0.tensor) })
  }

  private func relativeDifference(_ got: Tensor?, _ expected: Tensor?) throws -> Float {
    let got = try #require(got?.elements(as: Float.self))
    let expected = try #require(expected?.elements(as: Float.self))
    try #require(got.count == expected.count)
    let scale = expected.map(abs).max() ?? 1
    return zip(got, expected).map { abs($0 - $1) }.max()! / scale
  }

  @Test(arguments: ["resnet-digits.npz", "resnet-digits.batch5.npz"], [1, 2, 3])
  func theResidualNetworkAgreesWithONNXRuntime(data: String, threads: Int) throws {
    var options = SessionOptions()
    options.threads = threads
    options.poisonsDeadMemory = true
    let session = try InferenceSession(
      path: TrainedNetworkTests.path("resnet-digits.onnx"), options: options)
    let set = try tensors(data)
    let result = try session.run(["input": try #require(set["in:input"])])
    #expect(try relativeDifference(result["output"], set["out:output"]) < 1e-5)

    options.reusesMemory = false
    let apart = try InferenceSession(
      path: TrainedNetworkTests.path("resnet-digits.onnx"), options: options)
    let other = try apart.run(["input": try #require(set["in:input"])])
    #expect(other["output"]?.elements(as: Float.self) == result["output"]?.elements(as: Float.self))
  }
}
