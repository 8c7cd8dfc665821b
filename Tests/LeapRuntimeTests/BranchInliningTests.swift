// BranchInlining: what runs once is put in its place, what never runs goes, names stay unique, and what may be either stays.

import LeapGraph
import LeapRuntime
import LeapTensors
import Testing

@Suite struct BranchInliningTests {
  private static let passes: [any Pass.Type] = [BranchInlining.self]

  /// `x` times a constant of the branch plus an outer value, or `x` itself; `doubled` is the name of values in and out of it.
  private func choice(
    _ condition: (inout ModelBuilder) throws -> ValueID
  ) throws -> Model {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n")])
    let doubled = builder.node("Add", [x, x], output: "doubled")
    let condition = try condition(&builder)
    var then = ModelBuilder()
    let (inner, outside) = (then.capture(x, as: "inner"), then.capture(doubled, as: "outside"))
    let factor = then.constant("factor", try Tensor([3] as [Float]))
    let product = then.node("Mul", [inner, factor], output: "doubled")
    let sum = then.node("Add", [product, outside], output: "sum")
    var other = ModelBuilder()
    let same = other.capture(x, as: "same")
    let four = other.constant("factor", try Tensor([4, 4] as [Float]))
    let chosen = builder.node(
      "If", [condition],
      attributes: [
        "then_branch": then.body(outputs: [sum, sum, factor]),
        "else_branch": other.body(outputs: [same, four, same]),
      ], outputs: ["first", "second", "third"])
    let result = builder.node("Neg", [chosen[0]], output: "result")
    return builder.model(outputs: [result, chosen[0], chosen[1], chosen[2], doubled])
  }

  @Test(arguments: [true, false]) func theChosenBranchTakesItsPlace(condition: Bool) throws {
    let model = try choice { $0.constant("c", try Tensor([condition])) }
    let graph = try PassHarness.check(
      model, BranchInliningTests.passes, inputs: ["x": ramp([2])])
    #expect(PassHarness.operators(graph) == (condition ? "Add Mul Add Neg" : "Add Neg"))
    try graph.checkInvariants()
    let names = graph.nodes.map(\.name)
    #expect(Set(names).count == names.count, "\(names)")
    // What the branch makes keeps its name, and so does what was doubled before.
    #expect(graph.outputs.map { graph[$0].name }.last == "doubled")
    if condition {
      #expect(graph[graph.outputs[1]].name == "sum" && graph.outputs[1] == graph.outputs[2])
      #expect(graph[graph.outputs[1]].origin.names.contains("first"))
      #expect(graph.nodes[1].origin.pass == BranchInlining.name)
      #expect(graph[graph.outputs[1]].type == .tensor(.float32, shape: [.symbol("n")]))
    } else {
      #expect(graph.outputs[1] == graph.inputs[0] && graph.outputs[3] == graph.inputs[0])
    }
  }

  @Test func whatMayBeEitherStays() throws {
    let free = try choice { $0.input("c", [], type: .bool) }
    // A default that a caller may replace.
    let open = try choice { builder in
      let c = builder.constant("c", try Tensor([true]))
      builder.graph.inputs.append(c)
      return c
    }
    for model in [free, open] {
      let graph = try PassHarness.optimized(model, BranchInliningTests.passes)
      #expect(PassHarness.operators(graph) == "Add If Neg")
    }
  }

  /// A condition that follows from shapes, in the standard passes, and one that only folding tells.
  @Test func conditionsMayBeComputed() throws {
    let folded = try choice { builder in
      let (two, three) = (
        builder.constant("two", try Tensor(scalar: Int64(2))),
        builder.constant("three", try Tensor(scalar: Int64(3)))
      )
      return builder.node("Less", [two, three], output: "less")
    }
    let graph = try PassHarness.check(folded, inputs: ["x": ramp([2])])
    #expect(!PassHarness.operators(graph).contains("If"))
    let shaped = try choice { builder in
      let y = builder.input("y", [4, 2])
      let shape = builder.node("Shape", [y], output: "shape")
      let first = builder.node(
        "Gather", [shape, builder.constant("zero", try Tensor(scalar: Int64(0)))], output: "rows")
      let four = builder.constant("four", try Tensor(scalar: Int64(4)))
      return builder.node("Equal", [first, four], output: "equal")
    }
    let known = try PassHarness.check(shaped, inputs: ["x": ramp([2]), "y": ramp([4, 2])])
    #expect(!PassHarness.operators(known).contains("If"))
  }

