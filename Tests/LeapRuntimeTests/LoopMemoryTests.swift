// What loops carry is computed in place, or in memory that an earlier run left: nothing that somebody still reads is written over,
// nothing is allocated with every run, and no more is taken than was said before.

import LeapGraph
import LeapRuntime
import LeapTensors
import LeapTestSupport
import Testing

/// A loop over two vectors of floats, and the same in Swift.
struct LoopCase: Sendable, CustomTestStringConvertible {
  /// What a body reads, and the values of the graph around it.
  struct Body {
    var builder = ModelBuilder()
    var i: ValueID
    var a: ValueID
    var b: ValueID
    var outer: ValueID

    mutating func node(_ type: String, _ inputs: ValueID...) -> ValueID {
      builder.node(type, inputs, output: "\(type)\(builder.graph.values.count)")
    }

    mutating func scalar<Element: TensorElement>(_ value: Element) throws -> ValueID {
      builder.constant("c\(builder.graph.values.count)", try Tensor(scalar: value))
    }
  }

  typealias Vectors = [[Float]]

  let name: String
  /// Makes the body's nodes; gives what it carries and what it makes slices of.
  let make: @Sendable (inout Body) throws -> (carried: [ValueID], slices: [ValueID])
  /// The same for run `i`, of what is carried, and of `x`, which the graph around it has.
  let run: @Sendable (Int, Vectors, [Float]) -> (carried: Vectors, slices: Vectors)

  var testDescription: String { name }

  /// Elements of a vector: enough for its memory to be kept.
  static let length = 600

  func model(hasCount: Bool = true, bodyKeepsCondition: Bool = true) throws -> Model {
    var builder = ModelBuilder()
    let shape = [Dimension.fixed(LoopCase.length)]
    let (x, y) = (builder.input("x", shape), builder.input("y", shape))
    let count = builder.input("count", [], type: .int64)
    var inner = ModelBuilder()
    let i = inner.input("i", [], type: .int64)
    let on = inner.input("on", [], type: .bool)
    let (a, b) = (inner.input("a"), inner.input("b"))
    let outer = inner.capture(x, as: "outer")
    var body = Body(builder: inner, i: i, a: a, b: b, outer: outer)
    let made = try make(&body)
    let stays =
      bodyKeepsCondition
      ? on : body.builder.node("Less", [i, try body.scalar(Int64(1 << 40))], output: "stays")
    let outputs = ["a_out", "b_out"] + made.slices.indices.map { "slices\($0)" }
    let results = builder.node(
      "Loop", [count, nil, x, y],
      attributes: ["body": body.builder.body(outputs: [stays] + made.carried + made.slices)],
      outputs: outputs)
    return builder.model(outputs: results)
  }

  /// What the outputs hold after so many runs.
  func expected(_ x: [Float], _ y: [Float], count: Int) -> Vectors {
    var carried = [x, y]
    var slices: Vectors?
    for i in 0..<count {
      let made = run(i, carried, x)
      carried = made.carried
      slices = slices.map { zip($0, made.slices).map(+) } ?? made.slices
    }
    return carried + (slices ?? run(0, carried, x).slices.map { _ in [] })
  }
}

private func sum(_ a: [Float], _ b: [Float]) -> [Float] { zip(a, b).map(+) }
private func more(_ a: [Float], _ b: Float = 1) -> [Float] { a.map { $0 + b } }

