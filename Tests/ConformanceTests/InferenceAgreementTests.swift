// What inference says of values, before anything runs, agrees with what running gives, on every case of the operators: kind and
// element type, rank, and every extent that it knows, of the outputs and of all that the nodes before them make.
//
// What the models declare of these values is taken away first, so that inference alone speaks. It does so twice: for the shapes
// that inputs are declared with, and for inputs whose extents are all symbols, whose expressions are then worked out.

import Foundation
import LeapFormat
import LeapGraph
import LeapOperators
import LeapRuntime
import LeapTensors
import LeapTestSupport
import Leapstone
import Testing

@Suite struct InferenceAgreementTests {
  @Test(arguments: OperatorCaseTests.collections, [false, true])
  func inferenceAgreesWithRuns(collection: (String, String), symbolic: Bool) throws {
    let (name, variable) = collection
    guard let directory = TestData.generated(name, variable: variable) else { return }
    var counts = Agreement()
    for item in try NodeCase.all(in: directory) {
      // Cases that do not run are others' affair.
      guard let one = try? agreement(of: item, directory, symbolic: symbolic) else { continue }
      for reason in one.differences { Issue.record("\(item.name): \(reason)") }
      counts.values += one.values
      counts.ranks += one.ranks
      counts.extents += one.extents
    }
    print(
      "\(name)\(symbolic ? " with symbols" : ""): \(counts.values) values, \(counts.ranks) with a known rank, \(counts.extents) with all extents"
    )
    #expect(counts.values > 0)
  }

  /// What was compared.
  private struct Agreement {
    var values = 0
    var ranks = 0
    var extents = 0
    var differences: [String] = []
  }

  private func agreement(
    of item: NodeCase, _ directory: String, symbolic: Bool
  ) throws -> Agreement {
    let path = "\(directory)/\(item.name)/model.onnx"
    var options = SessionOptions()
    options.disablesAllPasses = true
    options.threads = 1
    let declared = try InferenceSession(path: path, options: options)
    var configuration = SessionConfiguration()
    configuration.disablesAllPasses = true
    configuration.width = 1
    let core = try SessionCore(model: ModelReader.read(path: path), configuration: configuration)
    let prepared = core.model.graph
    var graph = withoutDeclaredTypes(prepared)
    if symbolic { makeExtentsSymbols(&graph) }
    _ = try ShapeInference.run(&graph, table: .standard)
    let made = prepared.nodes.flatMap { $0.outputs.compactMap { $0 } }
    let names = made.map { prepared[$0].name }
    var agreement = Agreement()
    for data in item.dataSets(in: directory) {
      let inputs = try item.inputs(of: declared, data)
      let results = try core.run(values: inputs, outputs: names)
      let symbols = extents(of: graph, inputs)
      for (id, name) in zip(made, names) {
        guard let result = results[name], let type = graph[id].type else { continue }
        agreement.values += 1
        if let shape = type.shape {
          agreement.ranks += 1
          if shape.allSatisfy({ $0.value != nil }) { agreement.extents += 1 }
        }
        if let reason = difference(type, result, symbols) {
          agreement.differences.append(
            "'\(name)' was inferred as \(type), and is \(result): \(reason)")
        }
      }
    }
    return agreement
  }

  /// A graph whose nodes' outputs have no types, in the graphs of its nodes too.
  private func withoutDeclaredTypes(_ graph: Graph) -> Graph {
    var graph = graph
    for position in graph.nodes.indices {
      for output in graph.nodes[position].outputs.compactMap({ $0 }) { graph[output].type = nil }
      graph.updateNode(at: position) { node in
        node.attributes = node.attributes.mapValues { $0.mapGraphs(withoutDeclaredTypes) }
      }
    }
    return graph
  }

  /// Gives each extent of each input a symbol of its own.
  private func makeExtentsSymbols(_ graph: inout Graph) {
    for id in graph.inputs where graph.constants[id] == nil {
      guard case .tensor(let dataType, let shape?) = graph[id].type else { continue }
      let name = graph[id].name
      graph[id].type = .tensor(
        dataType, shape: shape.indices.map { .symbol("\(name)[\($0)]") })
    }
  }

  /// What the symbols in the types of inputs stand for.
  private func extents(of graph: Graph, _ inputs: [String: RunValue]) -> [String: Int] {
    var symbols: [String: Int] = [:]
    for id in graph.inputs {
      guard let shape = inputs[graph[id].name]?.tensor?.shape, let declared = graph[id].type?.shape
      else { continue }
      for (dimension, extent) in zip(declared, shape) {
        if case .symbol(let symbol) = dimension { symbols[symbol] = extent }
      }
    }
    return symbols
  }

  /// Where a value is not what was said of it; nil where it is.
  private func difference(
    _ type: ValueType, _ value: RunValue, _ symbols: [String: Int]
  ) -> String? {
    // What a loop carries may be an optional before its first run, and a value after it.
    if case .optional(let item) = type, value.isOf(item) { return nil }
    if !value.isOf(type) { return "another type" }
    guard let declared = type.shape, let shape = value.tensor?.shape else { return nil }
    guard declared.count == shape.rank else { return "another rank" }
    for (axis, (dimension, extent)) in zip(declared, shape).enumerated() {
      if let known = dimension.substituting(symbols).value, known != extent {
        return "extent \(axis) would be \(known)"
      }
    }
    return nil
  }
}
