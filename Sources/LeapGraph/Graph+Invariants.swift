// Graph+Invariants: what holds for every graph, before the first pass and after each.

import LeapTensors

extension Graph {
  /// Checks single assignment, topological order, names, identities and origins. O(nodes + values).
  ///
  /// - Throws: `ModelError.invalid` that names the node or value and the rule it breaks.
  package func checkInvariants() throws {
    try checkValues()
    try checkNodes()
    for output in outputs where !isDefined(output) {
      throw broken("output '\(self[output].name)'", "nothing computes it")
    }
  }

  private func broken(_ location: String, _ reason: String) -> ModelError {
    .invalid(location: location, reason: reason)
  }

  private func checkValues() throws {
    var names: Set<String> = []
    for value in values {
      guard !value.name.isEmpty else { throw broken("graph '\(name)'", "a value has no name") }
      guard names.insert(value.name).inserted else {
        throw broken("value '\(value.name)'", "the name is used twice")
      }
      guard !value.origin.names.isEmpty else {
        throw broken("value '\(value.name)'", "it has no origin")
      }
    }
    for (id, constant) in constants {
      guard values.indices.contains(id.index) else {
        throw broken("graph '\(name)'", "a constant belongs to no value")
      }
      if let type = self[id].type?.dataType, type != constant.dataType {
        throw broken(
          "value '\(self[id].name)'", "it is \(type), and its constant \(constant.dataType)")
      }
    }
  }

  private func checkNodes() throws {
    var defined = [Bool](repeating: false, count: values.count)
    for id in inputs + captures.map(\.inner) where values.indices.contains(id.index) {
      defined[id.index] = true
    }
    for id in constants.keys { defined[id.index] = true }
    var identities: Set<NodeID> = []
    for node in nodes {
      let location = "node '\(node.name)'"
      guard identities.insert(node.id).inserted else {
        throw broken(location, "its identity is used twice")
      }
      guard !node.origin.names.isEmpty else { throw broken(location, "it has no origin") }
      for use in node.uses {
        guard values.indices.contains(use.index) else {
          throw broken(location, "it reads a value that the graph does not have")
        }
        guard defined[use.index] else {
          throw broken(location, "it reads '\(self[use].name)', which nothing before it computes")
        }
      }
      for output in node.outputs.compactMap({ $0 }) {
        guard values.indices.contains(output.index) else {
          throw broken(location, "it makes a value that the graph does not have")
        }
        guard !defined[output.index] else {
          throw broken(location, "'\(self[output].name)' is assigned twice")
        }
        defined[output.index] = true
      }
    }
  }

  private func isDefined(_ value: ValueID) -> Bool {
    guard values.indices.contains(value.index) else { return false }
    return inputs.contains(value) || constants[value] != nil
      || captures.contains { $0.inner == value }
      || nodes.contains { $0.outputs.contains(value) }
  }
}
