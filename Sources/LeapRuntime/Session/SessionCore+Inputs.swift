// SessionCore+Inputs: what a run is given, checked against what the model declares, and as planning sees it.

import LeapGraph
import LeapTensors

/// What planning must know of an input.
enum InputSignature: Hashable, Sendable {
  case tensor(DataType, Shape)
  /// A sequence or an optional, of which the type alone matters.
  case container(ValueType)

  var type: ValueType {
    switch self {
    case .tensor(let type, let shape): .tensor(type, shape: shape.map(Dimension.fixed))
    case .container(let type): type
    }
  }
}

/// The inputs of one run, each by its value of the graph.
struct GivenInputs {
  private(set) var values: [ValueID: RunValue] = [:]
  private(set) var signatures: [ValueID: InputSignature] = [:]

  init() {}

  init(_ values: [ValueID: RunValue]) {
    for (id, value) in values { set(id, value) }
  }

  /// The values, which are the caller's alone from then on.
  mutating func takeValues() -> [ValueID: RunValue] {
    defer { values = [:] }
    return values
  }

  /// - Parameter type: of a container; nil for what it says itself.
  mutating func set(_ id: ValueID, _ value: RunValue, type: ValueType? = nil) {
    values[id] = value
    switch value {
    case .tensor(let tensor): signatures[id] = .tensor(tensor.dataType, tensor.shape)
    case .sequence, .optional: signatures[id] = (type ?? value.valueType).map { .container($0) }
    }
  }
}

extension SessionCore {
  /// Checks the values of a run: names, kinds, types, ranks and shapes.
  ///
  /// - Throws: `RunError`.
  func checked(_ inputs: [String: RunValue]) throws -> GivenInputs {
    var given = GivenInputs()
    for (name, value) in inputs {
      let id = try id(of: name)
      switch value {
      case .tensor: given.set(id, value)
      case .sequence, .optional:
        let (value, type) = try typed(value, name, model.graph[id].type)
        given.set(id, value, type: type)
      }
    }
    try check(given.signatures)
    return given
  }

  /// Checks types and shapes that a plan is asked for. Containers have the type that the model declares.
  ///
  /// - Throws: `RunError`.
  func checked(_ inputs: [String: (DataType, Shape)]) throws -> [ValueID: InputSignature] {
    var given: [ValueID: InputSignature] = [:]
    for id in model.graph.inputs {
      if let type = model.graph[id].type, type.isContainer {
        given[id] = .container(type.withoutShapes)
      }
    }
    for (name, input) in inputs { given[try id(of: name)] = .tensor(input.0, input.1) }
    try check(given)
    return given
  }

  private func id(of name: String) throws -> ValueID {
    guard let id = inputIDs[name] else {
      throw RunError.unknownInput(name, known: model.graph.inputs.map { model.graph[$0].name })
    }
    return id
  }

  /// A container and its type, which is what the model declares, or what the value says where it declares nothing.
  private func typed(
    _ value: RunValue, _ name: String, _ declared: ValueType?
  ) throws -> (RunValue, ValueType) {
    guard let type = declared ?? value.valueType, value.isOf(type) else {
      throw RunError.inputMismatch(
        name, expected: declared?.description ?? "items of one known type", got: value.description)
    }
    return (value.typed(as: type), type.withoutShapes)
  }

  private func check(_ given: [ValueID: InputSignature]) throws {
    let graph = model.graph
    var symbols: [String: (extent: Int, input: String)] = [:]
    for id in graph.inputs {
      let name = graph[id].name
      guard inputIDs[name] == id else { continue }
      guard let input = given[id] else {
        if graph.constants[id] != nil { continue }
        throw RunError.missingInput(
          name, expected: graph[id].type?.description ?? "a value of unknown type")
      }
      // Containers were compared with what is declared when they got their type.
      guard case .tensor(let dataType, let shape) = input else { continue }
      guard shape.span(of: dataType) != nil else {
        throw RunError.inputMismatch(
          name, expected: "extents whose product fits 64 bits", got: "\(dataType) \(shape)")
      }
      try check(dataType, shape, name, graph[id].type, &symbols)
    }
  }

  private func check(
    _ dataType: DataType, _ shape: Shape, _ name: String, _ type: ValueType?,
    _ symbols: inout [String: (extent: Int, input: String)]
  ) throws {
    guard let type else { return }
    func mismatch(_ note: String = "") -> RunError {
      .inputMismatch(name, expected: "\(type)\(note)", got: "\(dataType) \(shape)")
    }
    guard type.dataType == dataType else { throw mismatch() }
    guard let declared = type.shape else { return }
    guard declared.count == shape.rank else { throw mismatch() }
    for (expected, extent) in zip(declared, shape) {
      switch expected {
      case .fixed(let value) where value != extent: throw mismatch()
      case .symbol(let symbol):
        if let known = symbols[symbol], known.extent != extent {
          throw mismatch(" with \(symbol) = \(known.extent), as in input '\(known.input)'")
        }
        symbols[symbol] = (extent, name)
      default: break
      }
    }
  }
}
