// ReductionsTests: every reduction against sums written down plainly, its axes, its empty sets, its cuts.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct ReductionsTests {
  /// A reduction of a list, in double.
  struct Plain: Sendable, CustomTestStringConvertible {
    let name: String
    let apply: @Sendable ([Double]) -> Double
    var testDescription: String { name }
  }

  static let functions: [Plain] = [
    Plain(name: "ReduceSum") { $0.reduce(0, +) },
    Plain(name: "ReduceMean") { $0.reduce(0, +) / Double($0.count) },
    Plain(name: "ReduceMax") { $0.reduce(-.infinity, max) },
    Plain(name: "ReduceMin") { $0.reduce(.infinity, min) },
    Plain(name: "ReduceProd") { $0.reduce(1, *) },
    Plain(name: "ReduceSumSquare") { $0.reduce(0) { $0 + $1 * $1 } },
    Plain(name: "ReduceL1") { $0.reduce(0) { $0 + abs($1) } },
    Plain(name: "ReduceL2") { $0.reduce(0) { $0 + $1 * $1 }.squareRoot() },
  ]

  /// The reduction of a tensor, element by element.
  private func expected(_ plain: Plain, _ values: [Double], _ shape: Shape, _ axes: Set<Int>)
    -> [Double]
  {
    let strides = shape.rowMajorStrides
    var groups: [Int: [Double]] = [:]
    for (index, value) in values.enumerated() {
      var key = 0
      for axis in shape.indices where !axes.contains(axis) {
        key = key * shape[axis] + index / strides[axis] % shape[axis]
      }
      groups[key, default: []].append(value)
    }
    return groups.keys.sorted().map { plain.apply(groups[$0, default: []]) }
  }

  @Test(
    arguments: functions,
    [
      [0], [1], [2], [3], [0, 1], [2, 3], [1, 3], [0, 2], [0, 3], [0, 1, 2, 3], [-1], [-3, -1],
    ])
  func reducesAnyAxes(_ plain: Plain, _ axes: [Int]) throws {
    let shape: Shape = [3, 4, 5, 7]
    var noise = Noise(7)
    let values = noise.doubles(shape.elementCount)
    let chosen = Set(axes.map { $0 < 0 ? $0 + 4 : $0 })
    let wanted = expected(plain, values, shape, chosen)
    let kept = Shape(shape.indices.map { chosen.contains($0) ? 1 : shape[$0] })
    let x = try Tensor(values, shape: shape)
    let keeping = OperatorHarness(plain.name, opset: 18)
    expectClose(
      try keeping.run([x, Tensor(axes.map(Int64.init))])[0], wanted, shape: kept, relative: 1e-12,
      absolute: 1e-12)
    let dropped = Shape(shape.indices.filter { !chosen.contains($0) }.map { shape[$0] })
    let dropping = OperatorHarness(
      plain.name, opset: 11,
      attributes: ["axes": .ints(axes.map(Int64.init)), "keepdims": .int(0)])
    expectClose(
      try dropping.run([Tensor(values.map { Float($0) }, shape: shape)])[0], wanted,
      shape: dropped, relative: 1e-5, absolute: 1e-6)
  }

  @Test(arguments: ["ReduceLogSum", "ReduceLogSumExp"])
  func takesLogarithms(_ name: String) throws {
    let x = try Tensor([Float(1), 2, 3, 4, 5, 6], shape: [2, 3])
    let operation = OperatorHarness(name, opset: 18, attributes: ["keepdims": .int(0)])
    let wanted: [Double] =
      name == "ReduceLogSum" ? [1.791759469, 2.708050201] : [3.407605964, 6.407605964]
    expectClose(try operation.run([x, Tensor([Int64(1)])])[0], wanted, shape: [2])
    // Along the outer axis too: sums 5, 7, 9; exponentials e^1 + e^4 and so on.
    let columns: [Double] =
      name == "ReduceLogSum"
      ? [1.609437912, 1.945910149, 2.197224577] : [4.048587352, 5.048587352, 6.048587352]
    expectClose(try operation.run([x, Tensor([Int64(0)])])[0], columns, shape: [3])
  }

  @Test func logSumExpNeitherOverflowsNorLosesInfinities() throws {
    let x = try Tensor(
      [Float(1000), 1000, -1000, -1000, .infinity, 0, -.infinity, -.infinity, .nan, 1],
      shape: [5, 2])
    let result = try OperatorHarness("ReduceLogSumExp").run([x, Tensor([Int64(1)])])[0]
    expectClose(
      result, [1000.693147, -999.306853, .infinity, -.infinity, .nan], shape: [5, 1])
  }

  @Test func noAxesMeanAllUnlessTheNodeSaysNone() throws {
    let x = try Tensor([Float(1), -2, 3, 4], shape: [2, 2])
    expectClose(try OperatorHarness("ReduceSum", opset: 13).run([x])[0], [6], shape: [1, 1])
    expectClose(
      try OperatorHarness("ReduceSum", opset: 1, attributes: ["keepdims": .int(0)]).run([x])[0],
      [6], shape: [])
    let none = ["noop_with_empty_axes": Attribute.int(1)]
    expectClose(
      try OperatorHarness("ReduceSum", opset: 13, attributes: none)
        .run([x, Tensor([Int64]())])[0], [1, -2, 3, 4], shape: [2, 2])
    expectClose(
      try OperatorHarness("ReduceSumSquare", attributes: none).run([x])[0], [1, 4, 9, 16],
      shape: [2, 2])
    expectClose(
      try OperatorHarness("ReduceL1", attributes: none).run([x])[0], [1, 2, 3, 4], shape: [2, 2])
  }

  @Test(arguments: [
    ("ReduceSum", 0), ("ReduceProd", 1), ("ReduceMax", -Double.infinity), ("ReduceMin", .infinity),
    ("ReduceSumSquare", 0), ("ReduceL1", 0), ("ReduceL2", 0), ("ReduceLogSum", -.infinity),
    ("ReduceLogSumExp", -.infinity), ("ReduceMean", .nan),
  ])
  func anEmptySetGivesTheIdentity(_ name: String, _ identity: Double) throws {
    let x = try Tensor([Float](), shape: [2, 0, 3])
    let result = try OperatorHarness(name, opset: 20).run([x, Tensor([Int64(1)])])[0]
    expectClose(result, Array(repeating: identity, count: 6), shape: [2, 1, 3])
    let kept = try OperatorHarness(name, opset: 20).run([x, Tensor([Int64(2)])])[0]
    #expect(kept.shape == [2, 0, 1])
  }

  @Test func emptySetsOfOtherTypesGiveTheirOwnLimits() throws {
    let axes = try Tensor([Int64(0)])
    expectClose(
      try OperatorHarness("ReduceMax").run([Tensor([Int32]()), axes])[0], [Double(Int32.min)])
    expectClose(try OperatorHarness("ReduceMin").run([Tensor([UInt8]()), axes])[0], [255])
    expectClose(try OperatorHarness("ReduceMax").run([Tensor([Bool]()), axes])[0], [0])
    expectClose(try OperatorHarness("ReduceMin").run([Tensor([Bool]()), axes])[0], [1])
    #expect(throws: OperatorError.self) {
      try OperatorHarness("ReduceMean").run([Tensor([Int64]()), axes])
    }
  }

  @Test func integersWrapAndCutTowardsZero() throws {
    let axes = try Tensor([Int64(0)])
    let x = try Tensor([Int32.max, 2, -7])
    expectClose(
      try OperatorHarness("ReduceSum").run([x, axes])[0], [Double(Int32.max) - 5])
    expectClose(
      try OperatorHarness("ReduceSum").run([Tensor([Int32.max, 1]), axes])[0], [Double(Int32.min)])
    expectClose(try OperatorHarness("ReduceMean").run([Tensor([Int32(-1), -4]), axes])[0], [-2])
    expectClose(try OperatorHarness("ReduceL2").run([Tensor([Int64(3), -5]), axes])[0], [5])
    expectClose(try OperatorHarness("ReduceL1").run([Tensor([Int64(3), -5]), axes])[0], [8])
    expectClose(
      try OperatorHarness("ReduceSum").run([Tensor([UInt64.max, 3]), axes])[0], [2])
  }

  @Test func extremaTakeBoolsAndKeepNaN() throws {
    let x = try Tensor([true, false, false, false], shape: [2, 2])
    let axes = try Tensor([Int64(1)])
    #expect(
      try OperatorHarness("ReduceMax", opset: 20).run([x, axes])[0].elements(as: Bool.self)
        == [true, false])
    #expect(
      try OperatorHarness("ReduceMin", opset: 20).run([x, axes])[0].elements(as: Bool.self)
        == [false, false])
    let odd = try Tensor([Float(1), .nan, 2, 3], shape: [2, 2])
    expectClose(try OperatorHarness("ReduceMax").run([odd, axes])[0], [.nan, 3])
    expectClose(try OperatorHarness("ReduceMin").run([odd, axes])[0], [.nan, 2])
  }

  /// Longer than one cut, as one run, as rows, and as many short runs.
  @Test(arguments: [
    ([140_001], [0]), ([70_000, 2], [0]), ([2, 66_000], [1]), ([300, 2, 300], [0, 2]),
    ([33_000, 2, 1, 3], [0, 3]),
  ])
  func longReductionsAreCutAndJoined(_ extents: [Int], _ axes: [Int]) throws {
    let shape = Shape(extents)
    var noise = Noise(11)
    let values = noise.doubles(shape.elementCount)
    let x = try Tensor(values, shape: shape)
    let axesInput = try Tensor(axes.map(Int64.init))
    for plain in Self.functions where ["ReduceSum", "ReduceMax"].contains(plain.name) {
      let result = try OperatorHarness(plain.name, opset: 18).run([x, axesInput])[0]
      expectClose(
        result, expected(plain, values, shape, Set(axes)), relative: 1e-9, absolute: 1e-9)
    }
    let logarithms = try OperatorHarness("ReduceLogSumExp").run([x, axesInput])[0]
    let exponentials = try OperatorHarness("Exp").run([x])[0]
    expectClose(
      try OperatorHarness("Exp").run([logarithms])[0],
      try OperatorHarness("ReduceSum").run([exponentials, axesInput])[0].doubles, relative: 1e-9)
  }

  @Test func aBatchDoesNotChangeTheBits() throws {
    var noise = Noise(3)
    let one = try noise.tensor(.float32, [1, 5, 9, 11])
    let elements = try #require(one.elements(as: Float.self))
    let two = try Tensor(elements + elements, shape: [2, 5, 9, 11])
    for name in ["ReduceMean", "ReduceLogSumExp"] {
      for axes in [[2, 3], [1], [1, 3]] {
        let harness = OperatorHarness(name, attributes: [:])
        let input = try Tensor(axes.map(Int64.init))
        let alone = try #require(try harness.run([one, input])[0].elements(as: Float.self))
        let both = try #require(try harness.run([two, input])[0].elements(as: Float.self))
        #expect(both == alone + alone)
      }
    }
  }

  @Test func shapesStaySymbolic() throws {
    let batch = Dimension.symbol("batch")
    let mean = OperatorCase("ReduceMean", opset: 13, ["axes": .ints([2, 3])])
    #expect(try mean.inferred([[batch, 8, 7, 7]]) == [[batch, 8, 1, 1]])
    let unknownAxes = OperatorHarness("ReduceMean", opset: 18)
    let axes = InferredValue(.tensor(.int64, shape: [1]))
    let x = InferredValue(.tensor(.float32, shape: [batch, 8]))
    #expect(try unknownAxes.infer([x, axes])[0]?.type.shape == [.unknown, .unknown])
  }

  @Test(arguments: [("ReduceProd", 1), ("ReduceSum", 0), ("ReduceMax", 0)])
  func elementsOfShapesAreReduced(_ name: String, _ keepsDimensions: Int) throws {
    let batch = Dimension.symbol("batch")
    let shape = InferredValue(
      .tensor(.int64, shape: [3]), known: .dimensions([batch, 3, 4]))
    let result = try OperatorHarness(
      name, opset: 12, attributes: ["keepdims": .int(Int64(keepsDimensions))]
    ).infer([shape])[0]
    guard case .dimensions(let known) = result?.known else {
      Issue.record("nothing is known of the elements")
      return
    }
    let wanted: Dimension =
      switch name {
      case "ReduceProd": batch * 12
      case "ReduceSum": batch + 7
      default: .combine(.maximum, .combine(.maximum, batch, 3), 4)
      }
    #expect(known == [wanted])
    #expect(result?.type.shape == (keepsDimensions == 1 ? [1] : []))
  }

  @Test func badAxesAndTypesAreRefused() throws {
    let x = try Tensor([Float(1), 2], shape: [1, 2])
    for axis in [2, -3, Int64.max, .min] {
      #expect(throws: OperatorError.self) {
        try OperatorHarness("ReduceSum").run([x, Tensor([axis])])
      }
    }
    #expect(throws: OperatorError.self) {
      try OperatorHarness("ReduceSum").run([Tensor([true]), Tensor([Int64(0)])])
    }
  }
}
