// GraphScope: the names that are visible while a graph is read, and the captures that looking outwards makes.

import LeapGraph
import LeapTensors

/// One graph under construction, inside others.
final class GraphScope {
  var graph: Graph
  private let parent: GraphScope?
  private var ids: [String: ValueID] = [:]

  init(name: String, parent: GraphScope?) {
    graph = Graph(name: name)
    self.parent = parent
  }

  /// Adds a value of this graph.
  ///
  /// - Throws: `ModelError.invalid` where the name is empty, taken, or would hide one of a graph around this one.
  func define(
    _ name: String, type: ValueType?, documentation: String = "", by label: String
  ) throws -> ValueID {
    guard !name.isEmpty else {
      throw ModelError.invalid(location: label, reason: "it has no name")
    }
    guard ids[name] == nil else {
      throw ModelError.invalid(
        location: label, reason: "the name '\(name)' is taken: a value has one producer")
    }
    guard parent?.isVisible(name) != true else {
      throw ModelError.invalid(
        location: label, reason: "the name '\(name)' hides a value of a graph around this one")
    }
    var value = Value(name: name, type: type)
    value.documentation = documentation
    let id = graph.addValue(value)
    ids[name] = id
    return id
  }

  /// The value of this graph with a name; nil where there is none. Does not look outwards.
  func own(_ name: String) -> ValueID? { ids[name] }

  /// The value with a name, captured from the graphs around this one where it is not its own.
  func resolve(_ name: String) -> ValueID? {
    if let id = ids[name] { return id }
    guard let parent, let outer = parent.resolve(name) else { return nil }
    let inner = graph.addValue(Value(name: name, type: parent.graph[outer].type))
    graph.captures.append(Capture(inner: inner, outer: outer))
    ids[name] = inner
    return inner
  }

  private func isVisible(_ name: String) -> Bool {
    ids[name] != nil || parent?.isVisible(name) == true
  }
}
