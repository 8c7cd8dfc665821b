// ResizeTests: Resize and Upsample: which element "nearest" takes, weights, layouts, symbols, refusals.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors
import Testing

@Suite struct ResizeTests {
  private func resize(
    _ mode: String, _ attributes: [String: Attribute] = [:], opset: Int = OperatorTable.latestOpset
  ) -> OperatorHarness {
    OperatorHarness(
      "Resize", opset: opset,
      attributes: attributes.merging(["mode": .string(Array(mode.utf8))]) { $1 })
  }

  private static func text(_ text: String) -> Attribute { .string(Array(text.utf8)) }

  /// Elements that say where they stand.
  private func line(_ count: Int) throws -> Tensor { try Tensor((0..<count).map { Float($0) }) }

  /// What ONNX Runtime 1.32 takes. Single precision puts some of these on the other side of the middle.
  @Test(arguments: [
    ("half_pixel", "round_prefer_floor", 14, 19, 9, 6),
    ("half_pixel", "round_prefer_floor", 26, 37, 18, 12),
    ("half_pixel", "round_prefer_ceil", 14, 1, 0, 7),
    ("half_pixel", "round_prefer_ceil", 20, 6, 4, 15),
    ("asymmetric", "round_prefer_floor", 7, 38, 19, 3),
    ("asymmetric", "round_prefer_ceil", 7, 2, 1, 4),
    ("half_pixel_symmetric", "floor", 5, 3, 1, 1), ("align_corners", "ceil", 5, 4, 1, 2),
    ("pytorch_half_pixel", "floor", 9, 1, 0, 0), ("tf_half_pixel_for_nn", "floor", 4, 2, 1, 3),
  ])
  func takesTheNearestElement(
    _ transformation: String, _ rounding: String, _ source: Int, _ target: Int, _ place: Int,
    _ expected: Int
  ) throws {
    let node = resize(
      "nearest",
      [
        "coordinate_transformation_mode": Self.text(transformation),
        "nearest_mode": Self.text(rounding),
      ])
    let result = try node.run([line(source), nil, nil, Tensor([Int64(target)])])[0]
    #expect(result.shape == [target])
    #expect(try #require(result.elements(as: Float.self))[place] == Float(expected))
  }

  @Test func firstVersionsRoundUpWhenShrinking() throws {
    let x = try Tensor([Float(1), 2, 3, 4, 5, 6, 7, 8], shape: [1, 1, 2, 4])
    let scales = try Tensor([Float(1), 1, 0.6, 0.6])
    expectClose(
      try resize("nearest", opset: 10).run([x, scales])[0], [1, 3], shape: [1, 1, 1, 2])
  }

  @Test func upsamplesInEachOpset() throws {
    let x = try Tensor([Float(1), 2], shape: [1, 1, 1, 2])
    let expected: [Double] = [1, 1, 2, 2, 1, 1, 2, 2]
    let first = OperatorHarness(
      "Upsample", opset: 1, attributes: ["height_scale": .float(2), "width_scale": .float(2)])
    expectClose(try first.run([x])[0], expected, shape: [1, 1, 2, 4])
    let seventh = OperatorHarness(
      "Upsample", opset: 7, attributes: ["scales": .floats([1, 1, 2, 2])])
    expectClose(try seventh.run([x])[0], expected, shape: [1, 1, 2, 4])
    let ninth = OperatorHarness("Upsample", opset: 9)
    expectClose(
      try ninth.run([x, Tensor([Float(1), 1, 2, 2])])[0], expected, shape: [1, 1, 2, 4])
  }

  @Test func interpolatesBetweenElements() throws {
    let x = try Tensor([Float(1), 2, 3, 4], shape: [1, 1, 2, 2])
    let corners = resize("linear", ["coordinate_transformation_mode": Self.text("align_corners")])
    expectClose(
      try corners.run([x, nil, nil, Tensor([Int64(1), 1, 3, 3])])[0],
      [1, 1.5, 2, 2, 2.5, 3, 3, 3.5, 4], shape: [1, 1, 3, 3])
    expectClose(
      try resize("linear").run([line(2), nil, Tensor([Float(2)])])[0], [0, 0.25, 0.75, 1])
  }

  /// A cubic through a parabola, far from the borders, with a = -0.5, is the parabola.
  @Test func cubicsReproduceParabolas() throws {
    let x = try Tensor((0..<16).map { Double($0 * $0) })
    let node = resize(
      "cubic",
      [
        "cubic_coeff_a": .float(-0.5), "coordinate_transformation_mode": Self.text("asymmetric"),
      ])
    let result = try node.run([x, nil, Tensor([Float(4)])])[0]
    let values = try #require(result.elements(as: Double.self))
    for place in 8..<48 {
      let expected = Double(place * place) / 16
      #expect(abs(values[place] - expected) < 1e-12)
    }
  }

  @Test func antialiasAveragesWhatAPlaceCovers() throws {
    let x = try Tensor([Float(0), 0, 8, 0, 0, 0, 0, 0])
    let result = try resize("linear", ["antialias": .int(1)]).run([x, nil, Tensor([Float(0.5)])])[0]
    // Weights 1/8, 3/8, 3/8, 1/8 but for the borders.
    expectClose(result, [1, 3, 0, 0])
  }

  @Test func extrapolatesOutsideOfTheRegion() throws {
    let node = resize(
      "linear",
      [
        "coordinate_transformation_mode": Self.text("tf_crop_and_resize"),
        "extrapolation_value": .float(9),
      ])
    let region = try Tensor([Float(0), -0.5, 1, 1.5])
    let x = try Tensor([Float(0), 1, 2, 10, 11, 12], shape: [2, 3])
    let result = try node.run([x, region, nil, Tensor([Int64(2), 5])])[0]
    expectClose(result, [9, 0, 1, 2, 9, 9, 10, 11, 12, 9], shape: [2, 5])
  }

