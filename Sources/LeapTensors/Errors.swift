// Errors: everything Leapstone throws. ModelError while a model is loaded, inferred, optimised or planned;
// RunError while it runs. Each names what, where, and what was expected.

/// Which node an error speaks of, in the model's own names.
public struct NodeDescription: Sendable, Hashable, CustomStringConvertible {
  /// The node's name, or `#index` where the model gives none.
  public var name: String
  /// The operator's domain, empty for ONNX's own.
  public var domain: String
  /// The operator's type.
  public var operatorType: String
  /// The opset version of the domain that the model imports.
  public var opset: Int
  /// Types and shapes of the inputs, as far as they are known.
  public var inputs: [String]

  public init(
    name: String, domain: String, operatorType: String, opset: Int, inputs: [String] = []
  ) {
    self.name = name
    self.domain = domain
    self.operatorType = operatorType
    self.opset = opset
    self.inputs = inputs
  }

  public var description: String {
    let qualified = domain.isEmpty ? operatorType : "\(domain).\(operatorType)"
    let operands = inputs.isEmpty ? "" : " (\(inputs.joined(separator: ", ")))"
    return "node '\(escaped(name))', operator \(escaped(qualified)), opset \(opset)\(operands)"
  }
}

/// An operator that this version of Leapstone does not have.
public struct UnsupportedOperator: Sendable, Hashable {
  public var node: NodeDescription
  /// Why: unknown operator, unknown opset version of it, or a type it does not take.
  public var reason: String

  public init(node: NodeDescription, reason: String) {
    self.node = node
    self.reason = reason
  }
}

/// What can go wrong before a model runs.
public enum ModelError: Error, Sendable {
  /// The file cannot be opened or read.
  case unreadable(path: String, reason: String)
  /// The file is not an ONNX model; `found` says what it is.
  case notONNX(file: String, found: String)
  /// The bytes break the protobuf wire format or the schema.
  case malformed(file: String, offset: Int, reason: String)
  /// The model exceeds a limit that protects the process.
  case limitExceeded(what: String, found: Int, limit: Int)
  /// The model is well-formed, but breaks a rule of ONNX; `location` names the node, value or field.
  case invalid(location: String, reason: String)
  /// An initializer's external data cannot be used.
  case externalData(initializer: String, location: String, reason: String)
  /// The model file, or a file of external data, changed after it was opened.
  case fileChanged(path: String)
  /// Operators that are not known here: all of them, not just the first.
  case unsupportedOperators([UnsupportedOperator])
  /// Types or shapes do not fit an operator.
  case inference(NodeDescription, reason: String)
  /// An optimisation pass failed.
  case pass(String, node: NodeDescription?, reason: String)
  /// No plan can be made.
  case planning(NodeDescription?, reason: String)
  /// Running would need more memory than the session may use. Bytes.
  case overBudget(required: Int, budget: Int)
  /// The system refused memory. Bytes.
  case outOfMemory(bytes: Int)
  /// An option has a value that means nothing.
  case option(name: String, reason: String)
}

/// What can go wrong while a model runs.
public enum RunError: Error, Sendable {
  /// A name in the inputs that the model does not have.
  case unknownInput(String, known: [String])
  /// An input without a default that was not given.
  case missingInput(String, expected: String)
  /// An input of another type, rank or shape than the model asks for.
  case inputMismatch(String, expected: String, got: String)
  /// An output that the graph does not have.
  case unknownOutput(String, known: [String])
  /// Memory that was given for an output has another type or shape than the result.
  case outputMismatch(String, expected: String, got: String)
  /// A sequence or an optional where the caller asked for tensors alone.
  case noTensor(output: String, got: String)
  /// A tensor made from another number of elements than its shape asks for.
  case elementCount(expected: Int, shape: Shape, got: Int)
  /// A node cannot compute with the values it met.
  case node(NodeDescription, reason: String)
  /// The caller cancelled the run.
  case cancelled
  /// The run's deadline passed.
  case deadlineExceeded
  /// As many runs are in flight and queued as the session admits.
  case busy(limit: Int)
  /// A value whose size depends on data would exceed the session's budget. Bytes.
  case overBudget(required: Int, budget: Int)
  /// The system refused memory. Bytes.
  case outOfMemory(bytes: Int)
}

