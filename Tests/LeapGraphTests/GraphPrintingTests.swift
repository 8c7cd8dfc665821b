// GraphPrintingTests: the text of a graph shows what it computes, and nothing of a name reaches a terminal raw.

import LeapGraph
import LeapTensors
import Testing

@Suite struct GraphPrintingTests {
  private func graph(inputName: String = "x") throws -> Graph {
    var graph = Graph(name: "g")
    let x = graph.addValue(
      Value(name: inputName, type: .tensor(.float32, shape: [.symbol("N"), 3])))
    let w = graph.addValue(Value(name: "w", type: .tensor(.float32, shape: [3])))
    let y = graph.addValue(Value(name: "y", type: nil))
    graph.inputs = [x]
    graph.constants[w] = Constant(try Tensor([Float(1), 2, 3]))
    graph.addNode(
      name: "n", operatorType: "Clip", opset: 13, inputs: [x, nil, w], outputs: [y],
      attributes: ["axes": .ints([1, -1]), "mode": .string(Array("a\u{1b}b".utf8))])
    graph.outputs = [y]
    return graph
  }

  @Test func showsNodesValuesAndTypes() throws {
    #expect(
      try graph().description == """
        graph g {
          input %x: float32 Nx3
          constant %w: float32 3
          %y = Clip(%x, _, %w) [axes = [1, -1], mode = "a\\u{1b}b"]  # n
          output %y
        }

        """)
  }

  @Test func namesAreEscaped() throws {
    let text = try graph(inputName: "\u{1b}[2J\u{202e}x").description
    #expect(!text.unicodeScalars.contains("\u{1b}") && !text.unicodeScalars.contains("\u{202e}"))
  }

  @Test func subgraphsAreIndented() {
    var inner = Graph(name: "inner")
    let value = inner.addValue(Value(name: "c", type: nil))
    inner.captures = [Capture(inner: value, outer: ValueID(0))]
    inner.outputs = [value]
    var outer = Graph(name: "outer")
    let c = outer.addValue(Value(name: "c", type: nil))
    outer.inputs = [c]
    outer.addNode(
      name: "if", operatorType: "If", opset: 16, inputs: [c],
      outputs: [outer.addValue(Value(name: "y", type: nil))],
      attributes: ["then_branch": .graph(inner)])
    #expect(outer.description.contains("\n    then_branch:\n    graph inner {\n      capture %c\n"))
  }
}