private let loopCases: [LoopCase] = [
  LoopCase(
    name: "one vector grows, the other stays",
    make: { body in ([body.node("Add", body.a, try body.scalar(Float(1))), body.b], []) },
    run: { _, v, _ in ([more(v[0]), v[1]], []) }),
  LoopCase(
    name: "swapped", make: { ([$0.b, $0.a], []) }, run: { _, v, _ in ([v[1], v[0]], []) }),
  LoopCase(
    name: "swapped, and one changed",
    make: { body in ([body.b, body.node("Add", body.a, try body.scalar(Float(1)))], []) },
    run: { _, v, _ in ([v[1], more(v[0])], []) }),
  LoopCase(
    name: "each from both",
    make: { body in
      ([body.node("Add", body.a, body.b), body.node("Sub", body.a, body.b)], [])
    },
    run: { _, v, _ in ([sum(v[0], v[1]), zip(v[0], v[1]).map(-)], []) }),
  LoopCase(
    name: "what is carried is a slice too",
    make: { body in
      let next = body.node("Add", body.a, try body.scalar(Float(1)))
      return ([next, body.b], [next])
    },
    run: { _, v, _ in ([more(v[0]), v[1]], [more(v[0])]) }),
  LoopCase(
    name: "what was carried is a slice",
    make: { body in
      ([body.node("Add", body.a, try body.scalar(Float(1))), body.a], [body.a, body.b])
    },
    run: { _, v, _ in ([more(v[0]), v[0]], [v[0], v[1]]) }),
  LoopCase(
    name: "one output twice",
    make: { body in
      let next = body.node("Add", body.a, body.b)
      return ([next, next], [next, next])
    },
    run: { _, v, _ in
      let next = sum(v[0], v[1])
      return ([next, next], [next, next])
    }),
  LoopCase(
    name: "an outer value is carried",
    make: { body in ([body.outer, body.node("Add", body.a, body.b)], []) },
    run: { _, v, x in ([x, sum(v[0], v[1])], []) }),
  LoopCase(
    name: "an outer value is added to",
    make: { body in ([body.node("Add", body.a, body.outer), body.node("Neg", body.b)], []) },
    run: { _, v, x in ([sum(v[0], x), v[1].map { -$0 }], []) }),
  LoopCase(
    name: "a constant is carried",
    make: { body in
      let ones = try Tensor([Float](repeating: 1, count: LoopCase.length))
      let constant = body.builder.constant("ones", ones)
      return ([constant, body.node("Add", body.a, body.b)], [])
    },
    run: { _, v, _ in ([v[0].map { _ in 1 }, sum(v[0], v[1])], []) }),
  LoopCase(
    name: "several steps in place",
    make: { body in
      let negative = body.node("Neg", body.a)
      let grown = body.node("Add", negative, try body.scalar(Float(3)))
      return ([body.node("Abs", grown), body.node("Neg", body.b)], [])
    },
    run: { _, v, _ in (([v[0].map { abs(3 - $0) }, v[1].map { -$0 }]), []) }),
  LoopCase(
    name: "read again after it was added to",
    make: { body in
      let next = body.node("Add", body.a, try body.scalar(Float(1)))
      let last = body.node("Sub", next, body.a)
      return ([next, body.node("Add", last, body.b)], [])
    },
    run: { _, v, _ in ([more(v[0]), more(v[1])], []) }),
  LoopCase(
    name: "its largest is added",
    make: { body in
      let largest = body.builder.node(
        "ReduceMax", [body.a], attributes: ["keepdims": .int(0)], output: "largest")
      return ([body.node("Add", body.a, largest), body.b], [])
    },
    run: { _, v, _ in ([more(v[0], v[0].max() ?? 0), v[1]], []) }),
  LoopCase(
    name: "one element with every run",
    make: { body in
      let shape = try body.builder.integers("shape", [1])
      let index = body.node("Reshape", body.i, shape)
      let value = body.builder.constant("value", try Tensor([7] as [Float]))
      let next = body.node("ScatterElements", body.a, index, value)
      return ([next, body.b], [])
    },
    run: { i, v, _ in
      var next = v[0]
      next[i] = 7
      return ([next, v[1]], [])
    }),
  LoopCase(
    name: "read by a later segment",
    make: { body in
      let next = body.node("Add", body.node("Abs", body.a), try body.scalar(Float(1)))
      let places = body.builder.node(
        "Cast", [body.node("NonZero", next)], attributes: ["to": .int(1)], output: "places")
      let last = body.builder.node(
        "ReduceMax", [places], attributes: ["keepdims": .int(0)], output: "last")
      return ([next, body.node("Add", body.a, last)], [next])
    },
    run: { _, v, _ in
      let next = v[0].map { abs($0) + 1 }
      return ([next, more(v[0], Float(LoopCase.length - 1))], [next])
    }),
  LoopCase(
    name: "a choice hands it on",
    make: { body in
      let two = try body.scalar(Int64(2))
      let odd = body.builder.node(
        "Cast", [body.node("Mod", body.i, two)], attributes: ["to": .int(9)], output: "odd")
      var then = ModelBuilder()
      let same = then.capture(body.a, as: "same")
      var other = ModelBuilder()
      let (left, right) = (other.capture(body.a, as: "left"), other.capture(body.b, as: "right"))
      let added = other.node("Add", [left, right], output: "added")
      let chosen = body.builder.node(
        "If", [odd],
        attributes: [
          "then_branch": then.body(outputs: [same]), "else_branch": other.body(outputs: [added]),
        ], output: "chosen")
      return ([chosen, body.node("Neg", body.a)], [chosen])
    },
    run: { i, v, _ in
      let chosen = i % 2 == 1 ? v[0] : sum(v[0], v[1])
      return ([chosen, v[0].map { -$0 }], [chosen])
    }),
  LoopCase(
    name: "a loop in it",
    make: { body in
      var inner = ModelBuilder()
      _ = inner.input("j", [], type: .int64)
      let on = inner.input("goes", [], type: .bool)
      let value = inner.input("value")
      let outside = inner.capture(body.b, as: "outside")
      let next = inner.node("Add", [value, outside], output: "next")
      let results = body.builder.node(
        "Loop", [body.i, nil, body.a],
        attributes: ["body": inner.body(outputs: [on, next, next])], outputs: ["total", "all"])
      let last = body.builder.node(
        "ReduceSum", [results[1], try body.builder.integers("axes", [0])],
        attributes: ["keepdims": .int(0)], output: "last")
      return ([results[0], body.node("Neg", body.b)], [last])
    },
    run: { i, v, _ in
      var (total, all) = (v[0], v[0].map { _ in Float(0) })
      for _ in 0..<i {
        total = sum(total, v[1])
        all = sum(all, total)
      }
      return ([total, v[1].map { -$0 }], [all])
    }),
]

