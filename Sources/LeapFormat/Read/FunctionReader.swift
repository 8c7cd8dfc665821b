// FunctionReader: FunctionProto -> LocalFunction, and the rule that functions do not call themselves.

import CLeapProto
import LeapGraph
import LeapTensors

/// What tells functions apart.
private struct FunctionKey: Hashable {
  var domain: String
  var name: String
  var overload: String

  init(_ function: LocalFunction) {
    domain = function.domain
    name = function.name
    overload = function.overload
  }

  init(_ node: Node) {
    domain = node.domain
    name = node.operatorType
    overload = node.overload
  }

  var label: String {
    (domain.isEmpty ? "" : "\(domain).") + name + (overload.isEmpty ? "" : ":\(overload)")
  }
}

enum FunctionReader {
  /// Calls that may be nested.
  static let depthLimit = 100

  /// - Throws: `ModelError.invalid` where a function has no name, is defined twice, or its body breaks a rule.
  static func functions(
    _ list: [UnsafePointer<FunctionMessage>], modelOpsets: [String: Int], context: ReadContext
  ) throws -> [LocalFunction] {
    let functions = try list.map { try function($0, modelOpsets, context) }
    var known = Set<FunctionKey>()
    for function in functions where !known.insert(FunctionKey(function)).inserted {
      throw ModelError.invalid(
        location: "function '\(FunctionKey(function).label)'", reason: "it is defined twice")
    }
    try checkCalls(functions)
    return functions
  }

  private static func function(
    _ message: UnsafePointer<FunctionMessage>, _ modelOpsets: [String: Int], _ context: ReadContext
  ) throws -> LocalFunction {
    let source = message.pointee
    let name = string(source.name)
    let label = "function '\(name)'"
    guard !name.isEmpty else { throw ModelError.invalid(location: label, reason: "it has no name") }
    let own = try importedOpsets(
      messages(source.opset_import, source.n_opset_import), label: label)
    let opsets = own.isEmpty ? modelOpsets : own
    if let opset = own[""], opset > ModelReader.newestOpset {
      context.warnings.append(
        "\(label) imports opset \(opset), newer than the \(ModelReader.newestOpset) known here")
    }
    let defaults = try self.defaults(
      messages(source.attribute_proto, source.n_attribute_proto), label, context)
    let body = try GraphReader(context: context, opsets: opsets, isFunction: true)
      .functionBody(message, label: label)
    return LocalFunction(
      domain: normalisedDomain(string(source.domain)), name: name,
      overload: string(source.overload),
      inputs: strings(source.input, source.n_input),
      outputs: strings(source.output, source.n_output),
      attributes: strings(source.attribute, source.n_attribute), defaults: defaults,
      opsets: opsets, body: body)
  }

  private static func defaults(
    _ list: [UnsafePointer<AttributeMessage>], _ label: String, _ context: ReadContext
  ) throws -> [String: Attribute] {
    let reader = AttributeReader(tensors: context.tensors, allowsReferences: false) { _, label in
      throw ModelError.invalid(location: label, reason: "the default of an attribute is a graph")
    }
    var defaults: [String: Attribute] = [:]
    for message in list {
      let (name, value) = try reader.attribute(message, of: label)
      guard defaults.updateValue(value, forKey: name) == nil else {
        throw ModelError.invalid(location: label, reason: "its attribute '\(name)' is given twice")
      }
    }
    return defaults
  }

  /// Finds cycles of calls, and chains that are too long, with a stack of its own.
  private static func checkCalls(_ functions: [LocalFunction]) throws {
    var indices: [FunctionKey: Int] = [:]
    for (index, function) in functions.enumerated() { indices[FunctionKey(function)] = index }
    let calls = functions.map { calledKeys(in: $0.body).compactMap { indices[$0] } }
    // The longest chain of calls below each function, once it is known.
    var depths = [Int?](repeating: nil, count: functions.count)
    var isOpen = [Bool](repeating: false, count: functions.count)
    for root in functions.indices where depths[root] == nil {
      var stack = [(function: root, next: 0)]
      isOpen[root] = true
      while let (function, next) = stack.last {
        guard next < calls[function].count else {
          let depth = 1 + (calls[function].compactMap { depths[$0] }.max() ?? 0)
          guard depth <= depthLimit else {
            throw ModelError.limitExceeded(
              what: "depth of function calls below '\(FunctionKey(functions[function]).label)'",
              found: depth, limit: depthLimit)
          }
          depths[function] = depth
          isOpen[function] = false
          stack.removeLast()
          continue
        }
        stack[stack.count - 1].next += 1
        let called = calls[function][next]
        if isOpen[called] {
          let chain = stack.map(\.function)[(stack.firstIndex { $0.function == called } ?? 0)...]
          let names = (chain + [called]).map { FunctionKey(functions[$0]).label }
          throw ModelError.invalid(
            location: "function '\(FunctionKey(functions[called]).label)'",
            reason: "it calls itself: \(names.prefix(8).joined(separator: " -> "))")
        }
        if depths[called] == nil {
          isOpen[called] = true
          stack.append((called, 0))
        }
      }
    }
  }

  /// What the nodes of a graph and its subgraphs may call.
  private static func calledKeys(in graph: Graph) -> Set<FunctionKey> {
    var keys = Set(graph.nodes.map { FunctionKey($0) })
    for node in graph.nodes {
      for (_, subgraph) in node.subgraphs { keys.formUnion(calledKeys(in: subgraph)) }
    }
    return keys
  }
}

/// The versions that a model or function imports, by domain.
///
/// - Throws: `ModelError.invalid` where a version is not positive or a domain has two.
func importedOpsets(
  _ list: [UnsafePointer<OpsetMessage>], label: String
) throws -> [String: Int] {
  var opsets: [String: Int] = [:]
  for message in list {
    let domain = normalisedDomain(string(message.pointee.domain))
    let version = Int(message.pointee.version)
    let shown = domain.isEmpty ? "ai.onnx" : domain
    guard version > 0 else {
      throw ModelError.invalid(
        location: label, reason: "it imports version \(version) of domain '\(shown)'")
    }
    if let other = opsets.updateValue(version, forKey: domain), other != version {
      throw ModelError.invalid(
        location: label, reason: "it imports versions \(other) and \(version) of domain '\(shown)'")
    }
  }
  return opsets
}
