// CommonSubexpressions: one node for all that compute the same.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors

/// Merges equal constants, and nodes of the same operator, attributes and inputs.
package struct CommonSubexpressions: Pass {
  package static let name = "common-subexpressions"
  package static let summary = "compute once what several nodes compute alike"

  package init() {}

  package func run(_ context: inout PassContext) throws {
    var replacements = try equalConstants(context.graph)
    for (old, new) in replacements.sorted(by: { $0.key < $1.key }) {
      context.graph[new].origin.names += context.graph[old].origin.names
    }
    var seen: [NodeKey: Node] = [:]
    var removed: [NodeID: NodeID] = [:]
    for (position, node) in context.graph.nodes.enumerated() {
      guard context.operators[position]?.isDeterministic == true,
        let key = try NodeKey(node, replacements)
      else { continue }
      guard let first = seen[key] else {
        seen[key] = node
        continue
      }
      removed[node.id] = first.id
      for case (let new?, let old?) in zip(first.outputs, node.outputs) {
        replacements[old] = new
        context.graph[new].origin.names += context.graph[old].origin.names
      }
    }
    if replacements.isEmpty && removed.isEmpty { return }
    context.graph.replaceUses(replacements)
    recordOrigins(removed, &context.graph)
    context.graph.removeNodes { removed[$0.id] != nil }
  }

  /// Nodes that stay stand for those that go.
  private func recordOrigins(_ removed: [NodeID: NodeID], _ graph: inout Graph) {
    var names: [NodeID: [String]] = [:]
    for node in graph.nodes {
      if let first = removed[node.id] { names[first, default: []] += node.origin.names }
    }
    for position in graph.nodes.indices {
      guard let further = names[graph.nodes[position].id] else { continue }
      graph.updateNode(at: position) { $0.origin.names += further }
    }
  }

  /// For constants that equal an earlier one: which.
  private func equalConstants(_ graph: Graph) throws -> [ValueID: ValueID] {
    let overridable = Set(graph.inputs)
    var seen: [ConstantKey: ValueID] = [:]
    var replacements: [ValueID: ValueID] = [:]
    for (id, constant) in graph.constants.sorted(by: { $0.key < $1.key })
    where !overridable.contains(id) {
      guard let key = try ConstantKey(constant) else { continue }
      if let first = seen[key] { replacements[id] = first } else { seen[key] = id }
    }
    return replacements
  }
}

/// The bytes of a constant's elements, hashed as a whole.
private struct Elements: Hashable {
  let bytes: [UInt8]

  func hash(into hasher: inout Hasher) {
    bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
  }
}

/// What makes two constants equal: their elements where they are few, where they lie otherwise.
private struct ConstantKey: Hashable {
  private enum Content: Hashable {
    case bytes(Elements)
    case strings([String])
    case place(ObjectIdentifier, Int)
  }
  private let dataType: DataType
  private let shape: Shape
  private let content: Content

  /// Constants of more bytes are weights: to compare their elements would mean to read them all.
  private static let comparedBytes = 4096

  /// nil where equality cannot be told. Throws what reading the constant throws.
  init?(_ constant: Constant) throws {
    dataType = constant.dataType
    shape = constant.shape
    if constant.isAbsent { return nil }
    if constant.byteCount <= ConstantKey.comparedBytes {
      let tensor = try constant.tensor()
      content =
        tensor.strings.map(Content.strings)
        ?? .bytes(Elements(bytes: tensor.withUnsafeBytes { Array($0) }))
      return
    }
    switch constant.source {
    case .file(let file, let offset): content = .place(ObjectIdentifier(file), offset)
    case .tensor(let tensor):
      guard case .bytes(let storage, let offset) = tensor.contents else { return nil }
      content = .place(ObjectIdentifier(storage), offset)
    case .derived, .derivedRows, .absent: return nil
    }
  }
}

/// What makes two nodes compute the same.
private struct NodeKey: Hashable {
  private enum AttributeKey: Hashable {
    case int(Int64)
    case ints([Int64])
    /// By their bits, so that NaN equals itself and -0 is not 0.
    case float(UInt32)
    case floats([UInt32])
    case string([UInt8])
    case strings([[UInt8]])
    case tensors([ConstantKey], isSparse: Bool)
    case types([ValueType])
  }
  private let domain: String
  private let operatorType: String
  private let overload: String
  private let opset: Int
  private let inputs: [ValueID?]
  private let asksFor: [Bool]
  private let attributes: [String: AttributeKey]
  private let epilogue: [EpilogueStage]
  private let prologue: Prologue?

  /// nil for a node with subgraphs, or with attributes whose equality cannot be told.
  init?(_ node: Node, _ replacements: [ValueID: ValueID]) throws {
    var keys: [String: AttributeKey] = [:]
    for (name, attribute) in node.attributes {
      guard let key = try NodeKey.key(attribute) else { return nil }
      keys[name] = key
    }
    domain = node.domain
    operatorType = node.operatorType
    overload = node.overload
    opset = node.opset
    inputs = node.inputs.map { $0.map { replacements[$0] ?? $0 } }
    asksFor = node.outputs.map { $0 != nil }
    attributes = keys
    epilogue = node.epilogue
    prologue = node.prologue
  }

  private static func key(_ attribute: Attribute) throws -> AttributeKey? {
    switch attribute {
    case .int(let value): return .int(value)
    case .ints(let values): return .ints(values)
    case .float(let value): return .float(value.bitPattern)
    case .floats(let values): return .floats(values.map(\.bitPattern))
    case .string(let text): return .string(text)
    case .strings(let texts): return .strings(texts)
    case .tensor(let constant): return try tensors([constant], isSparse: false)
    case .sparseTensor(let constant): return try tensors([constant], isSparse: true)
    case .tensors(let constants): return try tensors(constants, isSparse: false)
    case .type(let type): return .types([type])
    case .types(let types): return .types(types)
    case .graph, .graphs, .reference: return nil
    }
  }

  private static func tensors(_ constants: [Constant], isSparse: Bool) throws -> AttributeKey? {
    let keys = try constants.compactMap { try ConstantKey($0) }
    return keys.count == constants.count ? .tensors(keys, isSparse: isSparse) : nil
  }
}
