// HashingTests: hashes of texts whose length is no multiple of four. Agreement with ONNX Runtime is in the operator cases.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct HashingTests {
  private func hash(_ x: Tensor, _ attributes: [String: Attribute] = [:]) throws -> Tensor {
    try OperatorHarness(
      "MurmurHash3", opset: 1, domain: "com.microsoft", attributes: attributes
    ).run([x])[0]
  }

  @Test func textsAreHashedByTheirBytes() throws {
    let x = try Tensor(strings: ["foo", "", "hello world"])
    #expect(try hash(x).elements(as: UInt32.self) == [4_138_058_784, 0, 1_586_663_183])
    let signed = try hash(
      try Tensor(strings: ["foo"]), ["positive": .int(0), "seed": .int(4_294_967_295)])
    #expect(signed.elements(as: Int32.self) == [1_844_504_349])
  }
}