  /// A branch with an If of its own, which reads what is outside of both.
  @Test func branchesInBranches() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2])
    let yes = builder.constant("yes", try Tensor([true]))
    func level(_ depth: Int, _ outer: inout ModelBuilder, _ x: ValueID, _ yes: ValueID) -> ValueID {
      var then = ModelBuilder()
      let (value, again) = (then.capture(x, as: "value"), then.capture(yes, as: "again"))
      let negative = then.node("Neg", [value], output: "negative")
      let deeper =
        depth == 0 ? negative : level(depth - 1, &then, negative, again)
      let grown = then.node("Add", [deeper, value], output: "grown")
      var other = ModelBuilder()
      let same = other.capture(x, as: "same")
      return outer.node(
        "If", [yes],
        attributes: [
          "then_branch": then.body(outputs: [grown]), "else_branch": other.body(outputs: [same]),
        ], output: "chosen")
    }
    let result = level(3, &builder, x, yes)
    let graph = try PassHarness.check(
      builder.model(outputs: [result]), BranchInliningTests.passes, inputs: ["x": ramp([2])])
    #expect(PassHarness.operators(graph) == "Neg Neg Neg Neg Add Add Add Add")
    let names = graph.nodes.map(\.name)
    #expect(Set(names).count == names.count, "\(names)")
  }

  /// A loop over `x`, with slices of a known shape.
  private func loop(count: Int64?, goes: Bool?) throws -> Model {
    var builder = ModelBuilder()
    let (x, y) = (builder.input("x", [2]), builder.input("y", [3]))
    var body = ModelBuilder()
    _ = body.input("i", [], type: .int64)
    let on = body.input("on", [], type: .bool)
    let (a, b) = (body.input("a"), body.input("b"))
    let next = body.node("Neg", [a], output: "next")
    let absolute = body.node("Abs", [b], output: "absolute")
    let count = try count.map { builder.constant("count", try Tensor(scalar: $0)) }
    let goes = try goes.map { builder.constant("goes", try Tensor([$0])) }
    let results = builder.node(
      "Loop", [count, goes, x, y],
      attributes: ["body": body.body(outputs: [on, next, absolute, absolute])],
      outputs: ["a_out", "b_out", "slices"])
    let sum = builder.node("Add", [results[0], results[0]], output: "sum")
    return builder.model(outputs: [sum] + results)
  }

  @Test(arguments: [(0, nil), (-2, true), (5, false), (nil, false)] as [(Int64?, Bool?)])
  func loopsThatNeverRunGo(count: Int64?, goes: Bool?) throws {
    let graph = try PassHarness.check(
      try loop(count: count, goes: goes), BranchInliningTests.passes,
      inputs: ["x": ramp([2]), "y": ramp([3])])
    #expect(PassHarness.operators(graph) == "Add")
    #expect(graph.outputs[1] == graph.inputs[0] && graph.outputs[2] == graph.inputs[1])
    #expect(graph.constants[graph.outputs[3]]?.shape == [0, 3])
  }

  @Test(arguments: [(1, nil), (3, true), (2, nil)] as [(Int64?, Bool?)])
  func loopsThatRunStay(count: Int64?, goes: Bool?) throws {
    let graph = try PassHarness.check(
      try loop(count: count, goes: goes), BranchInliningTests.passes,
      inputs: ["x": ramp([2]), "y": ramp([3])])
    #expect(PassHarness.operators(graph) == "Loop Add")
  }
}
