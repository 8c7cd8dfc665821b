// SessionCore on small graphs: plans, memory sharing, segments, and errors about inputs.

import LeapGraph
import LeapRuntime
import LeapTensors
import LeapWorkers
import Testing

@Suite struct SessionCoreTests {
  /// Two transposes side by side in a concat, and a slice of it: a small net of data movement.
  private func concatModel() throws -> Model {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n"), 2, 3, 4])
    let a = builder.node("Transpose", [x], attributes: ["perm": .ints([0, 1, 3, 2])], output: "a")
    let b = builder.node("Transpose", [a], attributes: ["perm": .ints([0, 1, 3, 2])], output: "b")
    let c = builder.node("Concat", [x, b], attributes: ["axis": .int(1)], output: "c")
    let d = builder.node("Transpose", [c], attributes: ["perm": .ints([0, 2, 3, 1])], output: "d")
    return builder.model(outputs: [d, b])
  }

  @Test(arguments: [1, 3], [1, 2, 3])
  func reuseAndPoisonChangeNothing(batch: Int, width: Int) throws {
    let input = try ramp([batch, 2, 3, 4])
    var configuration = SessionConfiguration()
    configuration.width = width
    // Passes would leave little to share.
    configuration.disablesAllPasses = true
    configuration.poisonsDeadMemory = true
    let shared = try SessionCore(model: concatModel(), configuration: configuration)
    configuration.plan.reuse = .none
    let apart = try SessionCore(model: concatModel(), configuration: configuration)
    let first = try shared.run(["x": input])
    let second = try apart.run(["x": input])
    for name in ["b", "d"] {
      let expected = second[name]?.elements(as: Float.self)
      #expect(expected != nil)
      #expect(first[name]?.elements(as: Float.self) == expected)
    }
    #expect(first["b"]?.elements(as: Float.self) == input.elements(as: Float.self))
    #expect(first["d"]?.shape == [batch, 3, 4, 4])
  }

