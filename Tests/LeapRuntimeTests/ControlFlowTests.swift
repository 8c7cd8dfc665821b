// If, Loop and Scan: what runs, with which values, how often; what stays charged; and what is refused.

import LeapGraph
import LeapRuntime
import LeapTensors
import LeapWorkers
import Testing

@Suite struct ControlFlowTests {
  /// With passes and without, on one worker and on several.
  static let settings = [(true, 1), (true, 3), (false, 2)]

  private func floats(_ value: RunValue?) -> [Float]? { value?.tensor?.elements(as: Float.self) }

  private func flag(_ value: Bool) throws -> RunValue { .tensor(try Tensor(scalar: value)) }

  // MARK: If

  /// Branches of different shapes; what follows is planned for the one that ran.
  private func choice() throws -> Model {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n")])
    let condition = builder.input("c", [], type: .bool)
    let doubled = builder.node("Add", [x, x], output: "doubled")
    let two = builder.constant("two", try Tensor([2] as [Float]))
    var then = ModelBuilder()
    let (inner, factor) = (then.capture(doubled, as: "inner"), then.capture(two, as: "factor"))
    let product = then.node("Mul", [inner, factor], output: "product")
    var other = ModelBuilder()
    let (left, right) = (other.capture(x, as: "left"), other.capture(doubled, as: "right"))
    let joined = other.node(
      "Concat", [left, right], attributes: ["axis": .int(0)], output: "joined")
    let chosen = builder.node(
      "If", [condition],
      attributes: [
        "then_branch": then.body(outputs: [product]), "else_branch": other.body(outputs: [joined]),
      ], output: "chosen")
    let result = builder.node("Neg", [chosen], output: "result")
    return builder.model(outputs: [result, doubled])
  }

  @Test(arguments: settings) func oneOfTwoBranchesRuns(passes: Bool, width: Int) throws {
    let session = try RunHarness.session(choice(), passes: passes, width: width)
    for count in [1, 3] {
      let x = RunValue.tensor(try ramp([count]))
      let ramp = (0..<count).map(Float.init)
      let yes = try session.run(values: ["x": x, "c": flag(true)])
      #expect(floats(yes["result"]) == ramp.map { -4 * $0 })
      let no = try session.run(values: ["x": x, "c": flag(false)])
      #expect(floats(no["result"]) == ramp.map { -$0 } + ramp.map { -2 * $0 })
      #expect(floats(no["doubled"]) == ramp.map { 2 * $0 })
    }
    let held = session.pool.idleByteCount + session.planned.weightBytes.owned
    #expect(session.ledger.charged == held)
  }