  @Test(arguments: [("not_larger", [3, 4]), ("not_smaller", [6, 8]), ("stretch", [6, 4])])
  func keepsTheAspectRatio(_ policy: String, _ expected: [Int]) throws {
    let node = resize(
      "nearest", ["axes": .ints([2, 1]), "keep_aspect_ratio_policy": Self.text(policy)])
    let x = try Tensor(zeros: .int16, shape: [2, 3, 4])
    let result = try node.run([x, nil, nil, Tensor([Int64(4), 6])])[0]
    #expect(result.shape == Shape([2] + expected))
  }

  @Test func cutsLinearIntegersAndRoundsCubicOnes() throws {
    let x = try Tensor([UInt8(0), 3, 255, 255])
    let scales = try Tensor([Float(2)])
    #expect(
      try resize("linear").run([x, nil, scales])[0].elements(as: UInt8.self)
        == [0, 0, 2, 66, 192, 255, 255, 255])
    let cubic = try #require(
      try resize("cubic").run([x, nil, scales])[0].elements(as: UInt8.self))
    #expect(cubic[5] == 255 && cubic[0] == 0)
  }

  @Test func copiesWhatKeepsItsShape() throws {
    let x = try line(10)
    expectClose(
      try resize("linear").run([x, nil, Tensor([Float(1.05)])])[0], (0..<10).map(Double.init))
  }

  @Test func keepsSymbols() throws {
    let shape: [Dimension] = [.symbol("N"), 3, .symbol("H"), .symbol("W")]
    let x = InferredValue(.tensor(.float32, shape: shape))
    func scales(_ values: [Float]) throws -> InferredValue {
      InferredValue(.tensor(.float32, shape: [4]), known: .tensor(try Tensor(values)))
    }
    let doubled = try resize("nearest").infer([x, nil, scales([1, 1, 2, 0.5])])[0]
    #expect(doubled?.type.shape == [.symbol("N"), 3, .symbol("H") * 2, .symbol("W") / 2])
    let other = try resize("nearest").infer([x, nil, scales([1, 1, 1.5, 1])])[0]
    #expect(other?.type.shape == [.symbol("N"), 3, .unknown, .symbol("W")])
    let sizes: [Dimension] = [.symbol("N"), 3, .symbol("A"), .symbol("B") + 1]
    let given = InferredValue(.tensor(.int64, shape: [4]), known: .dimensions(sizes))
    #expect(try resize("linear").infer([x, nil, nil, given])[0]?.type.shape == sizes)
  }

  @Test(
    arguments: [
      ([Float.nan], nil), ([.infinity], nil), ([0], nil), ([-1], nil), ([1e30], nil),
      ([1, 1], nil),
      (nil, [-1]), (nil, [1, 1]), ([2], [4]), (nil, nil),
    ] as [([Float]?, [Int64]?)])
  func refusesWhatMeansNothing(_ scales: [Float]?, _ sizes: [Int64]?) throws {
    let inputs = [
      try line(4), nil, try scales.map { try Tensor($0) }, try sizes.map { try Tensor($0) },
    ]
    #expect(throws: OperatorError.self) { try resize("linear").run(inputs) }
  }

  @Test func refusesToGrowNothing() throws {
    let empty = try Tensor([Float]())
    #expect(throws: OperatorError.self) {
      try resize("nearest").run([empty, nil, nil, Tensor([Int64(3)])])
    }
  }

  /// Strided operands, long rows, several blocks: the same as for contiguous ones, in any order of blocks.
  @Test(arguments: ["nearest", "linear", "cubic"])
  func stridesMakeNoDifference(_ mode: String) throws {
    var noise = Noise(5)
    let shape: Shape = [2, 3, 5001]
    let x = try noise.tensor(.float32, shape)
    let scales = try Tensor([Float(1), 2, 1.7])
    let expected = try resize(mode).run([x, nil, scales])[0]
    let input = Operand(.float32, shape, layout: .strided([15_003, 5001, 1]))
    let target = expected.shape
    let output = Operand(
      .float32, target, layout: .strided([6 * target[2] * 2 + 5, target[2] * 2, 2]))
    let request = KernelRequest(
      inputs: [input, nil, Operand(.float32, [3])], outputs: [output], values: [2: scales])
    let kernel = try #require(
      try resize(mode).makeOperator(given: [true, false, true]).candidates(request).first
    ).bind(request)
    var result = [Float](repeating: -9, count: output.byteCount / 4 + 1)
    var scratch = [Double](repeating: .nan, count: kernel.scratchPerWorker / 8 + 1)
    try x.withUnsafeBytes { from in
      try result.withUnsafeMutableBytes { to in
        try scratch.withUnsafeMutableBytes { scratch in
          let pointers = [
            UnsafeMutableRawPointer(mutating: from.baseAddress), nil, nil, to.baseAddress,
          ]
          let base = try #require(scratch.baseAddress)
          let invocation = Invocation(
            operands: pointers, inputCount: 3, scratch: base, sharedScratch: base)
          #expect(kernel.phases[0].blockCount > 1)
          for block in (0..<kernel.phases[0].blockCount).reversed() {
            try kernel.phases[0].body(invocation, block)
          }
        }
      }
    }
    let wanted = try #require(expected.elements(as: Float.self))
    let strides = try #require(output.strides)
    var wrong = 0
    for index in wanted.indices {
      let (row, column) = (index / target[2], index % target[2])
      let place = row / 6 * strides[0] + row % 6 * strides[1] + column * 2
      if result[place] != wanted[index] || result[place + 1] != -9 { wrong += 1 }
    }
    #expect(wrong == 0)
  }
}
