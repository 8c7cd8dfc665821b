// Operators of sequences, held to ONNX's descriptions of them: every position and axis, what is shared, and what is refused.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

/// A sequence of float vectors 0, 1, …, each one element longer than the one before.
private func vectors(_ count: Int) throws -> RunValue {
  .sequence(
    try (0..<count).map { .tensor(try ramp([$0 + 1], from: Float(10 * $0))) },
    of: .tensor(.float32, shape: nil))
}

private func ramp(_ shape: Shape, from first: Float = 0) throws -> Tensor {
  try Tensor((0..<shape.elementCount).map { Float($0) + first }, shape: shape)
}

private func position(_ value: Int64) throws -> RunValue { .tensor(try Tensor(scalar: value)) }

extension RunValue {
  /// The tensors of a sequence.
  fileprivate var items: [Tensor] {
    get throws {
      guard case .sequence(let items, _) = self else { throw OperatorError("\(self)") }
      return items.compactMap(\.tensor)
    }
  }

  /// First elements of the tensors of a sequence of floats.
  fileprivate var heads: [Float] {
    get throws { try items.compactMap { $0.elements(as: Float.self)?.first } }
  }
}

@Suite struct SequencesTests {
  @Test func constructKeepsOrderAndMemory() throws {
    let (a, b) = (try ramp([2]), try ramp([3, 1], from: 5))
    let made = try OperatorHarness("SequenceConstruct").run(values: [.tensor(a), .tensor(b)])[0]
    let items = try made.items
    #expect(items.map(\.shape) == [[2], [3, 1]])
    #expect(items.map(\.address) == [a.address, b.address])
    #expect(made.valueType == .sequence(.tensor(.float32, shape: nil)))
  }

