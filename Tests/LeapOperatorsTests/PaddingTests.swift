// PaddingTests: Pad in every mode, with crops, axes, types and layouts.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors
import Testing

@Suite struct PaddingTests {
  private func pad(_ mode: String, opset: Int = OperatorTable.latestOpset) -> OperatorHarness {
    OperatorHarness("Pad", opset: opset, attributes: ["mode": .string(Array(mode.utf8))])
  }

  private static let five: [Float] = [1, 2, 3, 4, 5]

  @Test(arguments: [
    ("constant", [2, 1], [0, 0, 1, 2, 3, 4, 5, 0]), ("constant", [-1, 2], [2, 3, 4, 5, 0, 0]),
    ("constant", [-6, 7], [0, 0, 0, 0, 0, 0]), ("constant", [7, -6], [0, 0, 0, 0, 0, 0]),
    ("constant", [-3, -2], []), ("edge", [2, -2], [1, 1, 1, 2, 3]),
    ("edge", [2, 1], [1, 1, 1, 2, 3, 4, 5, 5]), ("reflect", [2, 1], [3, 2, 1, 2, 3, 4, 5, 4]),
    ("reflect", [4, 4], [5, 4, 3, 2, 1, 2, 3, 4, 5, 4, 3, 2, 1]),
    ("reflect", [-1, 2], [2, 3, 4, 5, 4, 3]), ("reflect", [-2, -1], [3, 4]),
    ("wrap", [2, 1], [4, 5, 1, 2, 3, 4, 5, 1]), ("wrap", [4, -2], [3, 1, 2, 3, 1, 2, 3]),
    ("wrap", [7, 0], [4, 5, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5]),
  ])
  func padsOneAxis(_ mode: String, _ pads: [Int64], _ expected: [Double]) throws {
    let result = try pad(mode).run([Tensor(Self.five), Tensor(pads)])[0]
    expectClose(result, expected, shape: [expected.count])
  }

  @Test(arguments: [
    ("reflect", 5, [5, 0]), ("reflect", 5, [3, -2]), ("reflect", 1, [1, 0]), ("edge", 0, [1, 0]),
    ("wrap", 5, [-5, 1]), ("constant", 5, [-3, -3]), ("constant", 5, [.max, 1]),
    ("constant", 5, [.min, .max]), ("constant", 5, [1, 1, 1]),
  ])
  func refusesWhatCannotBe(_ mode: String, _ extent: Int, _ pads: [Int64]) throws {
    let data = try Tensor([Float](repeating: 1, count: extent))
    #expect(throws: OperatorError.self) { try pad(mode).run([data, Tensor(pads)]) }
  }

  @Test func padsTwoAxesWithAConstant() throws {
    let data = try Tensor([Int8(1), 2, 3, 4], shape: [2, 2])
    let result = try pad("constant").run([
      data, Tensor([Int64(1), 0, 0, 1]), Tensor(scalar: Int8(9)),
    ])[0]
    expectClose(result, [9, 9, 9, 1, 2, 9, 3, 4, 9], shape: [3, 3])
  }

