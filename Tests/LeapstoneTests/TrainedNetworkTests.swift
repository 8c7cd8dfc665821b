// The networks that the project trains itself, against ONNX Runtime's outputs and on pictures kept aside in training.

import LeapTestSupport
import Leapstone
import Testing

@Suite struct TrainedNetworkTests {
  @Test(arguments: ["resnet-digits.npz", "resnet-digits.batch5.npz"], [1, 2, 3])
  func theResidualNetworkAgreesWithONNXRuntime(data: String, threads: Int) throws {
    var options = SessionOptions()
    options.threads = threads
    options.poisonsDeadMemory = true
    let session = try InferenceSession(
      path: TestData.path("resnet-digits.onnx"), options: options)
    let set = try TestData.arrays(TestData.path(data))
    let result = try session.run(["input": try #require(set["in:input"])])
    #expect(Comparison.distance(result["output"], set["out:output"]) < 1e-5)

    options.reusesMemory = false
    let apart = try InferenceSession(
      path: TestData.path("resnet-digits.onnx"), options: options)
    let other = try apart.run(["input": try #require(set["in:input"])])
    #expect(Comparison.identical(other["output"], result["output"]))
  }
}
