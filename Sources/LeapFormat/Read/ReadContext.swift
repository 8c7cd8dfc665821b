// ReadContext: what all graphs of one model share while they are read.

import LeapGraph
import LeapTensors

/// State of reading one model.
final class ReadContext {
  let tensors: TensorReader
  let irVersion: Int
  /// The domains of the model's own functions: they need no import.
  let functionDomains: Set<String>
  var warnings: [String] = []
  private var freeNames: [UnsafePointer<GraphMessage>: [String]] = [:]

  init(tensors: TensorReader, irVersion: Int, functionDomains: Set<String>) {
    self.tensors = tensors
    self.irVersion = irVersion
    self.functionDomains = functionDomains
  }

  /// Keeps a warning, where it is not kept already.
  func warn(once warning: String) {
    if !warnings.contains(warning) { warnings.append(warning) }
  }

  /// The values that a graph reads from the graphs around it. Computed once for each graph, so that a deep nest costs
  /// no more than its size.
  func freeNames(of graph: UnsafePointer<GraphMessage>) -> [String] {
    if let known = freeNames[graph] { return known }
    let nodes = messages(graph.pointee.node, graph.pointee.n_node)
    var defined = Set<String>()
    for input in messages(graph.pointee.input, graph.pointee.n_input) {
      defined.insert(string(input.pointee.name))
    }
    for tensor in messages(graph.pointee.initializer, graph.pointee.n_initializer) {
      defined.insert(string(tensor.pointee.name))
    }
    for sparse in messages(graph.pointee.sparse_initializer, graph.pointee.n_sparse_initializer) {
      defined.insert(string(sparse.pointee.values?.pointee.name))
    }
    for node in nodes { defined.formUnion(strings(node.pointee.output, node.pointee.n_output)) }
    var free = Set(nodes.flatMap { uses(of: $0) })
    for output in messages(graph.pointee.output, graph.pointee.n_output) {
      free.insert(string(output.pointee.name))
    }
    let result = free.subtracting(defined).filter { !$0.isEmpty }.sorted()
    freeNames[graph] = result
    return result
  }

  /// The values that a node reads: its inputs, and what its subgraphs read from outside.
  func uses(of node: UnsafePointer<NodeMessage>) -> [String] {
    var names = strings(node.pointee.input, node.pointee.n_input)
    for attribute in messages(node.pointee.attribute, node.pointee.n_attribute) {
      if let graph = attribute.pointee.g { names += freeNames(of: UnsafePointer(graph)) }
      for graph in messages(attribute.pointee.graphs, attribute.pointee.n_graphs) {
        names += freeNames(of: graph)
      }
    }
    return names
  }
}
