// SegmentMemory: what of a plan's memory is exact, what is bounded, and what is neither.

import LeapGraph
import LeapOperators
import LeapRuntime
import LeapTensors
import Testing

@Suite struct SegmentMemoryTests {
  /// An operator that makes as many elements as its input has zeros; with a bound for float32 alone.
  private struct Pick: TensorHostOperator {
    static let declarations = [OperatorDeclaration("Pick", domain: "test")]
    init(_ node: NodeReader) throws {}

    func infer(_ context: inout InferenceContext) throws {
      context.setOutput(0, try context.dataType(0), [.unknown])
    }

    func run(_ inputs: [Tensor?]) throws -> [Tensor] {
      let zeros = inputs[0]?.doubles?.filter { $0 == 0 } ?? []
      return [try Tensor(zeros.map { Float($0) })]
    }

    func largestOutputs(_ inputs: [Operand?]) -> [Operand]? {
      inputs[0].flatMap {
        $0.dataType == .float32 ? [Operand(.float32, [$0.shape.elementCount])] : nil
      }
    }
  }

  private enum Family: OperatorFamily {
    static let operators: [any Operator.Type] = [Pick.self]
  }

  /// Plans Neg, Pick, and perhaps a Neg behind it.
  private func memory(
    _ type: DataType, continues: Bool
  ) throws -> (results: Int, rest: SegmentMemory.Rest) {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n"), 8], type: type)
    let y = builder.node("Neg", [x], output: "y")
    let picked = builder.node("Pick", domain: "test", [y], outputs: ["picked"])
    let last = continues ? [builder.node("Neg", [picked[0]], output: "z")] : picked
    let graph = builder.model(outputs: last).graph
    let table = OperatorTable(families: [UnaryMath.self, Family.self])
    let program = try Program(graph: graph, table: table)
    let weights = WeightStore(
      graph: graph, policy: .owned, ledger: MemoryLedger(budget: .max))
    let planner = Planner(
      program: program, weights: weights, options: PlanOptions(), outputs: graph.outputs)
    let state = PlanningState(program: program, inputs: [x: .tensor(type, shape: [4, 8])])
    return (try planner.segment(from: state).memory.results, try planner.rest(from: state))
  }

  @Test func whatHostsMakeIsBoundedWhereTheySayHowMuch() throws {
    let bounded = try memory(.float32, continues: false)
    #expect(bounded.rest == .atMost(4 * 8 * 4))
    #expect(bounded.results == 4 * 8 * 4)
    #expect(try memory(.float64, continues: false).rest == .unbounded(nodes: ["Pick_picked"]))
  }

