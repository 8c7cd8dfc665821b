// NodeReader: what an operator sees of its node: attributes by name and type, and which operands are there.

import LeapGraph
import LeapTensors

/// A node, for the initialiser of an operator.
package struct NodeReader: Sendable {
  private let node: Node

  package init(_ node: Node) { self.node = node }

  /// The operator's type as the node spells it.
  package var operatorType: String { node.operatorType }
  /// The version of its domain.
  package var opset: Int { node.opset }
  /// The number of inputs that the operator itself has, those that fusion added left out.
  package var inputCount: Int { node.inputs.count - node.fusedInputCount }
  package var outputCount: Int { node.outputs.count }

  /// Whether an input is given.
  package func hasInput(_ index: Int) -> Bool {
    index < node.inputs.count && node.inputs[index] != nil
  }

  /// Whether an output is asked for.
  package func hasOutput(_ index: Int) -> Bool {
    index < node.outputs.count && node.outputs[index] != nil
  }

  /// Checks the number of inputs. Throws `OperatorError` where it is outside `range`.
  package func requireInputs(_ range: ClosedRange<Int>) throws {
    guard range.contains(inputCount) else {
      let expected =
        range.lowerBound == range.upperBound
        ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
      throw OperatorError("expected \(expected) inputs, got \(inputCount)")
    }
    for index in 0..<range.lowerBound where !hasInput(index) {
      throw OperatorError("input \(index) is required")
    }
  }

  package func has(_ name: String) -> Bool { node.attributes[name] != nil }

  /// An integer attribute; nil where it is not given.
  package func int(_ name: String) throws -> Int? {
    switch node.attributes[name] {
    case nil: return nil
    case .int(let value): return Int(value)
    case .some(let other): throw mismatch(name, "an integer", other)
    }
  }

  package func int(_ name: String, default value: Int) throws -> Int { try int(name) ?? value }

  /// An integer attribute that is a flag: 0 or 1.
  package func flag(_ name: String, default value: Bool) throws -> Bool {
    try int(name).map { $0 != 0 } ?? value
  }

  package func ints(_ name: String) throws -> [Int]? {
    switch node.attributes[name] {
    case nil: return nil
    case .ints(let values): return values.map(Int.init)
    // An empty list is written without a type by some exporters, and reads as empty floats or strings.
    case .floats(let values) where values.isEmpty: return []
    case .strings(let values) where values.isEmpty: return []
    case .some(let other): throw mismatch(name, "integers", other)
    }
  }

  package func float(_ name: String) throws -> Float? {
    switch node.attributes[name] {
    case nil: return nil
    case .float(let value): return value
    case .some(let other): throw mismatch(name, "a float", other)
    }
  }

  package func float(_ name: String, default value: Float) throws -> Float {
    try float(name) ?? value
  }

  package func floats(_ name: String) throws -> [Float]? {
    switch node.attributes[name] {
    case nil: return nil
    case .floats(let values): return values
    case .ints(let values) where values.isEmpty: return []
    case .strings(let values) where values.isEmpty: return []
    case .some(let other): throw mismatch(name, "floats", other)
    }
  }

  package func string(_ name: String) throws -> String? {
    switch node.attributes[name] {
    case nil: return nil
    case .string(let bytes): return try text(bytes, name)
    case .some(let other): throw mismatch(name, "a string", other)
    }
  }

  package func strings(_ name: String) throws -> [String]? {
    switch node.attributes[name] {
    case nil: return nil
    case .strings(let values): return try values.map { try text($0, name) }
    case .ints(let values) where values.isEmpty: return []
    case .floats(let values) where values.isEmpty: return []
    case .some(let other): throw mismatch(name, "strings", other)
    }
  }

  package func tensor(_ name: String) throws -> Tensor? {
    switch node.attributes[name] {
    case nil: return nil
    case .tensor(let constant), .sparseTensor(let constant): return try constant.tensor()
    case .some(let other): throw mismatch(name, "a tensor", other)
    }
  }

  package func type(_ name: String) throws -> ValueType? {
    switch node.attributes[name] {
    case nil: return nil
    case .type(let type): return type
    case .some(let other): throw mismatch(name, "a type", other)
    }
  }

  package func graph(_ name: String) throws -> Graph? {
    switch node.attributes[name] {
    case nil: return nil
    case .graph(let graph): return graph
    case .some(let other): throw mismatch(name, "a graph", other)
    }
  }

  /// A string attribute that must be one of the cases of an enumeration.
  package func choice<Choice: RawRepresentable & CaseIterable>(
    _ name: String, default value: Choice
  ) throws -> Choice where Choice.RawValue == String {
    guard let text = try string(name) else { return value }
    guard let choice = Choice(rawValue: text) else {
      let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw OperatorError("attribute '\(name)' is '\(text)'; expected one of \(known)")
    }
    return choice
  }

  /// The value of an attribute that must be there.
  package func required<Value>(_ name: String, _ value: Value?) throws -> Value {
    guard let value else { throw OperatorError("attribute '\(name)' is required") }
    return value
  }

  private func text(_ bytes: [UInt8], _ name: String) throws -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw OperatorError("attribute '\(name)' is not UTF-8")
    }
    return text
  }

  private func mismatch(_ name: String, _ expected: String, _ got: Attribute) -> OperatorError {
    let kind =
      switch got {
      case .int: "an integer"
      case .float: "a float"
      case .string: "a string"
      case .tensor, .sparseTensor: "a tensor"
      case .graph: "a graph"
      case .type: "a type"
      case .ints: "integers"
      case .floats: "floats"
      case .strings: "strings"
      case .tensors: "tensors"
      case .graphs: "graphs"
      case .types: "types"
      case .reference: "a reference to a function's attribute"
      }
    return OperatorError("attribute '\(name)' is \(kind); expected \(expected)")
  }
}

extension Node {
  /// How many of the inputs only prologue and epilogue read: they come last.
  package var fusedInputCount: Int {
    epilogue.reduce(prologue == nil ? 0 : 2) { count, stage in
      if case .activation = stage { count } else { count + 1 }
    }
  }
}
