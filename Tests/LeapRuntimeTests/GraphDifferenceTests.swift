// GraphDifference: what passes did, told in the model's own names.

import LeapGraph
import LeapOperators
import LeapRuntime
import LeapTensors
import Testing

@Suite struct GraphDifferenceTests {
  /// What the passes did: for each that did something, what happened to each node.
  private func changes(_ model: Model) throws -> [String: [NodeChange]] {
    var changes: [String: [NodeChange]] = [:]
    var before = model.graph
    _ = try Optimizer.optimize(model.graph, table: .standard) { report, after in
      let difference = GraphDifference(from: before, to: after)
      if !difference.changes.isEmpty {
        changes[report.name, default: []] += difference.changes
      }
      before = after
    }
    return changes
  }

  private func kinds(_ changes: [NodeChange]?) -> [String: NodeChange.Kind] {
    Dictionary(uniqueKeysWithValues: (changes ?? []).map { ($0.node, $0.kind) })
  }

  @Test func equalGraphsDoNotDiffer() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [3])
    let y = builder.node("Relu", [x], output: "y")
    let graph = builder.model(outputs: [y]).graph
    let difference = GraphDifference(from: graph, to: graph)
    #expect(difference.changes.isEmpty && difference.newConstants.isEmpty)
  }

  @Test func everyRemovedNodeHasAReason() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2, 4])
    let a = builder.constant("a", try ramp([4]))
    let b = builder.constant("b", try ramp([4]))
    let sum = builder.node("Mul", [a, b], output: "sum")
    let same = builder.node("Identity", [x], output: "same")
    let one = builder.node("Add", [same, sum], output: "one")
    let two = builder.node("Add", [same, sum], output: "two")
    let y = builder.node("Sub", [one, two], output: "y")
    _ = builder.node("Neg", [x], output: "dead")
    let changes = try changes(builder.model(outputs: [y]))
    #expect(kinds(changes["dead-code"]) == ["Neg_dead": .removed(.unread)])
    #expect(kinds(changes["constant-folding"]) == ["Mul_sum": .removed(.constant("sum"))])
    let identity = kinds(changes["identity-removal"])
    #expect(identity["Identity_same"] == .removed(.replaced(by: "x")))
    #expect(
      identity["Add_one"]
        == .changed([.init(name: "input 0", before: "same", after: "x")]))
    let common = kinds(changes["common-subexpressions"])
    #expect(common["Add_two"] == .removed(.merged(into: "Add_one")))
  }

  @Test func fusedNodesAreMergedIntoTheirConvolution() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [1, 4, 5, 5])
    let w = builder.constant("w", try ramp([4, 4, 1, 1]))
    let conv = builder.node("Conv", [x, w], output: "c")
    let sum = builder.node("Add", [conv, x], output: "s")
    let y = builder.node("Relu", [sum], output: "y")
    let fused = kinds(try changes(builder.model(outputs: [y]))["epilogue-fusion"])
    #expect(fused["Add_s"] == .removed(.merged(into: "Conv_c")))
    #expect(fused["Relu_y"] == .removed(.merged(into: "Conv_c")))
    guard case .changed(let aspects)? = fused["Conv_c"] else {
      Issue.record("the convolution goes on: \(fused)")
      return
    }
    #expect(aspects.contains(.init(name: "input 2", before: nil, after: "x")))
    #expect(aspects.contains(.init(name: "output 0", before: "c", after: "y")))
    #expect(aspects.contains(.init(name: "after it", before: nil, after: "residual, relu")))
    #expect(aspects.count == 3)
  }

  @Test func nodesOfOneNameAreToldApart() throws {
    var graph = Graph(name: "g")
    let x = graph.addValue(Value(name: "x", type: .tensor(.float32, shape: [2])))
    graph.inputs = [x]
    var last = x
    for index in 0..<3 {
      let made = graph.addValue(Value(name: "v\(index)", type: nil))
      graph.addNode(name: "same", operatorType: "Neg", opset: 17, inputs: [last], outputs: [made])
      last = made
    }
    graph.outputs = [last]
    var after = graph
    let second = graph.nodes[1].id
    after.replaceUses(of: graph.nodes[1].outputs[0]!, with: graph.nodes[0].outputs[0]!)
    after.removeNodes { $0.id == second }
    let changes = GraphDifference(from: graph, to: after).changes
    #expect(changes.count == 2)
    #expect(changes[0].kind == .removed(.unread))
    #expect(changes[1].kind == .changed([.init(name: "input 0", before: "v1", after: "v0")]))
  }

  @Test func addedNodesComeLast() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [3])
    let y = builder.node("Relu", [x], output: "y")
    let before = builder.model(outputs: [y]).graph
    let z = builder.node("Neg", [y], output: "z")
    let after = builder.model(outputs: [z]).graph
    #expect(
      GraphDifference(from: before, to: after).changes == [
        NodeChange(node: "Neg_z", operatorName: "Neg", kind: .added)
      ])
  }
}