  /// Parts that are views of values of a lower rank lie in the concat's buffer under strides of their own.
  @Test func viewsOfAnotherRankMeetInAConcat() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2, 3])
    let parts = try ["Neg", "Abs"].map { operation in
      let part = builder.node(operation, [x], output: "\(operation)-result")
      let shape = builder.constant("\(operation)-shape", try Tensor([Int64(1), 3, 2, 1]))
      return builder.node("Reshape", [part, shape], output: "\(operation)-view")
    }
    let y = builder.node("Concat", parts, attributes: ["axis": .int(0)], output: "y")
    let session = try SessionCore(
      model: builder.model(outputs: [y]), configuration: SessionConfiguration())
    let result = try session.run(["x": try ramp([2, 3])])["y"]
    #expect(result?.shape == [2, 3, 2, 1])
    #expect(result?.elements(as: Float.self) == [0, -1, -2, -3, -4, -5, 0, 1, 2, 3, 4, 5])
  }

  @Test func aShapeThatIsAnInputStartsASecondSegment() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2, 6])
    let shape = builder.input("shape", [.fixed(2)], type: .int64)
    let y = builder.node("Reshape", [x, shape], output: "y")
    let z = builder.node("Transpose", [y], output: "z")
    let session = try SessionCore(
      model: builder.model(outputs: [z]), configuration: SessionConfiguration())
    for (rows, columns) in [(3, 4), (4, 3), (12, 1), (3, 4)] {
      let result = try session.run([
        "x": try ramp([2, 6]), "shape": try Tensor([Int64(rows), Int64(columns)]),
      ])
      #expect(result["z"]?.shape == [columns, rows])
      #expect(result["z"]?.elements(as: Float.self)?[rows - 1] == Float((rows - 1) * columns))
    }
  }

  @Test func shapeComputationsArePlannedAway() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n"), 2, 3])
    let shape = builder.node("Shape", [x], output: "shape")
    let zero = builder.constant("zero", try Tensor(scalar: Int64(0)))
    let batch = builder.node("Gather", [shape, zero], output: "batch")
    let axes = builder.constant("axes", try Tensor([Int64(0)]))
    let row = builder.node("Unsqueeze", [batch, axes], output: "row")
    let rest = builder.constant("rest", try Tensor([Int64(-1)]))
    let target = builder.node(
      "Concat", [row, rest], attributes: ["axis": .int(0)], output: "target")
    let y = builder.node("Reshape", [x, target], output: "y")
    let session = try SessionCore(
      model: builder.model(outputs: [y]), configuration: SessionConfiguration())
    let segment = try session.plan(inputs: ["x": (.float32, [5, 2, 3])])
    #expect(segment.steps.map(\.operatorType) == ["Reshape"])
    #expect(try session.run(["x": ramp([5, 2, 3])])["y"]?.shape == [5, 6])
  }

  @Test func whatPlanningComputesServesKernelsToo() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n"), 2])
    let row = builder.node(
      "Constant", [], attributes: ["value_floats": .floats([3, 5])], output: "row")
    let shape = builder.node("Shape", [x], output: "shape")
    let extents = builder.node("Cast", [shape], attributes: ["to": .int(1)], output: "extents")
    let scaled = builder.node("Mul", [x, row], output: "scaled")
    let y = builder.node("Add", [scaled, extents], output: "y")
    var configuration = SessionConfiguration()
    configuration.disablesAllPasses = true
    let session = try SessionCore(
      model: builder.model(outputs: [y, extents]), configuration: configuration)
    for rows in [1, 4] {
      let result = try session.run(["x": ramp([rows, 2])])
      #expect(result["extents"]?.elements(as: Float.self) == [Float(rows), 2])
      #expect(result["y"]?.elements(as: Float.self)?.prefix(2) == [Float(rows), 7])
    }
  }

  @Test func anyValueMayBeAskedFor() throws {
    let session = try SessionCore(model: concatModel(), configuration: SessionConfiguration())
    let result = try session.run(["x": ramp([1, 2, 3, 4])], outputs: ["a", "c"])
    #expect(result["a"]?.shape == [1, 2, 4, 3])
    #expect(result["c"]?.shape == [1, 4, 3, 4])
    #expect(throws: RunError.self) {
      try session.run(["x": ramp([1, 2, 3, 4])], outputs: ["nowhere"])
    }
  }

  /// Inputs that the sum of `left` and `right`, both float32 of n rows of 3, does not take.
  struct WrongInputs: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var given: [String: (DataType, Shape)] = [
      "left": (.float32, [2, 3]), "right": (.float32, [2, 3]),
    ]
    var message: String

    init(_ name: String, _ input: String, _ given: (DataType, Shape)?, _ message: String) {
      testDescription = name
      self.given[input] = given
      self.message = message
    }

    static let all = [
      WrongInputs(
        "a wrong name", "middle", (.float32, [2, 3]),
        "unknown input 'middle'; the model has 'left', 'right'"),
      WrongInputs(
        "a missing input", "right", nil, "input 'right' is missing; expected float32 nx3"),
      WrongInputs(
        "a type", "right", (.float64, [2, 3]),
        "input 'right': expected float32 nx3, got float64 2x3"),
      WrongInputs(
        "a rank", "left", (.float32, [1, 2, 3]),
        "input 'left': expected float32 nx3, got float32 1x2x3"),
      WrongInputs(
        "an extent", "left", (.float32, [2, 4]),
        "input 'left': expected float32 nx3, got float32 2x4"),
      WrongInputs(
        "a symbol of two values", "right", (.float32, [5, 3]),
        "input 'right': expected float32 nx3 with n = 2, as in input 'left', got float32 5x3"),
    ]
  }

  /// A run and a plan say the same: which input, what was expected and what came.
  @Test(arguments: WrongInputs.all)
  func wrongInputsAreErrors(_ wrong: WrongInputs) throws {
    var builder = ModelBuilder()
    let inputs = ["left", "right"].map { builder.input($0, [.symbol("n"), 3]) }
    let sum = builder.node("Add", inputs, output: "sum")
    let session = try SessionCore(
      model: builder.model(outputs: [sum]), configuration: SessionConfiguration())
    let planned = #expect(throws: RunError.self) { try session.plan(inputs: wrong.given) }
    #expect(planned?.description == wrong.message)
    let tensors = try wrong.given.mapValues { try Tensor(zeros: $0.0, shape: $0.1) }
    let ran = #expect(throws: RunError.self) { try session.run(tensors) }
    #expect(ran?.description == wrong.message)
    let right = try session.run(["left": ramp([2, 3]), "right": ramp([2, 3])])
    #expect(right["sum"]?.elements(as: Float.self) == [0, 2, 4, 6, 8, 10])
  }

  @Test func aCancelledRunThrows() throws {
    let session = try SessionCore(model: concatModel(), configuration: SessionConfiguration())
    let interrupt = Interrupt()
    interrupt.cancel()
    #expect(throws: (any Error).self) {
      try session.run(["x": ramp([1, 2, 3, 4])], interrupt: interrupt)
    }
  }

  @Test func aBudgetIsKept() throws {
    var configuration = SessionConfiguration()
    configuration.memoryBudget = 64
    let session = try SessionCore(model: concatModel(), configuration: configuration)
    #expect(throws: RunError.self) { try session.run(["x": ramp([1, 2, 3, 4])]) }
  }
  @Test(arguments: [Shape([1 << 62, 1 << 62]), [1 << 20, 1 << 20, 1 << 20], [0, 1 << 62, 4]])
  func aValueThatNoMemoryHoldsIsRefusedBeforeKernelsAreMade(shape: Shape) throws {
    var builder = ModelBuilder()
    let x = builder.input("x", nil, type: .int64)
    let c = builder.node("ConstantOfShape", [x], output: "c")
    let y = builder.node("Transpose", [c], output: "y")
    let session = try SessionCore(
      model: builder.model(outputs: [y]), configuration: SessionConfiguration())
    let error = try #require(throws: ModelError.self) {
      try session.run(["x": Tensor(shape.map(Int64.init))])
    }
    #expect("\(error)".contains("'c' is float32 \(shape)"), "\(error)")
  }

  @Test func aShapeThatOverflowsIsNoInput() throws {
    let session = try SessionCore(model: concatModel(), configuration: SessionConfiguration())
    let huge = try Tensor([Float](), shape: [0, 2, 1 << 62, 4])
    #expect(throws: RunError.self) { try session.run(["x": huge]) }
    #expect(throws: RunError.self) {
      try session.plan(inputs: ["x": (.float32, [1 << 40, 2, 1 << 40, 4])])
    }
  }
}
