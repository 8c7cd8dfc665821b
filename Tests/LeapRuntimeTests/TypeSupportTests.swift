// Element types that an operator has no kernel for: told when a model is loaded, all nodes in one error, and not first when it
// is planned for a shape.

import LeapGraph
import LeapOperators
import LeapRuntime
import LeapTensors
import Testing

@Suite struct TypeSupportTests {
  /// An operator's name, and one form of a node of it.
  struct Form: CustomStringConvertible {
    let name: String
    let inputCount: Int
    let shape: [Dimension]

    var description: String { "\(name) of \(inputCount), rank \(shape.count)" }

    /// A model of the one node, its inputs of one type, the first extent a symbol.
    func model(_ type: DataType) -> Model {
      var builder = ModelBuilder()
      builder.opset = OperatorTable.latestOpset
      let inputs = (0..<inputCount).map { builder.input("x\($0)", shape, type: type) }
      // What operators would miss; they pass over attributes of others.
      let attributes: [String: Attribute] = [
        "to": .int(Int64(DataType.float32.rawValue)), "kernel_shape": .ints([1, 1]),
        "blocksize": .int(1), "direction": .string(Array("LEFT".utf8)),
      ]
      let y = builder.node(name, inputs.map(Optional.some), attributes: attributes, output: "y")
      return builder.model(outputs: [y])
    }

    func inputs(_ type: DataType) -> [String: (DataType, Shape)] {
      let extents = shape.map { $0.value ?? 2 }
      return Dictionary(
        uniqueKeysWithValues: (0..<inputCount).map { ("x\($0)", (type, Shape(extents))) })
    }
  }

  static let forms: [Form] = Set(
    OperatorTable.standard.declarations.filter { $0.domain.isEmpty }.map(\.name)
  ).sorted().flatMap { name in
    [[.symbol("n"), 2], [.symbol("n"), 2, 2, 2]].flatMap { shape in
      (1...3).map { Form(name: name, inputCount: $0, shape: shape) }
    }
  }

  @Test func whatLoadsIsPlanned() throws {
    var configuration = SessionConfiguration()
    // Thousands of sessions: what a process may use is looked up in files.
    configuration.width = 1
    configuration.memoryBudget = 1 << 30
    var planned = 0
    for form in TypeSupportTests.forms {
      // A form that no type is planned for has another fault: its shapes.
      var refused: [(DataType, any Error)] = []
      var works = false
      for type in DataType.allCases {
        guard
          let session = try? SessionCore(model: form.model(type), configuration: configuration)
        else { continue }
        do {
          _ = try session.plan(inputs: form.inputs(type))
          works = true
          planned += 1
        } catch { refused.append((type, error)) }
      }
      if works {
        for (type, error) in refused { Issue.record("\(form), \(type): \(error)") }
      }
    }
    #expect(planned > 1000)
  }

  @Test func allNodesWithoutAKernelAreNamedInOneError() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n")], type: .bool)
    let a = builder.node("Neg", [x], output: "a")
    let b = builder.node("Relu", [a], output: "b")
    let c = builder.node("Add", [x, x], output: "c")
    let d = builder.node("Not", [x], output: "d")
    let error = #expect(throws: ModelError.self) {
      try SessionCore(
        model: builder.model(outputs: [b, c, d]), configuration: SessionConfiguration())
    }
    guard case .unsupportedOperators(let found) = error else {
      Issue.record("expected unsupported operators, got \(String(describing: error))")
      return
    }
    #expect(found.map(\.node.name) == ["Neg_a", "Add_c"])
    #expect(
      found.map(\.reason) == [
        "there is no kernel for neg of bool", "there is no kernel for add of bool",
      ])
    #expect(found[0].node.inputs == ["bool n"])
  }
}
