// BinaryMathTests: broadcasting of every opset, integer rules, symbolic shape computations.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors
import Testing

@Suite struct BinaryMathTests {
  static let shapes: [(Shape, Shape)] = [
    ([2, 3, 4], [2, 3, 4]), ([2, 3, 4], []), ([], [5]), ([2, 3, 4, 5], [3, 1, 1]),
    ([4, 1], [1, 7]),
    ([2, 1, 4, 1], [3, 1, 5]), ([0, 3], [1, 3]), ([40_000], [40_000]), ([3, 20_000], [3, 1]),
    ([1, 1, 1], [1]),
  ]

  /// The index of an element of an operand broadcast to `shape`, by the definition.
  private func element(_ position: Int, of shape: Shape, in operand: Shape) -> Int {
    var rest = position
    var index = 0
    var step = 1
    for back in 1..<(shape.rank + 1) {
      let extent = shape[shape.rank - back]
      let coordinate = rest % extent
      rest /= extent
      guard back <= operand.rank else { continue }
      let own = operand[operand.rank - back]
      index += (own == 1 ? 0 : coordinate) * step
      step *= own
    }
    return index
  }

  @Test(arguments: shapes)
  func broadcastsAsNumpyDoes(_ left: Shape, _ right: Shape) throws {
    let a = (0..<left.elementCount).map { Float($0 % 1000) }
    let b = (0..<right.elementCount).map { Float($0 % 77) * 0.5 }
    let result = try OperatorHarness("Sub").run([Tensor(a, shape: left), Tensor(b, shape: right)])[
      0]
    let shape = try #require(left.broadcast(with: right))
    #expect(result.shape == shape)
    let expected = (0..<shape.elementCount).map {
      a[element($0, of: shape, in: left)] - b[element($0, of: shape, in: right)]
    }
    #expect(result.elements(as: Float.self) == expected)
  }

