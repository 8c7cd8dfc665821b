// OperatorTable: from a node's domain, type and opset to the Swift type that knows it.

import LeapGraph
import LeapTensors

/// A file's list of operators.
package protocol OperatorFamily {
  static var operators: [any Operator.Type] { get }
}

/// All operators that a session knows.
package struct OperatorTable: Sendable {
  /// The newest opset of ONNX's own domain that was read when this was written.
  package static let latestOpset = 28

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

  /// Whether any version of an operator is known.
  package func knows(domain: String, name: String) -> Bool {
    entries[Key(domain: domain, name: name)] != nil
  }

  /// Makes the operator of a node.
  ///
  /// - Throws: `ModelError.unsupportedOperators` where it is not known, `.inference` where the node breaks its rules.
  package func makeOperator(for node: Node, in graph: Graph) throws -> any Operator {
    guard let type = type(of: node) else {
      let reason =
        knows(domain: node.domain, name: node.operatorType)
        ? "this version of the operator is not known" : "the operator is not known"
      throw ModelError.unsupportedOperators([
        UnsupportedOperator(node: node.description(in: graph), reason: reason)
      ])
    }
    do { return try type.init(NodeReader(node)) } catch let error as OperatorError {
      throw ModelError.inference(node.description(in: graph), reason: error.reason)
    }
  }
}