  @Test func constructTakesTensorsOfOneType() throws {
    let harness = OperatorHarness("SequenceConstruct")
    let vector = InferredValue(.tensor(.float32, shape: [2]))
    #expect(throws: OperatorError.self) {
      try harness.infer([vector, InferredValue(.tensor(.int64, shape: [2]))])
    }
    #expect(throws: OperatorError.self) {
      try harness.infer([InferredValue(.sequence(.tensor(.float32, shape: nil)))])
    }
    #expect(throws: OperatorError.self) { try harness.makeOperator(given: []) }
    #expect(throws: OperatorError.self) { try harness.makeOperator(given: [true, false]) }
    #expect(
      try harness.infer([vector, vector])[0]?.type == .sequence(.tensor(.float32, shape: nil)))
  }

  @Test(arguments: [nil, 1, 7, 8, 11] as [Int32?])
  func emptyIsOfTheTypeThatItTells(number: Int32?) throws {
    let attributes = number.map { ["dtype": Attribute.int(Int64($0))] } ?? [:]
    let harness = OperatorHarness("SequenceEmpty", attributes: attributes)
    let made = try harness.run(values: [])[0]
    let type = try #require(DataType(rawValue: number ?? 1))
    #expect(try made.items.isEmpty)
    #expect(made.valueType == .sequence(.tensor(type, shape: nil)))
    #expect(try harness.infer([])[0]?.type == made.valueType)
  }

  @Test func emptyRefusesTypesThatThereAreNot() {
    #expect(throws: OperatorError.self) {
      try OperatorHarness("SequenceEmpty", attributes: ["dtype": .int(99)]).makeOperator(given: [])
    }
  }

  @Test(arguments: [(0, 0), (2, 20), (-1, 20), (-3, 0)] as [(Int64, Float)])
  func atCountsFromBothEnds(place: Int64, head: Float) throws {
    let harness = OperatorHarness("SequenceAt")
    let item = try harness.run(values: [vectors(3), position(place)])[0]
    #expect(item.tensor?.elements(as: Float.self)?.first == head)
    let narrow = RunValue.tensor(try Tensor([Int32(place)], shape: [1]))
    #expect(try harness.run(values: [vectors(3), narrow])[0].description == item.description)
  }

  @Test(
    arguments: [
      ("SequenceAt", 3), ("SequenceAt", -4), ("SequenceErase", 3), ("SequenceErase", -4),
      ("SequenceInsert", 4), ("SequenceInsert", -4), ("SequenceAt", .max), ("SequenceErase", .min),
    ] as [(String, Int64)])
  func positionsOutOfRangeAreRefused(name: String, place: Int64) throws {
    let tensor = name == "SequenceInsert" ? [RunValue.tensor(try ramp([1]))] : []
    let error = #expect(throws: OperatorError.self) {
      try OperatorHarness(name).run(values: [vectors(3)] + tensor + [position(place)])
    }
    #expect(error?.reason.contains("position \(place)") == true)
  }

  @Test func positionsAreSingleIntegers() throws {
    for wrong in [try ramp([]), try Tensor([Int64(0), 1]), try Tensor([Int64]())] {
      #expect(throws: OperatorError.self) {
        try OperatorHarness("SequenceAt").run(values: [vectors(3), .tensor(wrong)])
      }
    }
    #expect(throws: OperatorError.self) {
      try OperatorHarness("SequenceAt").run(values: [vectors(3), nil])
    }
  }

  @Test(
    arguments: [
      (nil, [0, 10, 20, 99]), (0, [99, 0, 10, 20]), (1, [0, 99, 10, 20]), (3, [0, 10, 20, 99]),
      (-1, [0, 10, 99, 20]), (-3, [99, 0, 10, 20]),
    ] as [(Int64?, [Float])])
  func insertPutsATensorBeforeAPosition(place: Int64?, heads: [Float]) throws {
    let tensor = RunValue.tensor(try ramp([2, 2], from: 99))
    let inputs = [try vectors(3), tensor] + (try place.map { [try position($0)] } ?? [])
    #expect(try OperatorHarness("SequenceInsert").run(values: inputs)[0].heads == heads)
  }

  @Test func insertIntoAnEmptySequence() throws {
    let tensor = RunValue.tensor(try ramp([2], from: 7))
    for place in [nil, try position(0)] {
      let made = try OperatorHarness("SequenceInsert").run(values: [vectors(0), tensor, place])[0]
      #expect(try made.heads == [7])
    }
  }

  @Test func insertRefusesAnotherType() throws {
    let harness = OperatorHarness("SequenceInsert")
    let wrong = try Tensor([Int64(1)])
    #expect(throws: OperatorError.self) {
      try harness.run(values: [vectors(0), .tensor(wrong)])
    }
    #expect(throws: OperatorError.self) {
      try harness.infer([
        InferredValue(.sequence(.tensor(.float32, shape: nil))),
        InferredValue(.tensor(.int64, shape: [1])),
      ])
    }
    #expect(throws: OperatorError.self) {
      try harness.run(values: [.tensor(ramp([2])), .tensor(ramp([2]))])
    }
  }

  @Test(
    arguments: [
      (nil, [0, 10]), (0, [10, 20]), (1, [0, 20]), (-1, [0, 10]), (-3, [10, 20]),
    ] as [(Int64?, [Float])])
  func eraseLeavesTheOthers(place: Int64?, heads: [Float]) throws {
    let inputs = [try vectors(3)] + (try place.map { [try position($0)] } ?? [])
    #expect(try OperatorHarness("SequenceErase").run(values: inputs)[0].heads == heads)
  }

  @Test func nothingIsErasedFromAnEmptySequence() throws {
    for inputs in [[try vectors(0)], [try vectors(0), try position(0)]] {
      #expect(throws: OperatorError.self) {
        try OperatorHarness("SequenceErase").run(values: inputs)
      }
    }
  }

  @Test(arguments: [0, 1, 5]) func lengthCounts(count: Int) throws {
    let length = try OperatorHarness("SequenceLength").run(values: [vectors(count)])[0].tensor
    #expect(length?.shape == [])
    #expect(length?.elements(as: Int64.self) == [Int64(count)])
  }

  /// What inference says of items never has a shape: what a model declares binds nobody.
  @Test(arguments: ["SequenceAt", "ConcatFromSequence"])
  func itemsAreInferredWithoutShapes(name: String) throws {
    let attributes: [String: Attribute] = name == "SequenceAt" ? [:] : ["axis": .int(0)]
    let sequence = InferredValue(.sequence(.tensor(.int32, shape: [.symbol("n"), 4])))
    let place = InferredValue(.tensor(.int64, shape: []))
    let inputs = name == "SequenceAt" ? [sequence, place] : [sequence]
    let type = try OperatorHarness(name, attributes: attributes).infer(inputs)[0]?.type
    #expect(type == .tensor(.int32, shape: nil))
  }

  // MARK: Putting together and cutting

  private func concatenated(
    _ tensors: [Tensor], axis: Int64, isNew: Bool = false
  ) throws -> Tensor {
    let harness = OperatorHarness(
      "ConcatFromSequence", attributes: ["axis": .int(axis), "new_axis": .int(isNew ? 1 : 0)])
    let sequence = RunValue.sequence(tensors.map(RunValue.tensor))
    return try #require(try harness.run(values: [sequence])[0].tensor)
  }

  @Test(arguments: [1, -1] as [Int64]) func concatAlongAnAxis(axis: Int64) throws {
    let result = try concatenated([ramp([2, 1]), ramp([2, 3], from: 10)], axis: axis)
    expectClose(result, [0, 10, 11, 12, 1, 13, 14, 15], shape: [2, 4])
  }

  @Test func concatAlongTheFirstAxis() throws {
    let result = try concatenated([ramp([1, 2]), ramp([0, 2]), ramp([2, 2], from: 10)], axis: 0)
    expectClose(result, [0, 1, 10, 11, 12, 13], shape: [3, 2])
  }

  @Test(
    arguments: [
      (0, [2, 2, 3], [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15]),
      (1, [2, 2, 3], [0, 1, 2, 10, 11, 12, 3, 4, 5, 13, 14, 15]),
      (-1, [2, 3, 2], [0, 10, 1, 11, 2, 12, 3, 13, 4, 14, 5, 15]),
      (-3, [2, 2, 3], [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15]),
    ] as [(Int64, Shape, [Double])])
  func concatAlongANewAxis(axis: Int64, shape: Shape, expected: [Double]) throws {
    let tensors = [try ramp([2, 3]), try ramp([2, 3], from: 10)]
    expectClose(try concatenated(tensors, axis: axis, isNew: true), expected, shape: shape)
  }

  @Test func scalarsBecomeAVector() throws {
    let scalars = try [1, 2, 3].map { try Tensor(scalar: Float($0)) }
    expectClose(try concatenated(scalars, axis: 0, isNew: true), [1, 2, 3], shape: [3])
    #expect(throws: OperatorError.self) { try concatenated(scalars, axis: 0) }
  }

  @Test func textIsPutTogetherAndCut() throws {
    let (a, b) = (
      try Tensor(strings: ["a", "b"], shape: [2, 1]),
      try Tensor(strings: ["c", "d", "e", "f"], shape: [2, 2])
    )
    let whole = try concatenated([a, b], axis: 1)
    #expect(whole.strings == ["a", "c", "d", "b", "e", "f"])
    let sizes = RunValue.tensor(try Tensor([Int64(1), 2]))
    let cut = try OperatorHarness("SplitToSequence", attributes: ["axis": .int(1)])
      .run(values: [.tensor(whole), sizes])[0]
    #expect(try cut.items.map(\.strings) == [["a", "b"], ["c", "d", "e", "f"]])
    #expect(try cut.items.map(\.shape) == [[2, 1], [2, 2]])
  }

  @Test func whatDoesNotGoTogetherIsRefused() throws {
    for (tensors, axis) in [
      ([], 0), ([try ramp([2, 2]), try ramp([2, 3])], 0), ([try ramp([2]), try ramp([2, 1])], 0),
      ([try ramp([2])], 1), ([try ramp([2])], -2),
    ] as [([Tensor], Int64)] {
      #expect(throws: OperatorError.self) { try concatenated(tensors, axis: axis) }
    }
    #expect(throws: OperatorError.self) {
      try concatenated([ramp([2]), ramp([3])], axis: 0, isNew: true)
    }
    #expect(throws: OperatorError.self) {
      try OperatorHarness("ConcatFromSequence").makeOperator(given: [true])
    }
  }

  private func cut(
    _ tensor: Tensor, _ sizes: Tensor?, axis: Int64? = nil, keepsAxis: Bool? = nil, opset: Int = 24
  ) throws -> [Tensor] {
    var attributes: [String: Attribute] = [:]
    if let axis { attributes["axis"] = .int(axis) }
    if let keepsAxis { attributes["keepdims"] = .int(keepsAxis ? 1 : 0) }
    let harness = OperatorHarness("SplitToSequence", opset: opset, attributes: attributes)
    let inputs = [RunValue.tensor(tensor)] + (sizes.map { [RunValue.tensor($0)] } ?? [])
    return try harness.run(values: inputs)[0].items
  }

  @Test(arguments: [11, 24]) func cutIntoSlices(opset: Int) throws {
    let kept = try cut(ramp([3, 2]), nil, opset: opset)
    #expect(kept.map(\.shape) == [[1, 2], [1, 2], [1, 2]])
    expectClose(kept[2], [4, 5])
    let dropped = try cut(ramp([3, 2]), nil, axis: -1, keepsAxis: false, opset: opset)
    #expect(dropped.map(\.shape) == [[3], [3]])
    expectClose(dropped[0], [0, 2, 4])
    expectClose(dropped[1], [1, 3, 5])
  }

  @Test func cutIntoEqualPiecesWithAShorterLast() throws {
    let pieces = try cut(ramp([2, 5]), Tensor(scalar: Int32(2)), axis: 1, keepsAxis: false)
    #expect(pieces.map(\.shape) == [[2, 2], [2, 2], [2, 1]])
    expectClose(pieces[1], [2, 3, 7, 8])
    expectClose(pieces[2], [4, 9])
    #expect(try cut(ramp([2]), Tensor(scalar: Int64(9))).map(\.shape) == [[2]])
  }

  @Test func cutIntoListedPieces() throws {
    let pieces = try cut(ramp([5]), Tensor([Int64(3), 0, 2]))
    #expect(pieces.map(\.shape) == [[3], [0], [2]])
    expectClose(pieces[2], [3, 4])
    #expect(try cut(ramp([4]), Tensor([Int64(4)])).map(\.shape) == [[4]])
    #expect(try cut(ramp([0]), Tensor([Int64(0), 0])).map(\.shape) == [[0], [0]])
    #expect(try cut(ramp([0, 3]), nil).isEmpty)
  }

  @Test func piecesOfTheOutermostAxisShareTheirMemory() throws {
    let whole = try ramp([3, 2])
    let base = try #require(whole.address)
    #expect(try cut(whole, nil).map(\.address) == [base, base + 8, base + 16])
  }

  @Test(arguments: DataType.allCases.filter { $0 != .string && $0.bitWidth >= 8 })
  func everyTypeOfWholeBytesIsCutAndPutTogether(type: DataType) throws {
    let content = (0..<12 * type.byteWidth).map { UInt8(truncatingIfNeeded: $0 &* 29) }
    let whole = try Tensor(dataType: type, shape: [3, 4]) { $0.copyBytes(from: content) }
    let pieces = try cut(whole, Tensor([Int64(1), 3]), axis: 1)
    #expect(pieces.map(\.dataType) == [type, type])
    let back = try concatenated(pieces, axis: 1)
    #expect(back.withUnsafeBytes { Array($0) } == content)
  }

  @Test func whatCannotBeCutIsRefused() throws {
    let tensor = try ramp([4])
    for sizes in [
      try Tensor([Int64(1), 2]), try Tensor([Int64(5), -1]), try Tensor([Int64]()),
      try Tensor([Int64.max, .max]), try Tensor(scalar: Int64(0)), try Tensor(scalar: Int64(-1)),
      try Tensor([Int64(1), 1, 1, 1], shape: [2, 2]), try ramp([]),
    ] {
      #expect(throws: OperatorError.self) { try cut(tensor, sizes) }
    }
    #expect(throws: OperatorError.self) { try cut(tensor, nil, axis: 1) }
    #expect(throws: OperatorError.self) { try cut(Tensor(scalar: Float(1)), nil) }
    // As many pieces as would take all memory, each without elements.
    #expect(throws: OperatorError.self) { try cut(Tensor([Float](), shape: [1 << 40, 0]), nil) }
  }

  @Test func boundsAreKnownBeforeRunning() throws {
    func bound(_ axis: Int64) throws -> Int? {
      let harness = OperatorHarness("SplitToSequence", attributes: ["axis": .int(axis)])
      let host = try #require(try harness.makeOperator(given: [true]) as? any HostOperator)
      return host.outputBound([Operand(.float32, [4, 3])])
    }
    #expect(try bound(0) == 0)
    #expect(try bound(1) == 48)
  }
}
