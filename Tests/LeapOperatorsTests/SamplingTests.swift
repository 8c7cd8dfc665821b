// SamplingTests: places and boxes that no image has: NaN, infinity, far off. Agreement with ONNX Runtime is in the operator cases.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct SamplingTests {
  static let paddings = ["zeros", "border", "reflection"]

  @Test(arguments: ["linear", "nearest", "cubic"], paddings)
  func placesThatAreNoneStayInside(mode: String, padding: String) throws {
    let x = try Tensor((0..<6).map { Float($0) }, shape: [1, 1, 2, 3])
    let places: [Float] = [.nan, 0, .infinity, -.infinity, 1e30, -1e30, 5, -5, 0, .nan]
    for corners in [Int64(0), 1] {
      let y = try OperatorHarness(
        "GridSample",
        attributes: [
          "mode": .string(Array(mode.utf8)), "padding_mode": .string(Array(padding.utf8)),
          "align_corners": .int(corners),
        ]
      ).run([x, Tensor(places, shape: [1, 5, 1, 2])])[0]
      #expect(y.shape == [1, 1, 5, 1])
      let bound: Double = padding == "zeros" ? 10 : 12
      #expect(y.doubles.allSatisfy { $0.magnitude <= bound })
    }
  }

  private func grid(_ mode: String, _ x: Tensor, _ places: Tensor) throws -> Tensor {
    try OperatorHarness(
      "GridSample",
      attributes: ["mode": .string(Array(mode.utf8)), "align_corners": .int(1)]
    ).run([x, places])[0]
  }

  @Test func integersBetweenPixelsAreCutAndStayInRange() throws {
    let places = try Tensor([Float(-0.5), 0, 0.25, 1], shape: [1, 2, 1, 2])
    let x = try Tensor([UInt8(0), 255, 255, 7, 0, 255], shape: [1, 1, 2, 3])
    // Halfway between 0 and 255 above, 7 and 0 below; then a quarter of the way from 0 to 255.
    let y = try grid("linear", x, places)
    #expect(y.elements(as: UInt8.self) == [65, 63])
    // A cubic goes beyond the pixels around.
    let edge = try Tensor([UInt8(255), 255, 255, 255, 0, 0], shape: [1, 1, 1, 6])
    let over = try grid("cubic", edge, Tensor([Float(0), -1], shape: [1, 1, 1, 2]))
    #expect(over.elements(as: UInt8.self) == [255])
    let signed = try Tensor([Int16(-3), 0], shape: [1, 1, 1, 2])
    #expect(
      try grid("linear", signed, Tensor([Float(0), 0], shape: [1, 1, 1, 2]))
        .elements(as: Int16.self) == [-1])
  }

  @Test func theNearestPixelsAreOfAnyType() throws {
    let places = try Tensor([Double(-1), 0, 1, 0, 5, 0], shape: [1, 3, 1, 2])
    let words = try Tensor(strings: ["a", "b", "c"]).reshaped([1, 1, 1, 3])
    #expect(try grid("nearest", words, places).strings == ["a", "c", ""])
    let large = try Tensor([Int64.max, 0, .min + 1], shape: [1, 1, 1, 3])
    #expect(
      try grid("nearest", large, places).elements(as: Int64.self) == [.max, .min + 1, 0])
    #expect(throws: OperatorError.self) { try grid("linear", words, places) }
  }

  @Test func boxesOfOtherImagesAreRefused() throws {
    let x = try Tensor(zeros: .float32, shape: [1, 1, 4, 4])
    let boxes = try Tensor([Float(0), 0, 2, 2], shape: [1, 4])
    for image in [Int64(-1), 1, .max] {
      #expect(throws: OperatorError.self) {
        try OperatorHarness("RoiAlign").run([x, boxes, Tensor([image])])
      }
    }
    for numbers: [Float] in [[1, 0, 0, 1, 1], [.nan, 0, 0, 1, 1], [-1, 0, 0, 1, 1]] {
      #expect(throws: OperatorError.self) {
        try OperatorHarness("MaxRoiPool", attributes: ["pooled_shape": .ints([2, 2])])
          .run([x, Tensor(numbers, shape: [1, 5])])
      }
    }
  }

  @Test func cropsOutsideAnImageAreFilled() throws {
    let x = try Tensor([Float(1), 2, 3, 4], shape: [1, 1, 2, 2])
    func crop(_ box: [Float], image: Int32 = 0, size: [Int32] = [1, 2]) throws -> [Double] {
      try OperatorHarness(
        "CropAndResize", opset: 1, domain: "com.microsoft",
        attributes: ["extrapolation_value": .float(-1)]
      ).run([x, Tensor(box, shape: [1, 4]), Tensor([image]), Tensor(size)])[0].doubles
    }
    #expect(try crop([0, 0, 1, 1]) == [2, 3])
    #expect(try crop([0, 0.5, 0, 1.5]) == [1.5, -1])
    for number: Float in [.nan, .infinity, -.infinity, 1e30, -1e30] {
      #expect(try crop([number, number, number, number]) == [-1, -1])
    }
    for image in [Int32(-1), 1, .max] {
      #expect(throws: OperatorError.self) { try crop([0, 0, 1, 1], image: image) }
    }
    for size in [[Int32(0), 2], [-1, 2], [2]] {
      #expect(throws: OperatorError.self) { try crop([0, 0, 1, 1], size: size) }
    }
  }

  @Test func hugeBoxesAreRefusedAndOddOnesAreNot() throws {
    let x = try Tensor(zeros: .float32, shape: [1, 1, 4, 4])
    let image = try Tensor([Int64(0)])
    #expect(throws: OperatorError.self) {
      try OperatorHarness("RoiAlign")
        .run([x, Tensor([Float(0), 0, 1e30, 1e30], shape: [1, 4]), image])
    }
    for numbers: [Float] in [[3, 3, 1, 1], [.nan, .nan, .nan, .nan], [-1e9, -1e9, -1e9, -1e9]] {
      let y = try OperatorHarness("RoiAlign")
        .run([x, Tensor(numbers, shape: [1, 4]), image])[0]
      #expect(y.doubles == [0])
    }
    let pooled = try OperatorHarness("MaxRoiPool", attributes: ["pooled_shape": .ints([1, 1])])
      .run([x, Tensor([Float(0), -.infinity, .nan, 1e30, 2], shape: [1, 5])])[0]
    #expect(pooled.doubles == [0])
  }

  @Test func sizesOfGridsAreChecked() throws {
    let theta = try Tensor(zeros: .float32, shape: [1, 2, 3])
    for size in [[1, 1, -1, 2], [1, 1, 2], [2, 1, 2, 2], [1, 1, 2, 2, 2], [1, 1, .max, .max]] {
      #expect(throws: (any Error).self) {
        try OperatorHarness("AffineGrid").run([theta, Tensor(size.map(Int64.init))])
      }
    }
  }

  @Test func conditionsLongerThanTheAxisAreRefused() throws {
    let x = try Tensor([Float(1), 2])
    #expect(throws: OperatorError.self) {
      try OperatorHarness("Compress").run([x, Tensor([false, false, true])])
    }
    let y = try OperatorHarness("Compress").run([x, Tensor([false, true, false])])[0]
    #expect(y.doubles == [2])
  }

  @Test func uniqueTakesNaNForOneValueAndBothZerosForOne() throws {
    let x = try Tensor([Float.nan, 0, 2, -0.0, .nan, -1])
    let y = try OperatorHarness("Unique", outputCount: 4).run([x])
    #expect(y[0].doubles.dropLast() == [-1, 0, 2])
    #expect(y[0].doubles.last?.isNaN == true)
    #expect(y[3].integers == [1, 2, 1, 2])
    let words = try Tensor(strings: ["b", "a", "b"])
    let sorted = try OperatorHarness("Unique", outputCount: 3).run([words])
    #expect(sorted[0].strings == ["a", "b"])
    #expect(sorted[2].integers == [1, 0, 1])
  }

  @Test func suppressionTakesEqualScoresInOrder() throws {
    let boxes = try Tensor(
      [Float](repeating: 0, count: 4) + [5, 5, 6, 6, 5, 5, 6, 6], shape: [1, 3, 4])
    let scores = try Tensor([Float(1), 1, 1], shape: [1, 1, 3])
    let y = try OperatorHarness("NonMaxSuppression")
      .run([boxes, scores, Tensor([Int64(9)]), Tensor([Float(0.5)])])[0]
    #expect(y.integers == [0, 0, 0, 0, 0, 1])
  }
}
