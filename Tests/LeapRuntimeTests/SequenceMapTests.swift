// SequenceMapTests: a graph over the items of sequences: what it gets, what it makes, what is refused.

import LeapGraph
import LeapRuntime
import LeapTensors
import Testing

private let floats = ValueType.tensor(.float32, shape: nil)

@Suite struct SequenceMapTests {
  /// Two outputs: an item and a tensor, added and scaled by a value from outside; and the shape of the item.
  private func model() throws -> Model {
    var builder = ModelBuilder()
    builder.opset = 17
    let s = builder.input("s", of: .sequence(floats))
    let x = builder.input("x", [1])
    let factor = builder.input("factor", [])
    var body = ModelBuilder()
    body.opset = 17
    let item = body.input("item", nil)
    let same = body.input("same", [1])
    let outer = body.capture(factor, as: "outer")
    let sum = body.node("Add", [item, same], output: "sum")
    let scaled = body.node("Mul", [sum, outer], output: "scaled")
    let shape = body.node("Shape", [item], output: "shape")
    let made = builder.node(
      "SequenceMap", [s, x], attributes: ["body": body.body(outputs: [scaled, shape])],
      outputs: ["y", "shapes"])
    return builder.model(outputs: made)
  }

  @Test(arguments: [true, false]) func everyItemIsMapped(passes: Bool) throws {
    let session = try RunHarness.session(model(), passes: passes)
    for shapes in [[[2], [1, 3], []], [], [[4]]] as [[Shape]] {
      let items = try shapes.map { RunValue.tensor(try ramp($0)) }
      let results = try session.run(values: [
        "s": .sequence(items), "x": .tensor(try Tensor([Float(1)])),
        "factor": .tensor(try Tensor(scalar: Float(2))),
      ])
      let made = try #require(results["y"])
      #expect(made.valueType == .sequence(floats))
      #expect(
        made.tensors.map { $0.elements(as: Float.self) ?? [] }
          == shapes.map { shape in (0..<shape.elementCount).map { 2 * (Float($0) + 1) } })
      #expect(results["shapes"]?.valueType == .sequence(.tensor(.int64, shape: nil)))
      #expect(
        results["shapes"]?.tensors.map { $0.elements(as: Int64.self) ?? [] }
          == shapes.map { $0.dimensions.map(Int64.init) })
    }
    #expect(session.ledger.charged == session.pool.idleByteCount)
  }

  /// Items of two sequences, multiplied.
  private func products() -> Model {
    var builder = ModelBuilder()
    builder.opset = 17
    let (a, b) = (
      builder.input("a", of: .sequence(floats)), builder.input("b", of: .sequence(floats))
    )
    var body = ModelBuilder()
    body.opset = 17
    let y = body.node("Mul", [body.input("p", nil), body.input("q", nil)], output: "r")
    let made = builder.node(
      "SequenceMap", [a, b], attributes: ["body": body.body(outputs: [y])], output: "y")
    return builder.model(outputs: [made])
  }

  @Test func sequencesGoTogether() throws {
    let session = try RunHarness.session(products())
    let (two, three) = (try Tensor([Float(2)]), try Tensor([Float(3), 4]))
    let results = try session.run(values: [
      "a": .sequence([.tensor(two), .tensor(three)]),
      "b": .sequence([.tensor(three), .tensor(three)]),
    ])
    #expect(results["y"]?.tensors.map { $0.elements(as: Float.self) } == [[6, 8], [9, 16]])
    let error = try #require(throws: RunError.self) {
      try session.run(values: [
        "a": .sequence([.tensor(two), .tensor(three)]), "b": .sequence([.tensor(three)]),
      ])
    }
    #expect("\(error)".contains("a sequence of 1; expected 2"), "\(error)")
  }

  @Test func whatRunsLeaveIsCharged() throws {
    let session = try RunHarness.session(products(), budget: 8 << 20)
    let item = RunValue.tensor(try ramp([1 << 18]))
    let few = RunValue.sequence(Array(repeating: item, count: 2))
    #expect(try session.run(values: ["a": few, "b": few])["y"]?.tensors.count == 2)
    let many = RunValue.sequence(Array(repeating: item, count: 64))
    let error = #expect(throws: RunError.self) {
      try session.run(values: ["a": many, "b": many])
    }
    guard case .overBudget? = error else {
      Issue.record("expected the budget to be exceeded, got \(String(describing: error))")
      return
    }
    #expect(try session.run(values: ["a": few, "b": few])["y"]?.tensors.count == 2)
  }
}
