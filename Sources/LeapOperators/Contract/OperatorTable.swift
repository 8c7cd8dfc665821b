// OperatorTable: from a node's domain, type and opset to the Swift type that knows it.

import LeapGraph
import LeapTensors

/// A file's list of operators.
package protocol OperatorFamily {
  static var operators: [any Operator.Type] { get }
}

/// An operator that a program gives a session beside those that Leapstone has.
package struct ForeignOperator: Sendable {
  package let domain: String
  package let name: String
  /// The first opset of the domain in which it has this meaning; it keeps it until the next that has the same name.
  package let since: Int
  /// Makes the operator of a node. Throws `OperatorError` where the node breaks its rules.
  package let make: @Sendable (NodeReader) throws -> any Operator

  /// - Parameter domain: "ai.onnx" is spelled empty, as in nodes.
  package init(
    domain: String, name: String, since: Int,
    make: @escaping @Sendable (NodeReader) throws -> any Operator
  ) {
    self.domain = domain == "ai.onnx" ? "" : domain
    self.name = name
    self.since = since
    self.make = make
  }
}

/// All operators that a session knows.
package struct OperatorTable: Sendable {
  /// The newest opset of ONNX's own domain that was read when this was written.
  package static let latestOpset = 28

  /// The domain of operators that passes make, and no model is expected to have.
  package static let ownDomain = "leapstone"

  /// The operators that Leapstone has.
  package static let standard = OperatorTable(families: standardFamilies)

  private struct Entry: Sendable {
    let opsets: ClosedRange<Int>
    let type: any Operator.Type
  }
  private struct Key: Hashable, Sendable {
    let domain: String
    let name: String
  }
  private var entries: [Key: [Entry]] = [:]
  /// Operators that others are put in the place of before any is made.
  private var rewritten: Set<Key> = []
  /// By name, the latest first.
  private var foreign: [Key: [ForeignOperator]] = [:]

  /// Joins lists of operators. Two types that claim one name at one opset are a mistake of ours.
  package init(families: [any OperatorFamily.Type]) {
    for type in families.flatMap({ $0.operators }) {
      for declaration in type.declarations {
        let key = Key(domain: declaration.domain, name: declaration.name)
        precondition(
          entries[key, default: []].allSatisfy { !$0.opsets.overlaps(declaration.opsets) },
          "\(declaration.name) is declared twice for one opset")
        entries[key, default: []].append(Entry(opsets: declaration.opsets, type: type))
      }
    }
  }

  /// Every declared name with its opsets, sorted by domain, name and opset.
  package var declarations: [OperatorDeclaration] {
    entries.flatMap { key, list in
      list.map { OperatorDeclaration(key.name, domain: key.domain, opsets: $0.opsets) }
    }.sorted {
      ($0.domain, $0.name, $0.opsets.lowerBound) < ($1.domain, $1.name, $1.opsets.lowerBound)
    }
  }

  /// The type that knows a node; nil where there is none. A newer opset than any known here means what
  /// the latest does.
  package func type(of node: Node) -> (any Operator.Type)? {
    let list = entries[Key(domain: node.domain, name: node.operatorType)] ?? []
    if let entry = list.first(where: { $0.opsets.contains(node.opset) }) { return entry.type }
    guard let last = list.max(by: { $0.opsets.upperBound < $1.opsets.upperBound }),
      node.opset > last.opsets.upperBound, last.opsets.upperBound >= OperatorTable.latestOpset
    else { return nil }
    return last.type
  }

  /// Whether Leapstone itself has any version of an operator.
  package func knows(domain: String, name: String) -> Bool {
    let key = Key(domain: domain, name: name)
    return entries[key] != nil || rewritten.contains(key)
  }

  /// The table with the names of operators that others are put in the place of: they count as known, and no program has them.
  package func naming(_ operators: [OperatorDeclaration]) -> OperatorTable {
    var table = self
    table.rewritten.formUnion(operators.map { Key(domain: $0.domain, name: $0.name) })
    return table
  }

  /// Whether a program gave operators of its own.
  package var hasForeign: Bool { !foreign.isEmpty }

  /// The table with operators of a program's own.
  ///
  /// - Throws: `OperatorError` where one has no name or version, a name that is taken here, or the name and version of
  ///   another.
  package func adding(_ operators: [ForeignOperator]) throws -> OperatorTable {
    var table = self
    for added in operators {
      let key = Key(domain: added.domain, name: added.name)
      let shown = added.domain.isEmpty ? added.name : "\(added.domain).\(added.name)"
      guard !added.name.isEmpty else { throw OperatorError("an operator has no name") }
      guard added.since >= 1 else {
        throw OperatorError("operator \(shown): version \(added.since) is not 1 or more")
      }
      guard !knows(domain: added.domain, name: added.name) else {
        throw OperatorError("operator \(shown): Leapstone has one of this domain and name")
      }
      let others = table.foreign[key, default: []]
      guard !others.contains(where: { $0.since == added.since }) else {
        throw OperatorError("operator \(shown): version \(added.since) is given twice")
      }
      table.foreign[key] = (others + [added]).sorted { $0.since > $1.since }
    }
    return table
  }

  /// Makes the operator of a node.
  ///
  /// - Throws: `ModelError.unsupportedOperators` where it is not known, `.inference` where the node breaks its rules.
  package func makeOperator(for node: Node, in graph: Graph) throws -> any Operator {
    guard let make = maker(of: node) else {
      throw ModelError.unsupportedOperators([
        UnsupportedOperator(node: node.description(in: graph), reason: reasonForLack(of: node))
      ])
    }
    do { return try make(NodeReader(node)) } catch let error as OperatorError {
      throw ModelError.inference(node.description(in: graph), reason: error.reason)
    }
  }

  /// What makes the operator of a node; nil where it is not known.
  private func maker(of node: Node) -> ((NodeReader) throws -> any Operator)? {
    let given = foreign[Key(domain: node.domain, name: node.operatorType)] ?? []
    if let match = given.first(where: { $0.since <= node.opset }) { return match.make }
    return type(of: node).map { type in { try type.init($0) } }
  }

  private func reasonForLack(of node: Node) -> String {
    if let first = foreign[Key(domain: node.domain, name: node.operatorType)]?.last {
      return "this version of the operator is not known; a CustomOperator has it from "
        + "version \(first.since) on"
    }
    if node.domain == "com.microsoft.nchwc" {
      return
        "ONNX Runtime wrote it for the layouts of the processor that it ran on; save the model with "
        + "optimisations up to 'extended' instead of 'all'"
    }
    return knows(domain: node.domain, name: node.operatorType)
      ? "this version of the operator is not known"
      : "the operator is not known; a CustomOperator can supply it"
  }
}