  @Test func whatFollowsABoundIsBounded() throws {
    // Picked elements, and their negatives.
    #expect(try memory(.float32, continues: true).rest == .atMost(2 * 4 * 8 * 4))
    #expect(
      try memory(.float64, continues: true).rest == .unbounded(nodes: ["Pick_picked", "Neg_z"]))
  }

  @Test func noRunTakesMoreThanTheBound() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n"), 8])
    let places = builder.node("NonZero", [x], output: "places")
    let turned = builder.node("Transpose", [places], output: "turned")
    let values = builder.node("GatherND", [x, turned], output: "values")
    let roots = builder.node("Sqrt", [values], output: "roots")
    let session = try SessionCore(
      model: builder.model(outputs: [roots]), configuration: SessionConfiguration())
    let predicted = try session.predictedMemory(inputs: ["x": (.float32, [40, 8])])
    guard case .atMost(let bound) = predicted.rest else {
      Issue.record("expected a bound, got \(predicted.rest)")
      return
    }
    let exact = predicted.arena + predicted.scratch + predicted.results
    for zeros in [0, 100, 320] {
      let elements = (0..<320).map { $0 < zeros ? Float(0) : 4 }
      let before = session.ledger.charged
      let made = try session.run(["x": try Tensor(elements, shape: [40, 8])])
      #expect(made["roots"]?.shape == [320 - zeros])
      #expect(session.pool.idleByteCount + 4 * (320 - zeros) - before <= exact + bound)
    }
    // What is picked from 320 elements, and all that is made of it.
    #expect(bound >= 320 * (2 * 8 + 2 * 8 + 4 + 4))
  }

  @Test func aShapeThatIsComputedFromWhatWasFoundIsUnbounded() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [6])
    let places = builder.node("NonZero", [x], output: "places")
    let line = builder.node("Reshape", [places, try builder.integers("-1", [-1])], output: "line")
    let y = builder.node("Expand", [x, line], output: "y")
    let session = try SessionCore(
      model: builder.model(outputs: [y]), configuration: SessionConfiguration())
    let predicted = try session.predictedMemory(inputs: ["x": (.float32, [6])])
    #expect(predicted.rest == .unbounded(nodes: ["Expand_y"]))
  }

  @Test func aShapeFromAnInputIsUnbounded() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2, 6])
    let shape = builder.input("shape", [.fixed(2)], type: .int64)
    let a = builder.node("Neg", [x], output: "a")
    let y = builder.node("Reshape", [a, shape], output: "y")
    let z = builder.node("Transpose", [y], output: "z")
    let session = try SessionCore(
      model: builder.model(outputs: [z]), configuration: SessionConfiguration())
    let predicted = try session.predictedMemory(
      inputs: ["x": (.float32, [2, 6]), "shape": (.int64, [2])])
    #expect(predicted.rest == .unbounded(nodes: ["Reshape_y", "Transpose_z"]))
    #expect(predicted.results == 48)
    // Runs go on beyond what was predicted, and nothing stays charged but what is kept.
    for rows in [3, 4, 12] {
      let given = try Tensor([Int64(rows), Int64(12 / rows)])
      _ = try session.run(["x": try ramp([2, 6]), "shape": given])
      #expect(session.ledger.charged == session.pool.idleByteCount)
    }
  }

  @Test func aBudgetStopsALaterSegment() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [1])
    let shape = builder.input("shape", [.fixed(1)], type: .int64)
    let y = builder.node("Expand", [x, shape], output: "y")
    let z = builder.node("Neg", [y], output: "z")
    var configuration = SessionConfiguration()
    configuration.memoryBudget = 64 << 10
    let session = try SessionCore(
      model: builder.model(outputs: [z]), configuration: configuration)
    func run(_ count: Int64) throws -> Shape? {
      try session.run(["x": try ramp([1]), "shape": try Tensor([count])])["z"]?.shape
    }
    #expect(try run(1000) == [1000])
    let error = #expect(throws: RunError.self) { try run(1 << 20) }
    guard case .overBudget(let required, 64 << 10) = error else {
      Issue.record("expected overBudget, got \(String(describing: error))")
      return
    }
    #expect(required >= 4 << 20)
    #expect(session.ledger.charged == session.pool.idleByteCount)
    #expect(try run(1000) == [1000])
  }

  /// Strings are moved on the host, whose results are known by values alone: they are charged before they are made.
  @Test func aBudgetStopsStringsBeforeTheyAreMade() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [1], type: .string)
    let shape = builder.input("shape", [.fixed(1)], type: .int64)
    let y = builder.node("Expand", [x, shape], output: "y")
    let session = try RunHarness.session(builder.model(outputs: [y]), budget: 1 << 20)
    func run(_ count: Int64) throws -> Tensor? {
      try session.run(["x": try Tensor(strings: ["a"]), "shape": try Tensor([count])])["y"]
    }
    #expect(try run(1000)?.strings == Array(repeating: "a", count: 1000))
    let error = #expect(throws: RunError.self) { try run(1 << 40) }
    guard case .overBudget(let required, 1 << 20) = error else {
      Issue.record("expected overBudget, got \(String(describing: error))")
      return
    }
    #expect(required >= 16 << 40)
    #expect(try run(2)?.strings == ["a", "a"])
  }
}
