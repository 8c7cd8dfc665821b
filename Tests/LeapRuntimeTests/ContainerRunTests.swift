// Runs whose values are sequences and optionals: what goes in and out, what flows between kernels, what memory is charged, and
// what is refused.

import LeapGraph
import LeapRuntime
import LeapTensors
import Testing

private let floats = ValueType.tensor(.float32, shape: nil)

@Suite struct ContainerRunTests {
  /// The elements of a tensor of floats; of all tensors of a container.
  private func elements(_ value: RunValue?) -> [[Float]] {
    value?.tensors.compactMap { $0.elements(as: Float.self) } ?? []
  }

  // MARK: In and out

  @Test(arguments: [true, false]) func sequencesGoInAndOut(passes: Bool) throws {
    var builder = ModelBuilder()
    let s = builder.input("s", of: .sequence(floats))
    let copy = builder.node("Identity", [s], output: "copy")
    let length = builder.node("SequenceLength", [copy], output: "length")
    let session = try RunHarness.session(builder.model(outputs: [copy, length]), passes: passes)
    for shapes in [[], [[2, 3]], [[1], [], [0, 4], [2, 2]]] as [[Shape]] {
      let tensors = try shapes.map { try ramp($0) }
      let results = try session.run(values: ["s": .sequence(tensors.map(RunValue.tensor))])
      let copied = try #require(results["copy"])
      #expect(copied.valueType == .sequence(floats))
      #expect(copied.tensors.map(\.shape) == shapes)
      #expect(elements(copied) == tensors.map { $0.elements(as: Float.self) ?? [] })
      #expect(results["length"]?.tensor?.elements(as: Int64.self) == [Int64(shapes.count)])
    }
    #expect(session.ledger.charged == session.pool.idleByteCount)
  }

  @Test(arguments: [true, false]) func optionalsGoInAndOut(passes: Bool) throws {
    var builder = ModelBuilder()
    let o = builder.input("o", of: .optional(.sequence(floats)))
    let copy = builder.node("Identity", [o], output: "copy")
    let has = builder.node("OptionalHasElement", [copy], output: "has")
    let session = try RunHarness.session(builder.model(outputs: [copy, has]), passes: passes)
    let one = RunValue.tensor(try ramp([2]))
    for (value, count) in [
      (.optional(nil), 0), (.optional(.sequence([])), 0), (.optional(.sequence([one, one])), 2),
    ] as [(RunValue, Int)] {
      let results = try session.run(values: ["o": value])
      let hasValue = if case .optional(.some, _) = value { true } else { false }
      #expect(results["has"]?.tensor?.elements(as: Bool.self) == [hasValue])
      #expect(results["copy"]?.valueType == .optional(.sequence(floats)))
      #expect(results["copy"]?.tensors.count == count)
    }
  }