@Suite(.serialized) struct LoopMemoryTests {
  private static let ramps: (x: [Float], y: [Float]) = (
    (0..<LoopCase.length).map(Float.init), (0..<LoopCase.length).map { Float($0 % 7) - 3 }
  )

  /// Nothing is written over that is still read, also in a second run of the session.
  @Test(arguments: loopCases, [(true, 1), (true, 3), (false, 2)])
  func nothingThatIsReadIsWrittenOver(_ item: LoopCase, setting: (Bool, Int)) throws {
    let (x, y) = LoopMemoryTests.ramps
    for keeps in [true, false] {
      let session = try RunHarness.session(
        item.model(bodyKeepsCondition: keeps), passes: setting.0, width: setting.1)
      let outputs = session.model.graph.outputs.map { session.model.graph[$0].name }
      for count in [0, 1, 2, 5, 5] {
        let given = (x: try Tensor(x), y: try Tensor(y))
        let results = try session.run(values: [
          "x": .tensor(given.x), "y": .tensor(given.y),
          "count": .tensor(try Tensor(scalar: Int64(count))),
        ])
        for (name, expected) in zip(outputs, item.expected(x, y, count: count)) {
          #expect(
            results[name]?.tensor?.elements(as: Float.self) == expected, "\(name), \(count) runs")
        }
        #expect(given.x.elements(as: Float.self) == x && given.y.elements(as: Float.self) == y)
      }
      let held = session.pool.idleByteCount + session.planned.weightBytes.owned
      #expect(session.ledger.charged == held)
    }
  }

  /// What a sequence holds is not written over.
  @Test func sequencesKeepWhatTheyHold() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [.fixed(LoopCase.length)])
    let count = try builder.constant("count", Tensor(scalar: Int64(3)))
    let empty = builder.node("SequenceEmpty", [], output: "empty")
    var body = ModelBuilder()
    _ = body.input("i", [], type: .int64)
    let on = body.input("on", [], type: .bool)
    let value = body.input("value")
    let list = body.input("list", of: .sequence(.tensor(.float32, shape: nil)))
    let next = body.node("Neg", [value], output: "next")
    let longer = body.node("SequenceInsert", [list, value], output: "longer")
    let results = builder.node(
      "Loop", [count, nil, x, empty], attributes: ["body": body.body(outputs: [on, next, longer])],
      outputs: ["final", "all"])
    let session = try RunHarness.session(builder.model(outputs: results))
    let (ramp, _) = LoopMemoryTests.ramps
    let made = try session.run(values: ["x": .tensor(Tensor(ramp))])
    let negative = ramp.map { -$0 }
    #expect(made["final"]?.tensor?.elements(as: Float.self) == negative)
    let items = made["all"]?.tensors.compactMap { $0.elements(as: Float.self) }
    #expect(items == [ramp, negative, ramp])
  }

  /// A run allocates the small values of its loop, and memory for what it carries once.
  @Test(arguments: [
    "one vector grows, the other stays", "swapped, and one changed", "each from both",
    "several steps in place", "its largest is added", "one element with every run",
  ]) func memoryIsUsedAgain(name: String) async throws {
    guard Allocations.areCounted() else { return }
    await #expect(processExitsWith: .success) { [name = name as String] in
      let item = try #require(loopCases.first { $0.name == name })
      var configuration = SessionConfiguration()
      configuration.width = 1
      let session = try SessionCore(
        model: try item.model(), configuration: configuration)
      let vector = RunValue.tensor(try Tensor(LoopMemoryTests.ramps.x))
      func bytes(_ count: Int64) throws -> Int {
        let inputs: [String: RunValue] = [
          "x": vector, "y": vector, "count": .tensor(try Tensor(scalar: count)),
        ]
        let outputs = ["a_out", "b_out"]
        _ = try session.run(values: inputs, outputs: outputs)
        return try Allocations.during { _ = try session.run(values: inputs, outputs: outputs) }
          .alignedBytes
      }
      let (few, many) = (try bytes(10), try bytes(210))
      // Less than a tenth of a vector for each run.
      #expect(many - few < 200 * LoopCase.length * 4 / 10, "\(few) bytes, then \(many)")
    }
  }

  /// Slices of a known number are computed in their places: the outputs are all that is allocated.
  @Test(arguments: [true, false]) func slicesAreComputedInPlace(isCounted: Bool) async throws {
    guard Allocations.areCounted() else { return }
    await #expect(processExitsWith: .success) { [isCounted = isCounted as Bool] in
      let item = LoopCase(
        name: "", make: { ([$0.a, $0.b], [$0.node("Neg", $0.a)]) },
        run: { _, v, _ in (v, [v[0]]) })
      var configuration = SessionConfiguration()
      configuration.width = 1
      let session = try SessionCore(
        model: try item.model(bodyKeepsCondition: isCounted), configuration: configuration)
      let vector = RunValue.tensor(try Tensor(LoopMemoryTests.ramps.x))
      let inputs: [String: RunValue] = [
        "x": vector, "y": vector, "count": .tensor(try Tensor(scalar: Int64(200))),
      ]
      _ = try session.run(values: inputs)
      let taken = try Allocations.during { _ = try session.run(values: inputs) }.alignedBytes
      let slices = 200 * LoopCase.length * 4
      #expect(taken >= slices)
      // A tensor that grows by halves was three times as large in all, and is copied once more.
      #expect(taken < slices * (isCounted ? 11 : 45) / 10, "\(taken) bytes for \(slices)")
    }
  }

  // MARK: what is said before

  /// Loops with a count, and Scans, have a bound, which suffices for the run.
  @Test(arguments: loopCases, [true, false])
  func loopsHaveABound(_ item: LoopCase, passes: Bool) throws {
    var model = try item.model()
    let count = try #require(model.graph.inputs.last)
    model.graph.inputs.removeLast()
    model.graph.constants[count] = Constant(try Tensor(scalar: Int64(20)))
    let shape = Shape([LoopCase.length])
    let predicted = try RunHarness.session(model, passes: passes).predictedMemory(
      inputs: ["x": (.float32, shape), "y": (.float32, shape)])
    // How many slices the inner loop makes depends on the run of the outer one.
    if item.name == "a loop in it" {
      #expect(predicted.rest == .unbounded(nodes: ["Loop_a_out"]))
      return
    }
    guard case .atMost(let rest) = predicted.rest else {
      Issue.record("\(predicted.rest)")
      return
    }
    let budget =
      predicted.ownedWeights + predicted.mappedWeights + predicted.arena + predicted.scratch
      + predicted.results + rest
    let bounded = try RunHarness.session(model, passes: passes, budget: budget)
    let (x, y) = LoopMemoryTests.ramps
    let results = try bounded.run(values: [
      "x": .tensor(try Tensor(x)), "y": .tensor(try Tensor(y)),
    ])
    let outputs = model.graph.outputs.map { model.graph[$0].name }
    for (name, expected) in zip(outputs, item.expected(x, y, count: 20)) {
      #expect(results[name]?.tensor?.elements(as: Float.self)?.count == expected.count)
    }
  }

  @Test func scansHaveABound() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n"), 3])
    let start = builder.input("start", [3])
    var body = ModelBuilder()
    let (state, slice) = (body.input("state"), body.input("slice"))
    let sum = body.node("Add", [state, slice], output: "sum")
    let copy = body.node("Neg", [sum], output: "copy")
    let results = builder.node(
      "Scan", [start, x],
      attributes: [
        "body": body.body(outputs: [sum, copy]), "num_scan_inputs": .int(1),
        "scan_output_axes": .ints([1]),
      ], outputs: ["final", "sums"])
    let result = builder.node("Exp", [results[1]], output: "result")
    let model = builder.model(outputs: [results[0], result])
    let predicted = try RunHarness.session(model).predictedMemory(
      inputs: ["x": (.float32, [50, 3]), "start": (.float32, [3])])
    guard case .atMost(let rest) = predicted.rest else {
      Issue.record("\(predicted.rest)")
      return
    }
    // The sums, and what is made of them.
    #expect(rest >= 2 * 50 * 3 * 4 && rest < 1 << 16)
    let bounded = try RunHarness.session(
      model,
      budget: predicted.ownedWeights + predicted.mappedWeights + predicted.arena
        + predicted.scratch + predicted.results + rest)
    let made = try bounded.run(values: [
      "x": .tensor(Tensor(zeros: .float32, shape: [50, 3])), "start": .tensor(ramp([3])),
    ])
    #expect(made["result"]?.tensor?.shape == [3, 50])
  }
}
