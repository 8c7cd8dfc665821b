// ExpansionMeasure: how many nodes a model's function calls add, and how deep they nest, found before anything is
// expanded: a file of a kilobyte may ask for more nodes than memory holds.

import LeapGraph
import LeapTensors

/// What a graph expands to, found before anything is expanded.
struct ExpansionMeasure {
  private struct Size {
    /// The graph's own nodes, those of subgraphs included.
    var nodes = 0
    /// Nodes that calls add.
    var added = 0
    var depth = Depth()
  }
  /// How deep something is nested.
  private struct Depth {
    var calls = 0
    var graphs = 0

    func inside(_ other: Depth) -> Depth {
      Depth(calls: calls + other.calls, graphs: graphs + other.graphs)
    }
    mutating func formMaximum(_ other: Depth) {
      calls = max(calls, other.calls)
      graphs = max(graphs, other.graphs)
    }
  }
  private let functions: [FunctionKey: LocalFunction]
  private var known: [FunctionKey: Size] = [:]

  init(_ functions: [FunctionKey: LocalFunction]) { self.functions = functions }

  /// Throws `ModelError.limitExceeded` where calls in a graph are nested too deeply, cycles among them, or expand to
  /// too many nodes.
  mutating func check(_ graph: Graph) throws {
    _ = try size(of: graph, at: Depth())
  }

  private mutating func size(of graph: Graph, at depth: Depth) throws -> Size {
    var size = Size()
    for node in graph.nodes {
      size.nodes += 1
      if let function = functions[FunctionKey(node)] {
        let call = Depth(calls: 1)
        let body = try self.size(of: function, at: depth.inside(call), node)
        size.added += body.nodes + body.added
        size.depth.formMaximum(body.depth.inside(call))
      }
      for (_, subgraph) in node.subgraphs {
        let level = Depth(graphs: 1)
        try check(depth.inside(level), node)
        let inner = try self.size(of: subgraph, at: depth.inside(level))
        size.nodes += inner.nodes
        size.added += inner.added
        size.depth.formMaximum(inner.depth.inside(level))
      }
      try check(depth.inside(size.depth), node)
      guard size.added <= FunctionInliner.nodeLimit else {
        throw ModelError.limitExceeded(
          what: "nodes that function calls add, at node '\(node.name)'", found: size.added,
          limit: FunctionInliner.nodeLimit)
      }
    }
    return size
  }

  private mutating func size(
    of function: LocalFunction, at depth: Depth, _ call: Node
  ) throws -> Size {
    if let size = known[FunctionKey(function)] { return size }
    try check(depth, call)
    let size = try size(of: function.body, at: depth)
    known[FunctionKey(function)] = size
    return size
  }

  private func check(_ depth: Depth, _ node: Node) throws {
    for (what, found, limit) in [
      ("function calls", depth.calls, FunctionInliner.depthLimit),
      ("graphs in graphs", depth.graphs, FunctionInliner.graphDepthLimit),
    ] where found > limit {
      throw ModelError.limitExceeded(
        what: "depth of \(what) at node '\(node.name)'", found: found, limit: limit)
    }
  }
}