  @Test func aMissingValueIsAnErrorOfTheNodeThatWantsIt() throws {
    var builder = ModelBuilder()
    builder.opset = 18
    let o = builder.input("o", of: .optional(floats))
    let got = builder.node("OptionalGetElement", [o], output: "got")
    let y = builder.node("Neg", [got], output: "y")
    let session = try RunHarness.session(builder.model(outputs: [y]))
    let result = try session.run(values: ["o": .optional(.tensor(try ramp([3])))])["y"]
    #expect(elements(result) == [[0, -1, -2]])
    let error = try #require(throws: RunError.self) {
      try session.run(values: ["o": .optional(nil)])
    }
    #expect("\(error)".contains("OptionalGetElement"), "\(error)")
    #expect("\(error)".contains("without value"), "\(error)")
  }

  @Test func anyValueOfTheGraphMayBeAskedFor() throws {
    let session = try RunHarness.session(chain())
    let inputs = try chainInputs([4, 3])
    let results = try session.run(values: inputs, outputs: ["pieces", "third", "y"])
    #expect(results["pieces"]?.tensors.map(\.shape) == [[1, 3], [1, 3], [1, 3], [1, 3]])
    #expect(results["third"]?.tensor?.shape == [1, 3])
    #expect(elements(results["y"]) == [try chainResult([4, 3])])
  }

  // MARK: Between kernels

  /// Cuts x, squares one of its pieces, puts that in front of the others but the last, and joins them, their number added.
  private func chain() throws -> Model {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n"), .symbol("m")])
    let place = builder.input("place", [], type: .int64)
    let front = builder.constant("front", try Tensor(scalar: Int64(0)))
    let doubled = builder.node("Add", [x, x], output: "doubled")
    let pieces = builder.node("SplitToSequence", [doubled], output: "pieces")
    let third = builder.node("SequenceAt", [pieces, place], output: "third")
    let square = builder.node("Mul", [third, third], output: "square")
    let longer = builder.node("SequenceInsert", [pieces, square, front], output: "longer")
    let shorter = builder.node("SequenceErase", [longer], output: "shorter")
    let length = builder.node("SequenceLength", [shorter], output: "length")
    let number = builder.node("Cast", [length], attributes: ["to": .int(1)], output: "number")
    let joined = builder.node(
      "ConcatFromSequence", [shorter], attributes: ["axis": .int(0)], output: "joined")
    let y = builder.node("Add", [joined, number], output: "y")
    return builder.model(outputs: [y])
  }

  private func chainInputs(_ shape: Shape) throws -> [String: RunValue] {
    ["x": .tensor(try ramp(shape)), "place": .tensor(try Tensor(scalar: Int64(-2)))]
  }

  private func chainResult(_ shape: Shape) throws -> [Float] {
    let width = shape[1]
    let doubled = (0..<shape.elementCount).map { Float(2 * $0) }
    let piece = doubled[(shape[0] - 2) * width..<(shape[0] - 1) * width]
    let kept = piece.map { $0 * $0 } + doubled.dropLast(width)
    return kept.map { $0 + Float(shape[0]) }
  }

  @Test(arguments: [true, false], [1, 2])
  func kernelsWorkBetweenSequences(passes: Bool, width: Int) throws {
    let session = try RunHarness.session(chain(), passes: passes, width: width)
    // The second run of a shape finds the segments of the first.
    for shape in [[4, 3], [2, 1], [4, 3], [7, 5]] as [Shape] {
      let results = try session.run(values: chainInputs(shape))
      #expect(elements(results["y"]) == [try chainResult(shape)])
    }
  }

  @Test func shapesOfItemsDecideWhatFollowsAnewInEachRun() throws {
    var builder = ModelBuilder()
    let s = builder.input("s", of: .sequence(.tensor(.float32, shape: [.symbol("n"), 5])))
    _ = builder.input("x", [.symbol("n")])
    let place = builder.input("place", [], type: .int32)
    let item = builder.node("SequenceAt", [s, place], output: "item")
    let y = builder.node("Neg", [item], output: "y")
    let session = try RunHarness.session(builder.model(outputs: [y]))
    // What is declared of items binds nobody, and a symbol in it is no extent of any input.
    let items = try ([[3], [2, 2], [3]] as [Shape]).map { RunValue.tensor(try ramp($0)) }
    for (index, item) in items.enumerated() {
      let place = RunValue.tensor(try Tensor(scalar: Int32(index)))
      let results = try session.run(
        values: ["s": .sequence(items), "x": .tensor(ramp([9])), "place": place])
      #expect(results["y"]?.tensor?.shape == item.tensor?.shape)
      #expect(elements(results["y"]) == [elements(item)[0].map { -$0 }])
    }
  }

  @Test func equalSequencesAreMadeOnce() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2])
    let first = builder.node("SequenceConstruct", [x, x], output: "first")
    let second = builder.node("SequenceConstruct", [x, x], output: "second")
    let lengths = [first, second].enumerated().map {
      builder.node("SequenceLength", [$1], output: "length\($0)")
    }
    let model = builder.model(outputs: lengths)
    let session = try RunHarness.session(model)
    #expect(
      session.program.graph.nodes.map(\.operatorType) == ["SequenceConstruct", "SequenceLength"])
    let results = try session.run(["x": ramp([2])])
    #expect(results.values.map { $0.elements(as: Int64.self) } == [[2], [2]])
  }

  @Test func constantsStayWhatSequencesAreMadeOf() throws {
    var builder = ModelBuilder()
    let (a, b) = (
      builder.constant("a", try ramp([2])), builder.constant("b", try Tensor([Float(9)]))
    )
    let none = builder.node("SequenceEmpty", [], output: "none")
    let one = builder.node("SequenceInsert", [none, a], output: "one")
    let two = builder.node("SequenceInsert", [one, b], output: "two")
    for passes in [true, false] {
      let results = try RunHarness.session(builder.model(outputs: [two, none]), passes: passes)
        .run(values: [:])
      #expect(elements(results["two"]) == [[0, 1], [9]])
      #expect(results["none"]?.description == "an empty sequence of float32 of unknown rank")
    }
  }

  // MARK: Memory

  /// A megabyte, many times in one sequence: its length, or all of them side by side.
  private func repeated(_ count: Int, joins: Bool) throws -> Model {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n")])
    let y = builder.node("Neg", [x], output: "negative")
    var sequence = builder.node("SequenceConstruct", [y], output: "s0")
    for step in 1..<count {
      sequence = builder.node("SequenceInsert", [sequence, y], output: "s\(step)")
    }
    let output =
      joins
      ? builder.node("ConcatFromSequence", [sequence], attributes: ["axis": .int(0)], output: "y")
      : builder.node("SequenceLength", [sequence], output: "y")
    return builder.model(outputs: [output])
  }

  @Test func sharedMemoryIsChargedOnce() throws {
    let megabyte = try ramp([1 << 18])
    let counting = try RunHarness.session(repeated(32, joins: false), budget: 4 << 20)
    #expect(try counting.run(["x": megabyte])["y"]?.elements(as: Int64.self) == [32])
    let joining = try RunHarness.session(repeated(32, joins: true), budget: 4 << 20)
    let error = try #require(throws: RunError.self) { try joining.run(["x": megabyte]) }
    guard case .overBudget(let required, _) = error else {
      Issue.record(error)
      return
    }
    #expect(required >= 33 << 20)
    #expect(joining.ledger.charged == joining.pool.idleByteCount)
  }

  @Test func plansSayWhatTheyKnow() throws {
    let counted = try RunHarness.session(repeated(3, joins: false))
      .predictedMemory(inputs: ["x": (.float32, [8])])
    #expect(counted.rest == .atMost(8))
    #expect(counted.results == 8 * 4)
    let joined = try RunHarness.session(repeated(3, joins: true))
      .predictedMemory(inputs: ["x": (.float32, [8])])
    #expect(joined.rest == .unbounded(nodes: ["ConcatFromSequence_y"]))
  }

  /// Nothing that a sequence holds decides a plan, so that none is asked for one.
  @Test func plansNeedNoSequences() throws {
    var builder = ModelBuilder()
    let s = builder.input("s", of: .sequence(floats))
    let x = builder.input("x", [2])
    let y = builder.node("Neg", [x], output: "y")
    let length = builder.node("SequenceLength", [s], output: "length")
    let session = try RunHarness.session(builder.model(outputs: [y, length]))
    let segment = try session.plan(inputs: ["x": (.float32, [2])])
    #expect(segment.steps.map(\.operatorType) == ["Neg"])
    #expect(throws: RunError.self) {
      try session.plan(inputs: ["x": (.float32, [2]), "s": (.float32, [2])])
    }
  }

  // MARK: What is refused

  @Test func otherKindsAndTypesAreRefused() throws {
    var builder = ModelBuilder()
    let s = builder.input("s", of: .sequence(floats))
    let o = builder.input("o", of: .optional(floats))
    let x = builder.input("x", [2])
    let y = builder.node("SequenceLength", [s], output: "y")
    let has = builder.node("OptionalHasElement", [o], output: "has")
    let z = builder.node("Neg", [x], output: "z")
    let session = try RunHarness.session(builder.model(outputs: [y, has, z]))
    let float = RunValue.tensor(try ramp([2]))
    let integer = RunValue.tensor(try Tensor([Int64(1), 2]))
    let good: [String: RunValue] = ["s": .sequence([float]), "o": .optional(float), "x": float]
    _ = try session.run(values: good)
    for (name, wrong, got) in [
      ("s", float, "float32 2"), ("s", .optional(float), "an optional with float32 2"),
      ("s", .sequence([float, integer]), "a sequence of 2: float32 2, int64 2"),
      ("s", .sequence([], of: .tensor(.int64, shape: nil)), "an empty sequence of int64"),
      ("s", .sequence([.sequence([])]), "a sequence of 1: an empty sequence"),
      ("o", float, "float32 2"), ("o", .optional(integer), "an optional with int64 2"),
      ("o", .optional(nil, of: .sequence(floats)), "without value"),
      ("x", .sequence([float]), "a sequence of 1: float32 2"), ("x", integer, "int64 2"),
    ] as [(String, RunValue, String)] {
      let error = try #require(throws: RunError.self) {
        try session.run(values: good.merging([name: wrong]) { $1 })
      }
      guard case .inputMismatch(name, let expected, _) = error else {
        Issue.record(error)
        continue
      }
      #expect(expected.contains("float32"), "\(error)")
      #expect("\(error)".contains(got), "\(error)")
    }
    #expect(throws: RunError.self) { try session.run(values: ["s": .sequence([]), "x": float]) }
  }

  @Test func tensorsAloneAreNoPlaceForContainers() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2])
    let y = builder.node("SequenceConstruct", [x], output: "y")
    let session = try RunHarness.session(builder.model(outputs: [y]))
    let error = try #require(throws: RunError.self) { try session.run(["x": ramp([2])]) }
    guard case .noTensor("y", _) = error else {
      Issue.record(error)
      return
    }
    let mismatch = try #require(throws: RunError.self) {
      try session.run(values: ["x": .tensor(ramp([2]))], into: ["y": ramp([2])])
    }
    #expect("\(mismatch)".contains("a sequence of 1"), "\(mismatch)")
  }

  @Test func kernelsReadNoContainers() throws {
    var builder = ModelBuilder()
    let s = builder.input("s", of: .sequence(floats))
    let y = builder.node("Neg", [s], output: "y")
    let error = try #require(throws: ModelError.self) {
      try RunHarness.session(builder.model(outputs: [y]))
    }
    #expect("\(error)".contains("expected a tensor"), "\(error)")
  }
}
