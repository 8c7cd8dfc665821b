// NodeOrder: the order in which a graph's nodes can be read, which is the file's own wherever that is topological.

import LeapTensors

enum NodeOrder {
  /// - Parameters:
  ///   - nodes: the nodes as they stand in the file.
  ///   - graph: the graph's name, for errors.
  /// - Returns: positions in `nodes`, every node after those whose outputs it reads.
  /// - Throws: `ModelError.invalid` where two nodes make one value, or nodes wait for each other in a cycle.
  static func order(
    _ nodes: [UnsafePointer<NodeMessage>], graph: String, context: ReadContext
  ) throws -> [Int] {
    var producers: [String: Int] = [:]
    for (position, node) in nodes.enumerated() {
      for output in strings(node.pointee.output, node.pointee.n_output) where !output.isEmpty {
        if let other = producers.updateValue(position, forKey: output) {
          throw ModelError.invalid(
            location: nodeLabel(node, position),
            reason: "the name '\(output)' is taken: \(nodeLabel(nodes[other], other)) makes it too")
        }
      }
    }
    let needs = nodes.map { node in context.uses(of: node).compactMap { producers[$0] } }
    return try depthFirst(needs) { cycle in
      let names = cycle.prefix(8).map { nodeLabel(nodes[$0], $0) }.joined(separator: " -> ")
      return .invalid(
        location: "graph '\(graph)'",
        reason: "\(cycle.count) nodes wait for each other in a cycle: \(names)")
    }
  }

  /// A depth-first order, with a stack of its own: a chain of nodes may be as long as the model.
  private static func depthFirst(
    _ needs: [[Int]], cycle: ([Int]) -> ModelError
  ) throws -> [Int] {
    enum State { case new, open, done }
    var states = [State](repeating: .new, count: needs.count)
    var order: [Int] = []
    order.reserveCapacity(needs.count)
    for root in needs.indices where states[root] == .new {
      var stack = [(node: root, next: 0)]
      states[root] = .open
      while let (node, next) = stack.last {
        guard next < needs[node].count else {
          states[node] = .done
          order.append(node)
          stack.removeLast()
          continue
        }
        stack[stack.count - 1].next += 1
        let needed = needs[node][next]
        switch states[needed] {
        case .done: break
        case .open:
          let path = stack.map(\.node)
          throw cycle(Array(path[(path.firstIndex(of: needed) ?? 0)...]))
        case .new:
          states[needed] = .open
          stack.append((needed, 0))
        }
      }
    }
    return order
  }
}

/// A node's name, or `#index` where it has none.
func nodeName(_ node: UnsafePointer<NodeMessage>, _ position: Int) -> String {
  let name = string(node.pointee.name)
  return name.isEmpty ? "#\(position)" : name
}

/// A node in an error.
func nodeLabel(_ node: UnsafePointer<NodeMessage>, _ position: Int) -> String {
  "node '\(nodeName(node, position))' (\(string(node.pointee.op_type)))"
}