  /// Where both branches make the same shapes, what either takes is known before the run, and suffices for it.
  @Test(arguments: settings) func aChoiceHasABound(passes: Bool, width: Int) throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n"), 64])
    let condition = builder.input("c", [], type: .bool)
    let w = builder.constant(
      "w", try Tensor([Float](repeating: 0.5, count: 64 * 64), shape: [64, 64]))
    var then = ModelBuilder()
    let (inner, weights) = (then.capture(x, as: "inner"), then.capture(w, as: "weights"))
    let product = then.node("MatMul", [inner, weights], output: "product")
    let squashed = then.node("Softmax", [product], output: "squashed")
    var other = ModelBuilder()
    let outer = other.capture(x, as: "outer")
    let negated = other.node("Neg", [outer], output: "negated")
    let chosen = builder.node(
      "If", [condition],
      attributes: [
        "then_branch": then.body(outputs: [squashed]),
        "else_branch": other.body(outputs: [negated]),
      ], output: "chosen")
    let result = builder.node("Exp", [chosen], output: "result")
    let model = builder.model(outputs: [result])
    let predicted = try RunHarness.session(model, passes: passes, width: width).predictedMemory(
      inputs: ["x": (.float32, [9, 64]), "c": (.bool, [])])
    guard case .atMost(let rest) = predicted.rest else {
      Issue.record("\(predicted.rest)")
      return
    }
    // At least what the product and its Softmax make.
    #expect(rest >= 2 * 9 * 64 * 4)
    let budget =
      predicted.ownedWeights + predicted.mappedWeights + predicted.arena + predicted.scratch
      + predicted.results + rest
    for choice in [true, false] {
      let bounded = try RunHarness.session(model, passes: passes, width: width, budget: budget)
      let results = try bounded.run(values: ["x": .tensor(ramp([9, 64])), "c": flag(choice)])
      #expect(results["result"]?.tensor?.shape == [9, 64])
    }
  }

  @Test func branchesThatHandOnWhatIsThere() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2])
    let condition = builder.input("c", [1], type: .bool)
    var then = ModelBuilder()
    let own = then.constant("own", try Tensor([7, 8] as [Float]))
    var other = ModelBuilder()
    let outer = other.capture(x, as: "outer")
    let chosen = builder.node(
      "If", [condition],
      attributes: [
        "then_branch": then.body(outputs: [own]), "else_branch": other.body(outputs: [outer]),
      ], output: "chosen")
    let session = try RunHarness.session(builder.model(outputs: [chosen]))
    let x2 = RunValue.tensor(try ramp([2]))
    for (value, expected) in [(true, [7, 8]), (false, [0, 1])] as [(Bool, [Float])] {
      let c = RunValue.tensor(try Tensor([value]))
      #expect(try floats(session.run(values: ["x": x2, "c": c])["chosen"]) == expected)
    }
    let types = session.program.graph.outputs.map { session.program.graph[$0].type }
    #expect(types == [.tensor(.float32, shape: [2])])
  }

  // MARK: Loop

  /// `total` grows by `step * i` with every run, which is a slice of an output too; it goes on while the total is below `limit`.
  private func summing(hasCount: Bool = true, hasCondition: Bool = true) throws -> Model {
    var builder = ModelBuilder()
    let count = builder.input("count", [], type: .int64)
    let goes = builder.input("goes", [], type: .bool)
    let limit = builder.input("limit", [])
    let step = builder.input("step", [2])
    let start = builder.input("start", [2])
    var body = ModelBuilder()
    let i = body.input("i", [], type: .int64)
    _ = body.input("on", [], type: .bool)
    let total = body.input("total")
    let (inner, bound) = (body.capture(step, as: "inner"), body.capture(limit, as: "bound"))
    let number = body.node("Cast", [i], attributes: ["to": .int(1)], output: "number")
    let increase = body.node("Mul", [inner, number], output: "increase")
    let sum = body.node("Add", [total, increase], output: "sum")
    let largest = body.node(
      "ReduceMax", [sum], attributes: ["keepdims": .int(0)], output: "largest")
    let more = body.node("Less", [largest, bound], output: "more")
    let results = builder.node(
      "Loop", [hasCount ? count : nil, hasCondition ? goes : nil, start],
      attributes: ["body": body.body(outputs: [more, sum, increase])],
      outputs: ["final", "increases"])
    return builder.model(outputs: results)
  }

  private func inputs(
    count: Int64, goes: Bool = true, limit: Float = 1e9
  ) throws -> [String: RunValue] {
    [
      "count": .tensor(try Tensor(scalar: count)), "goes": try flag(goes),
      "limit": .tensor(try Tensor(scalar: limit)),
      "step": .tensor(try Tensor([1, 2] as [Float])),
      "start": .tensor(try Tensor([10, 20] as [Float])),
    ]
  }

  @Test(arguments: settings) func aLoopRunsSoOften(passes: Bool, width: Int) throws {
    let session = try RunHarness.session(summing(), passes: passes, width: width)
    for (given, runs) in [
      (try inputs(count: 4), 4), (try inputs(count: 1), 1), (try inputs(count: 0), 0),
      (try inputs(count: 5, goes: false), 0), (try inputs(count: -3), 0),
      // 20 + 2 * (0 + 1 + 2) = 26 is no longer below 25: the run that says so counts.
      (try inputs(count: 9, limit: 25), 3),
    ] {
      let results = try session.run(values: given)
      let sum = Float(runs * (runs - 1) / 2)
      #expect(floats(results["final"]) == [10 + sum, 20 + 2 * sum], "\(runs)")
      #expect(results["increases"]?.tensor?.shape == [runs, 2])
      #expect(
        floats(results["increases"]) == (0..<runs).flatMap { [Float($0), 2 * Float($0)] })
    }
  }

  @Test func countAndConditionMayBeLeftOut() throws {
    let open = try RunHarness.session(summing(hasCount: false))
    #expect(try floats(open.run(values: inputs(count: 0, limit: 25))["final"]) == [13, 26])
    let counted = try RunHarness.session(summing(hasCondition: false))
    let results = try counted.run(values: inputs(count: 2, goes: false))
    #expect(floats(results["final"]) == [11, 22])
  }

  /// A value that grows with every run, and weights from outside.
  @Test(arguments: settings) func carriedValuesMayGrow(passes: Bool, width: Int) throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [1, 4])
    let matrix = builder.constant("matrix", try ramp([4, 4]))
    let count = try builder.constant("count", Tensor(scalar: Int64(3)))
    var body = ModelBuilder()
    _ = body.input("i", [], type: .int64)
    let on = body.input("on", [], type: .bool)
    let rows = body.input("rows")
    let (inner, weights) = (body.capture(x, as: "inner"), body.capture(matrix, as: "weights"))
    let product = body.node("MatMul", [inner, weights], output: "product")
    let grown = body.node(
      "Concat", [rows, product], attributes: ["axis": .int(0)], output: "grown")
    let stays = body.node("Identity", [on], output: "stays")
    let result = builder.node(
      "Loop", [count, nil, x], attributes: ["body": body.body(outputs: [stays, grown])],
      output: "result")
    let model = builder.model(outputs: [result])
    let session = try RunHarness.session(model, passes: passes, width: width)
    let output = try session.run(values: ["x": .tensor(ramp([1, 4]))])["result"]
    #expect(output?.tensor?.shape == [4, 4])
    let row: [Float] = [56, 62, 68, 74]
    #expect(floats(output) == [0, 1, 2, 3] + row + row + row)
    // The extent that grows is not known, the other is.
    #expect(session.program.graph[session.program.graph.outputs[0]].type?.shape?.last == 4)
    #expect(session.program.graph[session.program.graph.outputs[0]].type?.shape?.first == .unknown)
  }

  /// Two levels of graphs that read what is outside of both.
  @Test(arguments: settings) func graphsInGraphs(passes: Bool, width: Int) throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2])
    let count = builder.input("count", [], type: .int64)
    var body = ModelBuilder()
    let i = body.input("i", [], type: .int64)
    let on = body.input("on", [], type: .bool)
    let total = body.input("total")
    let outside = body.capture(x, as: "outside")
    let two = body.constant("two", try Tensor(scalar: Int64(2)))
    let rest = body.node("Mod", [i, two], output: "rest")
    let isOdd = body.node("Cast", [rest], attributes: ["to": .int(9)], output: "odd")
    var then = ModelBuilder()
    let (a, b) = (then.capture(total, as: "a"), then.capture(outside, as: "b"))
    let added = then.node("Add", [a, b], output: "added")
    var other = ModelBuilder()
    let same = other.capture(total, as: "same")
    let negative = other.node("Neg", [same], output: "negative")
    let chosen = body.node(
      "If", [isOdd],
      attributes: [
        "then_branch": then.body(outputs: [added]), "else_branch": other.body(outputs: [negative]),
      ], output: "chosen")
    let stays = body.node("Identity", [on], output: "stays")
    let result = builder.node(
      "Loop", [count, nil, x], attributes: ["body": body.body(outputs: [stays, chosen])],
      output: "result")
    let session = try RunHarness.session(
      builder.model(outputs: [result]), passes: passes, width: width)
    var expected: [Float] = [0, 1]
    for run in 0..<5 {
      let given: [String: RunValue] = [
        "x": .tensor(try ramp([2])), "count": .tensor(try Tensor(scalar: Int64(run))),
      ]
      #expect(try floats(session.run(values: given)["result"]) == expected)
      expected = run % 2 == 1 ? zip(expected, [0, 1]).map { $0 + $1 } : expected.map { -$0 }
    }
  }

  /// Loops in loops, each of which carries a value whose extents change: inferring them must not take twice as long with
  /// every level.
  @Test func deepLoopsAreInferredQuickly() throws {
    func level(_ depth: Int, _ builder: inout ModelBuilder, _ x: ValueID) throws -> ValueID {
      var body = ModelBuilder()
      _ = body.input("i", [], type: .int64)
      let on = body.input("on", [], type: .bool)
      let value = body.input("value")
      let inner = depth == 0 ? value : try level(depth - 1, &body, value)
      let grown = body.node(
        "Concat", [inner, value], attributes: ["axis": .int(0)], output: "grown")
      let stays = body.node("Identity", [on], output: "stays")
      let count = builder.constant("count", try Tensor(scalar: Int64(1)))
      return builder.node(
        "Loop", [count, nil, x], attributes: ["body": body.body(outputs: [stays, grown])],
        output: "result")
    }
    var builder = ModelBuilder()
    let x = builder.input("x", [1, 2, 3])
    let result = try level(40, &builder, x)
    let session = try RunHarness.session(builder.model(outputs: [result]))
    // Each level puts its value behind what the level below made of it.
    let shape = try session.run(values: ["x": .tensor(ramp([1, 2, 3]))])["result"]?.tensor?.shape
    #expect(shape == [42, 2, 3])
  }

  // MARK: Scan

  @Test(arguments: settings) func slicesAlongAnyAxisAndDirection(passes: Bool, width: Int) throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2, 3])
    let start = builder.input("start", [2])
    var body = ModelBuilder()
    let state = body.input("state")
    let slice = body.input("slice")
    let sum = body.node("Add", [state, slice], output: "sum")
    let copy = body.node("Neg", [sum], output: "copy")
    let results = builder.node(
      "Scan", [start, x],
      attributes: [
        "body": body.body(outputs: [sum, copy]), "num_scan_inputs": .int(1),
        "scan_input_axes": .ints([1]), "scan_input_directions": .ints([1]),
        "scan_output_axes": .ints([-1]), "scan_output_directions": .ints([1]),
      ], outputs: ["final", "sums"])
    let session = try RunHarness.session(
      builder.model(outputs: results), passes: passes, width: width)
    let made = try session.run(values: [
      "x": .tensor(ramp([2, 3])), "start": .tensor(Tensor([100, 200] as [Float])),
    ])
    #expect(floats(made["final"]) == [103, 212])
    // Columns 2, 1, 0 are added in turn, and the last sum comes first.
    #expect(made["sums"]?.tensor?.shape == [2, 3])
    #expect(floats(made["sums"]) == [-103, -103, -102, -212, -209, -205])
    let types = session.program.graph.outputs.map { session.program.graph[$0].type?.shape }
    #expect(types == [[2], [2, 3]])
  }

  // MARK: memory and time

  /// Negates a value with every run; its sizes are slices of an output too where `hasSlices`.
  private func negating(hasSlices: Bool) throws -> SessionCore {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n")])
    let count = builder.input("count", [], type: .int64)
    var body = ModelBuilder()
    _ = body.input("i", [], type: .int64)
    let on = body.input("on", [], type: .bool)
    let value = body.input("value")
    let next = body.node("Neg", [value], output: "next")
    let stays = body.node("Identity", [on], output: "stays")
    let scanned = body.node("Abs", [value], output: "scanned")
    let results = builder.node(
      "Loop", [count, nil, x],
      attributes: ["body": body.body(outputs: [stays, next] + (hasSlices ? [scanned] : []))],
      outputs: ["final"] + (hasSlices ? ["slices"] : []))
    return try RunHarness.session(builder.model(outputs: results), budget: 16 << 20)
  }

  /// Only what is held stays charged: a thousand runs over a carried megabyte fit into a few.
  @Test func whatRunsLeaveIsGivenBack() throws {
    let megabyte = RunValue.tensor(try Tensor(zeros: .float32, shape: [1 << 18]))
    func inputs(_ count: Int64) throws -> [String: RunValue] {
      ["x": megabyte, "count": .tensor(try Tensor(scalar: count))]
    }
    let carrying = try negating(hasSlices: false)
    #expect(try carrying.run(values: inputs(1000))["final"]?.tensor?.shape == [1 << 18])
    let slicing = try negating(hasSlices: true)
    let error = #expect(throws: RunError.self) { try slicing.run(values: inputs(20)) }
    guard case .overBudget = error else {
      Issue.record("expected overBudget, got \(String(describing: error))")
      return
    }
    let short = try slicing.run(values: inputs(2))
    #expect(short["slices"]?.tensor?.shape == [2, 1 << 18])
    let held = slicing.pool.idleByteCount + slicing.planned.weightBytes.owned
    #expect(slicing.ledger.charged == held)
  }

  @Test func anEndlessLoopEndsWithItsTime() throws {
    let session = try RunHarness.session(summing(hasCount: false))
    let error = #expect(throws: RunError.self) {
      try session.run(
        values: inputs(count: 0, limit: .infinity), interrupt: Interrupt(timeout: .milliseconds(30))
      )
    }
    guard case .deadlineExceeded = error else {
      Issue.record("expected deadlineExceeded, got \(String(describing: error))")
      return
    }
  }

  // MARK: what is refused

  private func loop(_ make: (inout ModelBuilder) throws -> [ValueID]) throws -> SessionCore {
    var builder = ModelBuilder()
    let x = builder.input("x", [2])
    let count = builder.constant("count", try Tensor(scalar: Int64(3)))
    var body = ModelBuilder()
    _ = body.input("i", [], type: .int64)
    _ = body.input("on", [], type: .bool)
    _ = body.input("value")
    let outputs = try make(&body)
    let result = builder.node(
      "Loop", [count, nil, x], attributes: ["body": body.body(outputs: outputs)], output: "result")
    return try RunHarness.session(builder.model(outputs: [result]))
  }

  @Test func whatDoesNotFitIsToldWhenTheModelIsLoaded() throws {
    let cases: [(String, (inout ModelBuilder) throws -> [ValueID])] = [
      ("body has 3 inputs and 1 outputs", { [$0.graph.inputs[1]] }),
      (
        "carried value 0 is float32 2 and becomes int64",
        { body in
          let cast = body.node(
            "Cast", [body.graph.inputs[2]], attributes: ["to": .int(7)], output: "cast")
          return [body.graph.inputs[1], cast]
        }
      ),
      (
        "operator Sharpen",
        { body in
          let odd = body.node("Sharpen", [body.graph.inputs[2]], output: "odd")
          return [body.graph.inputs[1], odd]
        }
      ),
    ]
    for (message, make) in cases {
      let error = #expect(throws: ModelError.self) { try loop(make) }
      #expect("\(try #require(error))".contains(message), "\(String(describing: error))")
    }
  }

  @Test func whatDoesNotFitIsToldWhenItRuns() throws {
    // Slices of 2 elements, then of 4.
    let growing = try loop { body in
      let value = body.graph.inputs[2]
      let grown = body.node(
        "Concat", [value, value], attributes: ["axis": .int(0)], output: "grown")
      let copy = body.node("Neg", [value], output: "copy")
      return [body.graph.inputs[1], grown, copy]
    }
    let error = #expect(throws: RunError.self) {
      try growing.run(values: ["x": .tensor(ramp([2]))])
    }
    let text = "\(try #require(error))"
    #expect(text.contains("Loop_result") && text.contains("slices that differ"), "\(text)")
  }

  @Test func aSurveyTellsTroubleOnceAndGoesOn() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2])
    let condition = builder.input("c", [], type: .bool)
    var then = ModelBuilder()
    let inner = then.capture(x, as: "inner")
    let odd = then.node("Sharpen", [inner], output: "odd")
    var other = ModelBuilder()
    let same = other.capture(x, as: "same")
    let negative = other.node("Neg", [same], output: "negative")
    let chosen = builder.node(
      "If", [condition],
      attributes: [
        "then_branch": then.body(outputs: [odd]), "else_branch": other.body(outputs: [negative]),
      ], output: "chosen")
    let survey = GraphSurvey(builder.model(outputs: [chosen]).graph, table: .standard)
    #expect(survey.problems.map(\.node.operatorType) == ["Sharpen"])
    let branches = try #require(survey.subgraphs[0])
    let types = branches.map { survey in survey.graph.outputs.map { survey.graph[$0].type } }
    #expect(types.first == [.tensor(.float32, shape: [2])])
  }
}
