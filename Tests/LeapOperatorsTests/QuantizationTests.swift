// QuantizationTests: rounding and saturation of quantised numbers, products of bytes at the ends of their range, and operands
// that do not go together. Agreement with ONNX Runtime over many shapes is in the operator cases.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors
import Testing

@Suite struct QuantizationTests {
  @Test func halvesGoToTheEvenNumber() throws {
    let x = try Tensor([Float(0.5), 1.5, 2.5, -0.5, -1.5, 1e30, -1e30, .nan, .infinity])
    let y = try OperatorHarness("QuantizeLinear")
      .run([x, Tensor(scalar: Float(1)), Tensor(scalar: Int8(0))])[0]
    #expect(y.integers == [0, 2, 2, 0, -2, 127, -128, -128, 127])
  }

  @Test(arguments: [DataType.int4, .uint4, .int2, .uint2, .int16, .uint16])
  func integersComeBackAsTheyWere(type: DataType) throws {
    let range = 1 << (type.bitWidth - 1)
    let isSigned = [.int4, .int2, .int16].contains(type)
    let numbers = (0..<37).map { Float(($0 * 7 % (2 * range)) - (isSigned ? range : 0)) }
    let x = try Tensor(numbers.map { $0 * 0.5 }, shape: [37])
    let scale = try Tensor(scalar: Float(0.5))
    let quantized = try OperatorHarness(
      "QuantizeLinear", attributes: ["output_dtype": .int(Int64(type.rawValue))]
    ).run([x, scale])[0]
    #expect(quantized.dataType == type)
    let back = try OperatorHarness("DequantizeLinear").run([quantized, scale])[0]
    #expect(back.elements(as: Float.self) == numbers.map { $0 * 0.5 })
  }

  @Test func blocksHaveScalesOfTheirOwn() throws {
    let x = try Tensor((0..<6).map { Float($0) }, shape: [2, 3])
    let scales = try Tensor([Float(1), 2, 3, 4], shape: [2, 2])
    let y = try OperatorHarness("QuantizeLinear", attributes: ["block_size": .int(2)])
      .run([x, scales])[0]
    #expect(y.integers == [0, 1, 1, 1, 1, 1])
  }

  @Test func scalesThatDoNotFitAreRefused() throws {
    let x = try Tensor(zeros: .float32, shape: [2, 6])
    for (scale, attributes) in [
      (Shape([5]), ["axis": Attribute.int(1)]), ([2, 4], ["block_size": .int(2)]),
      ([3, 3], ["block_size": .int(2)]), ([6], ["axis": .int(4)]),
      ([2, 3], ["block_size": .int(-1)]), ([2, 3], ["block_size": .int(.max)]), ([2, 2, 2], [:]),
    ] {
      #expect(throws: OperatorError.self) {
        try OperatorHarness("QuantizeLinear", attributes: attributes)
          .run([x, Tensor(zeros: .float32, shape: scale)])
      }
    }
  }

  /// The largest sums: all products at the end of their range, deeper than any vector.
  @Test func productsAreExactAtTheEndsOfTheRange() throws {
    let depth = 1000
    let a = try Tensor([UInt8](repeating: 255, count: depth), shape: [1, depth])
    let b = try Tensor([Int8](repeating: -128, count: depth), shape: [depth, 1])
    let plain = try OperatorHarness("MatMulInteger").run([a, b])[0]
    #expect(plain.integers == [255 * -128 * depth])
    let shifted = try OperatorHarness("MatMulInteger")
      .run([a, b, Tensor(scalar: UInt8(0)), Tensor(scalar: Int8(127))])[0]
    #expect(shifted.integers == [255 * -255 * depth])
  }

  @Test func zeroPointsOfRowsAreTheirOwn() throws {
    let a = try Tensor([UInt8(1), 2, 3, 4], shape: [2, 2])
    let b = try Tensor([UInt8(1), 1], shape: [2, 1])
    let y = try OperatorHarness("MatMulInteger").run([a, b, Tensor([UInt8(1), 3])])[0]
    #expect(y.integers == [1, 1])
    #expect(throws: OperatorError.self) {
      try OperatorHarness("MatMulInteger").run([a, b, Tensor([UInt8(1), 3, 5])])
    }
  }

  @Test func paddingCountsAsTheZeroPoint() throws {
    let x = try Tensor([UInt8(7), 8], shape: [1, 1, 2])
    let w = try Tensor([Int8(1), 1, 1], shape: [1, 1, 3])
    let y = try OperatorHarness("ConvInteger", attributes: ["pads": .ints([1, 1])])
      .run([x, w, Tensor(scalar: UInt8(5))])[0]
    #expect(y.integers == [5, 5])
  }

  @Test func aRangeWithoutNumbersHasAScale() throws {
    let results = try OperatorHarness("DynamicQuantizeLinear", outputCount: 3)
      .run([Tensor([Float(0), 0])])
    #expect(results[0].integers == [0, 0])
    #expect(results[1].doubles == [1])
    let infinite = try OperatorHarness("DynamicQuantizeLinear", outputCount: 3)
      .run([Tensor([-Float.infinity, 1, .nan])])
    #expect(infinite[2].integers == [0])
  }
}
