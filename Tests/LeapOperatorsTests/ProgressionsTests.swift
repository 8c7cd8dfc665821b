// ProgressionsTests: CumSum, CumProd, Range, Det, Inverse.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct ProgressionsTests {
  @Test(arguments: [
    (0, 0, [1.0, 3, 6, 10]), (1, 0, [0, 1, 3, 6]), (0, 1, [10, 9, 7, 4]), (1, 1, [9, 7, 4, 0]),
  ])
  func cumulates(_ exclusive: Int, _ reverse: Int, _ wanted: [Double]) throws {
    let attributes: [String: Attribute] = [
      "exclusive": .int(Int64(exclusive)), "reverse": .int(Int64(reverse)),
    ]
    let harness = OperatorHarness("CumSum", attributes: attributes)
    let axis = try Tensor(scalar: Int32(0))
    expectClose(try harness.run([Tensor([Float(1), 2, 3, 4]), axis])[0], wanted)
    expectClose(try harness.run([Tensor([Int32(1), 2, 3, 4]), axis])[0], wanted)
    // The same along both axes of a matrix, every column alike.
    let columns = try Tensor([1.0, 1, 2, 2, 3, 3, 4, 4], shape: [4, 2])
    expectClose(
      try harness.run([columns, Tensor(scalar: Int64(-2))])[0], wanted.flatMap { [$0, $0] },
      shape: [4, 2])
    let rows = try Tensor([1.0, 2, 3, 4, 1, 2, 3, 4], shape: [2, 4])
    expectClose(
      try harness.run([rows, Tensor([Int64(1)])])[0], wanted + wanted, shape: [2, 4])
  }

  @Test(arguments: [
    (0, 0, [1.0, 2, 6, 24]), (1, 0, [1, 1, 2, 6]), (0, 1, [24, 24, 12, 4]), (1, 1, [24, 12, 4, 1]),
  ])
  func multiplies(_ exclusive: Int, _ reverse: Int, _ wanted: [Double]) throws {
    let harness = OperatorHarness(
      "CumProd", opset: 26,
      attributes: ["exclusive": .int(Int64(exclusive)), "reverse": .int(Int64(reverse))])
    let axis = try Tensor(scalar: Int64(0))
    expectClose(try harness.run([Tensor([Float(1), 2, 3, 4]), axis])[0], wanted)
    expectClose(try harness.run([Tensor([Int64(1), 2, 3, 4]), axis])[0], wanted)
  }

  @Test func integersWrap() throws {
    let result = try OperatorHarness("CumSum").run([
      Tensor([Int32.max, 1]), Tensor(scalar: Int64(0)),
    ])[0]
    #expect(result.elements(as: Int32.self) == [.max, .min])
  }

  @Test func anAxisOutOfRangeIsRefused() throws {
    for axis in [1, -2, Int64.min] {
      #expect(throws: OperatorError.self) {
        try OperatorHarness("CumSum").run([Tensor([Float(1)]), Tensor(scalar: axis)])
      }
    }
  }

  @Test(arguments: [
    (3, 9, 3, [3, 6]), (10, 4, -2, [10, 8, 6]), (0, 5, 1, [0, 1, 2, 3, 4]), (5, 0, 1, []),
    (0, 10, 4, [0, 4, 8]),
  ])
  func ranges(_ start: Int, _ limit: Int, _ delta: Int, _ wanted: [Double]) throws {
    let harness = OperatorHarness("Range", opset: 11)
    let integers = try [start, limit, delta].map { try Tensor(scalar: Int64($0)) }
    expectClose(try harness.run(integers)[0], wanted, shape: [wanted.count])
    let narrow = try [start, limit, delta].map { try Tensor(scalar: Int16($0)) }
    expectClose(try harness.run(narrow)[0], wanted, shape: [wanted.count])
    let floats = try [start, limit, delta].map { try Tensor(scalar: Float($0)) }
    expectClose(try harness.run(floats)[0], wanted, shape: [wanted.count])
  }

  @Test func rangesOfFractions() throws {
    let inputs = try [Float(1), 2, 0.3].map { try Tensor(scalar: $0) }
    expectClose(try OperatorHarness("Range").run(inputs)[0], [1, 1.3, 1.6, 1.9], shape: [4])
  }

  @Test func hostileRangesAreRefused() throws {
    let range = OperatorHarness("Range")
    for numbers in [[0, 5, 0], [Int64.min, .max, 1]] {
      let inputs = try numbers.map { try Tensor(scalar: $0) }
      #expect(throws: (any Error).self) { try range.run(inputs) }
    }
    for numbers in [[0, 5, 0], [0, .infinity, 1], [.nan, 1, 1]] {
      let inputs = try numbers.map { try Tensor(scalar: $0) }
      #expect(throws: (any Error).self) { try range.run(inputs) }
    }
  }

  @Test func rangesOverSymbolsStaySymbolic() throws {
    let length = Dimension.symbol("length")
    let scalar = ValueType.tensor(.int64, shape: [])
    func known(_ value: Dimension) -> InferredValue {
      InferredValue(scalar, known: .dimensions([value]))
    }
    let range = OperatorHarness("Range")
    #expect(try range.infer([known(0), known(length), known(1)])[0]?.type.shape == [length])
    #expect(try range.infer([known(1), known(length), known(1)])[0]?.type.shape == [.unknown])
    let listed = try range.infer([known(2), known(8), known(3)])[0]
    guard case .dimensions(let elements) = listed?.known else {
      Issue.record("nothing is known of the elements")
      return
    }
    #expect(elements == [2, 5])
  }

  @Test func determinants() throws {
    let x = try Tensor(
      [Float(0), 2, 3, 4, 1, 2, 3, 4, 2, 4, 1, 2], shape: [3, 2, 2])
    expectClose(try OperatorHarness("Det").run([x])[0], [-6, -2, 0], shape: [3])
    let larger = try Tensor([2.0, -1, 0, -1, 2, -1, 0, -1, 2], shape: [3, 3])
    expectClose(try OperatorHarness("Det").run([larger])[0], [4], shape: [])
    expectClose(
      try OperatorHarness("Det").run([Tensor([Float](), shape: [2, 0, 0])])[0], [1, 1])
    #expect(throws: OperatorError.self) {
      try OperatorHarness("Det").run([Tensor([Float(1), 2], shape: [1, 2])])
    }
  }

  @Test func matricesAreInverted() throws {
    let harness = OperatorHarness("Inverse", opset: 1, domain: "com.microsoft")
    // Rows change places; and two matrices at a time.
    let x = try Tensor([0.0, 2, 4, 0, 1, 2, 3, 4], shape: [2, 2, 2])
    let expected = [0, 0.25, 0.5, 0, -2, 1, 1.5, -0.5]
    expectClose(try harness.run([x])[0], expected, shape: [2, 2, 2])
    let singular = try harness.run([Tensor([Float(1), 2, 2, 4], shape: [2, 2])])[0]
    #expect(singular.doubles.contains { !$0.isFinite })
    #expect(try harness.run([Tensor(zeros: .float32, shape: [2, 0, 0])])[0].shape == [2, 0, 0])
    for shape: Shape in [[2, 3], [4]] {
      #expect(throws: OperatorError.self) {
        try harness.run([Tensor(zeros: .float32, shape: shape)])
      }
    }
  }
}
