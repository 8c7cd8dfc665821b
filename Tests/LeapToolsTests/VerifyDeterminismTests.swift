// onnx-verify determinism: that our networks are deterministic, and that what is not is found, by kind and by value.

import LeapGraph
import LeapKernels
import LeapRuntime
import LeapTensors
import LeapTestSupport
import LeapTools
import LeapstoneImage
import Synchronization
import Testing

@Suite struct VerifyDeterminismTests {
  private func experiments(_ json: JSON) -> [String: JSON] {
    let list = json["determinism"]?["experiments"]?.array ?? []
    return Dictionary(uniqueKeysWithValues: list.map { ($0["name"]?.string ?? "", $0) })
  }

  @Test(arguments: ["resnet-digits", "densenet-digits", "unet-shapes"])
  func ourNetworksAreDeterministic(name: String) throws {
    let json = try verifyJSON(["determinism", "@\(name).onnx", "-q"])
    let found = experiments(json)
    #expect(found.count >= 9)
    for (experiment, result) in found { #expect(result["verdict"] == "passed", "\(experiment)") }
    #expect(found["place in a batch"]?["runs"] == 3)
  }

  @Test func aModelOfFixedBatchHasNoPlaces() throws {
    try withTemporaryDirectory { directory in
      try writeIdentity("\(directory)/m.onnx", [1, 3])
      let json = try verifyJSON(["determinism", "\(directory)/m.onnx"])
      let batch = experiments(json)["place in a batch"]
      #expect(batch?["verdict"] == "skipped")
      #expect(batch?["message"] == "the model fixes the first dimension of its inputs")
    }
  }

  /// A fault in the kernels of one operator: `changes` says when what they make is off.
  private func fault(
    in operatorType: String, when changes: @escaping @Sendable (BoundStep, Tensor) -> Bool
  ) -> KernelInstrument {
    .visiting { _, step, _, tensor in
      guard step.operatorType == operatorType, changes(step, tensor),
        let numbers = tensor.elements(as: Float.self)
      else { return nil }
      return try Tensor(numbers.map { $0 + 0.25 }, shape: tensor.shape)
    }
  }

  private func failing(_ fault: KernelInstrument) throws -> [String: JSON] {
    let json = try verifyJSON(["determinism", "@resnet-digits.onnx", "--threads", "2"], code: 1) {
      $0.instruments = [fault]
    }
    return experiments(json).filter { $0.value["verdict"] == "failed" }
  }

  @Test func aKernelThatCountsItsWorkers() throws {
    let found = try failing(fault(in: "GlobalAveragePool") { step, _ in step.options.width == 3 })
    #expect(found.keys.sorted() == ["3 threads"])
    let first = found["3 threads"]?["first"]
    #expect(first?["operator"] == "GlobalAveragePool", "\(String(describing: first))")
  }

  @Test func memoryThatIsReusedTooEarly() throws {
    let found = try failing(
      fault(in: "GlobalAveragePool") { step, _ in step.options.reuse == .full })
    #expect(found.keys.sorted() == ["no memory reuse"])
    #expect(found["no memory reuse"]?["first"]?["operator"] == "GlobalAveragePool")
  }

  @Test func aKernelThatLooksAtItsNeighbours() throws {
    let found = try failing(fault(in: "GlobalAveragePool") { _, tensor in tensor.shape[0] == 3 })
    #expect(found.keys.sorted() == ["place in a batch"])
    #expect(found["place in a batch"]?["first"]?["operator"] == "GlobalAveragePool")
  }

  @Test func aKernelThatIsOffNowAndThen() throws {
    let count = Mutex(0)
    let found = try failing(
      fault(in: "GlobalAveragePool") { _, _ in
        count.withLock { count in
          count += 1
          return count % 2 == 0
        }
      })
    #expect(found["again"]?["first"]?["operator"] == "GlobalAveragePool")
    #expect(found.count > 1)
  }

  @Test func whatIsFoundIsShown() throws {
    let fault = fault(in: "GlobalAveragePool") { step, _ in step.options.width == 3 }
    let result = onnxVerify(["determinism", "@resnet-digits.onnx", "--threads", "2"]) {
      $0.instruments = [fault]
    }
    #expect(result.code == 1)
    #expect(result.output.contains("not deterministic: 3 threads"), "\(result.output)")
    #expect(result.output.contains("'output' differs; first '"), "\(result.output)")
    for line in result.lines { #expect(line.count <= 80) }
  }
}