  @Test(arguments: [[Int64(1)], [-2]])
  func padsNamedAxes(_ axes: [Int64]) throws {
    let data = try Tensor([1.0, 2, 3, 4, 5, 6], shape: [1, 3, 2])
    let result = try pad("reflect").run([data, Tensor([Int64(1), -1]), nil, Tensor(axes)])[0]
    expectClose(result, [3, 4, 1, 2, 3, 4], shape: [1, 3, 2])
    #expect(throws: OperatorError.self) {
      try pad("edge").run([data, Tensor([Int64(1), 1, 1, 1]), nil, Tensor([Int64(1), -2])])
    }
  }

  @Test func oldOpsetsTakeAttributes() throws {
    let values: [String: Attribute] = ["value": .float(3)]
    let first = OperatorHarness(
      "Pad", opset: 1, attributes: values.merging(["paddings": .ints([1, 2])]) { $1 })
    expectClose(try first.run([Tensor([Float(7)])])[0], [3, 7, 3, 3])
    let second = OperatorHarness(
      "Pad", opset: 2, attributes: values.merging(["pads": .ints([0, 1])]) { $1 })
    expectClose(try second.run([Tensor([7.0])])[0], [7, 3])
  }

  @Test func cropsAndPadsAroundTheCentre() throws {
    let data = try Tensor((1...15).map { Float($0) }, shape: [3, 5])
    let node = OperatorHarness("CenterCropPad")
    expectClose(
      try node.run([data, Tensor([Int64(4), 2])])[0], [2, 3, 7, 8, 12, 13, 0, 0], shape: [4, 2])
    let columns = OperatorHarness("CenterCropPad", attributes: ["axes": .ints([-1])])
    expectClose(
      try columns.run([data, Tensor([Int64(8)])])[0],
      [0, 1, 2, 3, 4, 5, 0, 0, 0, 6, 7, 8, 9, 10, 0, 0, 0, 11, 12, 13, 14, 15, 0, 0],
      shape: [3, 8])
    #expect(throws: OperatorError.self) { try node.run([data, Tensor([Int64(4), -2])]) }
    #expect(throws: OperatorError.self) { try node.run([data, Tensor([Int64(4)])]) }
  }

  @Test func keepsSymbols() throws {
    let inputs = [
      InferredValue(.tensor(.float32, shape: [.symbol("N"), .symbol("W")])),
      InferredValue(
        .tensor(.int64, shape: [4]), known: .dimensions([0, 1, 0, .symbol("P")])),
    ]
    let output = try pad("constant").infer(inputs)[0]
    #expect(output?.type.shape == [.symbol("N"), .symbol("W") + (1 + .symbol("P"))])
  }

  /// The place in the source that a padded place shows, by the definition of each mode.
  private func source(_ place: Int, _ extent: Int, _ mode: String) -> Int? {
    switch mode {
    case "edge": min(max(place, 0), extent - 1)
    case "reflect": place < 0 ? -place : place < extent ? place : 2 * extent - 2 - place
    case "wrap": (place % extent + extent) % extent
    default: (0..<extent).contains(place) ? place : nil
    }
  }

  /// Enough elements for several blocks, read and written inside of larger buffers.
  @Test(arguments: ["constant", "edge", "reflect", "wrap"])
  func padsThreeAxesOfStridedOperands(_ mode: String) throws {
    let shape: Shape = [5, 120, 130]
    let padded: Shape = [8, 123, 132]
    let pads: [Int64] = [2, -1, 1, 1, 4, 1]
    let input = Operand(.int32, shape, layout: .strided([120 * 140 + 7, 140, 1]))
    let output = Operand(.int32, padded, layout: .strided([123 * 132 * 2, 132 * 2, 2]))
    let request = KernelRequest(
      inputs: [input, Operand(.int64, [6])], outputs: [output],
      values: [1: try Tensor(pads)])
    let kernel = try #require(
      try pad(mode).makeOperator(given: [true, true]).candidates(request).first
    ).bind(request)
    var elements = [Int32](repeating: 0, count: input.byteCount / 4)
    for index in elements.indices { elements[index] = Int32(index) }
    var result = [Int32](repeating: -1, count: output.byteCount / 4)
    try elements.withUnsafeMutableBytes { from in
      try result.withUnsafeMutableBytes { to in
        let pointers = [from.baseAddress, nil, to.baseAddress]
        let base = try #require(from.baseAddress)
        let invocation = Invocation(
          operands: pointers, inputCount: 2, scratch: base, sharedScratch: base)
        #expect(kernel.phases[0].blockCount > 1)
        for block in (0..<kernel.phases[0].blockCount).reversed() {
          try kernel.phases[0].body(invocation, block)
        }
      }
    }
    // The second axis is cropped by one in front.
    let first = (0..<padded[0]).map { source($0 - 2, 5, mode) }
    let second = (0..<padded[1]).map { source($0, 119, mode).map { $0 + 1 } }
    let third = (0..<padded[2]).map { source($0 - 1, 130, mode) }
    var wrong = 0
    for a in 0..<padded[0] {
      for b in 0..<padded[1] {
        for c in 0..<padded[2] {
          var expected = 0
          if let x = first[a], let y = second[b], let z = third[c] {
            expected = x * (120 * 140 + 7) + y * 140 + z
          }
          if result[(a * 123 + b) * 264 + c * 2] != Int32(expected) { wrong += 1 }
        }
      }
    }
    #expect(wrong == 0)
    #expect(result[1] == -1, "the gaps between strided elements are not touched")
  }
}