  @Test func shapesThatDoNotGoTogetherAreRefused() throws {
    #expect(throws: OperatorError.self) {
      try OperatorHarness("Add").run([Tensor([Float(1), 2]), Tensor([Float(1), 2, 3])])
    }
    #expect(throws: OperatorError.self) {
      try OperatorHarness("Add", opset: 6).run([Tensor([Float(1), 2]), Tensor([Float(1)])])
    }
  }

  @Test func axisOfOldOpsets() throws {
    let x = try Tensor((0..<12).map { Float($0) }, shape: [2, 3, 2])
    let old = OperatorHarness("Add", opset: 6, attributes: ["broadcast": .int(1), "axis": .int(1)])
    expectClose(
      try old.run([x, Tensor([Float(10), 20, 30])])[0],
      [10, 11, 22, 23, 34, 35, 16, 17, 28, 29, 40, 41], shape: [2, 3, 2])
    let slopes = OperatorHarness("PRelu", opset: 6)
    expectClose(
      try slopes.run([Tensor([Float(-1), -2, -3, -4], shape: [1, 2, 2]), Tensor([Float(2), 3])])[0],
      [-2, -4, -9, -12])
  }

  @Test func integerDivision() throws {
    let div = OperatorHarness("Div")
    expectClose(
      try div.run([Tensor([Int32(7), -7, .min]), Tensor([Int32(2), 2, -1])])[0],
      [3, -3, Double(Int32.min)])
    #expect(throws: OperatorError.self) {
      try div.run([Tensor([Int64(1)]), Tensor([Int64(0)])])
    }
    expectClose(
      try OperatorHarness("Mod").run([Tensor([Int8(-7), 7, -128]), Tensor([Int8(3), -3, -1])])[0],
      [2, -2, 0])
    let fmod = OperatorHarness("Mod", attributes: ["fmod": .int(1)])
    expectClose(try fmod.run([Tensor([Int8(-7), 7]), Tensor([Int8(3), -3])])[0], [-1, 1])
    expectClose(try fmod.run([Tensor([Float(-7.5)]), Tensor([Float(2)])])[0], [-1.5])
    let x: [Double] = [-7.5, 7.5, -4, 0, -0.0, 3, 3, -3, .infinity, 1, .nan]
    let y: [Double] = [2, -2, -2, -2, 2, .infinity, -.infinity, .infinity, 2, 0, 1]
    let floored: [Double] = [0.5, -0.5, -0.0, -0.0, 0, 3, -.infinity, .infinity, .nan, .nan, .nan]
    let result = try OperatorHarness("Mod").run([Tensor(x), Tensor(y)])[0]
    expectClose(result, floored)
    #expect(zip(result.doubles, floored).allSatisfy { $0.isNaN || $0.sign == $1.sign })
    expectClose(
      try OperatorHarness("Mod").run([Tensor(x.map { Float($0) }), Tensor(y.map { Float($0) })])[0],
      floored)
  }

  @Test func overflowWraps() throws {
    expectClose(
      try OperatorHarness("Add").run([Tensor([UInt8(250)]), Tensor([UInt8(10)])])[0], [4])
    expectClose(
      try OperatorHarness("Mul").run([Tensor([Int16(300)]), Tensor([Int16(300)])])[0],
      [Double(Int16(truncatingIfNeeded: 90_000))])
  }

  @Test func powersOfMixedTypes() throws {
    let pow = OperatorHarness("Pow")
    expectClose(try pow.run([Tensor([Float(3), -2]), Tensor([Float(2)])])[0], [9, 4])
    expectClose(try pow.run([Tensor([Int32(3), 2]), Tensor([Float(2), 0.5])])[0], [9, 1])
    expectClose(try pow.run([Tensor([Float(2), 4]), Tensor([Int64(3), -1])])[0], [8, 0.25])
    expectClose(try pow.run([Tensor([Int64(2), 2]), Tensor([Int64(10), -1])])[0], [1024, 0])
  }

  @Test func variadicFunctions() throws {
    let inputs = [
      try Tensor([Float(1), 5]), try Tensor([Float(3)]), try Tensor([Float(2), .nan]),
    ]
    expectClose(try OperatorHarness("Sum").run(inputs)[0], [6, .nan])
    expectClose(try OperatorHarness("Mean").run(inputs)[0], [2, .nan])
    expectClose(try OperatorHarness("Max").run(inputs)[0], [3, .nan])
    expectClose(try OperatorHarness("Min").run([inputs[0]])[0], [1, 5])
  }

  /// What has no kernel is told while planning: a model with it does not load as if it would run.
  @Test(arguments: [DataType.int32, .uint8, .bool])
  func theMeanOfIntegersIsRefusedBeforeItRuns(type: DataType) throws {
    let operand = Operand(type, [4])
    let request = KernelRequest(inputs: [operand, operand], outputs: [operand])
    let mean = try OperatorHarness("Mean").makeOperator(given: [true, true])
    #expect(throws: OperatorError.self) { try mean.candidates(request) }
  }

  @Test func comparisonsAndLogicGiveBools() throws {
    let less = try OperatorHarness("Less").run([Tensor([Float(1), 2, .nan]), Tensor([Float(2)])])[0]
    #expect(less.elements(as: Bool.self) == [true, false, false])
    let xor = try OperatorHarness("Xor").run([Tensor([true, true]), Tensor([true, false])])[0]
    #expect(xor.elements(as: Bool.self) == [false, true])
    let shift = OperatorHarness("BitShift", attributes: ["direction": .string(Array("LEFT".utf8))])
    expectClose(try shift.run([Tensor([UInt8(3), 3]), Tensor([UInt8(7), 8])])[0], [128, 0])
    expectClose(try shift.run([Tensor([Int8(64), -1]), Tensor([Int8(1), -1])])[0], [-128, 0])
    let right = OperatorHarness("BitShift", attributes: ["direction": .string(Array("RIGHT".utf8))])
    expectClose(
      try right.run([Tensor([Int8(-8), -8, 4, -1, 4]), Tensor([Int8(1), 8, 9, -1, -1])])[0],
      [-4, -1, 0, -1, 0])
    expectClose(try right.run([Tensor([UInt8(200)]), Tensor([UInt8(8)])])[0], [0])
  }

  @Test func stringsAreEqualOrNot() throws {
    let equal = OperatorHarness("Equal")
    func run(_ left: Tensor, _ right: Tensor) throws -> Tensor {
      try #require(try equal.run(values: [.tensor(left), .tensor(right)])[0].tensor)
    }
    let words = try Tensor(strings: ["a", "b", "", "a", "ä", "b"], shape: [3, 2])
    let same = try run(words, words)
    #expect(same.elements(as: Bool.self) == Array(repeating: true, count: 6))
    let row = try run(words, Tensor(strings: ["a", "b"]))
    #expect(row.shape == [3, 2])
    #expect(row.elements(as: Bool.self) == [true, true, false, false, false, true])
    let both = try run(
      Tensor(strings: ["a", "b"], shape: [2, 1]), Tensor(strings: ["b", "", "a"]))
    #expect(both.elements(as: Bool.self) == [false, false, true, true, false, false])
    #expect(try run(Tensor(strings: [], shape: [0, 1]), words.reshaped([1, 6])).shape == [0, 6])
    #expect(throws: OperatorError.self) { try run(words, Tensor(strings: ["a", "b", "c"])) }
  }

  /// Quotients near whole numbers, and beyond what integers hold.
  @Test func remaindersAreExact() throws {
    var noise = Noise(7)
    let x = noise.doubles(4000).enumerated().map { Float($1 * Double(1 << ($0 % 40))) }
    let y = noise.doubles(4000).map { Float($0) }
    let fmod = OperatorHarness("Mod", attributes: ["fmod": .int(1)])
    let result = try fmod.run([Tensor(x), Tensor(y)])[0].elements(as: Float.self)
    let expected = zip(x, y).map { $0.truncatingRemainder(dividingBy: $1) }
    #expect(result == expected)
    let whole = try fmod.run([Tensor(y.map { $0 * 3 }), Tensor(y)])[0].elements(as: Float.self)
    #expect(whole == y.map { ($0 * 3).truncatingRemainder(dividingBy: $0) })
  }

  @Test func integerPowersWrap() throws {
    let pow = OperatorHarness("Pow")
    let bytes = try pow.run([
      Tensor([Int8(3), -1, -1, 2, 0, 5]), Tensor([Int8(5), -3, -4, -1, -1, 0]),
    ])
    #expect(bytes[0].elements(as: Int8.self) == [-13, -1, 1, 0, 0, 1])
    let wide = try pow.run([Tensor([UInt64(3), 2]), Tensor([UInt64(1) << 63 + 1, 64])])[0]
    #expect(wide.elements(as: UInt64.self) == [3, 0])
  }

  @Test func shapeComputationsStaySymbolic() throws {
    func vector(_ dimensions: [Dimension]) -> InferredValue {
      InferredValue(
        .tensor(.int64, shape: [.fixed(dimensions.count)]), known: .dimensions(dimensions))
    }
    let inferred = try OperatorHarness("Mul").infer([vector([.symbol("n"), 3]), vector([2, 4])])
    guard case .dimensions(let dimensions)? = inferred[0]?.known else {
      Issue.record("the product of known extents is not known")
      return
    }
    #expect(dimensions == [.symbol("n") * 2, 12])
  }
}
