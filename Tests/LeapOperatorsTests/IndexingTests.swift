// IndexingTests: gathering and scattering by element and by tuple, and NonZero.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct IndexingTests {
  private let data = (0..<24).map(Float.init)

  private func harness(_ name: String, axis: Int, reduction: String? = nil) -> OperatorHarness {
    var attributes: [String: Attribute] = ["axis": .int(Int64(axis))]
    if let reduction { attributes["reduction"] = .string(Array(reduction.utf8)) }
    return OperatorHarness(name, attributes: attributes)
  }

  @Test(arguments: [0, 1, 2, -1, -3])
  func gathersElementsAlongAnyAxis(_ axis: Int) throws {
    let (shape, taken): (Shape, Shape) = ([2, 3, 4], [2, 2, 3])
    let place = axis < 0 ? axis + 3 : axis
    let indices = (0..<12).map { ($0 * 7 + 1) % shape[place] - ($0 % 2) * shape[place] }
    let expected = (0..<12).map { element in
      var at = zip(taken.rowMajorStrides, taken).map { element / $0 % $1 }
      at[place] = (indices[element] + shape[place]) % shape[place]
      return Double(zip(at, shape.rowMajorStrides).reduce(0) { $0 + $1.0 * $1.1 })
    }
    let x = try Tensor(data, shape: shape)
    let wide = try Tensor(indices.map(Int64.init), shape: taken)
    let narrow = try Tensor(indices.map(Int32.init), shape: taken)
    for index in [wide, narrow] {
      expectClose(
        try harness("GatherElements", axis: axis).run([x, index])[0], expected, shape: taken)
    }
  }

  @Test(arguments: [1, 2, 4, 8, 16])
  func gathersElementsOfAnyWidth(_ width: Int) throws {
    let types: [Int: DataType] = [1: .int8, 2: .float16, 4: .int32, 8: .float64, 16: .complex128]
    let type = try #require(types[width])
    let x = try Tensor(dataType: type, shape: [4]) { bytes in
      for place in bytes.indices { bytes[place] = UInt8(place) }
    }
    let indices = try Tensor([Int64(2), -1, 0])
    let picked = try harness("GatherElements", axis: 0).run([x, indices])[0]
    let expected = [2, 3, 0].flatMap { element in
      (0..<width).map { UInt8(element * width + $0) }
    }
    #expect(picked.withUnsafeBytes { Array($0) } == expected)
    let scattered = try harness("ScatterElements", axis: 0).run([picked, indices, picked])[0]
    #expect(scattered.withUnsafeBytes { Array($0[..<width]) } == Array(expected[(2 * width)...]))
  }

  @Test(arguments: [
    ("none", [9.0, 2, 8, 4]), ("add", [10, 2, 18, 4]), ("mul", [9, 2, 168, 4]),
    ("max", [9, 2, 8, 4]), ("min", [1, 2, 3, 4]),
  ])
  func scattersElementsInOrder(_ reduction: String, _ expected: [Double]) throws {
    let x = try Tensor([Float(1), 2, 3, 4])
    let indices = try Tensor([Int64(2), 0, -2])
    let updates = try Tensor([Float(7), 9, 8])
    let result = try harness("ScatterElements", axis: 0, reduction: reduction)
      .run([x, indices, updates])[0]
    expectClose(result, expected)
    let tuples = OperatorHarness(
      "ScatterND", attributes: ["reduction": .string(Array(reduction.utf8))])
    expectClose(
      try tuples.run([x, Tensor([Int64(2), 0, -2], shape: [3, 1]), updates])[0], expected)
  }

  @Test(arguments: [0, 1, 2])
  func scatteringBackWhatWasGatheredChangesNothing(_ axis: Int) throws {
    let shape: Shape = [2, 3, 4]
    let x = try Tensor(data, shape: shape)
    let indices = try Tensor(
      (0..<24).map { Int64($0 / shape.rowMajorStrides[axis] % shape[axis]) }.map {
        Int64(shape[axis]) - 1 - $0
      }, shape: shape)
    let gathered = try harness("GatherElements", axis: axis).run([x, indices])[0]
    let zeros = try Tensor(zeros: .float32, shape: shape)
    let back = try harness("ScatterElements", axis: axis).run([zeros, indices, gathered])[0]
    expectClose(back, data.map(Double.init), shape: shape)
  }

  @Test func gathersRunsBehindTuples() throws {
    let x = try Tensor(data, shape: [2, 3, 4])
    let gather = OperatorHarness("GatherND")
    expectClose(
      try gather.run([x, Tensor([Int64(1), 2, 0, -3], shape: [2, 2])])[0],
      [20, 21, 22, 23, 0, 1, 2, 3], shape: [2, 4])
    expectClose(
      try gather.run([x, Tensor([Int64(1), 2, 3], shape: [1, 1, 3])])[0], [23], shape: [1, 1])
    let batch = OperatorHarness("GatherND", attributes: ["batch_dims": .int(1)])
    expectClose(
      try batch.run([x, Tensor([Int64(1), -1], shape: [2, 1])])[0],
      [4, 5, 6, 7, 20, 21, 22, 23], shape: [2, 4])
    // A tuple of no indices names all of its batch.
    expectClose(
      try batch.run([x, Tensor([Int64](), shape: [2, 0])])[0], data.map(Double.init),
      shape: [2, 3, 4])
  }

  @Test func scattersRunsBehindTuples() throws {
    let x = try Tensor(zeros: .int32, shape: [3, 2])
    let updates = try Tensor([Int32(1), 2, 3, 4], shape: [2, 2])
    let indices = try Tensor([Int64(2), -3], shape: [2, 1])
    expectClose(
      try OperatorHarness("ScatterND").run([x, indices, updates])[0], [3, 4, 0, 0, 1, 2],
      shape: [3, 2])
  }

  @Test func indicesOutOfRangeAreRefused() throws {
    let x = try Tensor([Float(1), 2, 3, 4], shape: [2, 2])
    for index: Int64 in [2, -3, .max, .min] {
      let one = try Tensor([index], shape: [1, 1])
      let update = try Tensor([Float(1)], shape: [1, 1])
      #expect(throws: OperatorError.self) {
        try harness("GatherElements", axis: 0).run([x, one])
      }
      #expect(throws: OperatorError.self) {
        try harness("ScatterElements", axis: 1).run([x, one, update])
      }
      #expect(throws: OperatorError.self) {
        try harness("ScatterElements", axis: 1, reduction: "add").run([x, one, update])
      }
      #expect(throws: OperatorError.self) { try OperatorHarness("GatherND").run([x, one]) }
      #expect(throws: OperatorError.self) {
        try OperatorHarness("ScatterND").run([x, one, Tensor([Float(1), 2], shape: [1, 2])])
      }
    }
  }

  @Test func shapesThatDoNotFitAreRefused() throws {
    let x = try Tensor([Float(1), 2, 3, 4], shape: [2, 2])
    let wide = try Tensor([Int64](repeating: 0, count: 3), shape: [1, 3])
    #expect(throws: OperatorError.self) {
      try harness("GatherElements", axis: 0).run([x, wide])
    }
    #expect(throws: OperatorError.self) {
      try harness("GatherElements", axis: 0).run([x, Tensor([Int64(0)])])
    }
    #expect(throws: OperatorError.self) {
      try harness("ScatterElements", axis: 1).run([x, wide, x])
    }
    #expect(throws: OperatorError.self) { try OperatorHarness("GatherND").run([x, wide]) }
    #expect(throws: OperatorError.self) {
      try OperatorHarness("GatherND", attributes: ["batch_dims": .int(1)])
        .run([x, Tensor([Int64(0)], shape: [1, 1])])
    }
    #expect(throws: OperatorError.self) {
      try OperatorHarness("ScatterND").run([x, Tensor([Int64(0)], shape: [1, 1]), x])
    }
    #expect(throws: OperatorError.self) {
      try harness("ScatterElements", axis: 0, reduction: "xor")
        .run([x, Tensor([Int64(0)], shape: [1, 1]), Tensor([Float(1)], shape: [1, 1])])
    }
  }

  @Test func emptyIndicesGiveEmptyResults() throws {
    let x = try Tensor([Float(1), 2, 3, 4], shape: [2, 2])
    let none = try Tensor([Int64](), shape: [0, 2])
    #expect(try harness("GatherElements", axis: 0).run([x, none])[0].shape == [0, 2])
    let updates = try Tensor([Float](), shape: [0, 2])
    expectClose(
      try harness("ScatterElements", axis: 0).run([x, none, updates])[0], [1, 2, 3, 4])
  }

  @Test func theNameOfOpset9ScattersElements() throws {
    let scatter = OperatorHarness("Scatter", opset: 9, attributes: ["axis": .int(1)])
    let result = try scatter.run([
      Tensor([Float(1), 2, 3], shape: [1, 3]), Tensor([Int64(1)], shape: [1, 1]),
      Tensor([Float(9)], shape: [1, 1]),
    ])[0]
    expectClose(result, [1, 9, 3])
  }

  @Test func nonZeroListsIndicesAxisByAxis() throws {
    let x = try Tensor([Float(0), 1, -0.0, .nan, 2, 0], shape: [2, 3])
    let result = try OperatorHarness("NonZero").run([x])[0]
    expectClose(result, [0, 1, 1, 1, 0, 1], shape: [2, 3])
    #expect(result.dataType == .int64)
    expectClose(
      try OperatorHarness("NonZero").run([Tensor(scalar: Int32(5))])[0], [0], shape: [1, 1])
    let none = try OperatorHarness("NonZero").run([Tensor([false, false], shape: [1, 2])])[0]
    #expect(none.shape == [2, 0])
    let halves = try Tensor(dataType: .float16, shape: [3]) {
      $0.copyBytes(from: [0, 0x80, 0, 0x3c, 1, 0])
    }
    expectClose(try OperatorHarness("NonZero").run([halves])[0], [1, 2], shape: [1, 2])
  }

  @Test func stringsThatAreNotEmptyAreNotZero() throws {
    let x = try Tensor(strings: ["", "a", " ", "0"]).reshaped([2, 2])
    let result = try OperatorHarness("NonZero").run([x])[0]
    expectClose(result, [0, 1, 1, 1, 0, 1], shape: [2, 3])
  }

  @Test func nonZeroKnowsItsBoundBeforeItRuns() throws {
    let host = try #require(
      try OperatorHarness("NonZero").makeOperator(given: [true]) as? any HostOperator)
    #expect(host.outputBound([Operand(.float32, [2, 3])]) == 2 * 6 * 8)
    #expect(host.outputBound([Operand(.float32, [1 << 40, 1 << 40])]) == nil)
  }
}