/// What an operator, kernel or pass throws from inside: the reason alone. Whoever called it knows the
/// node and turns this into a `ModelError` or `RunError`.
package struct OperatorError: Error, CustomStringConvertible {
  package let reason: String
  /// Whether nothing is wrong but that Leapstone has no way to compute it: a type that an operator does not take here.
  package let isUnsupported: Bool

  package init(_ reason: String) {
    self.reason = reason
    isUnsupported = false
  }

  private init(unsupported reason: String) {
    self.reason = reason
    isUnsupported = true
  }

  /// An error that says what is not supported.
  package static func unsupported(_ reason: String) -> OperatorError {
    OperatorError(unsupported: reason)
  }

  package var description: String { reason }
}

extension ModelError {
  /// What an operator's inference threw, as the error of its node.
  package static func inference(_ error: OperatorError, at node: NodeDescription) -> ModelError {
    error.isUnsupported
      ? .unsupportedOperators([UnsupportedOperator(node: node, reason: error.reason)])
      : .inference(node, reason: error.reason)
  }
}

extension ModelError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unreadable(let path, let reason): "cannot read \(escaped(path)): \(reason)"
    case .notONNX(let file, let found): "\(escaped(file)) is not an ONNX model: \(found)"
    case .malformed(let file, let offset, let reason):
      "\(escaped(file)) is malformed at byte \(offset): \(reason)"
    case .limitExceeded(let what, let found, let limit):
      "\(what): \(found) exceeds the limit of \(limit)"
    case .invalid(let location, let reason):
      "invalid model: \(escaped(location)): \(escaped(reason))"
    case .externalData(let initializer, let location, let reason):
      "external data of '\(escaped(initializer))' (location '\(escaped(location))'): \(escaped(reason))"
    case .fileChanged(let path): "\(escaped(path)): file changed since it was loaded"
    case .unsupportedOperators(let operators):
      "\(operators.count) unsupported operator\(operators.count == 1 ? "" : "s"):"
        + operators.prefix(20).map { "\n  \($0.node): \(escaped($0.reason))" }.joined()
        + (operators.count > 20 ? "\n  and \(operators.count - 20) more" : "")
    case .inference(let node, let reason): "\(node): \(escaped(reason))"
    case .pass(let name, let node, let reason):
      "pass \(name)\(node.map { ", \($0)" } ?? ""): \(escaped(reason))"
    case .planning(let node, let reason): "\(node.map { "\($0): " } ?? "")\(escaped(reason))"
    case .overBudget(let required, let budget):
      "needs \(required) bytes of memory, the budget is \(budget)"
    case .outOfMemory(let bytes): "out of memory: \(bytes) bytes were refused"
    case .option(let name, let reason): "option \(name): \(escaped(reason))"
    }
  }
}

extension RunError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unknownInput(let name, let known):
      "unknown input '\(escaped(name))'; the model has \(list(known))"
    case .missingInput(let name, let expected):
      "input '\(escaped(name))' is missing; expected \(escaped(expected))"
    case .inputMismatch(let name, let expected, let got):
      "input '\(escaped(name))': expected \(escaped(expected)), got \(escaped(got))"
    case .unknownOutput(let name, let known):
      "unknown output '\(escaped(name))'; the graph has \(list(known))"
    case .outputMismatch(let name, let expected, let got):
      "output '\(escaped(name))' is \(escaped(expected)), the memory given for it \(escaped(got))"
    case .noTensor(let name, let got):
      "output '\(escaped(name))' is no tensor but \(escaped(got))"
    case .elementCount(let expected, let shape, let got):
      "shape \(shape) has \(expected) elements, \(got) were given"
    case .node(let node, let reason): "\(node): \(escaped(reason))"
    case .cancelled: "the run was cancelled"
    case .deadlineExceeded: "the run's deadline passed"
    case .busy(let limit): "\(limit) runs are in flight or queued already"
    case .overBudget(let required, let budget):
      "needs \(required) bytes of memory, the budget is \(budget)"
    case .outOfMemory(let bytes): "out of memory: \(bytes) bytes were refused"
    }
  }

  private func list(_ names: [String]) -> String {
    let shown = names.prefix(20).map { "'\(escaped($0))'" }.joined(separator: ", ")
    return names.count > 20 ? "\(shown) and \(names.count - 20) more" : shown
  }
}

/// A string from a model or an input, made safe for a terminal: control characters, bidirectional
/// overrides and other invisible marks become `\u{...}`, and a very long one is cut.
package func escaped(_ text: String, limit: Int = 4096) -> String {
  var result = ""
  for (count, scalar) in text.unicodeScalars.enumerated() {
    if count == limit {
      result += "…"
      break
    }
    switch scalar.properties.generalCategory {
    case .control where scalar == "\n", .control where scalar == "\t":
      result += scalar == "\n" ? "\\n" : "\\t"
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
      .paragraphSeparator:
      result += "\\u{\(String(scalar.value, radix: 16))}"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}
