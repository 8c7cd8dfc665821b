// GraphWiring: a graph as pictures show it: inputs, nodes and outputs as vertices, the values that flow between them as edges.
//
// 1. Vertices are in an order in which every edge goes forward: what looks at the graph needs one sweep.
// 2. What is the same in every run is no part of it: constants, and the nodes that make them.

import LeapGraph
import LeapTensors

package struct GraphWiring: Sendable {
  /// What a vertex stands for, by its place among the graph's own.
  package enum Vertex: Sendable, Hashable {
    case input(Int)
    case node(Int)
    case output(Int)
  }

  package struct Edge: Sendable {
    /// Vertices; `from` is less than `to`.
    package var from: Int
    package var to: Int
    package var value: OperandReport
    /// Whether it carries extents or indices: no layer's data.
    package var isShape: Bool
  }

  package let graph: GraphReport
  package let vertices: [Vertex]
  /// In the order of what they enter, and of its operands.
  package let edges: [Edge]
  /// Edges by vertex, as places in `edges`.
  package let incoming: [[Int]]
  package let outgoing: [[Int]]
  /// Nodes that are not shown, since what they make is the same in every run.
  package let constantNodes: Int

  package init(_ graph: GraphReport) {
    self.graph = graph
    let nodes = graph.nodes.indices.filter { !graph.nodes[$0].isConstant }
    vertices =
      graph.inputs.indices.filter { !graph.inputs[$0].isConstant }.map(Vertex.input)
      + nodes.map(Vertex.node) + graph.outputs.indices.map(Vertex.output)
    constantNodes = graph.nodes.count - nodes.count
    var makers: [String: Int] = [:]
    var edges: [Edge] = []
    for (place, vertex) in vertices.enumerated() {
      func read(_ value: OperandReport) {
        guard !value.isConstant, let maker = makers[value.name] else { return }
        edges.append(Edge(from: maker, to: place, value: value, isShape: value.isExtents))
      }
      switch vertex {
      case .input(let index): makers[graph.inputs[index].name] = place
      case .output(let index): read(graph.outputs[index])
      case .node(let index):
        let node = graph.nodes[index]
        for operand in node.inputs.compactMap({ $0 }) { read(operand) }
        for captured in node.captures { read(captured) }
        for result in node.outputs.compactMap({ $0 }) { makers[result.name] = place }
      }
    }
    self.edges = edges
    var (incoming, outgoing) = (
      [[Int]](repeating: [], count: vertices.count), [[Int]](repeating: [], count: vertices.count)
    )
    for (place, edge) in edges.enumerated() {
      incoming[edge.to].append(place)
      outgoing[edge.from].append(place)
    }
    (self.incoming, self.outgoing) = (incoming, outgoing)
  }

  /// The node of a vertex; nil for inputs and outputs.
  package func node(_ vertex: Int) -> NodeReport? {
    if case .node(let index) = vertices[vertex] { graph.nodes[index] } else { nil }
  }

  /// Names of the values that a vertex makes.
  package func made(_ vertex: Int) -> [String] {
    switch vertices[vertex] {
    case .input(let index): [graph.inputs[index].name]
    case .node(let index): graph.nodes[index].outputs.compactMap { $0?.name }
    case .output: []
    }
  }
}

extension NodeReport {
  /// Whether all that it makes is the same in every run.
  fileprivate var isConstant: Bool {
    let made = outputs.compactMap { $0 }
    return !made.isEmpty && made.allSatisfy(\.isConstant)
  }

  /// The values that its subgraphs read of the graphs around them.
  fileprivate var captures: [OperandReport] {
    subgraphs.flatMap { _, graph in
      let own = Set(graph.inputs.map(\.name) + graph.nodes.flatMap(\.outputNames))
      let read = graph.nodes.flatMap { $0.inputs.compactMap { $0 } + $0.captures } + graph.outputs
      return read.filter { !own.contains($0.name) }
    }
  }

  private var outputNames: [String] { outputs.compactMap { $0?.name } }
}

extension OperandReport {
  /// Whether it is a list of integers, as extents and indices are.
  fileprivate var isExtents: Bool {
    guard let type, type.dataType == .int64 else { return false }
    return (type.shape?.count ?? 2) <= 1
  }

  /// Elements of one channel: the product of all extents behind the second; nil where one is not known, or there is none.
  var spatialExtent: Int? {
    guard let shape = type?.fixedShape, shape.count > 2 else { return nil }
    return shape.dropFirst(2).reduce(1) { product, extent in
      let (result, overflow) = product.multipliedReportingOverflow(by: extent)
      return overflow ? .max : result
    }
  }
}
